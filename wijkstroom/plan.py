"""`wijkstroom plan`: a problem document in, of a site, its scenarios or a city, and one checked plan out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from grid.errors import DocumentError
from grid.errors import Problem as Fault
from optimizer.city.plan import CityPlan
from optimizer.city.planner import plan_city
from optimizer.city.problem import City, is_city, parse_city
from optimizer.city.problem import read_document as read_json
from optimizer.plan import EvPlan, Plan
from optimizer.planner import plan as make_plan
from optimizer.planner import warm_up
from optimizer.problem import Ev, Problem, parse_problem
from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.planner import plan_uncertain
from optimizer.uncertain.problem import Uncertain, is_uncertain, parse_uncertain
from optimizer.workers import ProcessExecutor
from wijkstroom.bench import stdout_to_stderr
from wijkstroom.plan_uncertain import uncertain_table

STDIN = Path("-")
# Cities up to this size are planned in the command's own process: starting others takes longer.
MOST_SITES_HERE = 20
# What vehicles wait for is printed up to this many lines.
MOST_WAITS = 30


def run_plan(path: Path, *, as_json: bool) -> None:
    """Plan the problem in a file and print the plan.

    Parameters
    ----------
    path
        A problem as JSON, of one site, of one with ``scenarios``, or of a city (``sites`` and ``nodes``);
        ``-`` reads stdin.
    as_json
        Print the whole plan as JSON on stdout and nothing else there.

    Raises
    ------
    DocumentError
        With every error of the document and its JSON path.
    """
    text = read_document(path)
    document = read_json(text, source=_name(path))
    if is_city(document):
        _run_city(parse_city(text, source=_name(path)), as_json=as_json)
        return
    if is_uncertain(document):
        _run_uncertain(parse_uncertain(document, source=_name(path)), as_json=as_json)
        return
    problem = parse_problem(text, source=_name(path))
    with stdout_to_stderr():
        answer = make_plan(problem)
    if as_json:
        _print_json(answer)
    else:
        Console().print(plan_table(problem, answer))


def _run_uncertain(problem: Uncertain, *, as_json: bool) -> None:
    with stdout_to_stderr():
        answer = plan_uncertain(problem)
    if as_json:
        _print_json(answer)
    else:
        Console().print(uncertain_table(problem, answer))


def _run_city(city: City, *, as_json: bool) -> None:
    with stdout_to_stderr():
        answer = _plan_in_processes(city) if len(city.sites) > MOST_SITES_HERE else plan_city(city)
    if as_json:
        _print_json(answer)
    else:
        Console().print(city_table(city, answer))


def _plan_in_processes(city: City) -> CityPlan:
    executor = ProcessExecutor(os.cpu_count() or 1, warm_up)
    try:
        return plan_city(city, executor)
    finally:
        executor.close()


def _print_json(answer: Plan | CityPlan | UncertainPlan) -> None:
    sys.stdout.write(json.dumps(answer.model_dump(mode="json"), indent=2, allow_nan=False) + "\n")


def read_document(path: Path) -> bytes:
    """Read a file, or stdin for ``-``.

    Raises
    ------
    DocumentError
        When there is no such file.
    """
    try:
        return sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except OSError as error:
        message = f"cannot be read ({error.strerror}): give the path of a JSON file, or - for stdin"
        raise DocumentError(_name(path), [Fault("", message)]) from error


def _name(path: Path) -> str:
    return "stdin" if path == STDIN else str(path)


def plan_table(problem: Problem, plan: Plan) -> RenderableType:
    """Return a plan for people: a line per vehicle, the peaks, what it costs and why."""
    return Group(_vehicles(problem, plan), _summary(problem, plan), *_reasons(plan), *_waits(plan))


def _vehicles(problem: Problem, plan: Plan) -> Table:
    table = Table(title=f"Plan from {problem.start.isoformat(timespec='minutes')}")
    table.add_column("vehicle")
    table.add_column("steps", justify="right")
    for name in ("charged kWh", "discharged kWh", "at departure kWh", "wanted kWh", "short kWh"):
        table.add_column(name, justify="right")
    for ev, planned in zip(problem.evs, plan.evs, strict=True):
        table.add_row(*_vehicle_cells(problem, ev, planned))
    return table


def _vehicle_cells(problem: Problem, ev: Ev, planned: EvPlan) -> list[str | Text]:
    charged = problem.step_h * sum(power for power in planned.power_kw if power > 0.0)
    discharged = problem.step_h * sum(-power for power in planned.power_kw if power < 0.0)
    short = f"{planned.shortfall_kwh:.2f}"
    return [
        Text(ev.id),
        f"{ev.arrival_step}-{ev.departure_step}",
        f"{charged:.2f}",
        f"{discharged:.2f}",
        f"{planned.energy_kwh[ev.departure_step]:.2f}",
        f"{ev.departure_energy_kwh:.2f}",
        Text(short, style="bold red") if planned.shortfall_kwh > 0.005 else short,  # noqa: PLR2004 - two decimals
    ]


def _summary(problem: Problem, plan: Plan) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = [
        ("status", str(plan.status)),
        ("objective", f"{plan.objective_eur:.2f} EUR"),
        ("of which money", f"{plan.money_eur:.2f} EUR"),
        ("bound", "not known" if plan.bound_eur is None else f"{plan.bound_eur:.2f} EUR"),
        ("gap", "not known" if plan.gap is None else f"{100.0 * plan.gap:.3f} %"),
        ("import", f"{problem.step_h * sum(plan.import_kw):.1f} kWh, at most {max(plan.import_kw):.1f} kW"),
        ("export", f"{problem.step_h * sum(plan.export_kw):.1f} kWh, at most {max(plan.export_kw):.1f} kW"),
        ("sun turned down", f"{problem.step_h * sum(plan.curtailed_kw):.1f} kWh"),
        ("solved in", f"{1e3 * plan.solve_seconds:.0f} ms"),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), value)
    return table


def _reasons(plan: Plan | CityPlan) -> list[Text]:
    return [
        Text(f"- {sentence}", style="yellow" if sentence.startswith("Warning") else "")
        for sentence in plan.explanation
    ]


def _waits(plan: Plan) -> list[Text]:
    """Return what vehicles wait for, as far as it fits on a page."""
    lines = [
        Text(f"  {wait.first_step:3d}-{wait.end_step:<3d} {wait.words}", style="dim")
        for wait in plan.waits[:MOST_WAITS]
    ]
    more = len(plan.waits) - len(lines)
    return [*lines, Text(f"  and {more} more with --json", style="dim")] if more else lines


def city_table(city: City, plan: CityPlan) -> RenderableType:
    """Return a city's plan for people: a line per node and per site, what it costs and what stands out."""
    return Group(_nodes(city, plan), _sites(city, plan), _city_summary(plan), *_reasons(plan))


def _nodes(city: City, plan: CityPlan) -> Table:
    table = Table(title="Nodes")
    table.add_column("node")
    for name in ("import at most kW", "export at most kW", "over the limit kWh", "peaks EUR"):
        table.add_column(name, justify="right")
    for node in plan.nodes:
        table.add_row(
            Text(node.id),
            f"{max(node.import_kw):.1f}",
            f"{max(node.export_kw):.1f}",
            f"{city.step_h * sum(node.limit_excess_kw):.1f}",
            f"{sum(band.cost_eur for band in node.peak_bands):.2f}",
        )
    return table


def _sites(city: City, plan: CityPlan) -> Table:
    table = Table(title=f"Sites from {city.sites[0].start.isoformat(timespec='minutes')}")
    table.add_column("site")
    for name in ("vehicles", "import kWh", "export kWh", "short kWh", "objective EUR"):
        table.add_column(name, justify="right")
    for site in plan.sites:
        table.add_row(
            Text(site.id),
            str(len(site.plan.evs)),
            f"{city.step_h * sum(site.plan.import_kw):.1f}",
            f"{city.step_h * sum(site.plan.export_kw):.1f}",
            f"{sum(ev.shortfall_kwh for ev in site.plan.evs):.2f}",
            f"{site.plan.objective_eur:.2f}",
        )
    return table


def _city_summary(plan: CityPlan) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = [
        ("status", str(plan.status)),
        ("objective", f"{plan.objective_eur:.2f} EUR"),
        ("of which money", f"{plan.money_eur:.2f} EUR"),
        ("bound", "not known" if plan.bound_eur is None else f"{plan.bound_eur:.2f} EUR"),
        ("gap", "not known" if plan.gap is None else f"{100.0 * plan.gap:.3f} %"),
        ("solved in", f"{plan.solve_seconds:.1f} s"),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), value)
    return table
