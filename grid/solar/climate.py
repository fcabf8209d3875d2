"""Statistics of the sky over a place: how clear it is, how warm and how windy, by month and hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem
from grid.load import Quantiles
from grid.timegrid import QUARTER, to_utc

_COLUMNS = ["month", "utc_hour", "lower", "median", "upper", "mean", "temperature_c", "wind_m_s"]
_SHAPE = (12, 24)


@dataclass(frozen=True, eq=False)
class Climate:
    """Clear-sky index and weather by month and UTC hour, each of shape (12, 24).

    Parameters
    ----------
    clearness
        Quantiles of the clear-sky index, global irradiance over that of a clear sky [-].
    mean_clearness
        Its energy-weighted mean [-].
    temperature_c
        Mean air temperature [deg C].
    wind_m_s
        Mean wind speed [m/s].
    """

    clearness: Quantiles
    mean_clearness: NDArray[np.float64]
    temperature_c: NDArray[np.float64]
    wind_m_s: NDArray[np.float64]

    @classmethod
    def from_csv(cls, path: Path) -> Climate:
        """Read ``month,utc_hour,lower,median,upper,mean,temperature_c,wind_m_s``, 288 rows.

        Raises
        ------
        DocumentError
            When the file is missing, a row is malformed, or a month and hour is missing.
        """
        _, rows = read_csv(path, _COLUMNS)
        problems: list[Problem] = []
        figures = np.full((len(_COLUMNS) - 2, *_SHAPE), np.nan)
        expected = "month, hour and six figures with 0 <= lower <= median <= upper"
        for _, (month, hour, values) in parse_rows(rows, _parse_row, expected, problems):
            figures[:, month, hour] = values
        if not problems:
            gaps = np.argwhere(np.isnan(figures).any(axis=0))
            problems += [
                Problem("", f"month {month + 1}, hour {hour} is missing: add its row") for month, hour in gaps
            ]
        refuse(str(path), problems)
        lower, median, upper, mean, temperature, wind = figures
        return cls(Quantiles(lower, median, upper), mean, temperature, wind)

    def clearness_at(self, starts: Sequence[datetime]) -> Quantiles:
        """Return the clear-sky index in the middle of each quarter [-], each of shape (len(starts),)."""
        return Quantiles(
            _between_hours(self.clearness.lower, starts),
            _between_hours(self.clearness.median, starts),
            _between_hours(self.clearness.upper, starts),
        )

    def temperature_at(self, starts: Sequence[datetime]) -> NDArray[np.float64]:
        """Return the air temperature in the middle of each quarter [deg C]."""
        return _between_hours(self.temperature_c, starts)

    def wind_at(self, starts: Sequence[datetime]) -> NDArray[np.float64]:
        """Return the wind speed in the middle of each quarter [m/s]."""
        return _between_hours(self.wind_m_s, starts)


def _parse_row(cells: tuple[str, ...]) -> tuple[int, int, list[float]]:
    """Return month index, hour and the six figures."""
    values = [float(cell) for cell in cells[2:]]
    if len(cells) != len(_COLUMNS) or not all(map(math.isfinite, values)):
        raise ValueError(cells)
    lower, median, upper = values[:3]
    if not 0.0 <= lower <= median <= upper:
        raise ValueError(cells)
    return range(1, 13).index(int(cells[0])), range(24).index(int(cells[1])), values


def _between_hours(table: NDArray[np.float64], starts: Sequence[datetime]) -> NDArray[np.float64]:
    """Interpolate between the middles of hours; months meet in steps."""
    middles = [to_utc(start) + QUARTER / 2 - timedelta(minutes=30) for start in starts]
    months = np.array([middle.month - 1 for middle in middles], dtype=np.int64)
    hours = np.array([middle.hour for middle in middles], dtype=np.int64)
    share = np.array([middle.minute / 60.0 + middle.second / 3600.0 for middle in middles])
    here, next_hour = table[months, hours], table[months, (hours + 1) % 24]
    return np.asarray(here * (1.0 - share) + next_hour * share, dtype=np.float64)
