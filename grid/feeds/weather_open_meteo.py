"""Open-Meteo's forecast API: irradiance, temperature and wind for a place, no key needed.

``minutely_15`` or ``hourly`` values of radiation are means of the interval that ends at their time; those of
temperature and wind hold at it. Open-Meteo, "Weather Forecast API" (docs).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from grid.errors import DocumentError, Problem
from grid.feeds.weather_request import (
    Answered,
    Celsius,
    Irradiance,
    Request,
    Wind,
    check_steps,
    read_json,
)
from grid.solar.live import WeatherSeries
from grid.solar.model import PvArray
from grid.timegrid import QUARTER

SOURCE = "Open-Meteo"
_VARIABLES = "shortwave_radiation,temperature_2m,wind_speed_10m"
_FORECAST_DAYS = "3"
# The year 2200.
_LAST_SECOND = 7_258_118_400


class _Units(Answered):
    time: Literal["unixtime"]
    shortwave_radiation: Literal["W/m²"]
    temperature_2m: Literal["°C"]
    wind_speed_10m: Literal["m/s"]


class _Block(Answered):
    time: Annotated[tuple[Annotated[int, Field(ge=0, le=_LAST_SECOND)], ...], Field(min_length=1)]
    shortwave_radiation: tuple[Irradiance | None, ...]
    temperature_2m: tuple[Celsius | None, ...]
    wind_speed_10m: tuple[Wind | None, ...]

    @model_validator(mode="after")
    def _equally_long(self) -> _Block:
        lengths = {name: len(values) for name, values in self}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"its series must be equally long, not {told}")
        return self


class _Forecast(Answered):
    utc_offset_seconds: Literal[0]
    minutely_15_units: _Units | None = None
    minutely_15: _Block | None = None
    hourly_units: _Units | None = None
    hourly: _Block | None = None


def ask(base_url: str, array: PvArray, site: str, key: str, now: datetime) -> Request:
    """Return the question for a place; paying customers show a key."""
    del site, now
    params = {
        "latitude": f"{array.latitude:.4f}",
        "longitude": f"{array.longitude:.4f}",
        "minutely_15": _VARIABLES,
        "wind_speed_unit": "ms",
        "timeformat": "unixtime",
        "forecast_days": _FORECAST_DAYS,
    }
    return Request(f"{base_url}/v1/forecast", params | ({"apikey": key} if key else {}))


def read(text: str, array: PvArray) -> WeatherSeries:
    """Read an answer; values that are missing at the end are where it ends.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    del array
    answer = read_json(_Forecast, text, SOURCE)
    quarterly = answer.minutely_15 is not None and answer.minutely_15_units is not None
    name, block = ("minutely_15", answer.minutely_15) if quarterly else ("hourly", answer.hourly)
    if block is None or (answer.minutely_15_units if quarterly else answer.hourly_units) is None:
        message = "neither minutely_15 nor hourly is there with its units: ask for one"
        raise DocumentError(SOURCE, [Problem("", message)])
    rows = list(zip(block.shortwave_radiation, block.temperature_2m, block.wind_speed_10m, strict=True))
    while rows and None in rows[-1]:
        rows.pop()
    holes = [
        Problem(f"{name}[{index}]", "a value is missing between others")
        for index, row in enumerate(rows)
        if None in row
    ]
    if holes:
        raise DocumentError(SOURCE, holes[:20])
    step = QUARTER if quarterly else 4 * QUARTER
    times = block.time[: len(rows)]
    starts = [
        (f"{name}.time[{index}]", datetime.fromtimestamp(time, UTC) - step)
        for index, time in enumerate(times)
    ]
    steps = check_steps(starts, step, SOURCE)
    ghi, temperature, wind = np.array(rows, dtype=np.float64).T
    return WeatherSeries(steps, ghi, temperature, wind)
