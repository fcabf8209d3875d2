"""Plans made on arrival: the cheapest quarters for charging alone, a small dynamic programme for discharge.

A car is planned once, against the prices, the forecast of its transformer and what has been promised to the
cars before it. Its own load is small beside a transformer's, so marginal costs decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import STEP_H

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What a kWh above the month's peak, or a kWh missing at departure, counts in a plan [EUR/kWh].
NEW_PEAK_EUR_PER_KWH = 1.0
MISSING_EUR_PER_KWH = 5.0
# Battery levels and quarters per stage of the dynamic programme.
LEVELS = 25
STAGE_STEPS = 4


@dataclass(frozen=True)
class Market:
    """What a batch of sessions sees, one row per session; time runs along axis 1.

    Parameters
    ----------
    buy, sell
        Price of a kWh drawn, and worth of a kWh given, [EUR/kWh].
    load_kw
        Of the transformer without the session.
    limit_kw, peak_kw
        Of the transformer, shape (sessions, 1): what it carries, and what it has carried this month.
    balancing
        Price of load at the limit [EUR/kWh].
    """

    buy: Floats
    sell: Floats
    load_kw: Floats
    limit_kw: Floats
    peak_kw: Floats
    balancing: float

    @property
    def pressure(self) -> Floats:
        """Price of the transformer's load [EUR/kWh]."""
        return np.asarray(self.balancing * np.maximum(self.load_kw, 0.0) / self.limit_kw)


def cheapest_quarters(
    market: Market, need_kwh: Floats, charger_kw: Floats, smallest_kw: Floats, window: Ints
) -> Floats:
    """Fill the cheapest quarters of each session's window.

    Parameters
    ----------
    market
        Prices and loads.
    need_kwh
        Energy at the meter, as if taken at full power.
    charger_kw, smallest_kw
        Highest and lowest power other than a pause.
    window
        Quarters until departure.

    Returns
    -------
    ndarray
        Power at the meter, shape (sessions, steps).
    """
    steps = market.buy.shape[1]
    rated = charger_kw[:, None]
    room = np.minimum(market.limit_kw - market.load_kw, rated)
    usable = (room >= smallest_kw[:, None]) & (np.arange(steps)[None, :] < window[:, None])
    rise = np.maximum(market.load_kw + rated - market.peak_kw, 0.0) / rated
    cost = market.buy + market.pressure + NEW_PEAK_EUR_PER_KWH * np.minimum(rise, 1.0)
    cost = np.where(usable, cost, np.inf)
    order = np.argsort(cost, axis=1, kind="stable")
    energy = np.take_along_axis(np.where(usable, room * STEP_H, 0.0), order, axis=1)
    before = np.cumsum(energy, axis=1) - energy
    taken = np.clip(need_kwh[:, None] - before, 0.0, energy)
    power = np.empty_like(taken)
    np.put_along_axis(power, order, taken / STEP_H, axis=1)
    # The last quarter is only partly needed: below 6 A it is taken at 6 A, the car stops by itself.
    return np.where((power > 0) & (power < smallest_kw[:, None]), smallest_kw[:, None], power)


@dataclass(frozen=True)
class Battery:
    """What a batch of bidirectional sessions can do, shape (sessions,) each.

    Parameters
    ----------
    gap_kwh, stop_kwh, floor_kwh
        Missing to a full battery now, at the target, and at the most after discharging.
    charge_kw, discharge_kw
        Highest powers at the meter.
    smallest_kw
        Lowest power other than a pause.
    one_way
        Efficiency of charging, and of discharging.
    wear_eur_per_kwh
        Per kWh discharged at the meter.
    """

    gap_kwh: Floats
    stop_kwh: Floats
    floor_kwh: Floats
    charge_kw: Floats
    discharge_kw: float
    smallest_kw: float
    one_way: float
    wear_eur_per_kwh: float


def charge_and_discharge(market: Market, battery: Battery, window: Ints) -> Floats:
    """Plan charging and discharging by dynamic programming over the battery's content, hour by hour.

    V_s(g) = min over a of c_s(a) + V_{s+1}(g - a), V_end(g) = missing price times what is missing; c is the
    energy's price with the transformer's, wear included; actions that the transformer cannot carry are left
    out.

    Returns
    -------
    ndarray
        Power at the meter per quarter, > 0 into the car, shape (sessions, steps); whole stages only.
    """
    hours = STAGE_STEPS * STEP_H
    stages = max(1, market.buy.shape[1] // STAGE_STEPS)
    span = np.maximum(battery.floor_kwh, battery.gap_kwh)
    step_kwh = (span - battery.stop_kwh) / (LEVELS - 1)
    up = max(1, int(np.ceil(battery.charge_kw.max() * hours * battery.one_way / max(step_kwh.min(), 0.2))))
    up = min(up, LEVELS - 1)
    actions = np.arange(-up, up + 1)
    moved = actions[None, :] * step_kwh[:, None]
    meter = np.where(moved >= 0, moved / battery.one_way, moved * battery.one_way)
    highest = np.where(moved >= 0, battery.charge_kw[:, None], battery.discharge_kw) * hours
    possible = np.abs(meter) <= highest + 1e-9
    value = np.arange(LEVELS)[None, :] * step_kwh[:, None] * MISSING_EUR_PER_KWH
    last = np.maximum(window // STAGE_STEPS, 1)
    choice = np.zeros((stages, len(span), LEVELS), dtype=np.int8)
    # Level 0 is the target; charging lowers the level.
    landing = np.arange(LEVELS)[:, None] - actions[None, :]
    inside = (landing >= 0) & (landing < LEVELS)
    landing = np.clip(landing, 0, LEVELS - 1)
    allowed = inside[None] & _above_floor(battery, step_kwh, actions, landing)
    costs = np.where(possible[:, None], _stage_costs(market, battery, meter, stages, hours), np.inf)
    for stage in range(stages - 1, -1, -1):
        total = np.where(allowed, costs[:, stage, None] + value[:, landing], np.inf)
        active = (stage < last)[:, None]
        choice[stage] = np.where(active, actions[total.argmin(axis=2)], 0)
        value = np.where(active, total.min(axis=2), value)
    return _follow(choice, battery, step_kwh, stages)


def _above_floor(battery: Battery, step_kwh: Floats, actions: Ints, landing: Ints) -> NDArray[np.bool_]:
    """Say which discharges end above the floor, shape (sessions, levels, actions)."""
    lowest = (battery.floor_kwh - battery.stop_kwh)[:, None, None] + 1e-9
    ends = landing[None] * step_kwh[:, None, None]
    return np.asarray((actions >= 0)[None, None, :] | (ends <= lowest))


def _stage_costs(market: Market, battery: Battery, meter: Floats, stages: int, hours: float) -> Floats:
    """Return the cost of each action in each stage [EUR], shape (sessions, stages, actions).

    It is infinite where the transformer cannot carry the action.
    """
    shape = (len(meter), stages, STAGE_STEPS)
    buy, sell, load = (
        values[:, : stages * STAGE_STEPS].reshape(shape)
        for values in (market.buy + market.pressure, market.sell + market.pressure, market.load_kw)
    )
    high, low = load.max(axis=2, keepdims=True), load.min(axis=2, keepdims=True)
    limit, peak = market.limit_kw[:, :, None], market.peak_kw[:, :, None]
    power, drawn, given = (
        values[:, None] for values in (meter / hours, np.maximum(meter, 0.0), np.maximum(-meter, 0.0))
    )
    rise = np.clip(high + power - np.maximum(peak, high), 0.0, None) * (power > 0) * hours
    worth = sell.mean(axis=2, keepdims=True) - battery.wear_eur_per_kwh
    cost = drawn * buy.mean(axis=2, keepdims=True) - given * worth + rise * NEW_PEAK_EUR_PER_KWH
    carried = ((power <= 0) | (high + power <= limit)) & ((power >= 0) | (low + power >= -limit))
    return np.where(carried | (power == 0), cost, np.inf)


def _follow(choice: NDArray[np.int8], battery: Battery, step_kwh: Floats, stages: int) -> Floats:
    """Walk through the choices from the present content and spread each stage's energy over its quarters."""
    sessions = len(step_kwh)
    missing = (battery.gap_kwh - battery.stop_kwh) / np.maximum(step_kwh, 1e-9)
    level = np.clip(np.ceil(missing - 1e-6).astype(np.int64), 0, LEVELS - 1)
    action = np.zeros((sessions, stages), dtype=np.int64)
    rows = np.arange(sessions)
    for stage in range(stages):
        action[:, stage] = choice[stage, rows, level]
        level = np.clip(level - action[:, stage], 0, LEVELS - 1)
    moved = action * step_kwh[:, None]
    energy = np.where(moved >= 0, moved / battery.one_way, -moved * battery.one_way)
    highest = np.where(moved >= 0, battery.charge_kw[:, None], battery.discharge_kw)
    quarters = np.ceil(energy / (highest * STEP_H) - 1e-9)
    power = energy / np.maximum(quarters, 1) / STEP_H
    power = np.where(energy > 0, np.maximum(power, battery.smallest_kw), 0.0) * np.sign(moved)
    within = np.arange(STAGE_STEPS) < quarters[:, :, None]
    return np.where(within, power[:, :, None], 0.0).reshape(sessions, -1)
