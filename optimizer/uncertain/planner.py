"""The door for problems with scenarios: what to do now, and a checked plan for every scenario, always.

Two first stages are tried: the one of the joint program, and that of the plan without scenarios, to which
every scenario answers as well as it can. The better one is taken, so that planning on scenarios is never
worse, on these scenarios, than planning without.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.coefficients import Floats
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

# Dives at these thresholds; the joint program has many sessions.
DIVES = THRESHOLDS[:3]
# More binaries than this are not searched: the dive is nearer than the search comes in seconds.
MOST_BINARIES = 1000
UNKNOWN = PlanStatus(proof=Proof.FALLBACK, stop=Stop.SOLVER_FAILED)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the search found: powers of each scenario, expected cost, bound, cost of the other first stage."""

    powers: tuple[Powers, ...] | None
    total_eur: float
    bound_eur: float
    expected_plan_eur: float | None
    stop: Stop


def plan_uncertain(problem: Uncertain) -> UncertainPlan:
    """Plan a site with scenarios.

    Parameters
    ----------
    problem
        A validated problem with scenarios.

    Returns
    -------
    UncertainPlan
        It has passed the checker. When the solver fails or runs out of time it is one that waits in the first
        steps, and its status is FALLBACK.
    """
    started_s = time.monotonic()
    budget = Budget(problem.expected.time_limit_s)
    try:
        found = _search(problem, budget)
    except Exception:
        # Whatever breaks in there, the street needs a plan.
        log.exception("the search for a plan on scenarios broke")
        found = _Found(None, math.inf, -math.inf, None, Stop.SOLVER_FAILED)
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
        answer = _answer(problem, _wait(problem), _Found(None, math.inf, found.bound_eur, None, found.stop))
    seconds = {"solve_seconds": time.monotonic() - started_s}
    return answer.model_copy(update=seconds)


def evaluate_first_steps(problem: Uncertain, first: Steps) -> float | None:
    """Return the expected cost when some first steps are carried out and the rest answers to them [EUR].

    Parameters
    ----------
    problem
        The scenarios.
    first
        Signed power by session and step; what is missing pauses.

    Returns
    -------
    float or None
        Objective with the price of floors that are given up; None where a scenario does not allow them.
    """
    joint = build_joint(problem, exact=False)
    solver = Solver(joint.program)
    diver = JointDiver(joint, solver, Budget(problem.expected.time_limit_s))
    kept = _respond(diver, first)
    return kept.objective_eur if kept.found else None


def read_first_steps(plan: Plan, shared_steps: int) -> dict[tuple[str, int], float]:
    """Return the signed powers of a plan's first steps by session and step [kW]."""
    return {(ev.id, step): ev.power_kw[step] for ev in plan.evs for step in range(shared_steps)}


def _search(problem: Uncertain, budget: Budget) -> _Found:
    joint = build_joint(problem, exact=False)
    diver = JointDiver(joint, Solver(joint.program), budget)
    relaxed = diver.relax()
    if not relaxed.found:
        stop = Stop.TIME_LIMIT if relaxed.outcome is Outcome.TIME_LIMIT else Stop.SOLVER_FAILED
        return _Found(None, math.inf, -math.inf, None, stop)
    gap, bound_eur = problem.expected.gap, relaxed.objective_eur
    kept = _respond(diver, read_first_steps(plan(problem.expected), problem.shared_steps))
    best = kept
    for threshold in DIVES:
        if best.found and compute_gap(best.objective_eur, bound_eur) <= gap:
            break
        best = _better(best, diver.dive(relaxed, threshold))
    values: Sequence[Floats] = joint.split(best.values) if best.found else ()
    programs = joint.sites
    if not best.found or compute_gap(best.objective_eur, bound_eur) > gap:
        exact = build_joint(problem, joint.data, exact=True)
        if int(exact.program.integer.sum()) <= MOST_BINARIES:
            solution = _solve_exactly(joint, exact, best, gap, budget)
            if np.isfinite(solution.bound_eur):
                bound_eur = max(bound_eur, solution.bound_eur)
            if solution.found and solution.objective_eur < best.objective_eur:
                best, values, programs = solution, exact.split(solution.values), exact.sites
    stop = Stop.TIME_LIMIT if budget.left_s <= 0.0 else Stop.SEARCH_ENDED
    powers = (
        tuple(read_powers(site, each) for site, each in zip(programs, values, strict=True))
        if values
        else None
    )
    kept_eur = kept.objective_eur if kept.found else None
    return _Found(powers, best.objective_eur, min(bound_eur, best.objective_eur), kept_eur, stop)


def _respond(diver: JointDiver, first: Steps) -> Solution:
    """Return the best answer of the scenarios to some first steps."""
    best = no_solution(Outcome.INFEASIBLE)
    for threshold in DIVES:
        best = _better(best, diver.dive(best, threshold, first))
        if best.outcome is Outcome.INFEASIBLE:
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
    expected_plan_eur = found.expected_plan_eur
    if expected_plan_eur is not None:
        expected_plan_eur -= total_eur - objective_eur
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
        expected_plan_eur=expected_plan_eur,
        solve_seconds=0.0,
        first_steps=tuple(_first_steps(problem, plans)),
        scenarios=scenarios,
        explanation=tuple(_explain(objective_eur, expected_plan_eur, problem)),
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


def _explain(objective_eur: float, expected_plan_eur: float | None, problem: Uncertain) -> Iterator[str]:
    if expected_plan_eur is None:
        yield "The first steps of the plan without scenarios break a limit in a scenario, or were not tried."
    else:
        saved_eur = max(0.0, expected_plan_eur - objective_eur)
        steps = f"the first {problem.shared_steps} step(s) of the plan without scenarios"
        yield f"Over these scenarios {saved_eur:.4f} EUR are saved against {steps}."


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


_NOTHING = _Found(None, math.inf, -math.inf, None, Stop.SOLVER_FAILED)
