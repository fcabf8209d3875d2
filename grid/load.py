"""Base load of households: a yearly energy spread over the quarters, with the bounds that planning needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem, WijkstroomError
from grid.timegrid import QUARTERS_PER_DAY
from grid.topology import Node

# Levels of the lower and upper bounds, and the normal quantile that belongs to them.
LOWER_QUANTILE, UPPER_QUANTILE = 0.05, 0.95
_NORMAL_QUANTILE = 1.6449
# Standard deviation of one household's quarter-hour power over its mean, and of a whole street's day over
# its forecast. Assumptions of the order that published measurements of single dwellings show; the first
# averages out, the second does not.
HOUSEHOLD_VARIATION_FRACTION = 1.0
DAY_ERROR_FRACTION = 0.05
_REFERENCE_KWH = 1000.0


class LoadProfileError(WijkstroomError):
    """A node has households but nothing says when they use their energy."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A forecast: one value per step in each array, shape (steps,).

    Parameters
    ----------
    lower, median, upper
        The 5 %, 50 % and 95 % quantiles, each step for itself.
    """

    lower: NDArray[np.float64]
    median: NDArray[np.float64]
    upper: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.median)


class DayType(StrEnum):
    """Kinds of days that households tell apart."""

    WORKDAY = "workday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_DAY_TYPES = tuple(DayType)
_HEADER = ("month", "day_type", *(f"{q // 4:02d}:{q % 4 * 15:02d}" for q in range(QUARTERS_PER_DAY)))


@dataclass(frozen=True, eq=False)
class LoadProfile:
    """How a yearly consumption of 1,000 kWh spreads over the quarters of each kind of day.

    Parameters
    ----------
    mean_w
        Mean power per quarter of local time, shape (12 months, 3 day types, 96 quarters) [W per 1,000 kWh a
        year].
    """

    mean_w: NDArray[np.float64]

    @classmethod
    def from_csv(cls, path: Path) -> LoadProfile:
        """Read ``month,day_type`` and 96 columns ``00:00`` to ``23:45``.

        Raises
        ------
        DocumentError
            When the file is missing, a value is no positive number, or a month and day type is missing or
            repeated.
        """
        _, rows = read_csv(path, _HEADER)
        problems: list[Problem] = []
        mean_w = np.full((12, len(_DAY_TYPES), QUARTERS_PER_DAY), np.nan)
        expected = "a month, workday, saturday or sunday, and 96 powers >= 0"
        for line, (month, kind, values) in parse_rows(rows, _parse_row, expected, problems):
            if not np.isnan(mean_w[month, kind, 0]):
                problems.append(Problem(f"line {line}", "this month and day type stands twice: keep one"))
            mean_w[month, kind] = values
        if not problems:
            gaps = np.argwhere(np.isnan(mean_w).any(axis=2))
            problems += [
                Problem("", f"month {month + 1}, {_DAY_TYPES[kind]} is missing: add its row")
                for month, kind in gaps
            ]
        refuse(str(path), problems)
        return cls(mean_w)

    def power_kw(self, starts: Sequence[datetime], tz: ZoneInfo, annual_kwh: float) -> NDArray[np.float64]:
        """Return the expected power of each quarter [kW], shape (len(starts),).

        Parameters
        ----------
        starts
            Starts of quarters.
        tz
            The local time by which people live.
        annual_kwh
            Energy of a year [kWh].
        """
        local = [start.astimezone(tz) for start in starts]
        months = np.array([moment.month - 1 for moment in local], dtype=np.int64)
        kinds = np.array([max(0, moment.weekday() - 4) for moment in local], dtype=np.int64)
        quarters = np.array([(moment.hour * 60 + moment.minute) // 15 for moment in local], dtype=np.int64)
        return self.mean_w[months, kinds, quarters] * (annual_kwh / _REFERENCE_KWH) / 1000.0


def forecast_base_load_kw(node: Node, starts: Sequence[datetime], tz: ZoneInfo) -> Quantiles:
    """Forecast what the households on a node draw.

    The relative spread is that of independent households, ``v / sqrt(n)``, and of the day as a whole, ``d``:
    ``s = sqrt(v^2 / n + d^2)``; the bounds are the median times ``1 - 1.645 s`` and ``1 + 1.645 s``.

    Parameters
    ----------
    node
        Its households, yearly energy and load profile.
    starts
        Starts of quarters.
    tz
        The street's local time.

    Returns
    -------
    Quantiles
        Power per quarter [kW], >= 0.

    Raises
    ------
    LoadProfileError
        When the node has households and no load profile.
    """
    if node.households == 0:
        return Quantiles(*np.zeros((3, len(starts))))
    if node.load_profile is None:
        raise LoadProfileError(f"{node.id} has {node.households} households but no load_profile: name a file")
    median = node.load_profile.power_kw(starts, tz, node.households * node.annual_kwh_per_household)
    spread = _NORMAL_QUANTILE * math.hypot(
        HOUSEHOLD_VARIATION_FRACTION / math.sqrt(node.households), DAY_ERROR_FRACTION
    )
    return Quantiles(median * max(0.0, 1.0 - spread), median, median * (1.0 + spread))


def _parse_row(cells: tuple[str, ...]) -> tuple[int, int, list[float]]:
    """Return month index, day type index and the 96 values."""
    values = [float(cell) for cell in cells[2:]]
    if len(values) != QUARTERS_PER_DAY or not all(0.0 <= value < math.inf for value in values):
        raise ValueError(cells)
    return range(1, 13).index(int(cells[0])), _DAY_TYPES.index(DayType(cells[1])), values
