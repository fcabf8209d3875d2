from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.battery import describe_battery, describe_powers
from csms.control.observed import CarLimits
from csms.control.snapshot import plan_grid
from csms.control.window import (
    departure_step,
    expected_departure,
    hurry,
    make_reachable,
    probe_kwh,
    prorate_kwh,
    ready_step,
)
from csms.ocpp.vocabulary import ChargingNeeds
from csms.settings import ServiceConfig, UnknownSessionConfig
from tests.csms.control.street import HOUR, NOW, Plugged, car_of, declared

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


@given(st.integers(-3000, 3000), st.integers(0, 899))
def test_a_departure_is_the_last_whole_step_before_it(minutes: int, second: int) -> None:
    now = NOW + timedelta(seconds=second)
    departure = NOW + timedelta(minutes=minutes)
    step = departure_step(departure, now, STEPS)
    assert 1 <= step <= STEPS.steps
    if departure <= now:
        assert step == 1
    elif step > 1:
        assert STEPS.edges[step] <= departure


def test_a_departure_that_nobody_knows() -> None:
    assert expected_departure(car_of(Plugged("LMB-01")), NOW, UNKNOWN) == NOW + 4 * HOUR
    assert expected_departure(car_of(Plugged("LMB-21", token="ZOE1")), NOW, UNKNOWN) is None
    assert departure_step(None, NOW, STEPS) == STEPS.steps


def test_a_drivers_word_counts_before_the_cars() -> None:
    plugged = declared(replace(Plugged("LMB-17"), needs=NEEDS), NOW + 2 * HOUR, 5.0)
    assert expected_departure(car_of(plugged), NOW, UNKNOWN) == NOW + 2 * HOUR
    assert expected_departure(car_of(replace(plugged, declaration=None)), NOW, UNKNOWN) == NOW + 4 * HOUR


def test_what_can_still_come_after_the_horizon_is_not_wanted_before() -> None:
    end = STEPS.end
    assert prorate_kwh(40.0, end - HOUR, end, 10.0) == 40.0
    assert prorate_kwh(40.0, end + 3 * HOUR, end, 10.0) == pytest.approx(10.0)
    assert prorate_kwh(40.0, end + 9 * HOUR, end, 10.0) == 0.0
    assert prorate_kwh(40.0, None, end, 10.0) == 0.0


@given(st.integers(1, 96), st.floats(0.0, 80.0), st.floats(0.0, 80.0))
def test_ready_early_only_where_it_can_be(last_step: int, held_kwh: float, wanted_kwh: float) -> None:
    car = car_of(declared(Plugged("LMB-01", imported_kwh=held_kwh), NOW + HOUR, wanted_kwh))
    battery, powers = describe_battery(car, NOW, SERVICE), describe_powers(car)
    early = ready_step(last_step, battery, powers)
    assert max(last_step - 6, (last_step + 1) // 2) <= early <= last_step
    if early < last_step:
        assert battery.energy_kwh + early * 11.04 / 4 >= battery.wanted_kwh - 1e-5


def test_currents_are_asked_for_gently_or_at_full_power() -> None:
    def probe(plugged: Plugged, last_step: int, phases: frozenset[int] = frozenset()) -> float:
        car = car_of(plugged, CarLimits(used_phases=phases))
        return probe_kwh(car, describe_battery(car, NOW, SERVICE), describe_powers(car), last_step)

    wants = declared(Plugged("LMB-01"), NOW + HOUR, 10.0)
    assert probe(wants, 40) == pytest.approx(4.14 / 4)
    # With one phase 10 kWh take 2.7 hours.
    assert probe(wants, 12) == pytest.approx(11.04 / 4)
    assert probe(wants, 12, frozenset({1})) == 0.0
    assert probe(replace(wants, needs=replace(NEEDS, phases=3)), 12) == 0.0
    assert probe(Plugged("LMB-01"), 12) == 0.0
    # This station does not tell currents: it is not asked for ever.
    assert probe(replace(wants, imported_kwh=3.1), 12) == 0.0


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_a_rest_smaller_than_a_step_at_least_power_can_be_had(held_kwh: float, wanted_kwh: float) -> None:
    car = car_of(declared(Plugged("LMB-01", imported_kwh=held_kwh), NOW + HOUR, wanted_kwh))
    powers = describe_powers(car)
    battery = make_reachable(describe_battery(car, NOW, SERVICE), powers)
    assert battery.wanted_kwh == wanted_kwh
    if wanted_kwh - held_kwh >= 0.05:
        assert battery.capacity_kwh - battery.energy_kwh >= 4.14 / 4 - 1e-9


@given(st.floats(0.0, 10.0), st.integers(0, 899), st.integers(1, 3600))
def test_in_the_last_quarter_the_power_is_right(missing_kwh: float, passed_s: int, left_s: int) -> None:
    now, end = NOW + timedelta(seconds=passed_s), NOW + timedelta(seconds=passed_s + left_s)
    car = car_of(declared(Plugged("LMB-01", imported_kwh=5.0, sampled_at=now), end, 5.0 + missing_kwh))
    battery = hurry(describe_battery(car, NOW, SERVICE), car, now, NOW, end)
    needed_kw = missing_kwh / (max(left_s, 60) / 3600)
    assert (battery.wanted_kwh - battery.energy_kwh) * 4 == pytest.approx(needed_kw, abs=1e-6)
    assert battery.capacity_kwh >= battery.wanted_kwh
