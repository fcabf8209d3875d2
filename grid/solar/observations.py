"""What a weather station measured, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem
from grid.timegrid import TimeGrid, to_utc

HOUR = timedelta(hours=1)
OCTAS = 8.0
_COLUMNS = ["utc_start", "ghi_w_m2", "temp_c", "wind_m_s", "cloud_octa", "rh_pct"]
_USED = 4
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observations:
    """Hours without a hole, each array of shape (hours,).

    Parameters
    ----------
    start
        When the first hour begins (UTC).
    ghi_w_m2
        Global horizontal irradiance, hourly means [W/m2].
    temperature_c, wind_m_s
        Air temperature [deg C] and wind speed [m/s].
    cloud_octa
        Cloud cover, 0 to 8; NaN where it was not observed.
    """

    start: datetime
    ghi_w_m2: Floats
    temperature_c: Floats
    wind_m_s: Floats
    cloud_octa: Floats

    @property
    def hours(self) -> TimeGrid:
        """The hours."""
        return TimeGrid(self.start, HOUR, len(self.ghi_w_m2))

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[datetime, Sequence[float]]]) -> Observations:
        """Build from consecutive hours: start, irradiance, temperature, wind and cloud cover of each."""
        ghi, temperature, wind, cloud = np.array([values for _, values in rows], dtype=np.float64).T
        # 9 is a sky that fog hides.
        return cls(to_utc(rows[0][0]), ghi, temperature, wind, np.minimum(cloud, OCTAS))

    @classmethod
    def from_csv(cls, path: Path) -> Observations:
        """Read ``utc_start,ghi_w_m2,temp_c,wind_m_s,cloud_octa,rh_pct``.

        Raises
        ------
        DocumentError
            When the file is missing, a value is no number, or an hour is missing or out of order.
        """
        _, rows = read_csv(path, _COLUMNS)
        problems: list[Problem] = []
        expected = "an hour's start with time zone and five numbers, irradiance >= 0, cloud cover 0 to 9"
        parsed = list(parse_rows(rows, _parse_row, expected, problems))
        if not problems:
            problems += list_holes([(f"line {line}", start) for line, (start, _) in parsed])
        refuse(str(path), problems)
        return cls.from_rows([row for _, row in parsed])


def list_holes(hours: Sequence[tuple[str, datetime]]) -> list[Problem]:
    """Return what is wrong with the order of hours, given the place and the start of each."""
    if not hours:
        return [Problem("", "there is no hour: ask for more")]
    return [
        Problem(place, "an hour is missing, repeated or out of order before it: add or sort rows")
        for (_, before), (place, start) in pairwise(hours)
        if start - before != HOUR
    ]


def _parse_row(cells: tuple[str, ...]) -> tuple[datetime, list[float]]:
    """Return start and the figures that are used."""
    start = datetime.fromisoformat(cells[0])
    values = [float(cell) for cell in cells[1:]]
    aligned = start.tzinfo is not None and start.timestamp() % HOUR.total_seconds() == 0
    if len(cells) != len(_COLUMNS) or not aligned or not all(map(math.isfinite, values)):
        raise ValueError(cells)
    if values[0] < 0.0 or not 0.0 <= values[3] <= OCTAS + 1.0:
        raise ValueError(cells)
    return start, values[:_USED]
