"""Solcast's rooftop sites: power of the array with its 10 % and 90 % quantiles, in steps that end at a time.

Solcast, "Rooftop PV power, forecasts" (docs): kW, ``period_end`` in UTC, ``period`` as an ISO 8601 duration.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from grid.errors import DocumentError, Problem
from grid.feeds.weather_request import Answered, Instant, Request, check_steps, read_json
from grid.solar.live import PowerSeries
from grid.solar.model import PvArray

SOURCE = "Solcast"
_HOURS: Final = "72"
_PERIODS: Final = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
# A site that is described to Solcast as larger than ours is another site.
_MOST_OF_PEAK: Final = 1.3
Kilowatts = Annotated[float, Field(ge=0.0)]


class _Estimate(Answered):
    pv_estimate: Kilowatts
    pv_estimate10: Kilowatts
    pv_estimate90: Kilowatts
    period_end: Instant
    period: Literal["PT15M", "PT30M", "PT60M", "PT1H"]

    @model_validator(mode="after")
    def _ascending(self) -> _Estimate:
        if not self.pv_estimate10 <= self.pv_estimate <= self.pv_estimate90:
            raise ValueError("must have pv_estimate10 <= pv_estimate <= pv_estimate90")
        return self


class _Forecasts(Answered):
    forecasts: Annotated[tuple[_Estimate, ...], Field(min_length=1)]


def ask(base_url: str, array: PvArray, site: str, key: str, now: datetime) -> Request:
    """Return the question for a rooftop site."""
    del array, now
    return Request(
        f"{base_url}/rooftop_sites/{site}/forecasts",
        {"format": "json", "hours": _HOURS},
        headers={"Authorization": f"Bearer {key}"},
    )


def read(text: str, array: PvArray) -> PowerSeries:
    """Read an answer.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    estimates = read_json(_Forecasts, text, SOURCE).forecasts
    most_kw = _MOST_OF_PEAK * array.peak_kw
    problems = [
        Problem(f"forecasts[{index}].pv_estimate", f"{one.pv_estimate:g} kW is more than the array can give")
        for index, one in enumerate(estimates)
        if one.pv_estimate > most_kw
    ]
    problems += [
        Problem(f"forecasts[{index}].period", f"must be {estimates[0].period} like the first")
        for index, one in enumerate(estimates)
        if one.period != estimates[0].period
    ]
    if problems:
        raise DocumentError(SOURCE, problems[:20])
    step = timedelta(minutes=_PERIODS[estimates[0].period])
    ends = [(f"forecasts[{index}].period_end", one.period_end) for index, one in enumerate(estimates)]
    steps = check_steps([(place, end - step) for place, end in ends], step, SOURCE)
    power, lower, upper = np.array(
        [(one.pv_estimate, one.pv_estimate10, one.pv_estimate90) for one in estimates]
    ).T
    return PowerSeries(steps, power, lower, upper)
