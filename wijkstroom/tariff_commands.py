"""`wijkstroom tariffs`: its commands import what they run when they run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from wijkstroom.console import reported_errors
from wijkstroom.market import JsonOption

tariffs_app = typer.Typer(help="Network tariffs.", no_args_is_help=True)


@tariffs_app.callback()
def tariffs() -> None:
    """Network tariffs."""


@tariffs_app.command("compare")
def compare(
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="Year and month.")] = "2024-06",  # type: ignore[assignment]  # parsed by the option
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Street file; default: as shipped.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=31, help="Only the first days of the month.")] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Every so-manieth station, with its share of the street.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from this number.")] = 1,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="PATH", help="Also write a page in Markdown.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run a month of a street under each tariff: uncontrolled, smart, V2G.

    Every shipped tariff that a street can have; planned every hour in
    virtual time and without sockets, settled by the tariff's own rules.
    A week of a third of the street takes some ten minutes of processor time.

    [bold]Examples[/]

        wijkstroom tariffs compare --days 2 --every 3
        wijkstroom tariffs compare --month 2024-06 --days 7 --every 3 --page june-2024.md
    """
    from wijkstroom.tariff_table import CompareOptions, run_compare  # noqa: PLC0415

    options = CompareOptions(config, month.date(), days, every, seed, page)
    with reported_errors():
        run_compare(options, as_json=as_json)


@tariffs_app.command("refusals")
def refusals(
    contract: Annotated[Path, typer.Argument(metavar="CONTRACT", help="A contract with \\[\\[refusals]].")],
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="Year and month.")],
    group: Annotated[
        str | None, typer.Option(metavar="NODE", help="A node of the street; default: the contract's EAN.")
    ] = None,
) -> None:
    """Print the hours that a duration contract leaves to the grid operator.

    They are a file of capacity signals: checked and sent on the page
    /grid or to /api/v1/signals/csv, plans keep them.

    [bold]Examples[/]

        wijkstroom tariffs refusals duration-85-100kw.toml --month 2026-06 --group lombok-transformer
    """
    from wijkstroom.refusals import run_refusals  # noqa: PLC0415
    from wijkstroom.resources import find_config  # noqa: PLC0415

    with reported_errors():
        run_refusals(find_config("contracts", contract), month.date(), group)
