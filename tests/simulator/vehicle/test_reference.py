"""The physics against values that were computed by hand or measured by others."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.vehicle.battery_life import (
    DISCHARGE_EUR_PER_KWH,
    THROUGHPUT_EUR_PER_KWH,
    Use,
    calendar_factor,
    capacity_loss_fraction,
    cycle_factor,
    rest_voltage_v,
    throughput_cost_eur,
)
from simulator.vehicle.charging import BatteryState, Offer, advance, requested_power_kw
from simulator.vehicle.model import VehicleModel, load_vehicle, on_direct_current
from simulator.vehicle.socket import NoRecorder, Socket
from wijkstroom.resources import configs_directory

CARS = sorted((configs_directory() / "vehicles").glob("*.toml"))
ZOE = load_vehicle(configs_directory() / "vehicles" / "renault-zoe-v2g.toml")
TESLA = load_vehicle(configs_directory() / "vehicles" / "tesla-model-3.toml")


def round_trip(model: VehicleModel, power_kw: float) -> float:
    """Charge for an hour, give the same energy back and compare what the socket saw."""
    begin = BatteryState(0.4 * model.capacity_kwh)
    charged = advance(model, begin, power_kw, 3600)
    stored_kwh = charged.energy_kwh[-1] - charged.energy_kwh[0]
    back_s = round(stored_kwh / -model.battery_power_kw(-power_kw) * 3600)
    given_back = advance(model, BatteryState(float(charged.energy_kwh[-1])), -power_kw, back_s)
    return float(-given_back.power_kw.sum() / charged.power_kw.sum())


def test_round_trip_of_the_pilots_cars_at_three_times_sixteen_amperes() -> None:
    assert round_trip(ZOE, 11.04) == pytest.approx(0.870, abs=0.001)


@pytest.mark.parametrize("current_a", [8.0, 10.0, 12.0, 14.0, 16.0])
def test_round_trips_lie_in_the_measured_range(current_a: float) -> None:
    assert 0.791 <= round_trip(ZOE, ZOE.power_kw(current_a, 3)) <= 0.878


def test_one_phase_is_the_lower_end_of_the_range() -> None:
    one_phase = ZOE.model_copy(update={"phases": 1, "loss_fixed_kw": 0.218, "loss_fraction": 0.081})
    assert round_trip(one_phase, 3.68) == pytest.approx(0.791, abs=0.003)


def test_loss_curves_by_hand() -> None:
    # 11.04 kW on three phases lose 0.159 + 0.080 x 11.04 = 1.0422 kW; 3.68 kW on one 0.218 + 0.081 x 3.68.
    assert 11.04 - TESLA.battery_power_kw(11.04) == pytest.approx(1.0422)
    peugeot = load_vehicle(configs_directory() / "vehicles" / "peugeot-208.toml")
    assert 3.68 - peugeot.battery_power_kw(3.68) == pytest.approx(0.51608)


@pytest.mark.parametrize("path", CARS, ids=lambda path: path.stem)
def test_charging_slowly_wastes_more(path: object) -> None:
    model = load_vehicle(path)  # type: ignore[arg-type]
    efficiency = [model.efficiency(kw) for kw in np.linspace(1.5, 11.0, 20)]
    assert all(after > before for before, after in itertools.pairwise(efficiency))
    assert 0.70 < efficiency[0] < efficiency[-1] < 0.95


@pytest.mark.parametrize("soc", [0.5, 0.79, 0.85, 0.95])
def test_the_taper_follows_its_differential_equation(soc: float) -> None:
    """dE/dt = min(P, r (C - E)), r = P_taper / (C (1 - s)), integrated in steps of a hundredth of a second."""
    power_kw = 22.08
    model, seconds = ZOE, 1200
    rate_per_h = model.taper_power_kw / (model.capacity_kwh * (1.0 - model.transition_soc_fraction))
    energy_kwh, step_h = soc * model.capacity_kwh, 0.01 / 3600.0
    for _ in range(seconds * 100):
        accepted_kw = min(model.battery_power_kw(power_kw), rate_per_h * (model.capacity_kwh - energy_kwh))
        energy_kwh += accepted_kw * step_h
    trace = advance(model, BatteryState(soc * model.capacity_kwh), power_kw, seconds)
    assert trace.energy_kwh[-1] == pytest.approx(min(energy_kwh, 0.99 * model.capacity_kwh), abs=2e-4)


def test_the_taper_of_the_zoe_by_hand() -> None:
    # 22.08 kW at the socket are 20.1546 kW in the battery; from 41.6 kWh on C - E falls with k = 1.93794 per h.
    # After half an hour: 52 - 10.4 exp(-0.96897) = 48.0534 kWh.
    trace = advance(ZOE, BatteryState(41.6), 22.08, 1800)
    assert trace.energy_kwh[-1] == pytest.approx(52.0 - 10.4 * math.exp(-0.96897), abs=1e-4)
    assert trace.energy_kwh[-1] == pytest.approx(48.0534, abs=1e-3)


def test_whole_amperes_only() -> None:
    stepped = TESLA.model_copy(update={"step_a": 1.0, "deadband_a": 0.3})
    assert requested_power_kw(stepped, Offer(12.9), 3) == pytest.approx(12.0 * 0.69)
    assert requested_power_kw(stepped, Offer(13.3), 3) == pytest.approx(13.0 * 0.69)


def test_a_ramp_takes_its_time_upwards_only() -> None:
    slow = TESLA.model_copy(update={"ramp_a_per_s": 1.0, "deadband_a": 0.0, "wake_delay_s": 0})
    socket = Socket(0, NoRecorder())
    socket.plug_in(slow, BatteryState(20.0), 0)
    socket.offer([(0, Offer(16.0)), (60, Offer(8.0))], 0)
    amperes = [round(socket.power_kw(second) / 0.69, 6) for second in range(62)]
    assert amperes[:11] == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0]
    assert set(amperes[10:60]) == {16.0}
    assert amperes[60:] == [8.0, 8.0]


@settings(max_examples=25, deadline=None)
@given(soc=st.floats(0.05, 0.95), seconds=st.integers(1, 5000), ramp=st.sampled_from([0.25, 1.0, 3.0]))
def test_a_ramp_conserves_energy(soc: float, seconds: int, ramp: float) -> None:
    slow = TESLA.model_copy(update={"ramp_a_per_s": ramp})
    socket = Socket(0, NoRecorder())
    socket.plug_in(slow, BatteryState(soc * slow.capacity_kwh), 0)
    socket.offer([(0, Offer(16.0))], 0)
    powers = np.array([socket.power_kw(second) for second in range(seconds)])
    battery = socket.battery(seconds)
    assert battery is not None
    active = powers > 0.0
    lost_kwh = (slow.loss_fraction * powers + slow.loss_fixed_kw * active).sum() / 3600.0
    gained_kwh = battery.energy_kwh - soc * slow.capacity_kwh
    # The second in which a battery becomes full is active in part only.
    assert powers.sum() / 3600.0 - lost_kwh == pytest.approx(
        gained_kwh, abs=slow.loss_fixed_kw / 3600.0 + 1e-6
    )


def test_one_phase_of_three() -> None:
    socket = Socket(0, NoRecorder())
    socket.plug_in(ZOE, BatteryState(20.0), 0)
    socket.offer([(0, Offer(16.0, None, 1)), (100, Offer(16.0, None, 3))], 0)
    assert socket.power_kw(50) == pytest.approx(3.68)
    assert socket.power_kw(150) == pytest.approx(11.04)
    assert (socket.phases_at(50), socket.phases_at(150)) == (1, 3)


def test_direct_current_by_hand() -> None:
    # 50 kW at the supply are 0.955 x 50 - 0.25 = 47.5 kW in the battery, 95 %.
    car = on_direct_current(TESLA, 50.0)
    assert car.power_kw(car.max_current_a, car.phases) == pytest.approx(50.0)
    assert car.battery_power_kw(50.0) == pytest.approx(47.5)
    assert car.capacity_kwh == TESLA.capacity_kwh
    hybrid = load_vehicle(configs_directory() / "vehicles" / "plug-in-hybrid.toml")
    assert requested_power_kw(on_direct_current(hybrid, 50.0), Offer(72.5), 3) == 0.0
    small = TESLA.model_copy(update={"max_dc_power_kw": 20.0})
    full_kw = requested_power_kw(on_direct_current(small, 50.0), Offer(72.5), 3)
    assert on_direct_current(small, 50.0).battery_power_kw(full_kw) == pytest.approx(20.0)


def test_wear_by_throughput() -> None:
    assert pytest.approx(0.03) == THROUGHPUT_EUR_PER_KWH
    assert pytest.approx(0.06) == DISCHARGE_EUR_PER_KWH
    assert throughput_cost_eur(10.0, 10.0) == pytest.approx(DISCHARGE_EUR_PER_KWH * 10.0)


def test_wear_by_schmalstieg_by_hand() -> None:
    # V = 3.7, 25 degrees: (27.9091e6 - 23.75e6) exp(-23.3976) = 4.1591e6 x 6.895e-11 = 2.868e-4.
    assert calendar_factor(3.7, 25.0) == pytest.approx(2.868e-4, rel=1e-3)
    # A year at rest: 365^0.75 = 83.50; 2.4 % lost.
    assert calendar_factor(3.7, 25.0) * 365.0**0.75 == pytest.approx(0.02395, rel=1e-3)
    # 7.348e-3 x 0.033^2 + 7.6e-4 + 4.081e-3 x 0.4 = 2.4004e-3; 900 Ah through the cell cost 7.2 %.
    assert cycle_factor(3.7, 0.4) == pytest.approx(2.4004e-3, rel=1e-4)
    assert cycle_factor(3.7, 0.4) * math.sqrt(900.0) == pytest.approx(0.072012, rel=1e-4)


def test_a_whole_battery_ages_as_its_cells() -> None:
    # 50 kWh, 100 full cycles: 10,000 kWh through it, 2.15 x 200 = 430 Ah through each cell.
    use = Use(days=365.0, throughput_kwh=10_000.0, mean_soc_fraction=0.5, depth_fraction=0.4, celsius=25.0)
    voltage_v = rest_voltage_v(0.5)
    expected = calendar_factor(voltage_v, 25.0) * 365.0**0.75
    expected += cycle_factor(voltage_v, 0.4) * math.sqrt(430.0)
    assert voltage_v == pytest.approx(3.67)
    assert capacity_loss_fraction(use, 50.0) == pytest.approx(expected)


@given(days=st.floats(1.0, 5000.0), kwh=st.floats(0.0, 1e5), more=st.floats(1.0, 1e4))
def test_batteries_never_become_younger(days: float, kwh: float, more: float) -> None:
    lost = capacity_loss_fraction(Use(days, kwh), 50.0)
    assert lost > 0.0
    assert capacity_loss_fraction(Use(days + more, kwh), 50.0) > lost
    assert capacity_loss_fraction(Use(days, kwh + more), 50.0) > lost
    assert capacity_loss_fraction(Use(days, kwh, celsius=40.0), 50.0) > lost
