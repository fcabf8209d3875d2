"""A plan on scenarios for people: what to do now, and what each scenario then costs."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.problem import Uncertain


def uncertain_table(problem: Uncertain, plan: UncertainPlan) -> RenderableType:
    """Return a plan on scenarios: a line per vehicle of the first steps, and one per scenario."""
    sentences = [Text(f"- {sentence}") for sentence in plan.explanation]
    return Group(_first_steps(problem, plan), _scenarios(problem, plan), _summary(plan), *sentences)


def _first_steps(problem: Uncertain, plan: UncertainPlan) -> Table:
    start = problem.expected.start.isoformat(timespec="minutes")
    table = Table(title=f"First steps from {start}, the same in every scenario")
    table.add_column("vehicle")
    table.add_column("kW, step by step", justify="right")
    for each in plan.first_steps:
        table.add_row(Text(each.id), "  ".join(f"{power:.2f}" for power in each.power_kw))
    return table


def _scenarios(problem: Uncertain, plan: UncertainPlan) -> Table:
    table = Table(title="Scenarios")
    table.add_column("scenario")
    for name in ("probability", "vehicles", "import kWh", "export kWh", "short kWh", "objective EUR"):
        table.add_column(name, justify="right")
    step_h = problem.expected.step_h
    for one in plan.scenarios:
        table.add_row(
            Text(one.id),
            f"{one.probability:.3g}",
            str(len(one.plan.evs)),
            f"{step_h * sum(one.plan.import_kw):.1f}",
            f"{step_h * sum(one.plan.export_kw):.1f}",
            f"{sum(ev.shortfall_kwh for ev in one.plan.evs):.2f}",
            f"{one.plan.objective_eur:.2f}",
        )
    return table


def _summary(plan: UncertainPlan) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("status", str(plan.status)),
        ("expected objective", f"{plan.objective_eur:.2f} EUR"),
        ("of which money", f"{plan.money_eur:.2f} EUR"),
        ("bound", "not known" if plan.bound_eur is None else f"{plan.bound_eur:.2f} EUR"),
        ("gap", "not known" if plan.gap is None else f"{100.0 * plan.gap:.3f} %"),
        ("solved in", f"{1e3 * plan.solve_seconds:.0f} ms"),
    ):
        table.add_row(Text(name, style="dim"), value)
    return table
