"""From the linear relaxation to a plan: fix what breaks a rule of the sockets, solve again.

The relaxation lets a socket draw less than its minimum, charge and discharge at once, and the site import
and export at once. It does so in about one slot of a hundred. A dive moves the bounds of just those slots,
either to ``[least, most]`` or to a pause, until nothing is left. Its first solution is a bound: no plan costs
less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags, Floats
from optimizer.compiled import Program
from optimizer.evaluate import compute_gap
from optimizer.layout import ABSENT
from optimizer.solve import Budget, Outcome, Solution, Solver, no_solution

# Power below this is a pause [kW].
PAUSE_KW = 1e-6
# Rounds of one dive; each fixes at least one slot, so that only a solver that cycles gets here.
MOST_ROUNDS = 60
# Slots that are turned, at the most, to make a plan cheaper, and what must be expected of it [EUR].
MOST_TURNS = 60
LEAST_REGRET_EUR = 1e-5


@dataclass(frozen=True, slots=True)
class Found:
    """A plan that keeps the rules of the sockets, or the reason why there is none.

    Parameters
    ----------
    solution
        Columns of the relaxation's program.
    rounds
        Solves that it took.
    fixed
        The slots that were fixed on the way.
    """

    solution: Solution
    rounds: int
    fixed: Fixed


@dataclass(frozen=True, slots=True)
class Fixed:
    """Slots whose bounds a dive moved, shapes (sessions, steps).

    Parameters
    ----------
    charge_lifted, discharge_lifted
        Those that draw or give their least or more.
    charge_paused, discharge_paused
        Those that do not charge, do not discharge.
    """

    charge_lifted: Flags
    charge_paused: Flags
    discharge_lifted: Flags
    discharge_paused: Flags

    def reverse_charge(self, i: int, t: int) -> Fixed:
        """Return the same with one slot turned: paused where it was lifted, free where it was paused."""
        lifted, paused = self.charge_lifted.copy(), self.charge_paused.copy()
        paused[i, t] = lifted[i, t]
        lifted[i, t] = False
        return Fixed(lifted, paused, self.discharge_lifted, self.discharge_paused)


@dataclass(slots=True)
class _Bounds:
    """Bounds of the powers, tightened slot by slot."""

    charge_lower: Floats
    charge_upper: Floats
    discharge_lower: Floats
    discharge_upper: Floats
    import_upper: Floats
    export_upper: Floats

    def copy(self) -> _Bounds:
        return _Bounds(*(getattr(self, name).copy() for name in self.__slots__))


_PAIRS = (
    ("charge_kw", "charge_lower", "charge_upper"),
    ("discharge_kw", "discharge_lower", "discharge_upper"),
    ("import_kw", None, "import_upper"),
    ("export_kw", None, "export_upper"),
)
# Whether a charger that loses power while it is on is on follows from the bounds of its power.
_SWITCHES = (
    ("charging", "charge_lower", "charge_upper"),
    ("discharging", "discharge_lower", "discharge_upper"),
)
# A charger that is on by less than this is off, by less than the rest of 1 neither [fraction].
SWITCH_TOLERANCE = 1e-6


class Diver:
    """Dives from one loaded relaxation.

    Parameters
    ----------
    data
        Numbers of the site.
    solver
        Holds the relaxation of these numbers.
    budget
        Real time for everything.
    """

    def __init__(self, data: Coefficients, solver: Solver, budget: Budget) -> None:
        self._data, self._solver, self._budget = data, solver, budget
        self._program: Program = solver.program
        self._free = _Bounds(
            np.zeros_like(data.charge_most_kw),
            data.charge_most_kw.copy(),
            np.zeros_like(data.discharge_most_kw),
            data.discharge_most_kw.copy(),
            data.most_import_kw[None, :].copy(),
            data.most_export_kw[None, :].copy(),
        )
        self._set = self._free.copy()
        binding = (data.group_weight > 0.0) & (data.group_relief == 0.0)
        self._groups = [np.flatnonzero(binding[:, i]).tolist() for i in range(data.sessions)]
        columns = self._program.layout.columns
        self._switches = [each for each in _SWITCHES if (columns[each[0]] != ABSENT).any()]
        self._two_way: Flags = np.asarray(data.discharge_most_kw.any(axis=1))

    def relax(self) -> Solution:
        """Solve without any slot fixed: the bound."""
        self._apply(self._free)
        return self._solve()

    def dive(
        self,
        relaxed: Solution | None,
        threshold: float,
        start: Fixed | None = None,
        cutoff_eur: float = np.inf,
    ) -> Found:
        """Fix slots until no rule is broken.

        Parameters
        ----------
        relaxed
            The relaxation's solution; not looked at when there is a start.
        threshold
            Slots below this fraction of their least become pauses, others are lifted to it [fraction].
        start
            Slots to fix before the first round: those of an earlier plan of the site.
        cutoff_eur
            Costs from which on a plan is of no use: it only gets dearer on the way down.
        """
        bounds, solution = self._free.copy(), relaxed
        if start is not None or solution is None:
            if start is not None:
                self._adopt(bounds, start)
            self._apply(bounds)
            solution = self._solve()
            if not solution.found:
                return Found(solution, 1, self._fixed(bounds))
        for round_number in range(1, MOST_ROUNDS + 1):
            if solution.objective_eur >= cutoff_eur:
                break
            broken = self._find_broken(solution)
            if not broken.any:
                return Found(solution, round_number, self._fixed(bounds))
            lifted = bounds.copy()
            self._fix(lifted, broken, solution, threshold)
            self._apply(lifted)
            solution = self._solve()
            if solution.outcome is Outcome.INFEASIBLE:
                # The slots that were lifted together do not fit together: pause them instead.
                lifted = bounds
                self._pause(lifted, broken)
                self._apply(lifted)
                solution = self._solve()
            if not solution.found:
                return Found(solution, round_number, self._fixed(lifted))
            bounds = lifted
        return Found(no_solution(Outcome.FAILED), MOST_ROUNDS, self._fixed(bounds))

    def polish(self, relaxed: Solution, found: Found, gap: float) -> Found:
        """Turn the slots whose fixing costs most, one by one, as long as the plan gets cheaper.

        Parameters
        ----------
        relaxed
            The relaxation's solution.
        found
            The best plan so far.
        gap
            Relative distance from the bound at which to stop [fraction].
        """
        turned = np.zeros_like(found.fixed.charge_lifted)
        for _ in range(MOST_TURNS if turned.size else 0):
            if compute_gap(found.solution.objective_eur, relaxed.objective_eur) <= gap:
                break
            regret = np.where(turned, 0.0, self._regrets_eur(found))
            i, t = (int(place) for place in np.unravel_index(np.argmax(regret), regret.shape))
            if regret[i, t] < LEAST_REGRET_EUR:
                break
            turned[i, t] = True
            cutoff_eur = found.solution.objective_eur - LEAST_REGRET_EUR
            other = self.dive(relaxed, 0.0, found.fixed.reverse_charge(i, t), cutoff_eur)
            if other.solution.found:
                found = other
        return found

    def _regrets_eur(self, found: Found) -> Floats:
        """Estimate what each fixed slot would save if it were not fixed, from its reduced cost."""
        duals = found.solution.column_duals
        least = self._program.read("charge_kw", duals) * self._data.charge_least_kw[:, None]
        cost = least + self._program.read("charging", duals)
        return np.where(found.fixed.charge_lifted, cost, 0.0) - np.where(found.fixed.charge_paused, cost, 0.0)

    def _adopt(self, bounds: _Bounds, start: Fixed) -> None:
        """Fix the slots of an earlier plan where they are still possible."""
        data = self._data
        bounds.charge_upper[start.charge_paused] = 0.0
        bounds.discharge_upper[start.discharge_paused] = 0.0
        for i, t in np.argwhere(start.charge_lifted & (bounds.charge_upper > 0.0)).tolist():
            if self._fits(bounds, i, t):
                bounds.charge_lower[i, t] = data.charge_least_kw[i]
                bounds.discharge_upper[i, t] = 0.0
        lift = start.discharge_lifted & (bounds.discharge_upper > 0.0)
        bounds.discharge_lower[lift] = np.broadcast_to(data.discharge_least_kw[:, None], lift.shape)[lift]
        bounds.charge_upper[lift] = 0.0

    def _fixed(self, bounds: _Bounds) -> Fixed:
        data = self._data
        return Fixed(
            charge_lifted=bounds.charge_lower > 0.0,
            charge_paused=(bounds.charge_upper == 0.0) & (data.charge_most_kw > 0.0),
            discharge_lifted=bounds.discharge_lower > 0.0,
            discharge_paused=(bounds.discharge_upper == 0.0) & (data.discharge_most_kw > 0.0),
        )

    def _solve(self) -> Solution:
        return self._solver.solve(time_limit_s=self._budget.left_s)

    def _apply(self, wanted: _Bounds) -> None:
        """Send the solver the bounds that changed."""
        for family, lower_name, upper_name in _PAIRS:
            numbers = self._program.layout.columns[family]
            lower, old_lower = (
                getattr(bounds, lower_name) if lower_name else np.zeros_like(getattr(bounds, upper_name))
                for bounds in (wanted, self._set)
            )
            upper, old_upper = getattr(wanted, upper_name), getattr(self._set, upper_name)
            changed = (numbers != ABSENT) & ((lower != old_lower) | (upper != old_upper))
            self._solver.set_bounds(numbers[changed], lower[changed], upper[changed])
        for family, lower_name, upper_name in self._switches:
            numbers = self._program.layout.columns[family]
            on, may = (getattr(wanted, name) > 0.0 for name in (lower_name, upper_name))
            old_on, old_may = (getattr(self._set, name) > 0.0 for name in (lower_name, upper_name))
            changed = (numbers != ABSENT) & ((on != old_on) | (may != old_may))
            self._solver.set_bounds(numbers[changed], on[changed] * 1.0, may[changed] * 1.0)
        self._set = wanted.copy()

    def _find_broken(self, solution: Solution) -> _Broken:
        data, read = self._data, self._program.read
        charge, discharge = read("charge_kw", solution.values), read("discharge_kw", solution.values)
        charges, discharges = charge > PAUSE_KW, discharge > PAUSE_KW
        flows = [read(name, solution.values) for name in ("import_kw", "export_kw")]
        pays = np.isfinite(data.most_import_kw)[None, :]
        low_charge = charges & (charge < data.charge_least_kw[:, None] - PAUSE_KW)
        low_discharge = discharges & (discharge < data.discharge_least_kw[:, None] - PAUSE_KW)
        return _Broken(
            low_charge=low_charge | (charges & self._is_between("charging", solution)),
            low_discharge=low_discharge | (discharges & self._is_between("discharging", solution)),
            both=charges & discharges,
            both_flows=pays & (flows[0] > PAUSE_KW) & (flows[1] > PAUSE_KW),
        )

    def _is_between(self, family: str, solution: Solution) -> Flags:
        """Say which chargers with a loss of their own are neither on nor off."""
        there = self._program.layout.columns[family] != ABSENT
        if not self._switches:
            return np.zeros_like(there)
        return np.asarray(there & (self._program.read(family, solution.values) < 1.0 - SWITCH_TOLERANCE))

    def _fix(self, bounds: _Bounds, broken: _Broken, solution: Solution, threshold: float) -> None:
        data, read = self._data, self._program.read
        charge, discharge = read("charge_kw", solution.values), read("discharge_kw", solution.values)
        rather_charge = charge >= discharge
        bounds.discharge_upper[broken.both & rather_charge] = 0.0
        bounds.charge_upper[broken.both & ~rather_charge] = 0.0
        self._choose_flow(bounds, broken, solution)
        low = broken.low_charge & ~(broken.both & ~rather_charge)
        lift = low & (charge >= threshold * data.charge_least_kw[:, None])
        for i, t in _by_size(lift, charge):
            if not self._fits(bounds, i, t):
                lift[i, t] = False
                continue
            bounds.charge_lower[i, t] = data.charge_least_kw[i]
            bounds.discharge_upper[i, t] = 0.0
        bounds.charge_upper[low & ~lift] = 0.0
        low = broken.low_discharge & ~(broken.both & rather_charge)
        lift = low & (discharge >= threshold * data.discharge_least_kw[:, None])
        least = np.broadcast_to(data.discharge_least_kw[:, None], lift.shape)
        bounds.discharge_lower[lift] = least[lift]
        bounds.charge_upper[lift] = 0.0
        bounds.discharge_upper[low & ~lift] = 0.0

    def _choose_flow(self, bounds: _Bounds, broken: _Broken, solution: Solution) -> None:
        imports, exports = (self._program.read(name, solution.values) for name in ("import_kw", "export_kw"))
        bounds.export_upper[broken.both_flows & (imports >= exports)] = 0.0
        bounds.import_upper[broken.both_flows & (imports < exports)] = 0.0

    def _fits(self, bounds: _Bounds, i: int, t: int) -> bool:
        """Say whether the least of one more slot fits beside those that are lifted already."""
        data, least = self._data, self._data.charge_least_kw[i]
        if data.relief == 0.0 and bounds.charge_lower[:, t].sum() + least > data.import_room_kw[t] + PAUSE_KW:
            return False
        for group in self._groups[i]:
            weights = data.group_weight[group]
            inside = weights @ bounds.charge_lower[:, t] + weights[i] * least
            if inside > data.group_import_kw[group, t] + PAUSE_KW:
                return False
        if self._two_way[i]:
            return True
        on = np.count_nonzero(bounds.charge_lower[i]) + 1
        stored = data.stored_kwh_per_kw[i] * (bounds.charge_lower[i].sum() + least)
        stored -= data.standing_charge_kwh[i] * on
        room = (data.energy_upper_kwh[i] - data.energy_lower_kwh[i])[data.stays[i]].max(initial=0.0)
        return bool(stored <= room + PAUSE_KW)

    def _pause(self, bounds: _Bounds, broken: _Broken) -> None:
        bounds.charge_upper[broken.low_charge | broken.both] = 0.0
        bounds.discharge_upper[broken.low_discharge | broken.both] = 0.0
        bounds.export_upper[broken.both_flows] = 0.0


@dataclass(frozen=True, slots=True)
class _Broken:
    """Slots of a relaxation that break a rule of the sockets, steps that import and export at once."""

    low_charge: Flags
    low_discharge: Flags
    both: Flags
    both_flows: Flags

    @property
    def any(self) -> bool:
        return any(bool(getattr(self, name).any()) for name in self.__slots__)


def _by_size(flags: Flags, power_kw: Floats) -> Iterator[tuple[int, int]]:
    """Yield the places of flags, largest power first."""
    places: npt.NDArray[np.int64] = np.argwhere(flags)
    order = np.argsort(-power_kw[flags], kind="stable")
    return ((int(i), int(t)) for i, t in places[order])
