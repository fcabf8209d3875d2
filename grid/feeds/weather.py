"""Where the sun's forecast comes from: Open-Meteo, Solcast, Forecast.Solar, or KNMI's hourly observations."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import httpx
from pydantic import Field

from grid.config import StrictModel
from grid.errors import DocumentError, Problem, WijkstroomError
from grid.feeds import weather_forecast_solar, weather_knmi, weather_open_meteo, weather_solcast
from grid.feeds.weather_request import Request
from grid.solar.live import Answer
from grid.solar.model import PvArray

TIMEOUT_S: Final = 30.0
MOST_BYTES: Final = 2_000_000
_SAID: Final = 200


class WeatherSource(StrEnum):
    """Who is asked."""

    OPEN_METEO = "open-meteo"
    SOLCAST = "solcast"
    FORECAST_SOLAR = "forecast-solar"
    KNMI = "knmi"


class _Door(NamedTuple):
    """How a source is spoken to.

    Parameters
    ----------
    url
        Its public address.
    site
        What is asked of it when the street file names nothing; None: it must.
    needs_key
        Whether it answers nobody without a key.
    ask
        From address, array, site, key and time to the request.
    read
        From the text of the answer, and the array, to what it says.
    """

    url: str
    site: str | None
    needs_key: bool
    ask: Callable[[str, PvArray, str, str, datetime], Request]
    read: Callable[[str, PvArray], Answer]


_DOORS: Final[dict[WeatherSource, _Door]] = {
    WeatherSource.OPEN_METEO: _Door(
        "https://api.open-meteo.com", "", False, weather_open_meteo.ask, weather_open_meteo.read
    ),
    WeatherSource.SOLCAST: _Door(
        "https://api.solcast.com.au", None, True, weather_solcast.ask, weather_solcast.read
    ),
    WeatherSource.FORECAST_SOLAR: _Door(
        "https://api.forecast.solar", "", False, weather_forecast_solar.ask, weather_forecast_solar.read
    ),
    WeatherSource.KNMI: _Door(
        "https://www.daggegevens.knmi.nl", "260", False, weather_knmi.ask, weather_knmi.read
    ),
}


class WeatherFeed(StrictModel):
    """``[sun.feed]``: who is asked for the sun's forecast while the service runs.

    Parameters
    ----------
    source
        ``open-meteo``: irradiance, temperature and wind; ``solcast``, ``forecast-solar``: power of the array;
        ``knmi``: measured hours of a station, from which the day is forecast. Its key is in
        ``WIJKSTROOM_WEATHER_KEY``; only Solcast demands one.
    url
        Where it answers; None: its public address.
    site
        Solcast: resource id of the rooftop site; KNMI: number of the station, 260 when nothing is given.
    poll_minutes
        How often it is asked. Solcast allows ten questions a day without pay, Forecast.Solar twelve an hour
        [min].
    most_age_hours
        An answer older than this is not trusted: climate and the meter stand in for it [h].
    """

    source: WeatherSource
    url: str | None = Field(default=None, pattern=r"^https?://")
    site: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,64}$")
    poll_minutes: Annotated[float, Field(ge=5.0, le=1440.0)] = 60.0
    most_age_hours: Annotated[float, Field(gt=0.0, le=72.0)] = 12.0


class WeatherFeedError(WijkstroomError):
    """A source cannot be reached or refuses."""


class RefusedWeatherError(WijkstroomError):
    """An answer was refused whole.

    Parameters
    ----------
    error
        Everything that is wrong with it.
    text
        What came.
    """

    def __init__(self, error: DocumentError, text: str) -> None:
        super().__init__(str(error))
        self.problems, self.text = error.problems, text


def check_feed(feed: WeatherFeed, key: str) -> list[Problem]:
    """Return what a source lacks to be asked."""
    door, problems = _DOORS[feed.source], []
    if door.site is None and feed.site is None:
        problems.append(Problem("sun.feed.site", f"is missing: {feed.source} asks which site"))
    if door.needs_key and not key:
        problems.append(
            Problem("WIJKSTROOM_WEATHER_KEY", f"is missing: {feed.source} answers nobody without a key")
        )
    return problems


class WeatherClient:
    """Asks one source.

    Parameters
    ----------
    feed
        Which.
    key
        What it wants to see; empty for none.
    array
        What is asked about.
    http
        Connection pool.
    """

    def __init__(self, feed: WeatherFeed, key: str, array: PvArray, http: httpx.AsyncClient) -> None:
        self._feed, self._key, self._array, self._http = feed, key, array, http
        self._door = _DOORS[feed.source]

    async def fetch(self, now: datetime) -> Answer:
        """Return what the source says at a moment.

        Raises
        ------
        WeatherFeedError
            When it cannot be reached or refuses.
        RefusedWeatherError
            When what it sent cannot be read, or is no weather.
        """
        text = await self._get(now)
        try:
            return self._door.read(text, self._array)
        except DocumentError as error:
            raise RefusedWeatherError(error, text) from None

    async def _get(self, now: datetime) -> str:
        base_url = (self._feed.url or self._door.url).rstrip("/")
        site = self._feed.site or self._door.site or ""
        asked = self._door.ask(base_url, self._array, site, self._key, now)
        try:
            answer = await self._http.request(
                asked.method,
                asked.url,
                params=asked.params or None,
                data=asked.form or None,
                headers=asked.headers,
                timeout=TIMEOUT_S,
            )
        except httpx.HTTPError as error:
            # The address of the request may hold the key: it is not told.
            raise WeatherFeedError(f"{base_url} cannot be reached: {type(error).__name__}") from None
        if not answer.is_success:
            said = _said(answer)
            told = f": {said.replace(self._key, '***') if self._key else said}" if said else ""
            raise WeatherFeedError(f"{base_url} answered with {answer.status_code}{told}")
        if len(answer.content) > MOST_BYTES:
            raise WeatherFeedError(f"{base_url} sent {len(answer.content)} bytes: that is no forecast")
        return answer.text


def _said(answer: httpx.Response) -> str:
    """Return the reason that a source gives for a refusal, each in its own words."""
    try:
        document: Any = json.loads(answer.content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    for key in ("reason", "message", "response_status"):
        told = document.get(key)
        told = (told.get("text") or told.get("message")) if isinstance(told, dict) else told
        if isinstance(told, str):
            return told[:_SAID]
    return ""
