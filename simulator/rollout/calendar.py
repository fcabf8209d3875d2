"""A simulated year: its quarters in UTC, what the clock on the wall says then, and what energy costs."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.errors import DocumentError, Problem
from grid.timegrid import local_midnight

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TZ = ZoneInfo("Europe/Amsterdam")
STEP_H = 0.25
HOURS_OF_WEEK = 168


@dataclass(frozen=True)
class YearGrid:
    """The quarters of one local calendar year.

    Parameters
    ----------
    year
        Calendar year.
    start
        First instant (UTC).
    quarter
        Local quarter of the day, 0 to 95, per step.
    weekend
        Whether it is Saturday or Sunday, per step.
    hour_of_week
        0 is Monday 00:00 local, per step.
    month
        0 to 11, per step, ascending.
    day
        Local day of the year from 0, per step.
    """

    year: int
    start: datetime
    quarter: Ints
    weekend: NDArray[np.bool_]
    hour_of_week: Ints
    month: Ints
    day: Ints

    @property
    def steps(self) -> int:
        """Quarters in the year: 35,040 or 35,136."""
        return len(self.quarter)

    def month_bounds(self) -> list[tuple[int, int]]:
        """Return first and past-the-last step of every month."""
        edges = np.searchsorted(self.month, np.arange(13))
        return [(int(first), int(last)) for first, last in itertools.pairwise(edges)]


@lru_cache(maxsize=16)
def year_grid(year: int) -> YearGrid:
    """Return the quarters of a local year; clock changes are in them."""
    start, end = local_midnight(date(year, 1, 1), TZ), local_midnight(date(year + 1, 1, 1), TZ)
    hours = int((end - start) / timedelta(hours=1))
    local = [(start + timedelta(hours=hour)).astimezone(TZ) for hour in range(hours)]
    hour = np.repeat([moment.hour for moment in local], 4)
    weekday = np.repeat([moment.weekday() for moment in local], 4)
    return YearGrid(
        year=year,
        start=start,
        quarter=hour * 4 + np.tile(np.arange(4), hours),
        weekend=weekday >= 5,  # noqa: PLR2004 - Saturday
        hour_of_week=weekday * 24 + hour,
        month=np.repeat([moment.month - 1 for moment in local], 4),
        day=np.repeat([moment.timetuple().tm_yday - 1 for moment in local], 4),
    )


@lru_cache(maxsize=4)
def _hourly_prices(path: Path) -> dict[datetime, float]:
    try:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DocumentError(str(path), [Problem("", f"cannot be read: {error}")]) from error
    return {
        datetime.strptime(row["utc_start"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC): float(row["eur_per_mwh"])
        / 1000
        for row in rows
    }


def day_ahead_eur_per_kwh(path: Path, grid: YearGrid, price_year: int) -> Floats:
    """Return the price of every quarter, from another year by whole weeks: weekdays stay weekdays.

    Parameters
    ----------
    path
        Hourly series with columns ``utc_start`` and ``eur_per_mwh``.
    grid
        The simulated year.
    price_year
        The year whose prices are used; what is beyond its ends comes from its first or last weeks.

    Raises
    ------
    DocumentError
        When the file cannot be read or lacks hours.
    """
    prices = _hourly_prices(path)
    apart = (date(price_year, 1, 1) - date(grid.year, 1, 1)).days
    shift = timedelta(days=7 * round(apart / 7))
    first, last = datetime(price_year, 1, 1, tzinfo=UTC), datetime(price_year + 1, 1, 1, tzinfo=UTC)
    found = []
    for hour in range(grid.steps // 4):
        moment = grid.start + timedelta(hours=hour) + shift
        while moment < first:
            moment += timedelta(days=7)
        while moment >= last:
            moment -= timedelta(days=7)
        found.append(prices.get(moment, np.nan))
    series = np.repeat(np.array(found), 4)
    if np.isnan(series).any():
        raise DocumentError(
            str(path), [Problem("", f"lacks hours of {price_year}: give a series without holes")]
        )
    return series
