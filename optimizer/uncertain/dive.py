"""From the relaxation of all scenarios to plans: slots that break a rule of the sockets are fixed in each.

It is the dive of `optimizer.dive` for a program of several sites: a slot in the shared steps is one slot in
every scenario. Whether a least power fits is asked of the rows themselves, so that every limit of every
scenario has its say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Floats
from optimizer.dive import MOST_ROUNDS, PAUSE_KW
from optimizer.layout import ABSENT
from optimizer.solve import Budget, Outcome, Solution, Solver, no_solution
from optimizer.uncertain.joint import Joint, Numbers, Slot
from optimizer.uncertain.room import Room

# Signed power of a session in each of its shared steps [kW].
FirstSteps = Mapping[Slot, float]


class JointDiver:
    """Dives from one loaded relaxation of all scenarios.

    Parameters
    ----------
    joint
        The relaxation.
    solver
        Holds its program.
    budget
        Real time for everything.
    """

    def __init__(self, joint: Joint, solver: Solver, budget: Budget) -> None:
        self._joint, self._solver, self._budget = joint, solver, budget
        program = joint.program
        self._set = (program.column_lower.copy(), program.column_upper.copy())
        self._sockets = _list_sockets(joint)
        self._flows = _list_flows(joint)

    def relax(self) -> Solution:
        """Solve without any slot fixed: no plan costs less."""
        program = self._joint.program
        return self._solve(program.column_lower, program.column_upper)

    def dive(self, relaxed: Solution, threshold: float, first: FirstSteps | None = None) -> Solution:
        """Fix slots until no rule is broken.

        Parameters
        ----------
        relaxed
            The relaxation's solution; not looked at when the first steps are given.
        threshold
            Slots below this fraction of their least become pauses, others are lifted to it [fraction].
        first
            Powers to keep in the shared steps; the rest answers to them.
        """
        program, solution = self._joint.program, relaxed
        room = Room(program, program.column_lower, program.column_upper)
        if first is not None:
            if not self._keep(room, first):
                return no_solution(Outcome.INFEASIBLE)
            solution = self._solve(room.lower, room.upper)
        for _ in range(MOST_ROUNDS):
            broken = self._find_broken(solution.values) if solution.found else np.empty(0, dtype=np.int64)
            flows = self._find_both(solution.values) if solution.found else []
            if not broken.size and not flows:
                return solution
            before = room.lower.copy(), room.upper.copy()
            for column in flows:
                room.tighten(column, 0.0, 0.0)
            self._fix(room, broken, solution.values, threshold)
            if np.array_equal(before, (room.lower, room.upper)):
                break
            after = self._solve(room.lower, room.upper)
            if after.outcome is Outcome.INFEASIBLE:
                # What was lifted together does not fit together: pause it instead.
                room = Room(program, *before)
                self._pause(room, broken)
                after = self._solve(room.lower, room.upper)
            solution = after
        return no_solution(Outcome.FAILED)

    def _keep(self, room: Room, first: FirstSteps) -> bool:
        """Fix the first steps; False when a scenario does not allow them."""
        for family, sign in (("charge_kw", 1.0), ("discharge_kw", -1.0)):
            for slot, column in self._joint.shared[family].items():
                power_kw = max(0.0, sign * first.get(slot, 0.0))
                if column == ABSENT:
                    if power_kw > PAUSE_KW:
                        return False
                    continue
                if power_kw > room.upper[column] + PAUSE_KW:
                    return False
                power_kw = min(power_kw, float(room.upper[column]))
                if not room.tighten(column, power_kw, power_kw):
                    return False
        return True

    def _find_both(self, values: Floats) -> list[int]:
        """Return the smaller flow of each step that imports and exports at once where that would pay."""
        return [
            exported if values[imported] >= values[exported] else imported
            for imported, exported in self._flows
            if min(values[imported], values[exported]) > PAUSE_KW
        ]

    def _find_broken(self, values: Floats) -> Numbers:
        """Return the slots that break a rule, largest power first."""
        charge, discharge = self._read(values)
        sockets = self._sockets
        low = _is_weak(charge, sockets.least_charge_kw) | _is_weak(discharge, sockets.least_discharge_kw)
        broken = np.flatnonzero(low | ((charge > PAUSE_KW) & (discharge > PAUSE_KW)))
        size = np.maximum(charge, discharge)[broken]
        return np.asarray(broken[np.argsort(-size, kind="stable")])

    def _fix(self, room: Room, broken: Numbers, values: Floats, threshold: float) -> None:
        """Let each slot have one direction, and in it its least or more, or a pause."""
        sockets = self._sockets
        directions = (
            (sockets.charge, sockets.least_charge_kw),
            (sockets.discharge, sockets.least_discharge_kw),
        )
        powers = self._read(values)
        for slot in broken.tolist():
            chosen = int(powers[1][slot] > powers[0][slot])
            _close(room, directions[1 - chosen][0][slot])
            column, least_kw = int(directions[chosen][0][slot]), float(directions[chosen][1][slot])
            power_kw = float(powers[chosen][slot])
            if power_kw >= least_kw - PAUSE_KW or room.lower[column] > 0.0:
                continue
            lifts = power_kw >= threshold * least_kw and least_kw <= room.upper[column]
            if not (lifts and room.tighten(column, least_kw, float(room.upper[column]))):
                _close(room, column)

    def _pause(self, room: Room, broken: Numbers) -> None:
        for columns in (self._sockets.charge, self._sockets.discharge):
            for column in columns[broken].tolist():
                _close(room, column)

    def _read(self, values: Floats) -> tuple[Floats, Floats]:
        """Return charge and discharge of every slot [kW]."""
        charge, discharge = (
            np.where(columns == ABSENT, 0.0, values[columns])
            for columns in (self._sockets.charge, self._sockets.discharge)
        )
        return charge, discharge

    def _solve(self, lower: Floats, upper: Floats) -> Solution:
        changed = np.flatnonzero((lower != self._set[0]) | (upper != self._set[1]))
        self._solver.set_bounds(changed, lower[changed], upper[changed])
        self._set = (lower.copy(), upper.copy())
        return self._solver.solve(time_limit_s=self._budget.left_s)


def _is_weak(power_kw: Floats, least_kw: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((power_kw > PAUSE_KW) & (power_kw < least_kw - PAUSE_KW))


def _close(room: Room, column: int) -> None:
    """Make a column a pause unless it was lifted."""
    if column != ABSENT and room.lower[column] == 0.0 and room.upper[column] > 0.0:
        room.tighten(column, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Sockets:
    """Columns and least powers of every slot of every scenario, those that are shared once."""

    charge: Numbers
    discharge: Numbers
    least_charge_kw: Floats
    least_discharge_kw: Floats


def _list_sockets(joint: Joint) -> _Sockets:
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for scenario, data in enumerate(joint.data):
        charge, discharge = (joint.columns(scenario, name) for name in ("charge_kw", "discharge_kw"))
        for i, t in np.argwhere((charge != ABSENT) | (discharge != ABSENT)).tolist():
            pair = (int(charge[i, t]), int(discharge[i, t]))
            known = found.get(pair, (0.0, 0.0))
            least = (float(data.charge_least_kw[i]), float(data.discharge_least_kw[i]))
            found[pair] = (max(known[0], least[0]), max(known[1], least[1]))
    columns = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    leasts = np.array(list(found.values()), dtype=np.float64).reshape(-1, 2)
    return _Sockets(columns[:, 0], columns[:, 1], leasts[:, 0], leasts[:, 1])


def _list_flows(joint: Joint) -> list[tuple[int, int]]:
    """Return columns of import and export of the steps in which doing both would pay."""
    return [
        (int(imported[0, step]), int(exported[0, step]))
        for scenario, data in enumerate(joint.data)
        for imported, exported in [[joint.columns(scenario, name) for name in ("import_kw", "export_kw")]]
        for step in np.flatnonzero(np.isfinite(data.most_import_kw)).tolist()
    ]
