"""HiGHS on arrays: one loaded program that is bounded tighter and solved again from its last basis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import highspy
import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Floats
from optimizer.compiled import Program

# Ten times finer than the checker's tolerance.
FEASIBILITY_TOLERANCE = 1e-8
# The solver's own is as large as the wanted gap of a plan that costs next to nothing.
SMALLEST_GAP_EUR = 1e-9


class Outcome(StrEnum):
    """How a call of the solver ended."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    TIME_LIMIT = "time limit"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Solution:
    """What the solver found.

    Parameters
    ----------
    outcome
        OPTIMAL and FEASIBLE have values.
    values
        One number per column; empty without a solution.
    objective_eur, bound_eur
        Cost of the values, and what no values undercut; infinite without.
    row_duals, column_duals
        Change of the cost per unit of each row's right-hand side, and of each column that stands at a bound;
        empty for programs with binaries.
    """

    outcome: Outcome
    values: Floats
    objective_eur: float
    bound_eur: float
    row_duals: Floats
    column_duals: Floats

    @property
    def found(self) -> bool:
        """Say whether there are values."""
        return self.outcome in {Outcome.OPTIMAL, Outcome.FEASIBLE}


@dataclass(frozen=True, slots=True)
class Basis:
    """States of columns and rows in a simplex basis, as HiGHS numbers them."""

    columns: npt.NDArray[np.int8]
    rows: npt.NDArray[np.int8]

    AT_LOWER: ClassVar[int] = 0
    BASIC: ClassVar[int] = 1


class Solver:
    """One program in HiGHS, silent and single-threaded, so that equal calls give equal answers."""

    def __init__(self, program: Program) -> None:
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("primal_feasibility_tolerance", FEASIBILITY_TOLERANCE),
            ("mip_feasibility_tolerance", FEASIBILITY_TOLERANCE),
            ("mip_abs_gap", SMALLEST_GAP_EUR),
        ):
            self._highs.setOptionValue(name, value)
        self.load(program)

    def load(self, program: Program) -> None:
        """Replace the program.

        Raises
        ------
        ValueError
            When the solver refuses it.
        """
        self.program = program
        # Linear programs of sites are solved in the time that presolving them takes; binaries need it.
        self._highs.setOptionValue("presolve", "choose" if program.integer.any() else "off")
        if self._highs.passModel(_to_lp(program)) == highspy.HighsStatus.kError:
            raise ValueError("the solver refuses the program: look for numbers that are not finite")

    def get_basis(self) -> Basis | None:
        """Return the basis in which the last simplex ended, None without one."""
        basis = self._highs.getBasis()
        if not basis.valid:
            return None
        columns, rows = (
            np.fromiter((int(state) for state in states), dtype=np.int8, count=len(states))
            for states in (basis.col_status, basis.row_status)
        )
        return Basis(columns, rows)

    def set_basis(self, basis: Basis) -> None:
        """Start the next simplex from a basis; it may have too many or too few basic members."""
        given = highspy.HighsBasis()
        given.col_status = [_STATES[state] for state in basis.columns.tolist()]
        given.row_status = [_STATES[state] for state in basis.rows.tolist()]
        self._highs.setBasis(given)

    def set_bounds(self, columns: npt.NDArray[np.int64], lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns."""
        if columns.size:
            self._highs.changeColsBounds(columns.size, columns.astype(np.int32), lower, upper)

    def suggest(self, values: Floats) -> None:
        """Give a program with binaries a first solution, one number per column."""
        solution = highspy.HighsSolution()
        solution.col_value = list(values)
        self._highs.setSolution(solution)

    @contextmanager
    def preferring(self, cost: Floats, ceiling_eur: float) -> Iterator[None]:
        """Within this, solve for another cost while the program's own stays at a ceiling or below.

        Parameters
        ----------
        cost
            One number per column.
        ceiling_eur
            Most that the program's own cost may be.
        """
        columns, rows = np.arange(cost.size, dtype=np.int32), self.program.matrix.shape[0]
        own = np.flatnonzero(self.program.cost).astype(np.int32)
        self._highs.addRow(
            -highspy.kHighsInf, ceiling_eur - self.program.offset, own.size, own, self.program.cost[own]
        )
        self._highs.changeColsCost(columns.size, columns, cost)
        try:
            yield
        finally:
            self._highs.deleteRows(1, np.array([rows], dtype=np.int32))
            self._highs.changeColsCost(columns.size, columns, self.program.cost)

    def solve(self, *, time_limit_s: float, gap: float = 0.0, node_limit: int | None = None) -> Solution:
        """Solve from the last basis.

        Parameters
        ----------
        time_limit_s
            Wall-clock budget of this call [s].
        gap
            Relative distance from the bound at which a search over binaries may stop [fraction].
        node_limit
            Most nodes of that search; None: no limit.
        """
        if time_limit_s <= 0.0:
            return no_solution(Outcome.TIME_LIMIT)
        # HiGHS counts the time of all calls on one object.
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + time_limit_s)
        self._highs.setOptionValue("mip_rel_gap", gap)
        if node_limit is not None:
            self._highs.setOptionValue("mip_max_nodes", node_limit)
        self._highs.run()
        return self._read(gap)

    def _read(self, gap: float) -> Solution:
        outcome = _OUTCOMES.get(self._highs.getModelStatus(), Outcome.FAILED)
        info, mixed = self._highs.getInfo(), bool(self.program.integer.any())
        stopped = {Outcome.TIME_LIMIT, Outcome.FEASIBLE}
        has_values = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if outcome in stopped:
            # A simplex that was cut is no plan; a search that was cut may have found one.
            outcome = Outcome.FEASIBLE if mixed and has_values else Outcome.TIME_LIMIT
        if outcome not in {Outcome.OPTIMAL, Outcome.FEASIBLE}:
            return no_solution(outcome)
        solution = self._highs.getSolution()
        values = np.asarray(solution.col_value, dtype=np.float64)
        objective = float(info.objective_function_value)
        if not (np.isfinite(values).all() and np.isfinite(objective)):
            return no_solution(Outcome.FAILED)
        bound = float(info.mip_dual_bound) if mixed else objective
        if outcome is Outcome.OPTIMAL:
            # HiGHS tells an old bound, or none, when a suggested solution ends the search before it began.
            bound = max(bound, objective - 0.9 * gap * abs(objective))
        duals = [np.empty(0), np.empty(0)]
        if not mixed:
            duals = [np.asarray(each, dtype=np.float64) for each in (solution.row_dual, solution.col_dual)]
        return Solution(outcome, values, objective, bound, *duals)


_OUTCOMES = {
    highspy.HighsModelStatus.kOptimal: Outcome.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: Outcome.INFEASIBLE,
    highspy.HighsModelStatus.kTimeLimit: Outcome.TIME_LIMIT,
    highspy.HighsModelStatus.kIterationLimit: Outcome.TIME_LIMIT,
    highspy.HighsModelStatus.kSolutionLimit: Outcome.FEASIBLE,
}


_STATES = (
    highspy.HighsBasisStatus.kLower,
    highspy.HighsBasisStatus.kBasic,
    highspy.HighsBasisStatus.kUpper,
    highspy.HighsBasisStatus.kZero,
    highspy.HighsBasisStatus.kNonbasic,
)


def no_solution(outcome: Outcome) -> Solution:
    """Return a solution without values."""
    return Solution(outcome, np.empty(0), np.inf, -np.inf, np.empty(0), np.empty(0))


def _to_lp(program: Program) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = program.matrix.shape
    lp.offset_ = program.offset
    lp.col_cost_ = program.cost
    lp.col_lower_, lp.col_upper_ = program.column_lower, program.column_upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_row_, lp.a_matrix_.num_col_ = program.matrix.shape
    lp.a_matrix_.start_ = program.matrix.indptr
    lp.a_matrix_.index_ = program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    if program.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in program.integer]
    return lp


class Budget:
    """Real seconds that are left of a time limit."""

    def __init__(self, limit_s: float) -> None:
        self._end_s = time.monotonic() + limit_s

    @property
    def left_s(self) -> float:
        """What is left, < 0 when it is overdrawn [s]."""
        return self._end_s - time.monotonic()
