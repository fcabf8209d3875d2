from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.ledger import EvseKey
from csms.control.observed import CarLimits
from csms.control.sessions import ConnectedCar, InformationClass, find_booking, list_cars
from csms.ocpp.vocabulary import ChargingNeeds
from csms.settings import PhaseRotation
from tests.csms.control.street import HOUR, NOW, Plugged, Street, booked, declared, load_catalogue

NEEDS = ChargingNeeds(
    evse_id=1,
    requested_energy_transfer="AC_three_phase",
    departure=NOW + 4 * HOUR,
    soc_fraction=0.4,
    target_soc_fraction=0.8,
    capacity_kwh=60.0,
    phases=3,
)


def car_of(street: Street, **limits: CarLimits) -> ConnectedCar:
    (car,) = list_cars(NOW, street.state(), street.catalogue, limits, {EvseKey("LMB-21", 1): 11.04})
    return car


def test_who_told_about_a_session() -> None:
    silent = Plugged("LMB-01")
    assert car_of(Street((silent,))).information is InformationClass.NONE
    assert car_of(Street((declared(silent, NOW + HOUR, 5.0),))).information is InformationClass.DRIVER
    assert car_of(Street((replace(silent, needs=NEEDS),))).information is InformationClass.CAR
    shared = Street((Plugged("LMB-21", token="ZOE1"),), (booked("zoe1", NOW + HOUR, NOW + 2 * HOUR),))
    assert car_of(shared).information is InformationClass.BOOKING
    assert car_of(shared).vehicle is not None


@pytest.mark.parametrize("soc_fraction", [None, 0.5])
def test_without_its_state_of_charge_a_car_does_not_discharge(soc_fraction: float | None) -> None:
    car = car_of(Street((Plugged("LMB-21", token="ZOE1", soc_fraction=soc_fraction),)))
    assert car.allowed_discharge_kw == (0.0 if soc_fraction is None else 11.04)


def test_phases_are_those_observed_before_those_said() -> None:
    silent = Plugged("LMB-01")
    assert car_of(Street((silent,))).phases == 3
    assert car_of(Street((replace(silent, needs=replace(NEEDS, phases=1)),))).used_phases == {1}
    observed = CarLimits(used_phases=frozenset({2}))
    limits = {silent.id: observed}
    car = car_of(Street((replace(silent, needs=NEEDS),)), **limits)
    assert car.phases == 1
    assert car.used_phases == {2}


def test_standby_needs_the_word_of_the_station_and_two_idle_samples() -> None:
    car = Plugged("LMB-01", charging_state="SuspendedEV")
    idle = {car.id: CarLimits(idle_count=2)}
    assert car_of(Street((car,)), **idle).is_standby
    assert not car_of(Street((car,))).is_standby
    assert not car_of(Street((replace(car, charging_state="Charging"),)), **idle).is_standby
    # A full battery that is known may still be discharged.
    assert not car_of(Street((replace(car, needs=NEEDS),)), **idle).is_standby


def test_a_socket_that_nobody_configured_has_an_unknown_rotation() -> None:
    catalogue = replace(load_catalogue(), open_door=True)
    car = car_of(Street((Plugged("NEW-1", 2),), catalogue=catalogue))
    assert car.evse.phase_rotation is PhaseRotation.UNKNOWN
    assert car.model.max_current_a == 16.0


def test_the_next_booking_counts() -> None:
    first, second = booked("T", NOW + HOUR, NOW + 2 * HOUR), booked("T", NOW + 5 * HOUR, NOW + 6 * HOUR)
    bookings = {one.booking_id: one for one in (second, first, booked("other", NOW, NOW + HOUR))}
    started_at = NOW - HOUR
    assert find_booking(bookings, "t", started_at, NOW) == first
    # It has begun and the car is still here: it is overdue.
    assert find_booking(bookings, "t", started_at, NOW + 1.5 * HOUR) == first
    # It came back early: what counts is the next one.
    back_at = NOW + 1.5 * HOUR
    assert find_booking(bookings, "t", back_at, back_at + timedelta(minutes=1)) == second
    # Nobody came: it is over.
    assert find_booking(bookings, "t", started_at, NOW + 2 * HOUR) == second
    assert find_booking(bookings, None, started_at, NOW) is None


@given(st.lists(st.tuples(st.integers(-10, 30), st.integers(1, 5)), max_size=6), st.integers(-5, 0))
def test_a_booking_that_is_over_never_counts(windows: list[tuple[int, int]], since: int) -> None:
    made = [booked("T", NOW + begin * HOUR, NOW + (begin + length) * HOUR) for begin, length in windows]
    found = find_booking({str(i): one for i, one in enumerate(made)}, "T", NOW + since * HOUR, NOW)
    if found is not None:
        assert found.end > NOW
        assert found.start >= NOW + since * HOUR
    else:
        assert not any(one.start > NOW for one in made)
