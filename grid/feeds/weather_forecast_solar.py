"""Forecast.Solar's estimate: the array's energy between instants that also fall on sunrise and sunset.

Forecast.Solar, "API:Estimate" (docs): ``watt_hours_period`` is the energy since the instant before; with
``time=utc`` instants are in UTC; azimuth -180 to 180 with 0 for south.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from grid.errors import DocumentError, Problem
from grid.feeds.weather_request import Answered, Instant, Request, check_span, read_json
from grid.solar.live import PowerSeries
from grid.solar.model import PvArray
from grid.timegrid import QUARTER, QUARTER_HOURS, TimeGrid, ceil_quarter, floor_quarter

SOURCE = "Forecast.Solar"
_W_PER_KW = 1000.0
_SOUTH_DEGREES = 180.0
# Beyond the peak there is no power, but for what rounding and a bright cloud add.
_MOST_OF_PEAK: Final = 1.3
_LONGEST = timedelta(hours=24)


class _Result(Answered):
    watt_hours_period: Annotated[dict[Instant, Annotated[float, Field(ge=0.0)]], Field(min_length=2)]


class _Estimate(Answered):
    result: _Result


def ask(base_url: str, array: PvArray, site: str, key: str, now: datetime) -> Request:
    """Return the question for an array; paying customers show a key."""
    del site, now
    place = f"{array.latitude:.4f}/{array.longitude:.4f}"
    plane = f"{array.tilt_degrees:.0f}/{array.azimuth_degrees - _SOUTH_DEGREES:.0f}/{array.peak_kw:g}"
    owner = f"/{key}" if key else ""
    return Request(
        f"{base_url}{owner}/estimate/{place}/{plane}",
        {"time": "utc"},
        headers={"Accept": "application/json"},
    )


def read(text: str, array: PvArray) -> PowerSeries:
    """Read an answer: energy between irregular instants becomes the power of quarters, and none is lost.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    periods = sorted(read_json(_Estimate, text, SOURCE).result.watt_hours_period.items())
    instants = [at.astimezone(UTC) for at, _ in periods]
    problems = []
    for (before, _), (at, energy_wh) in pairwise(periods):
        place = f"result.watt_hours_period.{at.isoformat()}"
        hours = (at - before) / timedelta(hours=1)
        if at - before > _LONGEST:
            problems.append(Problem(place, f"comes {hours:.0f} h after the instant before: a day is missing"))
        elif energy_wh > _MOST_OF_PEAK * array.peak_kw * _W_PER_KW * hours:
            problems.append(Problem(place, f"{energy_wh:g} Wh is more than the array can give"))
    problems += check_span(instants[-1] - instants[0])
    if problems:
        raise DocumentError(SOURCE, problems[:20])
    first, last = floor_quarter(instants[0]), ceil_quarter(instants[-1])
    quarters = TimeGrid(first, QUARTER, (last - first) // QUARTER)
    # What the first instant counts was before it.
    sums_wh = np.cumsum([0.0, *(energy_wh for _, energy_wh in periods[1:])])
    edges = [edge.timestamp() for edge in quarters.edges]
    energy = np.diff(np.interp(edges, [at.timestamp() for at in instants], sums_wh))
    return PowerSeries(quarters, energy / QUARTER_HOURS / _W_PER_KW)
