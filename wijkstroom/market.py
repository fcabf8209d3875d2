"""`wijkstroom prices` and `wijkstroom tariffs`: the commands about money; they import what they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from wijkstroom.cli import reported_errors  # noqa: PLC0415 - it imports this module
    from wijkstroom.prices import run_score  # noqa: PLC0415

    with reported_errors():
        run_score(file, as_json=as_json)
