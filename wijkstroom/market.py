"""`wijkstroom prices`: its commands import what they run when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wijkstroom.console import reported_errors

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")]

prices_app = typer.Typer(help="Day-ahead prices and their forecast.", no_args_is_help=True)


@prices_app.callback()
def prices() -> None:
    """Day-ahead prices and their forecast."""


@prices_app.command("score")
def score(
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="CSV", help="utc_start,eur_per_mwh; default: 2023 and 2024."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Score the price forecast against what came, beside two naive forecasts.

    Tomorrow is scored as it was expected before its publication, the day
    after tomorrow from the same knowledge. The forecast's weights were
    chosen on 2023.

    [bold]Examples[/]

        wijkstroom prices score
        wijkstroom prices score --file my-prices.csv --json
    """
    from wijkstroom.prices import run_score  # noqa: PLC0415

    with reported_errors():
        run_score(file, as_json=as_json)


@prices_app.command("deviation")
def deviation(
    forecast: Annotated[
        str,
        typer.Argument(
            metavar="FORECAST", help="A file as /api/v1/load-forecast.csv; with --db a day like 2026-06-09."
        ),
    ],
    meter: Annotated[Path, typer.Argument(metavar="METER.csv", help="utc_start,import_kwh,export_kwh.")],
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="CSV", help="Day-ahead; default: 2023 and 2024.")
    ] = None,
    imbalance: Annotated[
        Path | None, typer.Option("--imbalance", metavar="FILE", help="CSV, or ENTSO-E's XML (A85).")
    ] = None,
    db: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the service: what it announced is taken.")
    ] = None,
    ean18: Annotated[str | None, typer.Option("--ean", help="Which connection, of several.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say how far a connection left its day-ahead forecast, in kWh and EUR.

    [bold]Examples[/]

        wijkstroom prices deviation forecast.csv meter.csv --imbalance imbalance.csv
        wijkstroom prices deviation forecast.csv meter.csv --ean 871694600000010017 --json
        wijkstroom prices deviation 2026-06-09 meter.csv --db sqlite:///wijkstroom.db --ean 871694600000010017
    """
    from wijkstroom.prices import run_deviation  # noqa: PLC0415

    with reported_errors():
        run_deviation(forecast, meter, prices, imbalance, ean18, db, as_json=as_json)
