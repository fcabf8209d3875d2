"""The optimizer's door: a problem in, a checked plan out, always.

Importing it is cheap; the solver and the modelling language are imported by the first plan or by `warm_up`.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.check import Finding, check_plan
from optimizer.coefficients import UNDELIVERED_FACTOR, compute_coefficients
from optimizer.evaluate import Powers, build_plan, compute_gap
from optimizer.explain import compare, explain
from optimizer.heuristics import HEURISTICS
from optimizer.plan import Plan, PlanStatus, Proof, Stop
from optimizer.problem import Problem

if TYPE_CHECKING:
    from optimizer.search import Result
    from optimizer.worth import Final

log = logging.getLogger(__name__)

# A plan this close to its bound is the best one; below it is rounding of the solver [fraction].
OPTIMAL_GAP = 1e-6
UNKNOWN = PlanStatus(proof=Proof.FALLBACK, stop=Stop.SOLVER_FAILED)


@dataclass(frozen=True, slots=True)
class Search:
    """What the search gave: powers with the model's cost of them, the best first; a bound; why it stopped.

    ``final`` is the program in which it ended, None when there is none to read prices from.
    """

    choices: tuple[tuple[Powers, float], ...]
    bound_eur: float
    stop: Stop
    final: Final | None = None


def plan(problem: Problem) -> Plan:
    """Plan one site.

    Parameters
    ----------
    problem
        A validated problem.

    Returns
    -------
    Plan
        It has passed the checker. When the solver fails, runs out of time or gives what does not pass, it is
        the best of the simple plans, and its status is FALLBACK.
    """
    started_s = time.monotonic()
    found = _search(problem)
    return finish(problem, found, started_s)


def plan_simply(problem: Problem) -> Plan:
    """Plan one site without the solver: the best of the simple plans that passes the checker, FALLBACK."""
    nothing = Search((), -math.inf, Stop.SOLVER_FAILED)
    return finish(problem, nothing, time.monotonic())


def warm_up() -> None:
    """Import the solver, compile the model and solve once, so that the first plan is as fast as the next."""
    from optimizer.compiled import compile_shape  # noqa: PLC0415 - see the module's docstring

    compile_shape(exact=False)
    compile_shape(exact=True)
    plan(_small_problem())


def finish(problem: Problem, found: Search, started_s: float) -> Plan:
    """Turn what a search found into a checked plan.

    Parameters
    ----------
    problem
        What was asked.
    found
        What the search gave.
    started_s
        When it began, on the monotonic clock [s].
    """
    candidate, findings = _first_that_passes(problem, found)
    made_by_solver = candidate is not None
    notes = [_rejected(findings)] if findings else []
    stop = Stop.SOLVER_FAILED if findings and candidate is None else found.stop
    if candidate is None or candidate.gap is None or candidate.gap > problem.gap:
        name, simple = _best_simple(problem)
        if candidate is None or _cost(problem, simple) < _cost(problem, candidate.plan):
            candidate = _Candidate(simple, _cost(problem, simple), found.bound_eur)
            notes.append(f"This is the simple plan '{name}'.")
    status = judge(candidate.gap if made_by_solver else None, problem.gap, stop)
    answer = candidate.plan.model_copy(
        update={
            "status": status,
            "bound_eur": candidate.bound_of_objective_eur,
            "gap": candidate.gap,
            "uncontrolled": compare(problem, candidate.plan),
        }
    )
    if made_by_solver and not notes and found.final is not None:
        answer = answer.model_copy(update=_priced(problem, answer, found.final))
    return answer.model_copy(
        update={
            "explanation": (*explain(problem, answer, status), *notes),
            "solve_seconds": time.monotonic() - started_s,
        }
    )


def _priced(problem: Problem, answer: Plan, final: Final) -> dict[str, object]:
    """Read waits and values from the program in which the search ended; nothing where that breaks."""
    from optimizer.waits import list_waits  # noqa: PLC0415 - see the module's docstring
    from optimizer.worth import compute_worth, list_values  # noqa: PLC0415

    try:
        worth = compute_worth(problem, final, answer)
        waits = list_waits(problem, final.data, answer, worth)
        return {"values": list_values(problem, worth), "waits": waits}
    except Exception:
        # An explanation that cannot be given is no reason to give no plan.
        log.exception("the plan could not be explained")
        return {}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A plan that passed the checker, its cost with floors of delivery that are not kept, a bound on that."""

    plan: Plan
    total_eur: float
    bound_eur: float

    @property
    def gap(self) -> float | None:
        return compute_gap(self.total_eur, self.bound_eur) if math.isfinite(self.bound_eur) else None

    @property
    def bound_of_objective_eur(self) -> float | None:
        if not math.isfinite(self.bound_eur):
            return None
        bound_eur = self.bound_eur - (self.total_eur - self.plan.objective_eur)
        # The solver and the checker may differ by rounding.
        return min(bound_eur, self.plan.objective_eur)


def _first_that_passes(problem: Problem, found: Search) -> tuple[_Candidate | None, list[Finding]]:
    """Return the first choice that passes the checker, and what those before it break."""
    broken: list[Finding] = []
    for powers, total_eur in found.choices:
        solved = build_plan(problem, powers, UNKNOWN)
        findings = check_plan(problem, solved)
        if not findings:
            return _Candidate(solved, max(total_eur, solved.objective_eur), found.bound_eur), broken
        log.error("the solver's plan breaks %d rules: %s", len(findings), findings[0])
        broken += findings
    return None, broken


def as_search(result: Result) -> Search:
    """Return what a search found, without what only the next search needs."""
    choices = tuple((choice.powers, choice.total_eur) for choice in result.choices)
    return Search(choices, result.bound_eur, result.stop, result.final)


def _search(problem: Problem) -> Search:
    try:
        from optimizer.search import search  # noqa: PLC0415 - see the module's docstring
        from optimizer.solve import Budget  # noqa: PLC0415

        result = search(compute_coefficients(problem), problem.gap, Budget(problem.time_limit_s))
    except Exception:
        # Whatever breaks in there, the street needs a plan.
        log.exception("the search for a plan broke")
        return Search((), -math.inf, Stop.SOLVER_FAILED)
    return as_search(result)


def _rejected(findings: list[Finding]) -> str:
    return f"The solver's plan was refused: it breaks {len(findings)} rule(s), first {findings[0]}."


def _cost(problem: Problem, plan: Plan) -> float:
    """Return the objective and the price of floors of delivery that are not kept [EUR]."""
    undelivered_kwh = sum(ev.undelivered_kwh for ev in plan.evs)
    return plan.objective_eur + UNDELIVERED_FACTOR * problem.shortfall_eur_per_kwh * undelivered_kwh


def _best_simple(problem: Problem) -> tuple[str, Plan]:
    """Return the cheapest simple plan that passes the checker; the idle one always does."""
    plans = [(name, make(problem)) for name, make in HEURISTICS.items()]
    passing = [(name, each) for name, each in plans if not check_plan(problem, each)]
    return min(passing or plans, key=lambda named: _cost(problem, named[1]))


def judge(gap: float | None, wanted_gap: float, stop: Stop) -> PlanStatus:
    """Say what was proven; without a gap, or without the solver, nothing was."""
    if gap is None:
        return PlanStatus(proof=Proof.FALLBACK, stop=stop)
    if gap <= OPTIMAL_GAP:
        return PlanStatus(proof=Proof.OPTIMAL, stop=Stop.SOLVED)
    if gap <= wanted_gap:
        return PlanStatus(proof=Proof.CERTIFIED, stop=Stop.GAP_REACHED)
    return PlanStatus(proof=Proof.FEASIBLE, stop=stop)


def _small_problem() -> Problem:
    ev = {
        "id": "warm-up",
        "arrival_step": 0,
        "departure_step": 4,
        "capacity_kwh": 50.0,
        "initial_energy_kwh": 10.0,
        "departure_energy_kwh": 12.0,
        "max_charge_kw": 11.0,
        "min_charge_kw": 4.14,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.9,
    }
    return Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 4,
            "import_price_eur_per_kwh": [0.3, 0.2, 0.1, 0.4],
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 20.0,
            "export_limit_kw": 20.0,
            "evs": [ev],
        }
    )
