"""`wijkstroom prices`: how good the price forecast is, and what leaving a forecast of load was worth."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from csms.state.load_forecasts import read_frozen
from grid.csvfile import refuse
from grid.errors import DocumentError, Problem
from grid.feeds.entsoe import parse_entsoe
from grid.meterfile import read_meter
from grid.tariffs.deviation import LoadForecast, read_forecasts, settle_deviation
from grid.tariffs.energy import PriceSeries
from grid.tariffs.outlook import score_forecasts
from grid.timegrid import quarters_of_local_day
from wijkstroom.compliance import missing_file
from wijkstroom.resources import find_config
from wijkstroom.running import opened_store

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SHIPPED = Path("nl_day_ahead_2023_2024.csv")
LEADS = (1, 2)


def run_score(name: Path | None, *, as_json: bool) -> None:
    """Score and print.

    Raises
    ------
    DocumentError
        With every mistake of the file.
    """
    document = score_file(find_config("data", name or SHIPPED))
    if as_json:
        print(json.dumps(document, indent=2))  # noqa: T201 - the document is the answer
    else:
        Console().print(build_table(document))


def run_deviation(
    forecast: str,
    meter: Path,
    prices: Path | None,
    imbalance: Path | None,
    ean18: str | None,
    db: str | None,
    *,
    as_json: bool,
) -> None:
    """Settle what a meter left of a forecast, and print.

    The forecast is a file, or with a database the day of which it holds what was announced.

    Raises
    ------
    WijkstroomError
        With every mistake of a file, or when they do not fit each other.
    """
    forecasts = read_forecasts(Path(forecast)) if db is None else asyncio.run(_read_announced(db, forecast))
    announced = _choose(forecasts, forecast, ean18)
    series = read_meter(meter)
    net_kwh = dict(zip(series.starts, (series.import_kwh - series.export_kwh).tolist(), strict=True))
    missing = [start for start in announced.starts if start not in net_kwh]
    if missing:
        message = f"{missing[0].isoformat()} and {len(missing) - 1} more are forecast: give all of them"
        raise DocumentError(str(meter), [Problem("", message)])
    found = settle_deviation(
        announced,
        np.array([net_kwh[start] for start in announced.starts]),
        PriceSeries.from_csv(find_config("data", prices or SHIPPED)),
        None if imbalance is None else read_series(imbalance),
    )
    document = {
        "ean18": announced.ean18,
        "supplier": announced.supplier,
        "from": announced.starts[0].isoformat(),
        "quarters": len(announced.starts),
        **{key: None if value is None else round(value, 3) for key, value in asdict(found).items()},
    }
    if as_json:
        print(json.dumps(document, indent=2))  # noqa: T201 - the document is the answer
        return
    table = Table(title=f"{announced.ean18} {announced.supplier}".strip(), title_justify="left")
    table.add_column("deviation from the forecast")
    table.add_column("", justify="right")
    for key, value in list(document.items())[2:]:
        table.add_row(key, "no imbalance prices" if value is None else str(value))
    Console().print(table)


async def _read_announced(db: str, text: str) -> list[LoadForecast]:
    problems: list[Problem] = []
    day = date.min
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problems.append(Problem("FORECAST", f"must be a day like 2026-06-09 with --db, not {text!r}"))
    missing = missing_file(db)
    if missing is not None:
        problems.append(
            Problem("--db", f"there is no database {missing}: name the one of `wijkstroom serve`")
        )
    refuse("prices deviation", problems)
    async with opened_store(db) as store:
        found = await store.read(partial(read_frozen, day=day))
    if found is None:
        message = f"nothing was announced for {day}: give a file of the forecast instead"
        raise DocumentError("prices deviation", [Problem("FORECAST", message)])
    return list(found.forecasts)


def _choose(forecasts: list[LoadForecast], source: str, ean18: str | None) -> LoadForecast:
    chosen = [each for each in forecasts if ean18 is None or each.ean18 == ean18]
    if len(chosen) != 1:
        known = ", ".join(each.ean18 for each in forecasts)
        raise DocumentError(source, [Problem("ean18", f"say with --ean which one of {known} is meant")])
    return chosen[0]


def read_series(path: Path) -> PriceSeries:
    """Read prices from a CSV file, or of imbalance from ENTSO-E's XML.

    Raises
    ------
    WijkstroomError
        With every mistake of the file.
    """
    if path.suffix == ".xml":
        try:
            return parse_entsoe(path.read_bytes(), str(path))
        except OSError as error:
            raise DocumentError(str(path), [Problem("", f"cannot be read: {error.strerror}")]) from error
    return PriceSeries.from_csv(path)


def score_file(path: Path) -> dict[str, Any]:
    """Return the scores of every year of a price file.

    Raises
    ------
    DocumentError
        With every mistake of the file.
    """
    series = PriceSeries.from_csv(path)
    first, last = (
        at.astimezone(AMSTERDAM).date() for at in (series.start, series.end - timedelta(seconds=1))
    )
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    profiles = series.profiles(days, AMSTERDAM)
    rows = [
        {"year": year, "days_ahead": lead, "forecast": name, **asdict(found)}
        for year in sorted({day.year for day in days})
        for lead in LEADS
        for name, found in score_forecasts(days, profiles, year=year, days_ahead=lead).items()
    ]
    return {"file": path.name, "scores": rows}


def list_whole_days(series: PriceSeries) -> list[date]:
    """List the local days of which every price is known."""
    first = series.start.astimezone(AMSTERDAM).date()
    last = series.end.astimezone(AMSTERDAM).date()
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    bounds = {day: quarters_of_local_day(day, AMSTERDAM) for day in days}
    return [day for day, grid in bounds.items() if series.start <= grid.start and grid.end <= series.end]


def build_table(document: dict[str, Any]) -> Table:
    """Return the scores for people."""
    table = Table(title=f"Price forecasts, {document['file']}", title_justify="left")
    for name in ("year", "days ahead", "forecast"):
        table.add_column(name)
    for name in ("MAE EUR/MWh", "RMSE EUR/MWh"):
        table.add_column(name, justify="right")
    for row in document["scores"]:
        figures = (f"{row[key]:.2f}" for key in ("mae_eur_per_mwh", "rmse_eur_per_mwh"))
        table.add_row(str(row["year"]), str(row["days_ahead"]), row["forecast"], *figures)
    return table
