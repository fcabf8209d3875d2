"""The kernel: quarters of an hour for all sockets of all replicates at once.

In every step cars leave, waiting and arriving drivers take the nearest free socket within reach, the policy
sets powers, poles' fuses share them out and batteries follow. Nothing here is random: all chance is in the
requests, so that policies see the same drivers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import STEP_H, YearGrid
from simulator.rollout.demand import WARM_UP_STEPS, Library, Requests
from simulator.rollout.layout import POINTS_PER_CELL, Layout
from simulator.rollout.scenario import Scenario
from simulator.rollout.sockets import (
    CUT_OFF_FRACTION,
    Sockets,
    charge,
    discharge,
    knee_kwh,
    need_kwh,
    share_fuse,
)
from simulator.rollout.tally import Outcome, SessionLog, Tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SHORT_KWH, SHORT_FRACTION = 0.1, 0.01
SAMPLE_STEPS = 4


class PowerPolicy(Protocol):
    """Sets the power of every connected car."""

    #: Whether cars may be discharged.
    discharges: bool

    def arrive(self, step: int, index: Ints, sockets: Sockets) -> None:
        """Learn of cars that were plugged in at the beginning of a step."""
        ...

    def powers(self, step: int, index: Ints, sockets: Sockets) -> Floats:
        """Return the power wanted at each of these sockets [kW at the meter], > 0 into the car."""
        ...

    def limit_a(self, step: int) -> float:
        """Return what a pole may draw per phase in a step."""
        ...

    def resize(self, layout: Layout) -> None:
        """Learn of poles that were added."""
        ...


@dataclass(frozen=True)
class Block:
    """What a run of steps left behind.

    Parameters
    ----------
    first
        First step.
    load_kw
        Net power of the cars per step, feeder and phase, shape (steps, feeders, 3).
    area_kw
        The same per neighbourhood, shape (steps, areas).
    tally, outcome
        Counts.
    cell_pressure
        Drivers of each cell who found nothing at the nearest pole, shape (cells,).
    """

    first: int
    load_kw: NDArray[np.float32]
    area_kw: Floats
    tally: Tally
    outcome: Outcome
    cell_pressure: Floats


@dataclass
class _Waiting:
    request: Ints
    until: Ints

    @classmethod
    def nobody(cls) -> _Waiting:
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class Kernel:
    """Runs one year of all replicates.

    Parameters
    ----------
    scenario, layout, library, grid
        The world.
    requests
        Drivers of all replicates, in order of time.
    policy
        Who sets the power.
    log
        Where to write every session; None: nowhere.
    """

    def __init__(
        self,
        scenario: Scenario,
        layout: Layout,
        library: Library,
        grid: YearGrid,
        requests: Requests,
        policy: PowerPolicy,
        log: SessionLog | None = None,
    ) -> None:
        self.scenario = scenario
        self.library = library
        self.grid = grid
        self.requests = requests
        self.policy = policy
        self.log = log
        self.step = -WARM_UP_STEPS
        #: Told the step, the sockets and their powers after every step, where somebody wants to know.
        self.trace: Callable[[int, Ints, Floats], None] | None = None
        self._bounds = np.searchsorted(requests.step, np.arange(-WARM_UP_STEPS, grid.steps + 1))
        self._waiting = _Waiting.nobody()
        self.sockets = Sockets.empty(layout.poles, layout.sockets_per_pole)
        self._free = np.full(layout.poles + 1, layout.sockets_per_pole)
        self._free[-1] = 0  # what -1 in the candidates points to
        self._areas = layout.areas
        self._use(layout)
        self._reset()

    def _use(self, layout: Layout) -> None:
        self.layout = layout
        self._area_of_pole = layout.cell_area[layout.pole_cell]
        self._sockets_of_area = (
            np.bincount(self._area_of_pole, minlength=self._areas) * layout.sockets_per_pole
        )
        self._feeder = np.repeat(layout.pole_feeder, layout.sockets_per_pole)
        self._area = np.repeat(self._area_of_pole, layout.sockets_per_pole)
        self._area_of_point = layout.cell_area[layout.point_cell]
        self._cells_of_area = np.bincount(layout.cell_area, minlength=self._areas)

    def add_poles(self, layout: Layout) -> None:
        """Go on with a layout that has more poles."""
        free = np.full(layout.poles + 1, layout.sockets_per_pole)
        free[: self.layout.poles] = self._free[:-1]
        free[-1] = 0
        self._free = free
        self.sockets = self.sockets.extended(layout.poles, layout.sockets_per_pole)
        self._use(layout)
        self.policy.resize(layout)

    def run_until(self, end: int) -> Block:
        """Run up to a step (exclusive) and return what happened from step 0 on.

        Parameters
        ----------
        end
            Past-the-last step.
        """
        while self.step < 0:
            self._advance(None, None)
        self._reset()
        first = self.step
        load = np.zeros((end - first, self.layout.feeders, 3), dtype=np.float32)
        area = np.zeros((end - first, self._areas))
        while self.step < end:
            self._advance(load[self.step - first], area[self.step - first])
        return Block(first, load, area, self.tally, self.outcome, self._pressure)

    def _reset(self) -> None:
        self.tally, self.outcome = Tally.zero(self._areas), Outcome.zero(self._areas)
        self._pressure = np.zeros(len(self.layout.cell_area))

    def _advance(self, load: NDArray[np.float32] | None, area: Floats | None) -> None:
        step = self.step
        # Within a quarter cars come and go in any order. Serving arrivals first in every other quarter keeps
        # the odds of finding a free socket unbiased; always letting cars leave first lowers blocking by some
        # 3 %.
        if step % 2:
            self._admit(step)
            self._leave(step)
        else:
            self._leave(step)
            self._admit(step)
        if step % SAMPLE_STEPS == 0 and load is not None:
            self._sample(self._hour_of_week(step))
        self._power(step, load, area)
        self.step += 1

    def _hour_of_week(self, step: int) -> int:
        return int(self.grid.hour_of_week[max(step, 0)])

    def _leave(self, step: int) -> None:
        state = self.sockets
        index = np.flatnonzero(state.departure <= step)
        if not len(index):
            return
        wanted = state.start_kwh[index] - state.stop_kwh[index]
        short = np.maximum(state.gap_kwh[index] - state.stop_kwh[index], 0.0)
        arrived = self.requests.step[state.request[index]]
        area, areas = self._area[index], self._areas
        outcome = self.outcome
        outcome.sessions += np.bincount(area, minlength=areas)
        outcome.need_kwh += np.bincount(area, weights=wanted, minlength=areas)
        outcome.short_kwh += np.bincount(area, weights=short, minlength=areas)
        missed = short > np.maximum(SHORT_KWH, SHORT_FRACTION * wanted)
        outcome.short_sessions += np.bincount(area, weights=missed, minlength=areas)
        outcome.stay_steps += np.bincount(area, weights=step - arrived, minlength=areas)
        if self.log is not None:
            request = state.request[index]
            self.log.append(
                pole=state.pole[index],
                request=request,
                arrived=arrived,
                plugged=state.plugged[index],
                departed=np.full(len(index), step),
                wanted_kwh=wanted,
                short_kwh=short,
            )
        np.add.at(self._free, state.pole[index], 1)
        state.busy[index] = False
        state.departure[index] = np.iinfo(np.int64).max
        state.request[index] = -1

    def _admit(self, step: int) -> None:
        first, last = self._bounds[step + WARM_UP_STEPS], self._bounds[step + WARM_UP_STEPS + 1]
        fresh = np.arange(first, last)
        patient = self._waiting
        request = np.concatenate([patient.request, fresh])
        if not len(request):
            return
        pole, walked, past = self._find(self.requests.point[request])
        placed = pole >= 0
        if placed.any():
            self._plug(step, request[placed], pole[placed])
        self._count_arrivals(step, request, len(patient.request), pole, walked, past)
        poles = self.scenario.poles
        until = np.concatenate([patient.until, np.full(len(fresh), step + poles.wait_quarters)])
        waits = ~placed & (until > step) & (self._departure(request, step) > step + 1)
        waits[len(patient.request) :] &= self.requests.patience[fresh] < poles.wait_fraction
        gone = ~placed & ~waits
        if gone.any():
            self._turn_away(step, request[gone])
        self._waiting = _Waiting(request[waits], until[waits])

    def _find(self, point: Ints) -> tuple[Ints, Floats, NDArray[np.bool_]]:
        """Give each driver, in order, the nearest pole with a socket left: pole or -1, metres, passed by."""
        table, walk = self.layout.candidates[point], self.layout.walk_m[point]
        pole = np.full(len(point), -1)
        rank = np.zeros(len(point), dtype=np.int64)
        todo = np.arange(len(point))
        while len(todo):
            open_ = self._free[table[todo]] > 0
            choice = open_.argmax(axis=1)
            hopeful = open_[np.arange(len(todo)), choice]
            todo, choice = todo[hopeful], choice[hopeful]
            wanted = table[todo, choice]
            served = first_come(wanted) < self._free[wanted]
            winners = todo[served]
            pole[winners], rank[winners] = wanted[served], choice[served]
            np.subtract.at(self._free, wanted[served], 1)
            todo = todo[~served]
        return pole, np.where(pole >= 0, walk[np.arange(len(point)), rank], 0.0), rank > 0

    def _departure(self, request: Ints, step: int) -> Ints:
        """Return the step at which a driver leaves, as planned on arrival; one step is plugged at least."""
        asked = self.requests
        stay = self.library.stay_h[asked.session[request]] / STEP_H
        leaves = np.floor(asked.step[request] + asked.offset[request] + stay).astype(np.int64)
        return np.asarray(np.maximum(leaves, np.maximum(asked.step[request], step) + 1))

    def _plug(self, step: int, request: Ints, pole: Ints) -> None:
        state, library = self.sockets, self.library
        per_pole = self.layout.sockets_per_pole
        taken = state.busy.reshape(-1, per_pole)[pole]
        index = (
            pole * per_pole + np.argsort(taken, axis=1, kind="stable")[np.arange(len(pole)), first_come(pole)]
        )
        session = self.requests.session[request]
        battery, one = library.battery_kwh[session], library.one_phase[session]
        charger = np.minimum(library.charger_kw[session], self._socket_kw(one))
        knee = knee_kwh(battery)
        stop = np.maximum((1 - library.target_fraction[session]) * battery, CUT_OFF_FRACTION * knee)
        need = need_kwh(library.energy_kwh[session], charger, one)
        state.busy[index] = True
        state.plugged[index] = step
        state.departure[index] = self._departure(request, step)
        state.stop_kwh[index] = stop
        state.gap_kwh[index] = state.start_kwh[index] = np.minimum(stop + need, 0.98 * battery)
        state.knee_kwh[index] = knee
        state.charger_kw[index] = charger
        state.one_phase[index] = one
        state.request[index] = request
        state.declared[index] = self.requests.declares[request] < self.scenario.control.declared_fraction
        bidirectional = self._bidirectional(request, pole) & ~one & state.declared[index]
        floor = (1 - self.scenario.control.floor_fraction) * battery
        state.floor_kwh[index] = np.where(bidirectional, floor, 0.0)
        self.policy.arrive(step, index, state)

    def _socket_kw(self, one_phase: NDArray[np.bool_]) -> Floats:
        ampere = self.scenario.poles.socket_a
        return np.where(one_phase, ampere * 0.23, 3 * ampere * 0.23)

    def _bidirectional(self, request: Ints, pole: Ints) -> NDArray[np.bool_]:
        areas = self.scenario.neighbourhoods
        share = np.array([area.bidirectional_fraction for area in areas])
        return np.asarray(self.requests.discharges[request] < share[self._area_of_pole[pole] % len(areas)])

    def _count_arrivals(
        self, step: int, request: Ints, patient: int, pole: Ints, walked: Floats, past: NDArray[np.bool_]
    ) -> None:
        hour = self._hour_of_week(step)
        area = self._area_of_request(request)
        placed = pole >= 0
        tally, areas = self.tally, self._areas
        pressed = self.layout.point_cell[self.requests.point[request[past | ~placed]]]
        self._pressure += np.bincount(pressed, minlength=len(self._pressure))
        tally.arrivals[:, hour] += np.bincount(area[patient:], minlength=areas)
        tally.diverted[:, hour] += np.bincount(area, weights=past & placed, minlength=areas)
        tally.walk_m[:, hour] += np.bincount(area, weights=walked, minlength=areas)
        if patient:
            tally.waited[:, hour] += np.bincount(area[:patient], weights=placed[:patient], minlength=areas)

    def _turn_away(self, step: int, request: Ints) -> None:
        area = self._area_of_request(request)
        energy = self.library.energy_kwh[self.requests.session[request]]
        self.tally.blocked[:, self._hour_of_week(step)] += np.bincount(area, minlength=self._areas)
        self.outcome.lost_demand_kwh += np.bincount(area, weights=energy, minlength=self._areas)

    def _area_of_request(self, request: Ints) -> Ints:
        return np.asarray(self.layout.cell_area[self.layout.point_cell[self.requests.point[request]]])

    def _sample(self, hour: int) -> None:
        tally, areas, state = self.tally, self._areas, self.sockets
        layout = self.layout
        used = layout.sockets_per_pole - self._free[:-1]
        tally.sampled[:, hour] += 1
        tally.sockets[:, hour] += self._sockets_of_area
        tally.occupied[:, hour] += np.bincount(self._area_of_pole, weights=used, minlength=areas)
        idle = state.busy & (state.gap_kwh <= state.stop_kwh)
        tally.full_idle[:, hour] += np.bincount(self._area, weights=idle, minlength=areas)
        within = self._free[layout.candidates.T].any(axis=0)
        tally.cells_free[:, hour] += (
            np.bincount(self._area_of_point, weights=within, minlength=areas) / POINTS_PER_CELL
        )
        tally.cells[:, hour] += self._cells_of_area

    def _power(self, step: int, load: NDArray[np.float32] | None, area: Floats | None) -> None:
        state, policy = self.sockets, self.policy
        live = state.busy & (state.gap_kwh > state.stop_kwh)
        if policy.discharges:
            live |= state.busy & (state.floor_kwh > 0)
        index = np.flatnonzero(live)
        if not len(index):
            return
        wanted = policy.powers(step, index, state)
        limit_a = policy.limit_a(step)
        into = share_fuse(np.maximum(wanted, 0.0), index, state, limit_a, step, self.layout.sockets_per_pole)
        power, lost = charge(state, index, into)
        stored = power * STEP_H - lost
        if policy.discharges and (wanted < 0).any():
            out = np.flatnonzero(wanted < 0)
            given, wasted = discharge(state, index[out], -wanted[out])
            power[out], lost[out], stored[out] = -given, wasted, -(given * STEP_H + wasted)
        self._account(index, power, lost, stored)
        if self.trace is not None:
            self.trace(step, index, power)
        if load is not None and area is not None:
            self._spread(index, power, load)
            area += np.bincount(self._area[index], weights=power, minlength=self._areas)

    def _account(self, index: Ints, power: Floats, lost: Floats, stored: Floats) -> None:
        area, areas, outcome = self._area[index], self._areas, self.outcome
        metered = np.maximum(power, 0.0) * STEP_H
        outcome.metered_kwh += np.bincount(area, weights=metered, minlength=areas)
        outcome.lost_kwh += np.bincount(area, weights=lost, minlength=areas)
        outcome.stored_kwh += np.bincount(area, weights=stored, minlength=areas)
        if self.policy.discharges:
            given = np.maximum(-power, 0.0) * STEP_H
            outcome.discharged_kwh += np.bincount(area, weights=given, minlength=areas)

    def _spread(self, index: Ints, power: Floats, load: NDArray[np.float32]) -> None:
        """Add powers to their feeders' phases."""
        state, feeder = self.sockets, self._feeder[index]
        single = np.where(state.one_phase[index], power, 0.0)
        feeders = self.layout.feeders
        even = np.bincount(feeder, weights=power - single, minlength=feeders) / 3
        phases = np.bincount(feeder * 3 + state.phase[index], weights=single, minlength=feeders * 3)
        load += (even[:, None] + phases.reshape(-1, 3)).astype(np.float32)


def first_come(groups: Ints) -> Ints:
    """Number equal entries in the order in which they come."""
    if len(groups) <= 1:
        return np.zeros(len(groups), dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    fresh = np.empty(len(groups), dtype=bool)
    fresh[0], fresh[1:] = True, ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(fresh)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    return rank
