"""When a grid operator may refuse capacity: a duration contract gives 85 % of the hours, 1,314 a year may go.

The hours are agreed as windows of local time, so that both sides know them; what is still given in them is
part of the window. Hours are counted by the wall clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from grid.config import StrictModel
from grid.tariffs.network import Weekday
from grid.timegrid import MINUTES_PER_DAY, QUARTER, QUARTER_HOURS, local_minutes, overlaps_daily_window

# 15 % of 8,760 hours.
REFUSABLE_HOURS: Final = 1314.0
_QUARTER_MINUTES: Final = np.arange(0, MINUTES_PER_DAY, 15, dtype=np.int64)
_WEEKDAYS: Final = tuple(Weekday)
# Every kind of year, by its first weekday and its length, comes in these.
_YEARS: Final = range(2000, 2028)


class RefusalWindow(StrictModel):
    """``[[refusals]]``: hours in which the operator gives less than is contracted.

    Parameters
    ----------
    months
        Months of the local calendar, 1 to 12.
    weekdays
        Local days of the week.
    daily_from, daily_to
        Local window of the day, on whole quarters; over midnight when the end is not after the start.
    capacity_kw
        What it still gives [kW].
    """

    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = tuple(range(1, 13))
    weekdays: tuple[Weekday, ...] = _WEEKDAYS
    daily_from: time
    daily_to: time
    capacity_kw: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _on_quarters(self) -> Self:
        for moment in (self.daily_from, self.daily_to):
            if moment.minute % 15 or moment.second or moment.microsecond or moment.tzinfo is not None:
                raise ValueError("daily_from and daily_to must be local times on a quarter, like 17:15")
        return self


def refused_capacity_kw(
    windows: Sequence[RefusalWindow], starts: Sequence[datetime], tz: ZoneInfo
) -> NDArray[np.float64]:
    """Return what the operator still gives in each quarter, infinity where it refuses nothing [kW].

    Parameters
    ----------
    windows
        What was agreed; where they overlap the lowest holds.
    starts
        Quarters.
    tz
        The local time of the windows.

    Returns
    -------
    NDArray
        Shape (len(starts),).
    """
    capacity_kw = np.full(len(starts), np.inf)
    if not windows:
        return capacity_kw
    days: dict[date, NDArray[np.float64]] = {}
    for index, (start, minute) in enumerate(zip(starts, local_minutes(starts, tz).tolist(), strict=True)):
        day = start.astimezone(tz).date()
        if day not in days:
            days[day] = _day_kw(windows, day)
        capacity_kw[index] = days[day][minute // 15]
    return capacity_kw


def most_refused_hours(windows: Sequence[RefusalWindow]) -> float:
    """Return how many hours windows have in the year that has the most of them [h]."""
    hours: dict[tuple[int, int], float] = {}
    most = 0.0
    for year in _YEARS:
        total, day = 0.0, date(year, 1, 1)
        while day.year == year:
            kind = day.month, day.weekday()
            if kind not in hours:
                hours[kind] = float(np.isfinite(_day_kw(windows, day)).sum()) * QUARTER_HOURS
            total, day = total + hours[kind], day + timedelta(days=1)
        most = max(most, total)
    return most


def list_refusals(
    windows: Sequence[RefusalWindow], starts: Sequence[datetime], tz: ZoneInfo
) -> Iterator[tuple[datetime, datetime, float]]:
    """Yield begin, end and capacity [kW] of each span of consecutive quarters with one refused capacity."""
    span: tuple[datetime, datetime, float] | None = None
    for start, limit_kw in zip(starts, refused_capacity_kw(windows, starts, tz).tolist(), strict=True):
        if span is not None and span[1:] == (start, limit_kw):
            span = span[0], start + QUARTER, limit_kw
            continue
        if span is not None:
            yield span
        span = None if math.isinf(limit_kw) else (start, start + QUARTER, limit_kw)
    if span is not None:
        yield span


def _day_kw(windows: Sequence[RefusalWindow], day: date) -> NDArray[np.float64]:
    capacity_kw = np.full(len(_QUARTER_MINUTES), np.inf)
    for window in windows:
        if day.month in window.months and _WEEKDAYS[day.weekday()] in window.weekdays:
            inside = overlaps_daily_window(_QUARTER_MINUTES, window.daily_from, window.daily_to)
            capacity_kw[inside] = np.minimum(capacity_kw[inside], window.capacity_kw)
    return capacity_kw
