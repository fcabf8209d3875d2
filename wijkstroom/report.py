"""The demo's figures: the JSON document with exactly the published names, and the table for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Figures = dict[str, Any]

POLICIES = ("uncontrolled", "equal_share", "earliest_deadline")

# Figure, what people call it, unit, decimals. Fractions are shown in per cent.
ROWS = (
    ("sessions", "sessions that ended", "", 0),
    ("energy_required_kwh", "energy required", "kWh", 1),
    ("energy_delivered_kwh", "energy delivered", "kWh", 1),
    ("energy_shortfall_kwh", "short at departure", "kWh", 1),
    ("sessions_satisfied_fraction", "satisfied, needs told", "%", 1),
    ("sessions_satisfied_fraction_none", "satisfied, nothing told", "%", 1),
    ("energy_discharged_kwh", "discharged", "kWh", 1),
    ("import_kwh", "street import", "kWh", 1),
    ("export_kwh", "street export", "kWh", 1),
    ("pv_self_consumed_fraction", "own sun used", "%", 1),
    ("peak_import_kw", "highest quarter", "kW", 1),
    ("limit_exceeded_kwh", "above limits", "kWh", 2),
    ("signal_exceeded_kwh", "of which capacity signal", "kWh", 2),
    ("uncontrollable_kwh", "above limits, unavoidable", "kWh", 2),
    ("cost_eur", "cost, one connection", "EUR", 2),
    ("cost_alone_eur", "cost, each billed alone", "EUR", 2),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the run must show."""

    text: str
    met: bool


def table(figures: Figures) -> RenderableType:
    """Return the table that compares the planned run with the baselines, and how the run itself went."""
    columns = [("planned", figures), *((policy, figures["baselines"][policy]) for policy in POLICIES)]
    columns = [(name, each) for name, each in columns if each]
    title = f"{figures['config']}, {figures['date']}, seed {figures['seed']}"
    grid = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1))
    grid.add_column("", justify="left", no_wrap=True)
    for name, _ in columns:
        style = "bold green" if name == "planned" else None
        grid.add_column(name.replace("_", "\n"), justify="right", style=style)
    grid.add_column("", justify="left", style="dim")
    for key, label, unit, decimals in ROWS:
        grid.add_row(label, *(_cell(each.get(key), unit, decimals) for _, each in columns), unit)
    return Group(grid, Text("\n".join(run_lines(figures))))


def run_lines(figures: Figures) -> Iterator[str]:
    """Yield sentences on how the run itself went."""
    yield (
        f"{figures['stations']} stations, {figures['plans']} plans "
        f"(median {figures['plan_seconds_p50']:.2f} s, 95 % within {figures['plan_seconds_p95']:.2f} s), "
        f"{figures['ocpp_messages']} OCPP messages, {figures['ocpp_errors']} errors"
    )
    yield (
        f"{figures['hours']:g} hours at {figures['achieved_speed']:.0f} times real time "
        f"({figures['clock_stalls']} stalls, {figures['clock_stalled_seconds']:.1f} s), "
        f"{figures['wall_seconds']:.0f} s in all"
    )


def checks(figures: Figures) -> list[Check]:
    """Return what a day on this street should show, each with whether it does."""
    baselines = figures["baselines"]
    none_target = (baselines["equal_share"]["sessions_satisfied_fraction_none"] or 0.0) - 0.02
    cheapest_baseline_eur = min(each["cost_eur"] for each in baselines.values())
    return [
        Check("no limit exceeded", figures["limit_exceeded_kwh"] == 0.0),
        Check(
            "uncontrolled exceeds the signal by 20 kWh or more",
            baselines["uncontrolled"]["signal_exceeded_kwh"] >= 20.0,  # noqa: PLR2004 -- the sentence says it
        ),
        Check("20 kWh or more discharged", figures["energy_discharged_kwh"] >= 20.0),  # noqa: PLR2004
        Check(
            "0.99 of driver, car and booking sessions satisfied",
            (figures["sessions_satisfied_fraction"] or 0.0) >= 0.99,  # noqa: PLR2004
        ),
        Check(
            "sessions that declare nothing are served like equal share, less 0.02 at the most",
            (figures["sessions_satisfied_fraction_none"] or 0.0) >= none_target,
        ),
        Check("cheaper than every baseline", figures["cost_eur"] < cheapest_baseline_eur),
        Check("no OCPP error", figures["ocpp_errors"] == 0),
    ]


def checks_text(figures: Figures) -> Text:
    """Return the checks as coloured lines."""
    text = Text()
    for check in checks(figures):
        text.append("  yes  " if check.met else "  NO   ", style="green" if check.met else "bold red")
        text.append(check.text + "\n")
    return text


def _cell(value: float | None, unit: str, decimals: int) -> str:
    if value is None:
        return "-"
    return f"{value * 100.0 if unit == '%' else value:.{decimals}f}"
