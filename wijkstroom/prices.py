"""`wijkstroom prices`: how good the price forecast is."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from grid.tariffs.energy import PriceSeries
from grid.tariffs.outlook import score_forecasts
from grid.timegrid import quarters_of_local_day
from wijkstroom.resources import find_config

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
