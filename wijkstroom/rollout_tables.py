"""Tables of `wijkstroom rollout` for people at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.rollout.figures import MEANINGS

Json = dict[str, Any]
# What stands in the table; everything else is in the report.
SHOWN = (
    "sockets",
    "sessions_per_socket_day",
    "kwh_per_session",
    "occupancy_busiest_fraction",
    "free_everywhere_fraction",
    "blocked_fraction",
    "idle_h_per_session",
    "transformer_peak_kw",
    "overloaded_transformers",
    "overload_h",
    "pv_self_consumed_fraction",
    "discharged_kwh",
    "charging_cost_eur",
    "saved_eur",
    "avoided_reinforcement_eur",
    "reward_eur",
    "co2_saved_kg",
    "harm_kwh_fraction",
    "harm_sessions_fraction",
)


def print_summary(summary: Json, out: Path) -> None:
    """Print the figures of every year and where the report is."""
    console = Console()
    for year in map(str, summary["years"]):
        figures = summary["figures"][year]
        table = Table(title=f"{summary['name']}, {year}, {summary['replicates']} replicates")
        table.add_column("mean and 95 % interval")
        for policy in summary["policies"]:
            table.add_column(policy, justify="right")
        for name in SHOWN:
            rows = [figures[policy].get(name) for policy in summary["policies"]]
            cells = [cell(name, each) if each else "-" for each in rows]
            table.add_row(label(name), *cells)
        console.print(table)
    console.print(headline(summary), highlight=False)
    for line in [*held_back(summary), *queue_lines(summary)]:
        console.print(line, highlight=False)
    console.print(
        f"report: {out / 'report.html'}, figures: {out / 'summary.json'}", style="dim", highlight=False
    )


def headline(summary: Json) -> str:
    """Return the answer to the question of every plan."""
    parts = []
    for year, each in summary["headline"]["years"].items():
        free = each["free_fraction"]["mean"]
        parts.append(f"{year}: {'yes' if each['met'] else 'no'} ({free:.1%} in the worst neighbourhood)")
    return f"{summary['headline']['question'].capitalize()}? " + "; ".join(parts)


def held_back(summary: Json) -> list[str]:
    """Say which constraint binds where poles that were asked for have not come by the end."""
    return [
        f"{name}: {sum(each['waiting_for'].values()):g} poles that were asked for have not come, held by "
        + ", ".join(f"{constraint} ({count:g})" for constraint, count in each["waiting_for"].items())
        for name, each in summary["placement"]["neighbourhoods"].items()
        if each["waiting_for"]
    ]


def queue_lines(summary: Json) -> list[str]:
    """Say what each transformer or feeder with a date of its own held back, and which did so first."""
    lines = []
    for name, each in summary["placement"]["neighbourhoods"].items():
        lines += [
            f"{name}, {node} (connectable from {queue['connectable_from']:g}): "
            f"{queue['delayed_by_connections']:g} poles came late, {queue['waiting']:g} still wait, "
            f"{queue['moved_elsewhere']:g} went elsewhere"
            for node, queue in each.get("nodes", {}).items()
        ]
        first = each.get("first_held_by")
        if first:
            lines.append(f"{name}: first held back by {first['node']}, in {first['from_year']:.1f}")
    return lines


def print_sweep(summaries: dict[str, Json]) -> None:
    """Print one table per year and policy of a sweep, one column per variant."""
    console = Console()
    first = next(iter(summaries.values()))
    for year in map(str, first["years"]):
        for policy in first["policies"]:
            table = Table("mean and 95 % interval", *summaries, title=f"{year}, {policy}")
            for name in SHOWN:
                rows = [each["figures"][year][policy].get(name) for each in summaries.values()]
                if any(rows):
                    table.add_row(label(name), *(cell(name, each) if each else "-" for each in rows))
            console.print(table)


def print_comparison(document: Json) -> None:
    """Print two studies and their difference."""
    console = Console()
    for year, policies in document["figures"].items():
        for policy, figures in policies.items():
            table = Table("", document["first"], document["second"], "difference", title=f"{year}, {policy}")
            for name, each in figures.items():
                difference = cell(name, each["difference"]) if each["difference"] else "not paired"
                table.add_row(label(name), cell(name, each["first"]), cell(name, each["second"]), difference)
            console.print(table)


def print_proposals(document: Json) -> None:
    """Print where poles should go and how the concession does."""
    console = Console()
    table = Table("", "beside", "lot", "spares a week", "reason", title="Next poles")
    for each in document["proposals"]:
        table.add_row(
            str(each["rank"]), each["beside"], each["lot"], f"{each['spared_per_week']:.1f}", each["reason"]
        )
    console.print(table)
    console.print(f"ended by {document['ended_by']}", highlight=False)
    table = Table(
        "lot", "month", "sockets", "kWh", "in use", "busiest hour", "free then", "kept", title="Concession"
    )
    for each in document["concession"]:
        table.add_row(
            each["lot"],
            each["month"],
            str(each["sockets"]),
            f"{each['energy_kwh']:,.0f}",
            f"{each['occupancy_fraction']:.1%}",
            each["busiest_hour"],
            f"{each['free_busiest_fraction']:.1%}",
            "yes" if each["met"] else "NO",
        )
    console.print(table)


def label(name: str) -> str:
    """Return what a figure is called, with its unit."""
    meaning = MEANINGS[name]
    unit = "%" if name.endswith("_fraction") else meaning.unit
    return f"{meaning.label} [{unit}]".replace("[", "\\[") if unit else meaning.label


def cell(name: str, value: Json) -> str:
    """Return mean and half interval of a figure; shares in per cent."""
    scale = 100.0 if name.endswith("_fraction") else 1.0
    mean = value["mean"] * scale
    if value["low"] is None:
        return _number(mean)
    return f"{_number(mean)} ±{_number((value['high'] - value['low']) / 2 * scale)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - thousands have no decimals
