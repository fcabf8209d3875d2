"""Charging obeys physics: energy is conserved, nothing exceeds what is offered, the taper is smooth, time is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.vehicle.charging import (
    BatteryState,
    Offer,
    advance,
    requested_power_kw,
    settle,
    stop_energy_kwh,
)
from simulator.vehicle.model import VehicleModel

ROUNDING_KWH = 1e-9


@st.composite
def models(draw: st.DrawFn) -> VehicleModel:
    return VehicleModel(
        name="Any car",
        capacity_kwh=draw(st.floats(5.0, 120.0)),
        phases=draw(st.sampled_from([1, 3])),
        max_current_a=draw(st.floats(6.0, 32.0)),
        max_discharge_current_a=draw(st.sampled_from([0.0, 16.0])),
        transition_soc_fraction=draw(st.floats(0.3, 0.98)),
        loss_fixed_kw=draw(st.floats(0.0, 0.4)),
        loss_fraction=draw(st.floats(0.0, 0.2)),
        discharge_loss_fraction=draw(st.floats(0.0, 0.2)),
        reserve_soc_fraction=draw(st.floats(0.0, 0.3)),
        deadband_a=draw(st.sampled_from([0.0, 0.5])),
    )


socs = st.floats(0.0, 1.0)
currents_a = st.floats(0.0, 40.0)
lengths_s = st.integers(0, 4000)


@given(models(), currents_a, st.none() | st.floats(-30.0, 30.0), st.sampled_from([1, 3]))
def test_car_never_asks_for_more_than_is_offered_or_it_can_take(
    model: VehicleModel, current_a: float, setpoint_kw: float | None, phases: int
) -> None:
    used = min(phases, model.phases)
    power_kw = requested_power_kw(model, Offer(current_a, setpoint_kw), phases)
    assert power_kw <= min(current_a, model.max_current_a) * 0.23 * used + ROUNDING_KWH
    assert power_kw >= -model.max_discharge_current_a * 0.23 * used - ROUNDING_KWH
    if setpoint_kw is None:
        assert power_kw >= 0.0
    elif power_kw != 0.0:
        assert power_kw * setpoint_kw > 0.0
        assert abs(power_kw) <= abs(setpoint_kw) + ROUNDING_KWH


@given(models())
def test_less_than_six_amperes_is_a_pause(model: VehicleModel) -> None:
    assert requested_power_kw(model, Offer(5.99), 3) == 0.0


@given(models(), socs, currents_a, lengths_s)
def test_charging_never_draws_more_than_asked_and_never_overfills(
    model: VehicleModel, soc: float, current_a: float, seconds: int
) -> None:
    state = settle(model, BatteryState(soc * model.capacity_kwh), soc * model.capacity_kwh)
    asked_kw = requested_power_kw(model, Offer(current_a), 3)
    trace = advance(model, state, asked_kw, seconds)
    assert len(trace.power_kw) == seconds
    assert np.all(trace.power_kw >= 0.0)
    assert np.all(trace.power_kw <= asked_kw + 1e-6)
    assert np.all(np.diff(trace.energy_kwh) >= -ROUNDING_KWH)
    assert trace.energy_kwh[-1] <= max(state.energy_kwh, stop_energy_kwh(model, state)) + ROUNDING_KWH


@given(models(), socs, currents_a, lengths_s)
def test_charging_conserves_energy(model: VehicleModel, soc: float, current_a: float, seconds: int) -> None:
    """What the socket gives is what the battery gains and the losses that the model states."""
    state = BatteryState(soc * model.capacity_kwh)
    asked_kw = requested_power_kw(model, Offer(current_a), 3)
    trace = advance(model, state, asked_kw, seconds)
    gained_kwh = trace.energy_kwh[-1] - trace.energy_kwh[0]
    drawn_kwh = trace.power_kw.sum() / 3600.0
    active_h = np.count_nonzero(trace.power_kw) / 3600.0
    most = drawn_kwh * (1.0 - model.loss_fraction) - model.loss_fixed_kw * max(0.0, active_h - 1.0 / 3600.0)
    least = drawn_kwh * (1.0 - model.loss_fraction) - model.loss_fixed_kw * active_h
    assert least - 1e-7 <= gained_kwh <= most + 1e-7


@given(models(), st.floats(0.05, 1.0), st.floats(1.0, 20.0), lengths_s)
def test_discharging_stops_at_the_cars_own_reserve(
    model: VehicleModel, soc: float, power_kw: float, seconds: int
) -> None:
    state = BatteryState(soc * model.capacity_kwh)
    trace = advance(model, state, -power_kw, seconds)
    reserve_kwh = model.reserve_soc_fraction * model.capacity_kwh
    assert np.all(trace.power_kw <= 0.0)
    assert np.all(trace.power_kw >= -power_kw - ROUNDING_KWH)
    assert trace.energy_kwh[-1] >= min(state.energy_kwh, reserve_kwh) - ROUNDING_KWH
    # A battery gives more than arrives at the socket.
    taken_kwh = trace.energy_kwh[0] - trace.energy_kwh[-1]
    assert taken_kwh >= -trace.power_kw.sum() / 3600.0 - ROUNDING_KWH


@given(models(), st.floats(0.0, 0.95), st.floats(6.5, 32.0), lengths_s, st.floats(0.0, 1.0))
def test_two_stretches_are_one(
    model: VehicleModel, soc: float, current_a: float, seconds: int, share: float
) -> None:
    asked_kw = requested_power_kw(model, Offer(current_a), 3)
    state = BatteryState(soc * model.capacity_kwh)
    first_s = int(share * seconds)
    whole = advance(model, state, asked_kw, seconds)
    first = advance(model, state, asked_kw, first_s)
    middle = settle(model, state, float(first.energy_kwh[-1]))
    second = advance(model, middle, asked_kw, seconds - first_s)
    assume(model.battery_power_kw(asked_kw) > 0.0)
    joined = np.concatenate((first.energy_kwh, second.energy_kwh[1:]))
    assert joined == pytest.approx(whole.energy_kwh, abs=1e-6)


@given(models(), st.floats(0.0, 0.9))
def test_power_falls_and_never_rises_while_a_battery_fills(model: VehicleModel, soc: float) -> None:
    asked_kw = requested_power_kw(model, Offer(32.0), 3)
    trace = advance(model, BatteryState(soc * model.capacity_kwh), asked_kw, 8 * 3600)
    assert np.all(np.diff(trace.power_kw) <= 1e-6)


@given(models(), st.floats(0.0, 1.0))
def test_full_battery_waits_until_it_has_fallen(model: VehicleModel, limit: float) -> None:
    stop_kwh = stop_energy_kwh(model, BatteryState(0.0, limit))
    full = settle(model, BatteryState(0.0, limit), stop_kwh)
    assert full.full
    little = settle(model, full, stop_kwh - 0.01 * model.capacity_kwh)
    assert little.full
    assert not settle(model, little, stop_kwh - 0.03 * model.capacity_kwh).full


def test_taper_of_a_known_car() -> None:
    """Half of the way through the taper the current has halved, by the closed form."""
    model = VehicleModel(
        name="Known",
        capacity_kwh=50.0,
        phases=3,
        max_current_a=16.0,
        transition_soc_fraction=0.8,
        loss_fixed_kw=0.0,
        loss_fraction=0.0,
    )
    trace = advance(model, BatteryState(40.0), 11.04, 7200)
    half = int(np.argmin(np.abs(trace.energy_kwh - 45.0)))
    assert trace.power_kw[0] == pytest.approx(11.04, rel=1e-3)
    assert trace.power_kw[half] == pytest.approx(5.52, rel=1e-3)
    # The time constant is C (1 - s) / P: half of the gap is closed after ln 2 of it.
    assert half == pytest.approx(np.log(2.0) * 10.0 / 11.04 * 3600.0, abs=2.0)
