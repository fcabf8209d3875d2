"""What was announced to suppliers a day ahead, and what leaving it was worth.

    deviation = metered - announced,   cost = sum of deviation x (imbalance price - day-ahead price)

With one price of imbalance for both directions a deviation that helps the system earns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import parse_rows, read_csv, refuse
from grid.ean import check_ean18
from grid.errors import Problem
from grid.tariffs.energy import PriceSeries
from grid.timegrid import QUARTER, floor_quarter, to_utc

Floats = NDArray[np.float64]
COLUMNS = ("ean18", "supplier", "utc_start", "net_kwh")


@dataclass(frozen=True, eq=False)
class LoadForecast:
    """What a connection is expected to take.

    Parameters
    ----------
    ean18
        Which.
    supplier
        Who buys for it; empty when the street file does not say.
    starts
        Quarters (UTC).
    net_kwh
        Import less export, shape (quarters,) [kWh].
    """

    ean18: str
    supplier: str
    starts: tuple[datetime, ...]
    net_kwh: Floats


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a connection left its forecast.

    Parameters
    ----------
    announced_kwh, metered_kwh
        Of all quarters, import less export [kWh].
    more_kwh, less_kwh
        Sums of the quarters with more, and with less than was announced [kWh].
    cost_eur
        At imbalance prices; < 0 earned; None without those [EUR].
    """

    announced_kwh: float
    metered_kwh: float
    more_kwh: float
    less_kwh: float
    cost_eur: float | None


def settle_deviation(
    forecast: LoadForecast, metered_kwh: Floats, day_ahead: PriceSeries, imbalance: PriceSeries | None
) -> Deviation:
    """Settle what left a forecast.

    Parameters
    ----------
    forecast
        What was announced.
    metered_kwh
        Import less export of its quarters [kWh].
    day_ahead, imbalance
        Prices; without the second the deviation has no price.

    Raises
    ------
    PriceMissingError
        When a quarter has no price.
    """
    left = metered_kwh - forecast.net_kwh
    cost_eur = None
    if imbalance is not None:
        cost_eur = float(left @ (imbalance.at(forecast.starts) - day_ahead.at(forecast.starts)))
    return Deviation(
        announced_kwh=float(forecast.net_kwh.sum()),
        metered_kwh=float(metered_kwh.sum()),
        more_kwh=float(left[left > 0.0].sum()),
        less_kwh=float(-left[left < 0.0].sum()),
        cost_eur=cost_eur,
    )


def write_forecasts(forecasts: Sequence[LoadForecast]) -> list[str]:
    """Return the lines of a CSV file of forecasts, header first."""
    rows = [
        f"{each.ean18},{each.supplier},{start:%Y-%m-%dT%H:%MZ},{energy_kwh:.3f}"
        for each in forecasts
        for start, energy_kwh in zip(each.starts, each.net_kwh.tolist(), strict=True)
    ]
    return [",".join(COLUMNS), *rows]


def read_forecasts(path: Path) -> list[LoadForecast]:
    """Read what `write_forecasts` wrote.

    Raises
    ------
    DocumentError
        With every malformed row, and every quarter that is missing or repeated.
    """
    _, rows = read_csv(path, COLUMNS)
    problems: list[Problem] = []
    expected = "an EAN, a supplier, a quarter's start in UTC and an energy in kWh"
    found: dict[tuple[str, str], list[tuple[datetime, float]]] = defaultdict(list)
    for line, (ean18, supplier, start, energy_kwh) in parse_rows(rows, _parse_row, expected, problems):
        known = found[ean18, supplier]
        if known and start != known[-1][0] + QUARTER:
            after = (known[-1][0] + QUARTER).isoformat()
            problems.append(Problem(f"line {line}", f"expected {after}: give every quarter once, in order"))
        known.append((start, energy_kwh))
    if not rows:
        problems.append(Problem("", "there are no values: add rows"))
    refuse(str(path), problems)
    return [
        LoadForecast(ean18, supplier, tuple(start for start, _ in known), np.array([kwh for _, kwh in known]))
        for (ean18, supplier), known in found.items()
    ]


def _parse_row(cells: tuple[str, ...]) -> tuple[str, str, datetime, float]:
    ean18, supplier, start_text, energy_text = cells
    start, energy_kwh = to_utc(datetime.fromisoformat(start_text)), float(energy_text)
    if not math.isfinite(energy_kwh) or floor_quarter(start) != start:
        raise ValueError(cells)
    return check_ean18(ean18), supplier, start, energy_kwh
