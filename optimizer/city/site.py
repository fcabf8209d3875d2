"""One site of a city: its own problem, prices on its flows, and a quota that costs to exceed."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from optimizer.check import check_plan
from optimizer.city.tree import FAMILIES, SHARES, SIGNS, site_flows_kw
from optimizer.coefficients import UNDELIVERED_FACTOR, Coefficients, Floats, compute_coefficients
from optimizer.compiled import Program, compile_program
from optimizer.dive import Diver
from optimizer.evaluate import Powers, build_plan, compute_gap
from optimizer.layout import ABSENT, Layout
from optimizer.plan import Plan, PlanStatus, Proof, Stop
from optimizer.problem import Problem
from optimizer.search import read_powers
from optimizer.solve import Budget, Solution, Solver

log = logging.getLogger(__name__)

# Fractions of the least power from which a slot is lifted to it: all, then fewer.
THRESHOLDS = (0.0, 0.3)
# Price of flow over a quota that should be kept at all costs, as a multiple of the shortfall price.
HARD_FACTOR = 1000.0
# Flow over a quota below this is rounding [kW].
NEGLIGIBLE_KW = 1e-6
# Most nodes of the search over binaries, where dives do not do, and its wall-clock budget [s].
EXACT_NODES, EXACT_LIMIT_S = 20, 10.0
PLANNED = PlanStatus(proof=Proof.FEASIBLE, stop=Stop.SEARCH_ENDED)
FALLEN_BACK = PlanStatus(proof=Proof.FALLBACK, stop=Stop.SOLVER_FAILED)


@dataclass(frozen=True, slots=True)
class Signal:
    """What the city tells a site.

    Parameters
    ----------
    price_eur_per_kw
        Price of each of the four flows, shape (4, steps) [EUR/kW over a step].
    quota_kw
        What each flow should stay below, infinite where nothing is asked, shape (4, steps) [kW].
    over_eur_per_kw
        Price of flow over the quota, on top of the other, infinite where there must be none, shape (4, steps)
        [EUR/kW over a step].
    """

    price_eur_per_kw: Floats
    quota_kw: Floats
    over_eur_per_kw: Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site answers to a signal.

    Parameters
    ----------
    plan
        It passed the checker of sites.
    flows_kw
        Its four flows, shape (4, steps) [kW].
    total_eur
        Its cost without prices and quota: objective, and price of floors of delivery that are not kept [EUR].
    """

    plan: Plan
    flows_kw: Floats
    total_eur: float


def forbid(problem: Problem, price_eur_per_kw: Floats, quota_kw: Floats) -> Signal:
    """Make a signal whose quota must be kept where an idle site keeps it, and is dear to exceed elsewhere."""
    alone = SIGNS[:, None] * np.subtract(problem.base_load_kw, problem.pv_kw)[None, :]
    dear = HARD_FACTOR * problem.shortfall_eur_per_kwh * problem.step_h
    return Signal(price_eur_per_kw, quota_kw, np.where(alone <= quota_kw, np.inf, dear))


def extend(program: Program, signal: Signal) -> Program:
    """Add a signal to a site's program; the new columns ``over_kw`` hold flow over the quota."""
    layout, steps = program.layout, signal.quota_kw.shape[1]
    cost = program.cost.copy()
    for position, family in enumerate(FAMILIES):
        numbers = layout.columns[family]
        price = np.broadcast_to(SHARES[:, position] @ signal.price_eur_per_kw, numbers.shape)
        cost[numbers[numbers != ABSENT]] += price[numbers != ABSENT]
    places = np.argwhere(np.isfinite(signal.quota_kw))
    over_price = signal.over_eur_per_kw[tuple(places.T)]
    forbidden = np.isinf(over_price)
    count = len(places)
    rows, over = (np.full((4, steps), ABSENT, dtype=np.int64) for _ in range(2))
    where = tuple(places.T)
    rows[where] = layout.row_count + np.arange(count)
    over[where] = layout.column_count + np.arange(count)
    relief = csr_array((-np.ones(count), (np.arange(count), np.arange(count))), shape=(count, count))
    quota = hstack([flow_rows(program, places), relief], format="csr")
    above = csr_array((layout.row_count, count))
    matrix = vstack([hstack([program.matrix, above], format="csr"), quota], format="csr")
    return dataclasses.replace(
        program,
        layout=Layout(
            {**layout.columns, "over_kw": over},
            {**layout.rows, "quota": rows},
            layout.column_count + count,
            layout.row_count + count,
        ),
        cost=np.concatenate([cost, np.where(forbidden, 0.0, over_price)]),
        column_lower=np.concatenate([program.column_lower, np.zeros(count)]),
        column_upper=np.concatenate([program.column_upper, np.where(forbidden, 0.0, np.inf)]),
        integer=np.concatenate([program.integer, np.zeros(count, dtype=np.bool_)]),
        row_lower=np.concatenate([program.row_lower, np.full(count, -np.inf)]),
        row_upper=np.concatenate([program.row_upper, signal.quota_kw[where]]),
        matrix=csr_array(matrix),
    )


def flow_rows(program: Program, places: np.ndarray) -> csr_array:
    """Return the coefficients of a site's flows, one row for each pair of flow and step.

    Parameters
    ----------
    program
        The site's program.
    places
        Shape (rows, 2).
    """
    rows, columns, values = [], [], []
    for position, family in enumerate(FAMILIES):
        numbers = program.layout.columns[family][:, places[:, 1]]
        share = np.broadcast_to(SHARES[places[:, 0], position], numbers.shape)
        row = np.broadcast_to(np.arange(len(places)), numbers.shape)
        there = (numbers != ABSENT) & (share != 0.0)
        rows.append(row[there])
        columns.append(numbers[there])
        values.append(share[there])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_array(entries, shape=(len(places), program.layout.column_count))


def read_flows_kw(program: Program, values: Floats) -> Floats:
    """Return the four flows in a solution, shape (4, steps) [kW]."""
    return np.asarray(SHARES @ [program.read(family, values).sum(axis=0) for family in FAMILIES])


def answer_signal(problem: Problem, signal: Signal, gap: float, time_limit_s: float) -> Answer:
    """Plan one site against a signal.

    Parameters
    ----------
    problem
        The site.
    signal
        Prices and quota.
    gap
        Relative distance from its own relaxation at which the search may stop [fraction].
    time_limit_s
        Wall-clock budget [s].
    """
    try:
        return _search(problem, signal, gap, Budget(time_limit_s))
    except Exception:
        # Whatever breaks in there, the city needs a plan.
        log.exception("the search for a site's plan broke")
        return idle(problem)


def _search(problem: Problem, signal: Signal, gap: float, budget: Budget) -> Answer:
    data = compute_coefficients(problem)
    program = extend(compile_program(data, exact=False), signal)
    diver = Diver(data, Solver(program), budget)
    relaxed = diver.relax()
    best = _dive(diver, relaxed, gap) if relaxed.found else None
    if best is None or _exceeds(problem, signal, program, best, relaxed):
        exact = extend(compile_program(data, exact=True), signal)
        limit_s = min(budget.left_s, EXACT_LIMIT_S)
        solution = Solver(exact).solve(time_limit_s=limit_s, gap=gap, node_limit=EXACT_NODES)
        if solution.found and (best is None or solution.objective_eur < best.objective_eur):
            best, program = solution, exact
    answer = None if best is None else rate(problem, read_powers(program, best.values))
    return idle(problem) if answer is None else answer


def _dive(diver: Diver, relaxed: Solution, gap: float) -> Solution | None:
    """Return the best of some dives, or the first good enough; None when all failed."""
    best: Solution | None = None
    for threshold in THRESHOLDS:
        # A dive that gets dearer than the best so far is given up on the way.
        cutoff_eur = np.inf if best is None else best.objective_eur
        solution = diver.dive(relaxed, threshold, cutoff_eur=cutoff_eur).solution
        if solution.found and (best is None or solution.objective_eur < best.objective_eur):
            best = solution
        if best is not None and compute_gap(best.objective_eur, relaxed.objective_eur) <= gap:
            break
    return best


def _exceeds(problem: Problem, signal: Signal, program: Program, found: Solution, relaxed: Solution) -> bool:
    """Say whether a dive exceeds a quota that should be kept at all costs, and could be kept."""
    dear = signal.over_eur_per_kw >= HARD_FACTOR * problem.shortfall_eur_per_kwh * problem.step_h
    over, least = (program.read("over_kw", each.values) for each in (found, relaxed))
    return bool(np.where(dear, over - least, 0.0).max() > NEGLIGIBLE_KW)


def rate(
    problem: Problem,
    powers: Powers,
    status: PlanStatus = PLANNED,
) -> Answer | None:
    """Turn powers into a checked answer; None when they break a rule of the site."""
    plan = build_plan(problem, powers, status)
    findings = check_plan(problem, plan)
    if findings:
        log.error("a site's plan breaks %d rules: %s", len(findings), findings[0])
        return None
    undelivered_kwh = sum(ev.undelivered_kwh for ev in plan.evs)
    total_eur = plan.objective_eur + UNDELIVERED_FACTOR * problem.shortfall_eur_per_kwh * undelivered_kwh
    return Answer(plan, site_flows_kw(problem, plan), total_eur)


def idle(problem: Problem) -> Answer:
    """Answer with no charging at all: it breaks no limit that base load and sun alone keep."""
    nothing = np.zeros((len(problem.evs), problem.steps))
    answer = rate(problem, Powers(nothing, nothing, np.zeros(problem.steps)), status=FALLEN_BACK)
    assert answer is not None
    return answer


def load(problem: Problem, *, exact: bool) -> tuple[Coefficients, Program]:
    """Return a site's numbers and its program without signal."""
    data = compute_coefficients(problem)
    return data, compile_program(data, exact=exact)
