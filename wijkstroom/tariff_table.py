"""`wijkstroom tariffs compare`: the months of `wijkstroom.tariff_months` as JSON, as a table, as a page."""

from __future__ import annotations

import json
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from csms.control.snapshot import SEARCH_FRACTION
from wijkstroom.bench import stdout_to_stderr
from wijkstroom.rolling.month import take_part
from wijkstroom.street import load_street
from wijkstroom.tariff_cases import PLAN_BUDGET_S, Control
from wijkstroom.tariff_months import compare_tariffs

PAGE = """# {month} under each tariff

    {command}

What {street} pays for {days} days of {month}, in EUR without VAT: energy at day-ahead prices, network
charges, energy tax, and {wear:g} EUR of wear for every kWh that cars give back, less rewards.
Uncontrolled, every car charges at once, whatever the limits. Smart, the service's own problem is planned
every hour with what it knows then, within all limits, and nobody gives anything back. V2G, the shared cars
may. The same people come in every row (seed {seed}); what is missing at departures stands beside the money.

{table}

{notes}
"""
NOTES = """- Peaks that households are expected to make anyway are sunk in plans; bills count them. Rewards
  are paid against the month without control. The contracted {capacity:.0f} kW are billed in every band that
  prices them. The stations are a part of the street with the same share of households, sun and limits.
- Cars that come between two plans get the least power until the next; the service plans within seconds. A
  plan has {plan_s:g} s of real time for its search, so that another machine, or a busy one, finds others.
- *Every connection alone* is planned as one street and billed one by one: the sun is shared by nobody there.
- Tariffs of other years are used as if they held in this month. What is a pilot or a what-if has rewards and
  prices that are assumptions: see the files in `configs/tariffs`.
- Tariffs with about the same prices (a quarter more or less) share their plans, not their bills."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What was asked on the command line.

    Parameters
    ----------
    config
        Street file; None: the default.
    month
        Year and month, like ``2024-06``.
    days
        Only so many of its days; None: all.
    every
        Every so-manieth station with its share of the street.
    seed
        Of everything random.
    page
        Where the page in Markdown goes; None: nowhere.
    """

    config: Path | None
    month: date
    days: int | None
    every: int
    seed: int
    page: Path | None


def run_compare(options: CompareOptions, *, as_json: bool) -> None:
    """Compare and print.

    Raises
    ------
    DocumentError
        When the street file is refused.
    """
    errors = Console(stderr=True)
    street = take_part(load_street(options.config), options.every)
    days = options.days or monthrange(options.month.year, options.month.month)[1]
    with stdout_to_stderr():
        rows = compare_tariffs(
            street, options.month, days, options.seed, lambda text: errors.print(text, highlight=False)
        )
    document = {
        "street": street.grid.name,
        "month": f"{options.month:%Y-%m}",
        "days": days,
        "stations": len(street.stations),
        "seed": options.seed,
        "contracted_kw": max(street.grid.contracted_kw.values(), default=0.0),
        "degradation_eur_per_kwh": street.service.degradation_eur_per_kwh,
        "tariffs": rows,
    }
    if options.page is not None:
        options.page.write_text(build_page(document, _command(options)), encoding="utf-8")
    if as_json:
        print(json.dumps(document, indent=2))  # noqa: T201 - the document is the answer
    else:
        Console().print(build_table(document))


def _command(options: CompareOptions) -> str:
    parts = ["wijkstroom tariffs compare", f"--month {options.month:%Y-%m}"]
    parts += [f"--config {options.config.name}"] if options.config else []
    parts += [f"--days {options.days}"] if options.days else []
    parts += [f"--every {options.every}"] if options.every > 1 else []
    parts += [f"--seed {options.seed}"]
    parts += [f"--page docs/{options.page.name}"] if options.page else []
    return " ".join(parts)


def list_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a tariff: costs, what control saves, peaks and what was missing."""
    costs = [row[control.value] for control in Control]
    uncontrolled, smart, v2g = (cost["total_eur"] for cost in costs)
    return [
        row["tariff"],
        row["status"],
        *(f"{total:,.0f}" for total in (uncontrolled, smart, v2g)),
        f"{uncontrolled - smart:,.0f}",
        f"{smart - v2g:,.0f}",
        " / ".join(f"{cost['peak_kw']:.0f}" for cost in costs),
        " / ".join(f"{cost['shortfall_kwh']:.0f}" for cost in costs),
        f"{costs[2]['discharged_kwh']:,.0f}",
    ]


HEADERS = (
    "tariff",
    "status",
    "uncontrolled EUR",
    "smart EUR",
    "V2G EUR",
    "smart saves",
    "V2G saves more",
    "peaks kW",
    "missing kWh",
    "given back kWh",
)


def build_table(document: dict[str, Any]) -> Table:
    """Return the comparison for people."""
    table = Table(title=f"{document['street']}, {document['month']}", title_justify="left")
    for number, name in enumerate(HEADERS):
        table.add_column(name, justify="right" if number > 1 else "left")
    for row in document["tariffs"]:
        table.add_row(*list_cells(row))
    return table


def build_page(document: dict[str, Any], command: str) -> str:
    """Return the comparison as a page in Markdown."""
    lines = [HEADERS, ["---", "---", *["---:"] * (len(HEADERS) - 2)], *map(list_cells, document["tariffs"])]
    month = f"{date.fromisoformat(document['month'] + '-01'):%B %Y}"
    return PAGE.format(
        month=month,
        days=document["days"],
        command=command,
        street=f"{document['street']} ({document['stations']} stations)",
        wear=document["degradation_eur_per_kwh"],
        seed=document["seed"],
        table="\n".join(f"| {' | '.join(cells)} |" for cells in lines),
        notes=NOTES.format(capacity=document["contracted_kw"], plan_s=SEARCH_FRACTION * PLAN_BUDGET_S),
    )
