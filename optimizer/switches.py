"""Fewer switches: whole slots of charge move to quarters that cost the same, so that cars start less often.

Starts are counted, so no linear program sees them. The power of a slot at the end of a run goes to another
quarter of the same car where every kWh costs the same, every limit has room and no peak rises. A move is made
when it lowers the preferences of `optimizer.model.preference`: fewer starts, or as many and sooner.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags, Floats
from optimizer.dive import PAUSE_KW
from optimizer.evaluate import ROUNDING_EUR, Powers

# Moves that are tried, at the most: only flat tariffs have so many that look alike.
MOST_TRIES = 400
# Rounds in which every car may move one slot.
MOST_ROUNDS = 12
# Room and energy that rounding may take [kW, kWh], and preferences that are the same.
ROUNDING = 1e-7


def count_starts(on: Flags) -> int:
    """Return how often cars switch on: pauses that end, shape (sessions, steps)."""
    before = np.pad(on, ((0, 0), (1, 0)))[:, :-1]
    return int(np.count_nonzero(on & ~before))


def join_runs(data: Coefficients, powers: Powers) -> Powers:
    """Return a plan of the same cost, or less, that switches on less often and charges no later for it.

    Parameters
    ----------
    data
        Numbers of the site.
    powers
        A plan within its limits.
    """
    state = _State(data, powers.charge_kw.copy(), powers.discharge_kw, powers.curtailed_kw)
    tries, count = MOST_TRIES, 0
    for _ in range(MOST_ROUNDS):
        moves, moved = _list_moves(data, state), set[int]()
        for i, t, s in moves[:tries].tolist():
            if i in moved:
                continue
            tries -= 1
            if state.may_move(i, t, s):
                state.move(i, t, s)
                moved.add(i)
        count += len(moved)
        if not moved or tries <= 0:
            break
    return dataclasses.replace(powers, charge_kw=state.charge_kw) if count else powers


@dataclass(slots=True)
class _State:
    """A plan whose charge is moved."""

    data: Coefficients
    charge_kw: Floats
    discharge_kw: Floats
    curtailed_kw: Floats

    def net_kw(self) -> Floats:
        """Return the flow at the connection, shape (steps,)."""
        sessions = self.charge_kw.sum(axis=0) - self.discharge_kw.sum(axis=0)
        return np.asarray(self.data.net_load_kw + self.curtailed_kw + sessions)

    def trade_eur(self, net_kw: Floats) -> Floats:
        """Return what a flow costs in each step [EUR]."""
        data = self.data
        taken, given = np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0)
        return data.import_cost_eur_per_kw * taken - data.export_revenue_eur_per_kw * given

    def may_move(self, i: int, t: int, s: int) -> bool:
        """Say whether slot t of car i may give all its power to slot s: cost, limits, battery."""
        power = self.charge_kw[i, t]
        net = self.net_kw()
        after = net.copy()
        after[[t, s]] += (-power, power)
        steps = np.array([t, s])
        added_eur = float((self.trade_eur(after) - self.trade_eur(net))[steps].sum())
        return (
            added_eur <= ROUNDING_EUR / MOST_TRIES
            and after[s] <= max(net[s], self._peak_room_kw(net, s)) + ROUNDING
            and self._limits_allow(i, t, s, power)
            and self._battery_allows(i, t, s, power)
        )

    def _peak_room_kw(self, net_kw: Floats, s: int) -> float:
        """Return the import in a step that raises no peak [kW]."""
        data = self.data
        bands = data.in_band[:, s] & (data.peak_price_eur_per_kw > 0.0)
        peaks = np.maximum(data.realised_kw, np.where(data.in_band, net_kw, 0.0).max(axis=1, initial=0.0))
        return float(peaks[bands].min(initial=np.inf))

    def _limits_allow(self, i: int, t: int, s: int, power: float) -> bool:
        data, charge, discharge = self.data, self.charge_kw, self.discharge_kw
        inward, outward = charge[:, s].sum(), discharge[:, t].sum()
        import_kw = inward - data.relief * discharge[:, s].sum() + self.curtailed_kw[s] + power
        export_kw = outward - data.relief * (charge[:, t].sum() - power) - self.curtailed_kw[t]
        weight, relief = data.group_weight[:, i], data.group_relief[:, i]
        group_in = data.group_weight @ charge[:, s] - data.group_relief @ discharge[:, s] + weight * power
        group_out = data.group_weight @ discharge[:, t] - data.group_relief @ charge[:, t] + relief * power
        return bool(
            import_kw <= data.import_room_kw[s] + ROUNDING
            and (data.relief == 0.0 or export_kw <= data.export_room_kw[t] + ROUNDING)
            and ((weight == 0.0) | (group_in <= data.group_import_kw[:, s] + ROUNDING)).all()
            and ((relief == 0.0) | (group_out <= data.group_export_kw[:, t] + ROUNDING)).all()
        )

    def _battery_allows(self, i: int, t: int, s: int, power: float) -> bool:
        """Say whether the energy between the two slots stays within the battery, its least and its floor."""
        data = self.data
        first, last = min(t, s) + 1, max(t, s) + 1
        arrival = int(np.argmax(data.stays[i]))
        lost = data.standing_charge_kwh[i] * (self.charge_kw[i] > 0.0)
        lost = lost + data.standing_discharge_kwh[i] * (self.discharge_kw[i] > 0.0)
        charged, discharged = self.charge_kw[i], self.discharge_kw[i]
        stored = np.cumsum(data.stored_kwh_per_kw[i] * charged - data.drawn_kwh_per_kw[i] * discharged - lost)
        energy = data.energy_lower_kwh[i, arrival] + stored[first - 1 : last - 1]
        moved_kwh = data.stored_kwh_per_kw[i] * power - data.standing_charge_kwh[i]
        if s < t:
            return bool((energy + moved_kwh <= data.energy_upper_kwh[i, first:last] + ROUNDING).all())
        delivered = data.delivered_kwh_per_kw[i] * (
            np.cumsum(self.charge_kw[i])[first - 1 : last - 1] - power
        )
        return bool(
            (energy - moved_kwh >= data.energy_least_kwh[i] - ROUNDING).all()
            and (delivered >= data.delivered_lower_kwh[i, first:last] - ROUNDING).all()
        )

    def move(self, i: int, t: int, s: int) -> None:
        """Give all power of slot t of car i to slot s."""
        self.charge_kw[i, s] += self.charge_kw[i, t]
        self.charge_kw[i, t] = 0.0


def _list_moves(data: Coefficients, state: _State) -> npt.NDArray[np.int64]:
    """Return moves (car, from, to) that lower the preferences at no cost that shows, the best first."""
    charge = state.charge_kw
    on = charge > PAUSE_KW
    before, after = np.zeros_like(on), np.zeros_like(on)
    before[:, 1:], after[:, :-1] = on[:, :-1], on[:, 1:]
    cars, sources = np.nonzero(on & ~(before & after))
    power = charge[cars, sources]
    net = state.net_kw()
    dearer, cheaper = (state.trade_eur(net + sign) - state.trade_eur(net) for sign in (ROUNDING, -ROUNDING))
    same = dearer[None, :] <= -cheaper[sources][:, None] + 1e-9 * ROUNDING
    fits = charge[cars] + power[:, None] <= data.charge_most_kw[cars] + ROUNDING
    free = data.connected[cars] & (state.discharge_kw[cars] <= PAUSE_KW)
    # Two slots in one would lose less, and fill the battery more than the plan says.
    free &= ~on[cars] | (data.standing_charge_kwh[cars] == 0.0)[:, None]
    free[np.arange(cars.size), sources] = False
    number, targets = np.nonzero(same & fits & free)
    cars, sources, power = cars[number], sources[number], power[number]
    starts = _added_starts(on, before, after, (cars, sources, targets))
    later = (data.delay_per_kw[cars, targets] - data.delay_per_kw[cars, sources]) * power
    gain = -(data.start_weight * starts + later)
    order = np.argsort(-gain, kind="stable")
    order = order[gain[order] > ROUNDING]
    return np.stack([cars, sources, targets], axis=1)[order]


def _added_starts(
    on: Flags, before: Flags, after: Flags, moves: tuple[npt.NDArray[np.int64], ...]
) -> npt.NDArray[np.int64]:
    """Return how many more times a car switches on after each move."""
    cars, sources, targets = moves
    closed = 1 - before[cars, sources].astype(np.int64) - after[cars, sources]
    beside = before[cars, targets].astype(np.int64) + after[cars, targets]
    # The slot that closes no longer stands beside the one that opens.
    beside = beside - (np.abs(targets - sources) == 1)
    opened = np.where(on[cars, targets], 0, 1 - beside)
    return np.asarray(opened - closed)
