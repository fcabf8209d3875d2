"""The search for a plan: relaxation, dives at several thresholds, and binaries where they are worth it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.coefficients import Coefficients, Floats
from optimizer.compiled import Program, compile_program
from optimizer.dive import PAUSE_KW, Diver, Fixed, Found
from optimizer.evaluate import Powers, compute_gap
from optimizer.layout import ABSENT
from optimizer.plan import Stop
from optimizer.prefer import on_and_off, own_cost_eur, prefer
from optimizer.solve import Basis, Budget, Outcome, Solution, Solver
from optimizer.switches import join_runs
from optimizer.worth import Final

# Fractions of the least power from which a slot is lifted to it. Lifting all is best for many sessions.
THRESHOLDS = (0.0, 0.15, 0.3, 0.5, 0.7)
# Sites with more sessions than this try the first three only: the others never won there.
MOST_SESSIONS_FOR_ALL_THRESHOLDS = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan and what the model says that it costs, all priced slack included [EUR]."""

    powers: Powers
    total_eur: float


@dataclass(frozen=True, slots=True)
class Result:
    """What the search found.

    Parameters
    ----------
    choices
        Plans, the one to take first; none when the search found none.
    bound_eur
        No plan costs less; minus infinity without a relaxation.
    stop
        Why it ended.
    basis
        Where the relaxation ended, to start from when the site is planned again.
    fixed
        Slots that the best dive fixed, to begin with then.
    final
        The linear program of the cheapest plan, whose duals price it; None without a plan.
    """

    choices: tuple[Choice, ...]
    bound_eur: float
    stop: Stop
    basis: Basis | None = None
    fixed: Fixed | None = None
    final: Final | None = None


def search(data: Coefficients, gap: float, budget: Budget) -> Result:
    """Search for the cheapest plan.

    Parameters
    ----------
    data
        Numbers of the site.
    gap
        Relative distance from the bound at which to stop [fraction].
    budget
        Real time for all of it.
    """
    solver = Solver(compile_program(data, exact=False))
    return search_with(solver, data, gap, budget)


def search_with(
    solver: Solver,
    data: Coefficients,
    gap: float,
    budget: Budget,
    start: Fixed | None = None,
    *,
    keep_basis: bool = False,
) -> Result:
    """Search like `search`, in a solver that holds the relaxation already, from its last basis.

    Parameters
    ----------
    solver
        Holds the relaxation of ``data``.
    start
        Slots that the best dive into an earlier plan of the site fixed.
    keep_basis
        Whether the site is to be planned again from where this search ends.
    """
    diver = Diver(data, solver, budget)
    relaxed = diver.relax()
    if not relaxed.found:
        stop = Stop.TIME_LIMIT if relaxed.outcome is Outcome.TIME_LIMIT else Stop.SOLVER_FAILED
        return Result((), -np.inf, stop)
    basis = solver.get_basis() if keep_basis else None
    dived = _dive(diver, relaxed, gap, _attempts(data.sessions, start))
    best, program, bound_eur = None, solver.program, relaxed.objective_eur
    if dived is not None:
        best = dived.solution
    if best is None or compute_gap(best.objective_eur, bound_eur) > gap:
        exact = Solver(compile_program(data, exact=True))
        if best is not None:
            exact.suggest(translate(best.values, program, exact.program))
        solution = exact.solve(time_limit_s=budget.left_s, gap=gap)
        if np.isfinite(solution.bound_eur):
            bound_eur = max(bound_eur, solution.bound_eur)
        if solution.found and (best is None or solution.objective_eur < best.objective_eur):
            best, program = solution, exact.program
    fixed = None if dived is None else dived.fixed
    cut = budget.left_s <= 0.0
    if best is None:
        stop = Stop.TIME_LIMIT if cut else Stop.SOLVER_FAILED
        return Result((), bound_eur, stop, basis)
    cheapest = Choice(read_powers(program, best.values), best.objective_eur)
    # What binaries decided does not follow from the slots of a dive.
    dived_best = program is solver.program
    priced = best if dived_best else diver.dive(None, 0.0, on_and_off(data, cheapest.powers)).solution
    preferred = _prefer(diver, solver, data, cheapest, fixed if dived_best else None)
    return Result(
        (cheapest,) if preferred is None else (preferred, cheapest),
        min(bound_eur, best.objective_eur),
        Stop.TIME_LIMIT if cut else Stop.SEARCH_ENDED,
        basis,
        fixed,
        Final(data, solver.program, priced) if priced.found else None,
    )


def _prefer(
    diver: Diver, solver: Solver, data: Coefficients, cheapest: Choice, fixed: Fixed | None
) -> Choice | None:
    """Return a plan of the same cost that is preferred: by the linear program first, by its starts then."""
    found = prefer(diver, solver, data, cheapest.powers, fixed, cheapest.total_eur)
    preferred = cheapest
    if found is not None:
        program = solver.program
        preferred = Choice(read_powers(program, found.values), own_cost_eur(program, found.values))
    joined = join_runs(data, preferred.powers)
    return None if joined is cheapest.powers else Choice(joined, preferred.total_eur)


def _dive(
    diver: Diver, relaxed: Solution, gap: float, attempts: list[tuple[float, Fixed | None]]
) -> Found | None:
    """Return the best of some dives, polished, or the first good enough; None when all failed."""
    best: Found | None = None
    for threshold, start in attempts:
        found = diver.dive(relaxed, threshold, start)
        if not found.solution.found:
            continue
        if best is None or found.solution.objective_eur < best.solution.objective_eur:
            best = found
        if compute_gap(best.solution.objective_eur, relaxed.objective_eur) <= gap:
            break
    return None if best is None else diver.polish(relaxed, best, gap)


def _attempts(sessions: int, start: Fixed | None) -> list[tuple[float, Fixed | None]]:
    thresholds = THRESHOLDS if sessions <= MOST_SESSIONS_FOR_ALL_THRESHOLDS else THRESHOLDS[:3]
    afresh: list[tuple[float, Fixed | None]] = [(threshold, None) for threshold in thresholds]
    return afresh if start is None else [(0.0, start), *afresh]


def read_powers(program: Program, values: Floats) -> Powers:
    """Return the decisions in a solution."""
    return Powers(
        charge_kw=program.read("charge_kw", values),
        discharge_kw=program.read("discharge_kw", values),
        curtailed_kw=program.read("curtailed_kw", values)[0],
    )


def translate(values: Floats, relaxed: Program, exact: Program) -> Floats:
    """Write a solution that keeps the rules of the sockets in the columns of the exact form."""
    result = np.zeros(exact.layout.column_count)
    families = {name: relaxed.read(name, values) for name in relaxed.layout.columns}
    families["charging"] = (families["charge_kw"] > PAUSE_KW).astype(np.float64)
    families["discharging"] = (families["discharge_kw"] > PAUSE_KW).astype(np.float64)
    families["importing"] = (families["import_kw"] > PAUSE_KW).astype(np.float64)
    for name, numbers in exact.layout.columns.items():
        there = numbers != ABSENT
        result[numbers[there]] = families[name][there]
    return result
