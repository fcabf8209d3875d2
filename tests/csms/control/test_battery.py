from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.battery import delivered_kwh, describe_battery, describe_powers, remaining_energy_kwh
from csms.control.observed import CarLimits
from csms.control.snapshot import plan_grid
from csms.ocpp.vocabulary import ChargingNeeds
from csms.settings import ServiceConfig, UnknownSessionConfig
from csms.state.events import SessionDeclared
from tests.csms.control.street import HOUR, NOW, Plugged, booked, car_of, declared

SERVICE = ServiceConfig()
UNKNOWN = UnknownSessionConfig()
STEPS = plan_grid(NOW, 24.0)
NEEDS = ChargingNeeds(
    evse_id=1,
    requested_energy_transfer="AC_three_phase",
    departure=NOW + 4 * HOUR,
    soc_fraction=0.5,
    target_soc_fraction=0.8,
    capacity_kwh=60.0,
)


@given(st.floats(0.0, 120.0))
def test_who_says_nothing_takes_the_quantile_of_those_who_take_as_much(taken_kwh: float) -> None:
    rest_kwh = remaining_energy_kwh(UNKNOWN, taken_kwh)
    assert rest_kwh >= 0.0
    assert taken_kwh + rest_kwh <= max(UNKNOWN.energy_quantiles_kwh[-1], taken_kwh) + 1e-9
    assert taken_kwh + rest_kwh <= taken_kwh + 1.0 + remaining_energy_kwh(UNKNOWN, taken_kwh + 1.0) + 1e-9


def test_the_quantile_at_arrival_is_the_planned_one() -> None:
    assert remaining_energy_kwh(UNKNOWN, 0.0) == pytest.approx(39.5)
    # Halfway between the medians of two steps: 50 % took less than 18.2 kWh, of the others 80 % less than 50.8.
    assert remaining_energy_kwh(UNKNOWN, 18.2) == pytest.approx(50.8 - 18.2)


def test_a_declared_need_is_metered_at_the_socket() -> None:
    battery = describe_battery(
        car_of(declared(Plugged("LMB-01", imported_kwh=4.0), NOW + HOUR, 12.0)), NOW, SERVICE
    )
    assert (battery.energy_kwh, battery.wanted_kwh, battery.capacity_kwh) == (4.0, 12.0, 12.0)
    assert battery.charge_efficiency == 1.0


def test_who_says_nothing_wants_nothing_but_may_take_the_quantile() -> None:
    battery = describe_battery(car_of(Plugged("LMB-01")), NOW, SERVICE)
    assert (battery.energy_kwh, battery.wanted_kwh) == (0.0, 0.0)
    assert battery.capacity_kwh == pytest.approx(39.5)
    # Who took more than anybody ever did is still charged for the next quarter.
    beyond = describe_battery(car_of(Plugged("LMB-01", imported_kwh=130.0)), NOW, SERVICE)
    assert beyond.capacity_kwh == pytest.approx(130.0 + 11.04 / 4.0)


def test_the_car_says_what_it_needs() -> None:
    plugged = replace(Plugged("LMB-17"), needs=NEEDS, soc_fraction=0.6)
    battery = describe_battery(car_of(plugged), NOW, SERVICE)
    assert (battery.capacity_kwh, battery.energy_kwh) == (60.0, 36.0)
    assert battery.wanted_kwh == pytest.approx(48.0)


def test_what_the_car_said_at_the_beginning_is_carried_on_by_the_meter() -> None:
    plugged = replace(Plugged("LMB-17", imported_kwh=10.0), needs=NEEDS)
    battery = describe_battery(car_of(plugged), NOW, SERVICE)
    assert battery.energy_kwh == pytest.approx(30.0 + 9.0)
    folded = describe_battery(car_of(replace(plugged, soc_fraction=0.5)), NOW, SERVICE)
    assert folded == battery


def test_a_declared_energy_becomes_a_level_of_a_known_battery() -> None:
    plugged = declared(
        replace(Plugged("LMB-17", imported_kwh=4.0, soc_fraction=0.6), needs=NEEDS), NOW + HOUR, 10.0
    )
    battery = describe_battery(car_of(plugged), NOW, SERVICE)
    assert battery.wanted_kwh == pytest.approx(36.0 + 6.0 * 0.9)
    target = SessionDeclared(plugged.id, NOW, NOW + HOUR, target_soc_fraction=0.9)
    assert describe_battery(car_of(replace(plugged, declaration=target)), NOW, SERVICE).wanted_kwh == 54.0


def test_a_booking_wants_its_energy_and_the_floor_stays() -> None:
    plugged = Plugged("LMB-21", token="ZOE1", soc_fraction=0.5)
    car = car_of(plugged, None, booked("ZOE1", NOW + 3 * HOUR, NOW + 5 * HOUR, 31.0))
    battery = describe_battery(car, NOW, SERVICE)
    assert battery.wanted_kwh == 31.0
    assert battery.floor_kwh == pytest.approx(0.3 * 52.0)
    powers = describe_powers(car)
    assert powers.max_discharge_kw == 9.0
    assert powers.min_discharge_kw == pytest.approx(4.14)


def test_a_session_is_planned_from_the_start_of_the_quarter() -> None:
    late = NOW + timedelta(minutes=10)
    plugged = declared(Plugged("LMB-01", imported_kwh=4.0, power_kw=6.0, sampled_at=late), NOW + HOUR, 12.0)
    car = car_of(plugged)
    assert delivered_kwh(car, NOW) == pytest.approx(3.0)
    assert describe_battery(car, NOW, SERVICE).energy_kwh == pytest.approx(3.0)
    # And carried on from a sample before it.
    assert delivered_kwh(car, late + timedelta(minutes=5)) == pytest.approx(4.5)


def test_observed_limits_bound_the_power() -> None:
    one = describe_powers(car_of(Plugged("LMB-01"), CarLimits(used_phases=frozenset({1}))))
    assert [one.min_charge_kw, one.max_charge_kw] == pytest.approx([1.38, 3.68])
    slow = describe_powers(car_of(Plugged("LMB-01"), CarLimits(below_count=2, drawn_kw=7.0)))
    assert 7.0 < slow.max_charge_kw < 8.0
    tapering = describe_powers(car_of(Plugged("LMB-01"), CarLimits(below_count=5, drawn_kw=0.4)))
    assert tapering.max_charge_kw == tapering.min_charge_kw == pytest.approx(4.14)


@given(st.floats(0.0, 12.0), st.integers(0, 3), st.sampled_from(["LMB-01", "LMB-21"]))
def test_bounds_are_always_in_order(drawn_kw: float, phases: int, station: str) -> None:
    limits = CarLimits(used_phases=frozenset(range(1, phases + 1)), below_count=2, drawn_kw=drawn_kw)
    powers = describe_powers(car_of(Plugged(station, token="ZOE1", soc_fraction=0.5), limits))
    assert 0.0 < powers.min_charge_kw <= powers.max_charge_kw <= 11.04 + 1e-9
    assert powers.max_discharge_kw == 0.0 or powers.min_discharge_kw <= powers.max_discharge_kw
