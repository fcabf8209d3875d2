"""Plan again, from where the last plan of the same site ended.

A solver is kept. What has the same name in the old and the new program (a session's power in the same quarter
of an hour, say) starts in the state of the basis in which the last relaxation left it, so that a changed
number, an arrival or a horizon that moved by a step costs few pivots. The plan is as good as a cold one and
proven in the same way; where several plans are best it may be another of them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from optimizer.coefficients import compute_coefficients
from optimizer.compiled import Entity, Program, compile_program, compile_shape
from optimizer.dive import Fixed
from optimizer.layout import ABSENT, Numbers
from optimizer.plan import Plan, Stop
from optimizer.planner import Search, as_search, finish
from optimizer.problem import Problem
from optimizer.search import search_with
from optimizer.solve import Basis, Budget, Solver

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """The last search: what was asked, the relaxation, its last basis, the slots that were fixed."""

    problem: Problem
    program: Program
    basis: Basis
    fixed: Fixed | None


class Replanner:
    """Plans one site again and again.

    Equal sequences of requests get equal plans; after a problem that breaks the solver it starts afresh.
    """

    def __init__(self) -> None:
        self._kept: Kept | None = None
        self._solver: Solver | None = None

    def plan(self, problem: Problem) -> Plan:
        """Return a checked plan, as `optimizer.planner.plan` does.

        Parameters
        ----------
        problem
            A validated problem, of this site at a later moment or with other numbers.
        """
        started_s = time.monotonic()
        try:
            found = self._search(problem)
        except Exception:
            # Whatever breaks in there, the street needs a plan.
            log.exception("planning again broke")
            self._kept = self._solver = None
            found = Search((), -math.inf, Stop.SOLVER_FAILED)
        return finish(problem, found, started_s)

    def _search(self, problem: Problem) -> Search:
        budget = Budget(problem.time_limit_s)
        data = compute_coefficients(problem)
        program = compile_program(data, exact=False)
        if self._solver is None:
            self._solver = Solver(program)
        else:
            self._solver.load(program)
        fixed = None
        if self._kept is not None:
            self._solver.set_basis(carry_basis(self._kept, problem, program))
            fixed = carry_fixed(self._kept, problem)
        result = search_with(self._solver, data, problem.gap, budget, fixed, keep_basis=True)
        basis = result.basis
        self._kept = None if basis is None else Kept(problem, program, basis, result.fixed)
        return as_search(result)


def carry_basis(old: Kept, problem: Problem, program: Program) -> Basis:
    """Give every column and row the state that the one of the same name had; new ones are at rest."""
    shape, before, after = compile_shape(exact=False), old.program.layout, program.layout
    shift = _steps_between(old.problem, problem)
    columns = np.full(after.column_count, Basis.AT_LOWER, dtype=np.int8)
    rows = np.full(after.row_count, Basis.BASIC, dtype=np.int8)
    for families, states, known, old_numbers, new_numbers in (
        (shape.columns, columns, old.basis.columns, before.columns, after.columns),
        (shape.rows, rows, old.basis.rows, before.rows, after.rows),
    ):
        for name, numbers in new_numbers.items():
            family = families[name]
            names = [_names(family.entity, each) for each in (old.problem, problem)]
            matched = _match(old_numbers[name], numbers.shape, names, shift if family.positioned else None)
            there = (numbers != ABSENT) & (matched != ABSENT)
            states[numbers[there]] = known[matched[there]]
    return Basis(columns, rows)


def _steps_between(old: Problem, new: Problem) -> int:
    if old.step_minutes != new.step_minutes:
        return 0
    return round((new.start - old.start).total_seconds() / 60.0 / new.step_minutes)


def carry_fixed(old: Kept, problem: Problem) -> Fixed | None:
    """Return the slots that were fixed, in the places that they have now."""
    if old.fixed is None:
        return None
    shape = (len(old.problem.evs), old.problem.steps)
    names = [_names("session", each) for each in (old.problem, problem)]
    places = np.arange(shape[0] * shape[1]).reshape(shape)
    shift = _steps_between(old.problem, problem)
    matched = _match(places, (len(problem.evs), problem.steps), names, shift)
    there = matched != ABSENT
    flags = {}
    for field in fields(Fixed):
        flags[field.name] = np.zeros(matched.shape, dtype=np.bool_)
        flags[field.name][there] = getattr(old.fixed, field.name).ravel()[matched[there]]
    return Fixed(**flags)


def _match(
    old_numbers: Numbers, shape: tuple[int, ...], names: Sequence[Sequence[str]], shift: int | None
) -> Numbers:
    """Return the old numbers in the places of the new ones, `ABSENT` for what is new.

    Parameters
    ----------
    old_numbers
        Numbers over entity and position.
    shape
        Of the new ones.
    names
        Old and new names of the entities.
    shift
        Steps by which positions moved; None: there are no positions.
    """
    matched = np.full(shape, ABSENT, dtype=np.int64)
    before, after = ({name: index for index, name in enumerate(each)} for each in names)
    found = [(index, before[name]) for name, index in after.items() if name in before]
    if not found:
        return matched
    new_rows, old_rows = np.array(found).T
    if shift is None:
        matched[new_rows] = old_numbers[old_rows]
        return matched
    first, last = max(0, -shift), min(shape[1], old_numbers.shape[1] - shift)
    if first < last:
        matched[new_rows, first:last] = old_numbers[old_rows, first + shift : last + shift]
    return matched


def _names(entity: Entity, problem: Problem) -> list[str]:
    match entity:
        case "session":
            return [ev.id for ev in problem.evs]
        case "group":
            return [group.id for group in problem.groups]
        case "band":
            return [band.name for band in problem.peak_bands]
        case "site":
            return [""]
