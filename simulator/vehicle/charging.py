"""Charging and discharging in closed form: power per second for any number of seconds at one offer.

A lithium battery accepts constant power up to a state of charge that depends on that power, then less::

    P_dc(t) = P                       while E <= E*,  E* = C (1 - (1 - s) P / P_taper)
    C - E(t) = (C - E*) exp(-k t)     from there on,  k = P_taper / (C (1 - s))

where C is the capacity, s the transition and P_taper the acceptance below it. Power at the socket follows
from the losses ``P_ac = (P_dc + p0) / (1 - a)``. Energies at the edges of the seconds are exact, the power
of a second is its mean: energy is conserved to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.vehicle.model import CUTOFF_FRACTION, NOMINAL_VOLTAGE_V, RESUME_FRACTION, VehicleModel

Floats = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0
# Energy differences below this are rounding [kWh].
TINY_KWH = 1e-9


@dataclass(frozen=True, slots=True)
class Offer:
    """What a socket offers a car.

    Parameters
    ----------
    current_a
        Upper bound of the current on each phase [A]; 0 is a pause.
    setpoint_kw
        Power that a bidirectional car is told to take or (< 0) give [kW]; None when it decides itself.
    phases
        Phases that the station feeds; None for all that it has.
    """

    current_a: float
    setpoint_kw: float | None = None
    phases: int | None = None


PAUSE = Offer(0.0)


@dataclass(frozen=True, slots=True)
class BatteryState:
    """A car's battery at one instant.

    Parameters
    ----------
    energy_kwh
        Energy in it.
    limit_fraction
        State of charge at which its driver has told it to stop charging.
    full
        Whether it stopped by itself and waits for a fall before it starts again.
    """

    energy_kwh: float
    limit_fraction: float = 1.0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """Some seconds of a car's life.

    Parameters
    ----------
    power_kw
        Mean power at the socket in each second, > 0 charges, shape (n,).
    energy_kwh
        Energy in the battery at the edges, shape (n + 1,).
    """

    power_kw: Floats
    energy_kwh: Floats


def requested_power_kw(
    model: VehicleModel, offer: Offer, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V
) -> float:
    """Return what a car draws (> 0) or gives (< 0) under an offer while its battery lets it [kW].

    Parameters
    ----------
    model
        The car.
    offer
        What the socket allows.
    phases
        Phases that the socket has; a car uses no more than it can.
    voltage_v
        Voltage between phase and neutral [V].
    """
    used = min(phases, model.phases, offer.phases or phases)
    current_a = min(offer.current_a, model.max_current_a)
    if current_a >= model.min_current_a:
        current_a -= model.deadband_a
        if model.step_a > 0.0:
            current_a = math.floor(current_a / model.step_a + TINY_KWH) * model.step_a
    else:
        current_a = 0.0
    charge_kw = model.power_kw(current_a, used, voltage_v)
    if offer.setpoint_kw is None:
        return charge_kw
    smallest_kw = model.power_kw(model.min_current_a, used, voltage_v)
    if abs(offer.setpoint_kw) < smallest_kw - TINY_KWH:
        return 0.0
    if offer.setpoint_kw > 0.0:
        return min(offer.setpoint_kw, charge_kw)
    return max(offer.setpoint_kw, -model.power_kw(model.max_discharge_current_a, used, voltage_v))


def stop_energy_kwh(model: VehicleModel, state: BatteryState) -> float:
    """Return the energy at which charging ends by itself [kWh]."""
    return model.capacity_kwh * min(state.limit_fraction, model.full_soc_fraction)


def settle(model: VehicleModel, state: BatteryState, energy_kwh: float) -> BatteryState:
    """Return the state with another energy: full when it reached its end, until it fell some way below."""
    stop_kwh = stop_energy_kwh(model, state)
    resume_kwh = stop_kwh - RESUME_FRACTION * model.capacity_kwh
    full = energy_kwh >= stop_kwh - TINY_KWH or (state.full and energy_kwh > resume_kwh)
    return BatteryState(energy_kwh, state.limit_fraction, full)


def advance(model: VehicleModel, state: BatteryState, power_kw: float, seconds: int) -> Trace:
    """Let a car follow one requested power for some seconds.

    Parameters
    ----------
    model
        The car.
    state
        Its battery at the beginning.
    power_kw
        What it would draw (> 0) or give (< 0), from `requested_power_kw` [kW].
    seconds
        How long, >= 0.

    Returns
    -------
    Trace
        What it drew and where that left the battery.
    """
    if power_kw > 0.0 and not state.full and model.battery_power_kw(power_kw) > 0.0:
        return _charge(model, state, power_kw, seconds)
    if power_kw < 0.0:
        return _discharge(model, state, power_kw, seconds)
    return Trace(np.zeros(seconds), np.full(seconds + 1, state.energy_kwh))


def _charge(model: VehicleModel, state: BatteryState, power_kw: float, seconds: int) -> Trace:
    stop_kwh = stop_energy_kwh(model, state)
    if state.energy_kwh >= stop_kwh - TINY_KWH:
        return Trace(np.zeros(seconds), np.full(seconds + 1, state.energy_kwh))
    battery_kw = model.battery_power_kw(power_kw)
    capacity_kwh, begin_kwh = model.capacity_kwh, state.energy_kwh
    taper_kw, above = model.taper_power_kw, 1.0 - model.transition_soc_fraction
    bend_kwh = capacity_kwh * (1.0 - above * min(1.0, battery_kw / taper_kw))
    until_h = max(0.0, (min(bend_kwh, stop_kwh) - begin_kwh) / battery_kw)
    edges_h = np.arange(seconds + 1) / SECONDS_PER_HOUR
    energy_kwh = begin_kwh + battery_kw * edges_h
    stop_h = until_h
    if bend_kwh < stop_kwh:
        rate = taper_kw / (capacity_kwh * above)
        gap_kwh = capacity_kwh - max(begin_kwh, bend_kwh)
        stop_h += math.log(gap_kwh / (capacity_kwh - stop_kwh)) / rate
        tapering = edges_h > until_h
        energy_kwh[tapering] = capacity_kwh - gap_kwh * np.exp(-rate * (edges_h[tapering] - until_h))
    energy_kwh[edges_h >= stop_h] = stop_kwh
    active = np.clip(stop_h * SECONDS_PER_HOUR - np.arange(seconds), 0.0, 1.0)
    gained_kw = np.diff(energy_kwh) * SECONDS_PER_HOUR
    power = (gained_kw + model.loss_fixed_kw * active) / (1.0 - model.loss_fraction)
    return Trace(power, energy_kwh)


def _discharge(model: VehicleModel, state: BatteryState, power_kw: float, seconds: int) -> Trace:
    battery_kw = model.battery_power_kw(power_kw)
    reserve_kwh = min(state.energy_kwh, model.reserve_soc_fraction * model.capacity_kwh)
    stop_s = (reserve_kwh - state.energy_kwh) / battery_kw * SECONDS_PER_HOUR
    active = np.clip(stop_s - np.arange(seconds), 0.0, 1.0)
    taken_kwh = np.concatenate(([0.0], np.cumsum(active))) * (battery_kw / SECONDS_PER_HOUR)
    return Trace(power_kw * active, state.energy_kwh + taken_kwh)


def energy_at_socket_kwh(
    model: VehicleModel, battery_kwh: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V
) -> float:
    """Return what a socket must deliver at full power to store some energy in the battery [kWh]."""
    used = min(phases, model.phases)
    power_kw = model.power_kw(model.max_current_a, used, voltage_v)
    return battery_kwh / model.efficiency(power_kw)


def taper_cutoff_kw(model: VehicleModel) -> float:
    """Return the battery power at which a full car stops [kW]."""
    return CUTOFF_FRACTION * model.taper_power_kw
