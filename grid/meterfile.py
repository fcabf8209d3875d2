"""Quarter-hour values of a meter from a CSV file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem
from grid.timegrid import QUARTER, floor_quarter, to_utc

COLUMNS = ("utc_start", "import_kwh", "export_kwh")
BASELINE_COLUMNS = (*COLUMNS, "baseline_kwh")


@dataclass(frozen=True, eq=False)
class MeterSeries:
    """What a meter registered, quarter by quarter without holes.

    Parameters
    ----------
    starts
        Starts of the quarters (UTC).
    import_kwh, export_kwh
        Energy of each, shape (quarters,) [kWh].
    baseline_kwh
        Import that was agreed to be expected without steering; None when the file does not say [kWh].
    """

    starts: tuple[datetime, ...]
    import_kwh: NDArray[np.float64]
    export_kwh: NDArray[np.float64]
    baseline_kwh: NDArray[np.float64] | None = None


def read_meter(path: Path) -> MeterSeries:
    """Read ``utc_start,import_kwh,export_kwh`` and perhaps ``baseline_kwh``.

    Raises
    ------
    DocumentError
        When the file is missing, a value is no energy >= 0, or quarters are missing, repeated or unsorted.
    """
    header, rows = read_csv(path, COLUMNS, BASELINE_COLUMNS)
    problems: list[Problem] = []
    expected = "a quarter's start in UTC and energies >= 0, like 2026-01-01T00:00Z,1.25,0"
    parsed = list(parse_rows(rows, _parse_row, expected, problems))
    if not rows:
        problems.append(Problem("", "there are no values: add rows"))
    if not problems:
        previous = parsed[0][1][0] - QUARTER
        for line, (start, _) in parsed:
            if start != previous + QUARTER:
                message = f"expected {(previous + QUARTER).isoformat()}: give every quarter once, in order"
                problems.append(Problem(f"line {line}", message))
            previous = start
    refuse(str(path), problems)
    values = np.array([energies for _, (_, energies) in parsed], dtype=np.float64)
    return MeterSeries(
        starts=tuple(start for _, (start, _) in parsed),
        import_kwh=values[:, 0],
        export_kwh=values[:, 1],
        baseline_kwh=values[:, 2] if len(header) == len(BASELINE_COLUMNS) else None,
    )


def _parse_row(cells: tuple[str, ...]) -> tuple[datetime, tuple[float, ...]]:
    start = datetime.fromisoformat(cells[0])
    energies = tuple(float(cell) for cell in cells[1:])
    if start.tzinfo is None or not all(0.0 <= energy < math.inf for energy in energies):
        raise ValueError(cells)
    start = to_utc(start)
    if floor_quarter(start) != start:
        raise ValueError(cells)
    return start, energies
