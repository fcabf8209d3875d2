"""From the relaxation of all scenarios to plans: slots that break a rule of the sockets are fixed in each.

It is the dive of `optimizer.dive` for a program of several sites: a slot in the shared steps is one slot in
every scenario. Whether a least power fits is asked of the rows themselves, so that every limit of every
scenario has its say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.coefficients import Flags, Floats
from optimizer.dive import MOST_ROUNDS, PAUSE_KW
from optimizer.layout import ABSENT
from optimizer.solve import Budget, Outcome, Solution, Solver, no_solution
from optimizer.uncertain.joint import DECIDED, Joint, Numbers, Slot
from optimizer.uncertain.room import Room

# A charger that is on by this much less than wholly is on in part [fraction].
SWITCH_TOLERANCE = 1e-6
# What does not fit together is tried again with so much less of it.
FEWER = 3
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
        self._ways = _list_ways(joint)
        self._flows = _list_flows(joint)

    def relax(self) -> Solution:
        """Solve without any slot fixed: no plan costs less."""
        program = self._joint.program
        return self._solve(program.column_lower, program.column_upper)

    def respond(self, first: FirstSteps) -> Solution:
        """Solve with the first steps kept and nothing else fixed: no plan that begins so costs less."""
        room = self._room(first)
        return no_solution(Outcome.INFEASIBLE) if room is None else self._solve(room.lower, room.upper)

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
        solution, room = relaxed, self._room(first)
        if room is None:
            return no_solution(Outcome.INFEASIBLE)
        if first is not None:
            solution = self._solve(room.lower, room.upper)
        for _ in range(MOST_ROUNDS):
            if not solution.found:
                return solution
            broken, flows = self._find_broken(solution.values), self._find_both(solution.values)
            if not broken.size and not flows:
                return solution
            before = room.lower.copy(), room.upper.copy()
            for column in flows:
                room.tighten(column, 0.0, 0.0)
            room, solution = self._fix_what_fits(room, broken, solution.values, threshold)
            if np.array_equal(before, (room.lower, room.upper)):
                break
        return no_solution(Outcome.FAILED)

    def _fix_what_fits(
        self, room: Room, broken: Numbers, values: Floats, threshold: float
    ) -> tuple[Room, Solution]:
        """Fix as many of the broken slots as fit together, the largest first, and solve again."""
        before, count = (room.lower.copy(), room.upper.copy()), len(broken)
        while True:
            self._fix(room, broken[:count], values, threshold)
            solution = self._solve(room.lower, room.upper)
            if solution.outcome is not Outcome.INFEASIBLE or count == 0:
                return room, solution
            room = Room(self._joint.program, *before)
            if count == 1:
                self._pause(room, broken[:1])
                return room, self._solve(room.lower, room.upper)
            count //= FEWER

    def _room(self, first: FirstSteps | None) -> Room | None:
        """Return the free bounds with the first steps kept; None when a scenario does not allow them."""
        program = self._joint.program
        room = Room(program, program.column_lower, program.column_upper)
        return room if first is None or self._keep(room, first) else None

    def _keep(self, room: Room, first: FirstSteps) -> bool:
        """Fix the first steps; False when a scenario does not allow them."""
        for family, switch, sign in (("charge_kw", "charging", 1.0), ("discharge_kw", "discharging", -1.0)):
            switches = self._joint.shared[switch]
            for slot, column in self._joint.shared[family].items():
                power_kw = max(0.0, sign * first.get(slot, 0.0))
                most_kw = 0.0 if column == ABSENT else float(room.upper[column])
                if power_kw > most_kw + PAUSE_KW:
                    return False
                power_kw, on = min(power_kw, most_kw), float(power_kw > PAUSE_KW)
                if not (_fix_at(room, column, power_kw) and _fix_at(room, switches.get(slot, ABSENT), on)):
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
        charge, discharge = (_read(way.power, values) for way in self._ways)
        weak = [self._is_weak(way, values) for way in self._ways]
        broken = np.flatnonzero(weak[0] | weak[1] | ((charge > PAUSE_KW) & (discharge > PAUSE_KW)))
        size = np.maximum(charge, discharge)[broken]
        return np.asarray(broken[np.argsort(-size, kind="stable")])

    @staticmethod
    def _is_weak(way: _Way, values: Floats) -> Flags:
        """Say which slots have less than their least, or are on in part where being on costs energy."""
        power_kw, on = _read(way.power, values), _read(way.switch, values)
        in_part = (way.switch != ABSENT) & (on < 1.0 - SWITCH_TOLERANCE)
        return np.asarray((power_kw > PAUSE_KW) & ((power_kw < way.least_kw - PAUSE_KW) | in_part))

    def _fix(self, room: Room, broken: Numbers, values: Floats, threshold: float) -> None:
        """Let each slot have one direction, and in it its least or more, or a pause."""
        powers = [_read(way.power, values) for way in self._ways]
        weak = [self._is_weak(way, values) for way in self._ways]
        for slot in broken.tolist():
            chosen = int(powers[1][slot] > powers[0][slot])
            self._ways[1 - chosen].close(room, slot)
            way = self._ways[chosen]
            if not weak[chosen][slot] or room.lower[way.power[slot]] > 0.0:
                continue
            lifts = powers[chosen][slot] >= threshold * way.least_kw[slot]
            if not (lifts and way.lift(room, slot)):
                way.close(room, slot)

    def _pause(self, room: Room, broken: Numbers) -> None:
        for way in self._ways:
            for slot in broken.tolist():
                way.close(room, slot)

    def _solve(self, lower: Floats, upper: Floats) -> Solution:
        changed = np.flatnonzero((lower != self._set[0]) | (upper != self._set[1]))
        self._solver.set_bounds(changed, lower[changed], upper[changed])
        self._set = (lower.copy(), upper.copy())
        return self._solver.solve(time_limit_s=self._budget.left_s)


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of every slot of every scenario, those that are shared once: columns and least power."""

    power: Numbers
    switch: Numbers
    least_kw: Floats

    def close(self, room: Room, slot: int) -> None:
        """Make a slot a pause unless it was lifted."""
        column = int(self.power[slot])
        if column != ABSENT and room.lower[column] == 0.0 and room.upper[column] > 0.0:
            _fix_at(room, column, 0.0)
            _fix_at(room, int(self.switch[slot]), 0.0)

    def lift(self, room: Room, slot: int) -> bool:
        """Give a slot its least or more; say whether that fits."""
        column, switch, least_kw = int(self.power[slot]), int(self.switch[slot]), float(self.least_kw[slot])
        most_kw = float(room.upper[column])
        if least_kw > most_kw or not room.tighten(column, least_kw, most_kw):
            return False
        if _fix_at(room, switch, 1.0):
            return True
        room.tighten(column, 0.0, most_kw)
        return False


def _fix_at(room: Room, column: int, value: float) -> bool:
    return column == ABSENT or room.tighten(column, value, value)


def _read(columns: Numbers, values: Floats) -> Floats:
    """Return the values of columns, 0 where there is none."""
    return np.where(columns == ABSENT, 0.0, values[columns])


def _list_ways(joint: Joint) -> tuple[_Way, _Way]:
    """Return charging and discharging, slot by slot."""
    found: dict[tuple[int, int], tuple[int, int, float, float]] = {}
    for scenario, data in enumerate(joint.data):
        charge, discharge, charging, discharging = (joint.columns(scenario, name) for name in DECIDED)
        for i, t in np.argwhere((charge != ABSENT) | (discharge != ABSENT)).tolist():
            pair = (int(charge[i, t]), int(discharge[i, t]))
            known = found.get(pair, (ABSENT, ABSENT, 0.0, 0.0))
            found[pair] = (
                max(known[0], int(charging[i, t])),
                max(known[1], int(discharging[i, t])),
                max(known[2], float(data.charge_least_kw[i])),
                max(known[3], float(data.discharge_least_kw[i])),
            )
    powers = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    switches = np.array([each[:2] for each in found.values()], dtype=np.int64).reshape(-1, 2)
    leasts = np.array([each[2:] for each in found.values()], dtype=np.float64).reshape(-1, 2)
    charge_way, discharge_way = (_Way(powers[:, k], switches[:, k], leasts[:, k]) for k in (0, 1))
    return charge_way, discharge_way


def _list_flows(joint: Joint) -> list[tuple[int, int]]:
    """Return columns of import and export of the steps in which doing both would pay."""
    return [
        (int(imported[0, step]), int(exported[0, step]))
        for scenario, data in enumerate(joint.data)
        for imported, exported in [[joint.columns(scenario, name) for name in ("import_kw", "export_kw")]]
        for step in np.flatnonzero(np.isfinite(data.most_import_kw)).tolist()
    ]
