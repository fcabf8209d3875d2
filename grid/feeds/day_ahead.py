"""Where day-ahead prices come from: ENTSO-E's platform, or a plain CSV or JSON document at a URL."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import httpx
from pydantic import AwareDatetime, Field

from grid.config import StrictModel, validate
from grid.errors import DocumentError, Problem, WijkstroomError
from grid.feeds.entsoe import LARGEST_EUR_PER_MWH, AcknowledgementError, parse_entsoe
from grid.tariffs.energy import PriceSeries, parse_prices

ENTSOE_URL = "https://web-api.tp.entsoe.eu/api"
NETHERLANDS = "10YNL----------L"
TIMEOUT_S = 30.0
MOST_BYTES = 5_000_000
_HTTP_BAD_REQUEST = 400


class PriceFormat(StrEnum):
    """What a source speaks."""

    ENTSOE = "entsoe"
    CSV = "csv"
    JSON = "json"


class PriceFeed(StrictModel):
    """``[prices.feed]``: where the service fetches day-ahead prices while it runs.

    Parameters
    ----------
    format
        ``entsoe``: the Transparency Platform's API, with the token in ``WIJKSTROOM_ENTSOE_TOKEN``; ``csv``:
        ``utc_start,eur_per_mwh`` as in price files; ``json``: a list of objects with these two names.
    url
        Where; ``{start}`` and ``{end}`` in it become the instants that are asked for.
    zone
        Bidding zone by its EIC code, for ENTSO-E.
    retry_minutes
        How long after a failure it is tried again [min].
    """

    format: PriceFormat = PriceFormat.ENTSOE
    url: str = Field(default=ENTSOE_URL, pattern=r"^https?://")
    zone: str = Field(default=NETHERLANDS, min_length=16, max_length=16)
    retry_minutes: Annotated[float, Field(gt=0.0, le=720.0)] = 15.0


class PriceFeedError(WijkstroomError):
    """A source cannot be reached, refuses, or has nothing yet."""


class _Row(StrictModel):
    """A price of a JSON document."""

    utc_start: AwareDatetime
    eur_per_mwh: Annotated[float, Field(ge=-LARGEST_EUR_PER_MWH, le=LARGEST_EUR_PER_MWH)]


class _Rows(StrictModel):
    prices: Annotated[tuple[_Row, ...], Field(min_length=1)]


class PriceClient:
    """Asks one source.

    Parameters
    ----------
    feed
        Which.
    token
        For ENTSO-E.
    http
        Connection pool.
    """

    def __init__(self, feed: PriceFeed, token: str, http: httpx.AsyncClient) -> None:
        self._feed, self._token, self._http = feed, token, http

    async def fetch(self, start: datetime, end: datetime) -> tuple[bytes, PriceSeries]:
        """Return the document that the source has for a span, as it came and read.

        Raises
        ------
        PriceFeedError
            When it cannot be reached, refuses or has nothing.
        RefusedPricesError
            When what it sent cannot be read.
        """
        text = await self._get(start, end)
        try:
            return text, _PARSERS[self._feed.format](text, self._feed.url)
        except AcknowledgementError as error:
            raise PriceFeedError(str(error)) from None
        except DocumentError as error:
            raise RefusedPricesError(error, text) from None

    async def _get(self, start: datetime, end: datetime) -> bytes:
        url, asked = self._feed.url, {}
        if self._feed.format is PriceFormat.ENTSOE:
            asked = {
                "securityToken": self._token,
                "documentType": "A44",
                "in_Domain": self._feed.zone,
                "out_Domain": self._feed.zone,
                "periodStart": _minute(start),
                "periodEnd": _minute(end),
            }
        else:
            url = url.replace("{start}", _zulu(start)).replace("{end}", _zulu(end))
        try:
            answer = await self._http.get(url, params=asked or None, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            # The address of the request holds the token: it is not told.
            raise PriceFeedError(f"{self._feed.url} cannot be reached: {type(error).__name__}") from None
        # ENTSO-E explains itself in an acknowledgement, also with the status 400.
        explains = self._feed.format is PriceFormat.ENTSOE and answer.status_code == _HTTP_BAD_REQUEST
        if not (answer.is_success or explains):
            raise PriceFeedError(f"{self._feed.url} answered with {answer.status_code}")
        if len(answer.content) > MOST_BYTES:
            raise PriceFeedError(
                f"{self._feed.url} sent {len(answer.content)} bytes: that is no day of prices"
            )
        return answer.content


class RefusedPricesError(WijkstroomError):
    """A document of prices was refused whole.

    Parameters
    ----------
    error
        Everything that is wrong with it.
    text
        What came.
    """

    def __init__(self, error: DocumentError, text: bytes) -> None:
        super().__init__(str(error))
        self.problems, self.text = error.problems, text


def parse_csv(text: bytes, source: str) -> PriceSeries:
    """Read ``utc_start,eur_per_mwh``.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    try:
        return parse_prices(text.decode("utf-8-sig"), source)
    except UnicodeDecodeError:
        raise DocumentError(source, [Problem("", "is no text in UTF-8: send CSV")]) from None


def parse_json(text: bytes, source: str) -> PriceSeries:
    """Read ``[{"utc_start": ..., "eur_per_mwh": ...}]``, or the same under ``prices``.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(source, [Problem("", f"is no JSON: {error}")]) from None
    rows = validate(_Rows, {"prices": document} if isinstance(document, list) else document, source=source)
    lines = [f"{row.utc_start.isoformat()},{row.eur_per_mwh!r}" for row in rows.prices]
    return parse_prices("\n".join(["utc_start,eur_per_mwh", *lines]), source)


_PARSERS: dict[PriceFormat, Callable[[bytes, str], PriceSeries]] = {
    PriceFormat.ENTSOE: parse_entsoe,
    PriceFormat.CSV: parse_csv,
    PriceFormat.JSON: parse_json,
}


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%d%H%M}"


def _zulu(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
