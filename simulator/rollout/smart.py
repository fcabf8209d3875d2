"""The fast smart policy: a session is planned when it comes, a guard keeps the transformer's limit.

It uses what the controller of a street would know: the car's need and departure where they are declared, an
assumed window where they are not, published prices, a forecast of households and sun, and the plans already
made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import STEP_H
from simulator.rollout.kernel import first_come
from simulator.rollout.layout import Layout
from simulator.rollout.network import Network
from simulator.rollout.plans import Battery, Market, charge_and_discharge, cheapest_quarters
from simulator.rollout.policies import Uncontrolled
from simulator.rollout.scenario import Scenario
from simulator.rollout.sockets import MINIMUM_A, PHASE_KV, Sockets, meter_kwh_at_full_power

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Plans look this far ahead; the ring that holds them is longer, so that rows are clear before they are used
# again.
HORIZON_STEPS = 192
DISCHARGE_HORIZON_STEPS = 96
RING_STEPS = 256
FORECAST_STEPS = 96
# What is past is cleared so many rows at a time, before plans can reach them again.
CLEARED_STEPS = 32
# Plans leave this much of the limit to the forecast's error.
RESERVE_FRACTION = 0.03
# A car that needs this share of its remaining time at full power gets it.
URGENT_FRACTION = 0.9


class Smart(Uncontrolled):
    """Price and transformer decide when a car charges.

    Parameters
    ----------
    scenario, layout
        The world.
    network
        Its forecast and limits.
    discharges
        Whether bidirectional cars are discharged.
    """

    def __init__(self, scenario: Scenario, layout: Layout, network: Network, *, discharges: bool) -> None:
        super().__init__(scenario.poles.fuse_a)
        self.discharges = discharges
        self.control = scenario.control
        self.sharing = scenario.control.energy_sharing
        self.network = network
        grid = scenario.grid
        rated = grid.transformer_kva * grid.power_factor * (1 - grid.margin_fraction)
        self.limit_kw = rated * (1 - RESERVE_FRACTION)
        self._assumed = round(scenario.control.undeclared_hours / STEP_H)
        self._forecast_from = -1_000_000
        # A session's quarters lie side by side: plans are written and read by session.
        self._forecast = np.zeros((layout.transformers, 0), dtype=np.float32)
        self._promised = np.zeros((layout.transformers, RING_STEPS))
        self._plan = np.zeros((0, RING_STEPS), dtype=np.float32)
        self._due = np.zeros(0, dtype=np.int64)
        self._month = -1
        self._peak_kw = np.zeros(layout.transformers)
        self._cleared = self._begun = -1_000_000
        self.resize(layout)

    def resize(self, layout: Layout) -> None:
        """Learn of poles that were added."""
        fresh = layout.sockets - len(self._plan)
        self._plan = np.concatenate([self._plan, np.zeros((fresh, RING_STEPS), dtype=np.float32)])
        self._due = np.concatenate([self._due, np.zeros(fresh, dtype=np.int64)])
        self._transformer = np.repeat(layout.feeder_transformer[layout.pole_feeder], layout.sockets_per_pole)

    def arrive(self, step: int, index: Ints, sockets: Sockets) -> None:
        """Plan the sessions that just began; of two at one transformer the second sees the first."""
        self._begin(step)
        self._plan[index] = 0.0  # what the car before had left of its plan
        window = np.where(
            sockets.declared[index], sockets.departure[index] - step, self._assume(index, sockets)
        )
        self._due[index] = step + window
        wave = first_come(self._transformer[index])
        for number in range(int(wave.max()) + 1):
            chosen = np.flatnonzero(wave == number)
            self._plan_wave(step, index[chosen], window[chosen], sockets)

    def _assume(self, index: Ints, sockets: Sockets) -> Ints:
        """Return the window of a car that says nothing: what is assumed, but no less than it needs."""
        needed = meter_kwh_at_full_power(sockets, index) / (sockets.charger_kw[index] * STEP_H)
        return np.maximum(np.ceil(needed).astype(np.int64), max(1, self._assumed))

    def powers(self, step: int, index: Ints, sockets: Sockets) -> Floats:
        """Return the plans' powers; urgent cars get more, an overloaded transformer's cars less."""
        self._begin(step)
        plan = self._plan[index, step % RING_STEPS].astype(np.float64)
        # One quarter is kept back for what a shared fuse or a smaller step took from the plan.
        left_h = (self._due[index] - step - 1) * STEP_H
        needed = meter_kwh_at_full_power(sockets, index)
        wanted = needed > 0
        urgent = wanted & (needed >= URGENT_FRACTION * sockets.charger_kw[index] * np.maximum(left_h, 0.0))
        power = np.where(urgent, sockets.charger_kw[index], plan)
        power = np.where((power > 0) & ~wanted, 0.0, power)
        slack_h = left_h - needed / sockets.charger_kw[index]
        return self._guard(step, index, power, slack_h, sockets)

    def _begin(self, step: int) -> None:
        """Clear what is past, renew the forecast once a day and the peak once a month."""
        if step <= self._begun:
            return
        self._begun = step
        if step - self._cleared >= CLEARED_STEPS:
            past = np.arange(max(self._cleared, step - RING_STEPS), step) % RING_STEPS
            self._promised[:, past] = 0.0
            self._plan[:, past] = 0.0
            self._cleared = step
        if not 0 <= step - self._forecast_from < FORECAST_STEPS:
            self._forecast_from = step
            everyone = np.arange(len(self._peak_kw))
            ahead = self.network.expected_kw(step, step + FORECAST_STEPS + HORIZON_STEPS, everyone)
            self._forecast = np.ascontiguousarray(ahead.T, dtype=np.float32)
        month = int(self.network.around.grid.month[max(step, 0)])
        if month != self._month:
            self._month = month
            self._peak_kw = self._forecast.max(axis=1).astype(np.float64)
        self._peak_kw = np.maximum(self._peak_kw, self._expected(step))

    def _expected(self, step: int) -> Floats:
        promised = self._promised[:, step % RING_STEPS]
        return np.asarray(self._forecast[:, step - self._forecast_from] + promised)

    def _market(self, step: int, steps: int, transformer: Ints) -> Market:
        rows = np.arange(step, step + steps)
        ahead = self._forecast[transformer[:, None], rows - self._forecast_from]
        load = ahead + self._promised[transformer[:, None], rows % RING_STEPS]
        around = self.network.around
        rows = np.clip(rows, 0, around.grid.steps - 1)
        # What is discharged in a rewarded hour takes its reward back.
        reward = around.reward[rows]
        buy = np.broadcast_to(around.import_price[rows] - reward, load.shape)
        sell = np.broadcast_to(around.export_price[rows] - reward, load.shape)
        if self.sharing:
            # What the street itself uses need not be bought.
            surplus = load < 0
            buy, sell = np.where(surplus, sell, buy), np.where(surplus, sell, buy)
        limit = np.full((len(transformer), 1), self.limit_kw)
        return Market(
            buy, sell, load, limit, self._peak_kw[transformer][:, None], self.control.balancing_eur_per_kwh
        )

    def _plan_wave(self, step: int, index: Ints, window: Ints, sockets: Sockets) -> None:
        if self.discharges:
            two_way = (sockets.floor_kwh[index] > sockets.stop_kwh[index]) & (window >= 2 * HOUR_STEPS)
            if two_way.any():
                self._plan_two_way(step, index[two_way], window[two_way], sockets)
                index, window = index[~two_way], window[~two_way]
        if not len(index):
            return
        window = np.minimum(window, HORIZON_STEPS)
        market = self._market(step, int(window.max()), self._transformer[index])
        smallest = np.where(sockets.one_phase[index], 1, 3) * MINIMUM_A * PHASE_KV
        need = meter_kwh_at_full_power(sockets, index)
        self._promise(
            step, index, cheapest_quarters(market, need, sockets.charger_kw[index], smallest, window)
        )

    def _plan_two_way(self, step: int, index: Ints, window: Ints, sockets: Sockets) -> None:
        window = np.minimum(window, DISCHARGE_HORIZON_STEPS)
        steps = int(window.max()) // HOUR_STEPS * HOUR_STEPS
        control = self.control
        battery = Battery(
            gap_kwh=sockets.gap_kwh[index],
            stop_kwh=sockets.stop_kwh[index],
            floor_kwh=sockets.floor_kwh[index],
            charge_kw=sockets.charger_kw[index],
            discharge_kw=control.discharge_kw,
            smallest_kw=3 * MINIMUM_A * PHASE_KV,
            one_way=float(np.sqrt(control.round_trip_fraction)),
            wear_eur_per_kwh=control.degradation_eur_per_kwh,
        )
        market = self._market(step, steps, self._transformer[index])
        self._promise(step, index, charge_and_discharge(market, battery, window))

    def _promise(self, step: int, index: Ints, power: Floats) -> None:
        steps = np.arange(step, step + power.shape[1]) % RING_STEPS
        self._plan[index[:, None], steps] = power
        # In a wave every transformer is there once, so nothing is added twice to one place.
        self._promised[self._transformer[index][:, None], steps] += power

    def _guard(self, step: int, index: Ints, power: Floats, slack_h: Floats, sockets: Sockets) -> Floats:
        """Keep charging within the transformer's limit, and discharging within what it can send back."""
        transformer, count = self._transformer[index], len(self._peak_kw)
        forecast = self._forecast[:, step - self._forecast_from]
        into, out = np.maximum(power, 0.0), np.maximum(-power, 0.0)
        charge = np.bincount(transformer, weights=into, minlength=count)
        given = np.bincount(transformer, weights=out, minlength=count)
        room = np.maximum(self.limit_kw - forecast + given, 0.0)
        back = np.maximum(self.limit_kw + forecast + charge, 0.0)
        if (charge <= room).all() and (given <= back).all():
            return power
        less_back = np.minimum(1.0, back / np.maximum(given, 1e-9))
        out = out * less_back[transformer]
        full = np.flatnonzero((charge > room)[transformer] & (into > 0))
        # Who can wait least comes first; less than 6 A is no charging, so the last one may have to pause.
        order = full[np.lexsort((slack_h[full], transformer[full]))]
        smallest = np.where(sockets.one_phase[index[order]], 1, 3) * MINIMUM_A * PHASE_KV
        into[order] = _in_turn(into[order], smallest, room[transformer[order]], transformer[order])
        return np.asarray(into - out)


def _in_turn(wanted: Floats, smallest: Floats, room: Floats, groups: Ints) -> Floats:
    """Give each of a group, in order, what it wants until the group's room is used up."""
    before = np.cumsum(wanted) - wanted
    starts = np.searchsorted(groups, groups, side="left")
    got = np.clip(room - (before - before[starts]), 0.0, wanted)
    return np.where(got >= smallest - 1e-9, got, 0.0)


HOUR_STEPS = 4
