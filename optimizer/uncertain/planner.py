"""The door for problems with scenarios: what to do now, and a checked plan for every scenario, always.

1. The relaxation of the joint program is a bound.
2. The joint program with binaries in the shared steps only gives first steps that the sockets can follow. The
   first steps of the plan without scenarios are tried as well; what both cost is compared with the answers to
   them relaxed alike, and the cheaper ones are taken.
3. Dives complete them to a plan for each scenario. Small problems are then searched with all binaries.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.evaluate import Powers, build_plan, compute_gap
from optimizer.heuristics import plan_earliest_deadline, plan_idle
from optimizer.plan import Plan, PlanStatus, Proof, Stop
from optimizer.planner import judge, plan
from optimizer.search import THRESHOLDS, read_powers, translate
from optimizer.solve import Budget, Outcome, Solution, Solver, no_solution
from optimizer.uncertain.check import check_uncertain
from optimizer.uncertain.dive import FirstSteps as Steps
from optimizer.uncertain.dive import JointDiver
from optimizer.uncertain.joint import Joint, build_joint
from optimizer.uncertain.plan import FirstSteps, ScenarioPlan, UncertainPlan
from optimizer.uncertain.problem import Uncertain

log = logging.getLogger(__name__)

# Dives at these thresholds.
DIVES = THRESHOLDS[1:4]
# Another threshold is tried while the answers to the first steps are this far from their bound [fraction].
NEAR_GAP = 0.02
# Share of the budget, and of the wanted gap, that the decision about the first steps may take.
FIRST_FRACTION = 0.5
# More binaries than this are not searched.
MOST_BINARIES = 200
UNKNOWN = PlanStatus(proof=Proof.FALLBACK, stop=Stop.SOLVER_FAILED)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the search found.

    Parameters
    ----------
    powers
        Of each scenario; None when it found none.
    total_eur, bound_eur
        Their expected cost, floors that are given up included, and what no plan undercuts.
    stop
        Why it ended.
    first_steps_eur, without_eur
        What the first steps cost at the least, and those of the plan without scenarios.
    """

    powers: tuple[Powers, ...] | None
    total_eur: float
    bound_eur: float
    stop: Stop
    first_steps_eur: float | None = None
    without_eur: float | None = None


_NOTHING = _Found(None, math.inf, -math.inf, Stop.SOLVER_FAILED)


def plan_uncertain(problem: Uncertain, *, compare: bool = True) -> UncertainPlan:
    """Plan a site with scenarios.

    Parameters
    ----------
    problem
        A validated problem with scenarios.
    compare
        Also plan without scenarios, and take those first steps when they are better.

    Returns
    -------
    UncertainPlan
        It has passed the checker. When the solver fails or runs out of time it is one that waits in the first
        steps, and its status is FALLBACK.
    """
    started_s = time.monotonic()
    budget = Budget(problem.expected.time_limit_s)
    try:
        found = _search(problem, budget, compare=compare)
    except Exception:
        # Whatever breaks in there, the street needs a plan.
        log.exception("the search for a plan on scenarios broke")
        found = _NOTHING
    answer = None
    if found.powers is not None:
        plans = [
            build_plan(one.problem, powers, UNKNOWN)
            for one, powers in zip(problem.scenarios, found.powers, strict=True)
        ]
        answer = _answer(problem, plans, found)
        findings = check_uncertain(problem, answer)
        if findings:
            log.error("the plan on scenarios breaks %d rules: %s", len(findings), findings[0])
            answer = None
    if answer is None:
        nothing = _Found(None, math.inf, found.bound_eur, found.stop)
        answer = _answer(problem, _wait(problem), nothing)
    seconds = {"solve_seconds": time.monotonic() - started_s}
    return answer.model_copy(update=seconds)


def evaluate_first_steps(problem: Uncertain, first: Steps) -> float | None:
    """Return what some first steps cost at the least, whatever follows [EUR].

    Parameters
    ----------
    problem
        The scenarios.
    first
        Signed power by session and step; what is missing pauses.

    Returns
    -------
    float or None
        Expectation with the answer of each scenario relaxed; None where a scenario does not allow them.
    """
    joint = build_joint(problem, exact=False)
    diver = JointDiver(joint, Solver(joint.program), Budget(problem.expected.time_limit_s))
    solution = diver.respond(first)
    return solution.objective_eur if solution.found else None


def read_first_steps(plan: Plan, shared_steps: int) -> dict[tuple[str, int], float]:
    """Return the signed powers of a plan's first steps by session and step [kW]."""
    return {(ev.id, step): ev.power_kw[step] for ev in plan.evs for step in range(shared_steps)}


def _search(problem: Uncertain, budget: Budget, *, compare: bool) -> _Found:
    joint = build_joint(problem, exact=False)
    diver = JointDiver(joint, Solver(joint.program), budget)
    relaxed = diver.relax()
    if not relaxed.found:
        stop = Stop.TIME_LIMIT if relaxed.outcome is Outcome.TIME_LIMIT else Stop.SOLVER_FAILED
        return _Found(None, math.inf, -math.inf, stop)
    gap, exact = problem.expected.gap, build_joint(problem, joint.data, exact=True)
    decided = Solver(exact.deciding_first().program).solve(
        time_limit_s=FIRST_FRACTION * budget.left_s, gap=FIRST_FRACTION * gap
    )
    bound_eur = max(relaxed.objective_eur, decided.bound_eur)
    options: list[tuple[float, Steps]] = []
    if decided.found:
        options.append((decided.objective_eur, exact.read_first_steps(decided.values)))
    without = _find_without(problem, diver, budget) if compare else None
    options += [] if without is None else [without]
    best = no_solution(Outcome.INFEASIBLE)
    for first in [*(first for _, first in sorted(options, key=lambda option: option[0])), None]:
        if not best.found:
            best = _complete(diver, relaxed, first, max(gap, NEAR_GAP))
    taken, values = joint, best.values
    small = int(exact.program.integer.sum()) <= MOST_BINARIES
    if small and (not best.found or compute_gap(best.objective_eur, bound_eur) > gap):
        solution = _solve_exactly(joint, exact, best, gap, budget)
        bound_eur = max(bound_eur, solution.bound_eur)
        if solution.found and solution.objective_eur < best.objective_eur:
            best, taken, values = solution, exact, solution.values
    stop = Stop.TIME_LIMIT if budget.left_s <= 0.0 else Stop.SEARCH_ENDED
    if not best.found:
        return _Found(None, math.inf, bound_eur, stop)
    powers = [read_powers(*each) for each in zip(taken.sites, taken.split(values), strict=True)]
    first_steps_eur = diver.respond(taken.read_first_steps(values)).objective_eur
    without_eur = None if without is None else without[0]
    bound_eur = min(bound_eur, best.objective_eur)
    return _Found(tuple(powers), best.objective_eur, bound_eur, stop, first_steps_eur, without_eur)


def _find_without(problem: Uncertain, diver: JointDiver, budget: Budget) -> tuple[float, Steps] | None:
    """Return what the first steps of the plan without scenarios cost, and them; None if one forbids them."""
    if budget.left_s <= 0.0:
        return None
    expected = problem.expected.model_copy(update={"time_limit_s": budget.left_s})
    first = read_first_steps(plan(expected), problem.shared_steps)
    answered = diver.respond(first)
    return (answered.objective_eur, first) if answered.found else None


def _complete(diver: JointDiver, relaxed: Solution, first: Steps | None, near_gap: float) -> Solution:
    """Return the best of some dives with some first steps kept, or the first that is near the bound."""
    best = no_solution(Outcome.INFEASIBLE)
    for threshold in DIVES:
        best = _better(best, diver.dive(relaxed, threshold, first))
        if best.found and compute_gap(best.objective_eur, relaxed.objective_eur) <= near_gap:
            break
    return best


def _better(first: Solution, second: Solution) -> Solution:
    return second if second.found and second.objective_eur < first.objective_eur else first


def _solve_exactly(joint: Joint, exact: Joint, best: Solution, gap: float, budget: Budget) -> Solution:
    solver = Solver(exact.program)
    if best.found:
        start = np.zeros(exact.program.layout.column_count)
        parts = [
            translate(values, relaxed, site)
            for values, relaxed, site in zip(joint.split(best.values), joint.sites, exact.sites, strict=True)
        ]
        start[exact.column_of] = np.concatenate(parts)
        solver.suggest(start)
    return solver.solve(time_limit_s=budget.left_s, gap=gap)


def _answer(problem: Uncertain, plans: Sequence[Plan], found: _Found) -> UncertainPlan:
    """Put the answer together: expectations, bound and status."""
    weighted = list(zip(problem.scenarios, plans, strict=True))
    objective_eur = sum(one.probability * each.objective_eur for one, each in weighted)
    total_eur = max(found.total_eur, objective_eur) if math.isfinite(found.total_eur) else objective_eur
    bound_eur = gap = None
    if math.isfinite(found.bound_eur):
        # The solver and the checker may differ by rounding.
        bound_eur = min(found.bound_eur - (total_eur - objective_eur), objective_eur)
        gap = compute_gap(total_eur, found.bound_eur)
    status = judge(gap if found.powers is not None else None, problem.expected.gap, found.stop)
    scenarios = tuple(
        ScenarioPlan(id=one.id, probability=one.probability, plan=each.model_copy(update={"status": status}))
        for one, each in weighted
    )
    return UncertainPlan(
        status=status,
        bound_eur=bound_eur,
        objective_eur=objective_eur,
        money_eur=sum(one.probability * each.money_eur for one, each in weighted),
        gap=gap,
        first_steps_eur=found.first_steps_eur,
        without_scenarios_eur=found.without_eur,
        solve_seconds=0.0,
        first_steps=tuple(_first_steps(problem, plans)),
        scenarios=scenarios,
        explanation=tuple(_explain(found)),
    )


def _first_steps(problem: Uncertain, plans: Sequence[Plan]) -> Iterator[FirstSteps]:
    powers: dict[str, list[float]] = {}
    for scenario, each in zip(problem.scenarios, plans, strict=True):
        for ev, planned in zip(scenario.problem.evs, each.evs, strict=True):
            for step in range(ev.arrival_step, min(ev.departure_step, problem.shared_steps)):
                known = powers.setdefault(ev.id, [0.0] * problem.shared_steps)
                known[step] = planned.power_kw[step]
    for name, power_kw in powers.items():
        yield FirstSteps(id=name, power_kw=tuple(power_kw))


def _explain(found: _Found) -> Iterator[str]:
    if found.first_steps_eur is None:
        yield "Nobody is charged in the first steps: this is a simple plan that waits."
    elif found.without_eur is not None:
        saved_eur = max(0.0, found.without_eur - found.first_steps_eur)
        yield f"Over these scenarios the first steps save {saved_eur:.2f} EUR against planning without them."


def _wait(problem: Uncertain) -> list[Plan]:
    """Return simple plans that pause in the shared steps: they keep every limit of every scenario."""
    plans = []
    for scenario in problem.scenarios:
        site = scenario.problem
        late = tuple(
            ev.model_copy(
                update={"arrival_step": min(max(ev.arrival_step, problem.shared_steps), ev.departure_step)}
            )
            for ev in site.evs
        )
        simple = plan_earliest_deadline(site.model_copy(update={"evs": late}))
        power = np.array([ev.power_kw for ev in simple.evs]).reshape(len(site.evs), site.steps)
        powers = Powers(np.maximum(power, 0.0), np.maximum(-power, 0.0), np.asarray(simple.curtailed_kw))
        plans.append(build_plan(site, powers, UNKNOWN))
    return (
        plans
        if not check_uncertain(problem, _answer(problem, plans, _NOTHING))
        else [plan_idle(scenario.problem) for scenario in problem.scenarios]
    )
