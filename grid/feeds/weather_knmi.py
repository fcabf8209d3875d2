"""KNMI's hourly observations as text: what a weather station measured, an hour a line.

KNMI, "Uurgegevens van het weer in Nederland": after lines with ``#`` come station, day, hour and what was
asked for. HH is the UT hour that ends: 1 is 00:00 to 01:00. FH in 0.1 m/s, T in 0.1 deg C, Q in J/cm2, N in
eighths, 9 where fog hides the sky; a blank was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from grid.csvfile import Row, parse_rows, refuse
from grid.errors import Problem
from grid.feeds.weather_request import Request
from grid.solar.model import PvArray
from grid.solar.observations import HOUR, Observations, list_holes

SOURCE = "KNMI"
_COLUMNS = ("STN", "YYYYMMDD", "HH", "FH", "T", "Q", "N")
_DAYS_BACK = 4
_HOURS = 24
# A joule on a square centimetre in an hour, as a mean in W/m2.
_W_M2_PER_J_CM2 = 1e4 / 3600.0
_TENTH = 0.1
_MOST_J_CM2, _MOST_TENTHS_C, _MOST_TENTHS_M_S, _HIDDEN = 540, 600, 750, 9


def ask(base_url: str, array: PvArray, site: str, key: str, now: datetime) -> Request:
    """Return the question for the last days of a station."""
    del array, key
    form = {
        "stns": site,
        "vars": ":".join(_COLUMNS[3:]),
        "start": f"{now.astimezone(UTC) - timedelta(days=_DAYS_BACK):%Y%m%d}01",
        "end": f"{now.astimezone(UTC):%Y%m%d}24",
    }
    return Request(f"{base_url}/klimatologie/uurgegevens", method="POST", form=form)


def read(text: str, array: PvArray) -> Observations:
    """Read an answer; hours at its end that are not yet measured are where it ends.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    del array
    rows = [
        Row(number, tuple(cell.strip() for cell in line.split(",")))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    problems: list[Problem] = []
    if _columns(text) != _COLUMNS:
        names = ",".join(_COLUMNS)
        problems.append(Problem("", f"no line names the columns {names}: ask for them in this order"))
    while rows and _is_open(rows[-1].cells):
        rows.pop()
    expected = f"{','.join(_COLUMNS)} as whole numbers in KNMI's units, only N may be blank"
    parsed = list(parse_rows(rows, _parse_row, expected, problems))
    stations = {row.cells[0] for row in rows}
    if len(stations) > 1:
        problems.append(
            Problem("", f"has more than one station ({', '.join(sorted(stations))}): ask for one")
        )
    if not problems:
        problems += list_holes([(f"line {line}", start) for line, (start, _) in parsed])
    refuse(SOURCE, problems)
    return Observations.from_rows([row for _, row in parsed])


def _columns(text: str) -> tuple[str, ...]:
    """Return the names of the columns: the last comment says them."""
    comments = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    named = [line for line in comments if line.startswith("STN,")]
    return tuple(name.strip() for name in named[-1].split(",")) if named else ()


def _is_open(cells: Sequence[str]) -> bool:
    return len(cells) == len(_COLUMNS) and not all(cells[3:6])


def _parse_row(cells: tuple[str, ...]) -> tuple[datetime, tuple[float, ...]]:
    """Return start of the hour, irradiance, temperature, wind and cloud cover."""
    if len(cells) != len(_COLUMNS):
        raise ValueError(cells)
    hour, wind, temperature, radiation = (int(cell) for cell in cells[2:6])
    cloud = int(cells[6]) if cells[6] else None
    plausible = (
        1 <= hour <= _HOURS
        and 0 <= radiation <= _MOST_J_CM2
        and abs(temperature) <= _MOST_TENTHS_C
        and 0 <= wind <= _MOST_TENTHS_M_S
        and (cloud is None or 0 <= cloud <= _HIDDEN)
    )
    if not plausible:
        raise ValueError(cells)
    start = datetime.strptime(cells[1], "%Y%m%d").replace(tzinfo=UTC) + (hour - 1) * HOUR
    octas = math.nan if cloud is None else float(cloud)
    return start, (_W_M2_PER_J_CM2 * radiation, _TENTH * temperature, _TENTH * wind, octas)
