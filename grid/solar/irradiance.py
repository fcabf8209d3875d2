"""Where irradiance comes from: the climate of the place, or a file of measured or forecast values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem
from grid.load import Quantiles
from grid.solar.climate import Climate
from grid.timegrid import QUARTER, quarter_number

_COLUMNS = ["utc_start", "ghi_w_m2"]
_OPTIONAL_COLUMNS = ["temperature_c", "wind_m_s"]
_QUARTER_S = 900
_STEPS = (1, 4)
# Clear-sky index of a file's bounds: its value times 1 -+ this, the order of a day-ahead error at De Bilt.
_FILE_SPREAD_FRACTION = 0.35
_MAX_CLEARNESS = 1.3


@dataclass(frozen=True, eq=False)
class Weather:
    """What an array is exposed to, per quarter.

    Parameters
    ----------
    ghi_w_m2
        Global horizontal irradiance, quarter means [W/m2].
    temperature_c
        Air temperature [deg C].
    wind_m_s
        Wind speed [m/s].
    """

    ghi_w_m2: Quantiles
    temperature_c: NDArray[np.float64]
    wind_m_s: NDArray[np.float64]


class IrradianceSource(Protocol):
    """Anything that knows the weather of a quarter."""

    def weather(self, starts: Sequence[datetime], clear_sky_ghi_w_m2: NDArray[np.float64]) -> Weather:
        """Return the weather of quarters, given the irradiance of a clear sky in them [W/m2]."""
        ...


@dataclass(frozen=True, eq=False)
class ClimateIrradiance:
    """The ordinary sky of the place.

    Parameters
    ----------
    climate
        Its statistics.
    """

    climate: Climate

    def weather(self, starts: Sequence[datetime], clear_sky_ghi_w_m2: NDArray[np.float64]) -> Weather:
        """Return clear sky times the quantiles of clearness, with mean temperature and wind."""
        clearness = self.climate.clearness_at(starts)
        return Weather(
            Quantiles(
                clearness.lower * clear_sky_ghi_w_m2,
                clearness.median * clear_sky_ghi_w_m2,
                clearness.upper * clear_sky_ghi_w_m2,
            ),
            self.climate.temperature_at(starts),
            self.climate.wind_at(starts),
        )


@dataclass(frozen=True, eq=False)
class FileIrradiance:
    """A series from a file; what lies outside it is the climate's.

    Parameters
    ----------
    first_quarter
        Number of its first quarter since 1970.
    values
        Irradiance [W/m2], air temperature [deg C] and wind speed [m/s] per quarter, shape (3, quarters);
        NaN in the last two where the file has no such column.
    quarters_per_row
        1 for quarter-hourly, 4 for hourly means.
    climate
        For everything that the file does not tell.
    """

    first_quarter: int
    values: NDArray[np.float64]
    quarters_per_row: int
    climate: ClimateIrradiance

    @classmethod
    def from_csv(cls, path: Path, climate: Climate) -> FileIrradiance:
        """Read ``utc_start,ghi_w_m2`` and optionally ``temperature_c,wind_m_s``: means from each start on.

        Raises
        ------
        DocumentError
            When the file is missing, a value is no number or negative irradiance, or a row is missing or
            out of order.
        """
        header, rows = read_csv(path, _COLUMNS, _COLUMNS + _OPTIONAL_COLUMNS)
        problems: list[Problem] = []
        expected = f"a quarter's start with time zone and {len(header) - 1} number(s), irradiance >= 0"
        parsed = [
            (line, quarter, figures)
            for line, (quarter, figures) in parse_rows(
                rows, lambda cells: _parse_row(cells, len(header)), expected, problems
            )
        ]
        step = 0 if problems else _row_step([(line, quarter) for line, quarter, _ in parsed], problems)
        refuse(str(path), problems)
        values = np.full((3, len(parsed)), np.nan)
        values[: len(header) - 1] = np.array([figures for _, _, figures in parsed]).T
        return cls(parsed[0][1], np.repeat(values, step, axis=1), step, ClimateIrradiance(climate))

    @property
    def start(self) -> datetime:
        """Where it begins (UTC)."""
        return datetime.fromtimestamp(self.first_quarter * _QUARTER_S, UTC)

    @property
    def end(self) -> datetime:
        """Where it ends (UTC)."""
        return self.start + int(self.values.shape[1]) * QUARTER

    def weather(self, starts: Sequence[datetime], clear_sky_ghi_w_m2: NDArray[np.float64]) -> Weather:
        """Return the file's weather.

        An hourly mean is spread over its quarters as a clear sky would be, which keeps its energy.
        """
        typical = self.climate.weather(starts, clear_sky_ghi_w_m2)
        index = np.array([quarter_number(start) for start in starts], dtype=np.int64) - self.first_quarter
        inside = (index >= 0) & (index < self.values.shape[1])
        ghi, temperature, wind = np.full((3, len(starts)), np.nan)
        ghi[inside], temperature[inside], wind[inside] = self.values[:, index[inside]]
        if self.quarters_per_row > 1:
            ghi *= _shape_in_hour(index // self.quarters_per_row, clear_sky_ghi_w_m2)
        brightest = np.maximum(ghi, _MAX_CLEARNESS * clear_sky_ghi_w_m2)
        bounds = Quantiles(
            ghi * (1.0 - _FILE_SPREAD_FRACTION),
            ghi,
            np.minimum(ghi * (1.0 + _FILE_SPREAD_FRACTION), brightest),
        )
        return Weather(
            Quantiles(
                _first_known(bounds.lower, typical.ghi_w_m2.lower),
                _first_known(bounds.median, typical.ghi_w_m2.median),
                _first_known(bounds.upper, typical.ghi_w_m2.upper),
            ),
            _first_known(temperature, typical.temperature_c),
            _first_known(wind, typical.wind_m_s),
        )


def _first_known(values: NDArray[np.float64], otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), otherwise, values)


def _shape_in_hour(hours: NDArray[np.int64], clear_sky_ghi_w_m2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the clear-sky irradiance of each quarter over the mean of its hour; 1 where the hour is dark."""
    _, place = np.unique(hours, return_inverse=True)
    means = np.bincount(place, clear_sky_ghi_w_m2) / np.bincount(place)
    mean = means[place]
    return np.divide(clear_sky_ghi_w_m2, mean, out=np.ones_like(mean), where=mean > 1.0)


def _parse_row(cells: tuple[str, ...], columns: int) -> tuple[int, list[float]]:
    """Return quarter number and values."""
    start, values = datetime.fromisoformat(cells[0]), [float(cell) for cell in cells[1:]]
    aligned = start.tzinfo is not None and start.timestamp() % _QUARTER_S == 0
    if len(cells) != columns or not aligned or values[0] < 0 or not all(map(math.isfinite, values)):
        raise ValueError(cells)
    return quarter_number(start), values


def _row_step(rows: Sequence[tuple[int, int]], problems: list[Problem]) -> int:
    """Return how many quarters a row holds for, noting holes."""
    if len(rows) < 2:  # noqa: PLR2004 - a step needs two rows
        problems.append(Problem("", "there are fewer than two rows: add rows"))
        return 0
    step = rows[1][1] - rows[0][1]
    if step not in _STEPS:
        minutes = step * QUARTER / timedelta(minutes=1)
        problems.append(
            Problem(f"line {rows[1][0]}", f"rows must be 15 or 60 minutes apart, not {minutes:g}")
        )
        return 0
    for (_, quarter), (line, following) in pairwise(rows):
        if following - quarter != step:
            message = "a hole, a repetition or a change of step before it: add or sort rows"
            problems.append(Problem(f"line {line}", message))
    return step
