from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csms.control.curve import curve_of
from csms.control.observed import CarLimits
from csms.control.profiles import compile_profile, steering_of, tx_profile_id
from csms.control.sessions import InformationClass
from csms.control.snapshot import History, PlanningCase, build_problem
from csms.ocpp.vocabulary import ChargingNeeds
from csms.settings import EvseConfig, PhaseRotation
from csms.state.events import SessionDeclared
from grid.timegrid import QUARTER
from optimizer.check import check_plan
from optimizer.plan import Plan
from optimizer.planner import plan, plan_simply
from optimizer.problem import parse_problem
from tests.csms.control.street import (
    HOUR,
    NOW,
    TWO_WAY_STATIONS,
    Plugged,
    Street,
    booked,
    declared,
    load_catalogue,
)

quick = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
SOCKETS = [(station.id, evse.id) for station in load_catalogue().stations.values() for evse in station.evses]
instants = st.integers(-4 * 60, 40 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
fractions = st.floats(0.0, 1.0)


@st.composite
def declarations(draw: st.DrawFn) -> SessionDeclared:
    by_energy = draw(st.booleans())
    return SessionDeclared(
        session_id="",
        at=NOW,
        departure=draw(instants),
        energy_kwh=draw(st.floats(0.0, 90.0)) if by_energy else None,
        target_soc_fraction=None if by_energy else draw(fractions),
        floor_soc_fraction=draw(st.none() | fractions),
    )


needs = st.builds(
    ChargingNeeds,
    evse_id=st.just(1),
    requested_energy_transfer=st.just("AC_three_phase"),
    departure=st.none() | instants,
    energy_kwh=st.none() | st.floats(-20.0, 80.0),
    soc_fraction=st.none() | fractions,
    target_soc_fraction=st.none() | fractions,
    capacity_kwh=st.none() | st.floats(1.0, 120.0),
    max_charge_kw=st.none() | st.floats(0.0, 22.0),
    max_discharge_kw=st.none() | st.floats(0.0, 22.0),
    phases=st.none() | st.integers(1, 3),
)


@st.composite
def streets(draw: st.DrawFn) -> Street:
    sockets = draw(st.lists(st.sampled_from(SOCKETS), max_size=8, unique=True))
    cars = tuple(
        Plugged(
            station,
            evse,
            token=draw(st.none() | st.sampled_from([f"ZOE{index}" for index in range(8)])),
            started_at=NOW - draw(st.integers(0, 20)) * HOUR,
            imported_kwh=draw(st.floats(0.0, 120.0)),
            exported_kwh=draw(st.floats(0.0, 40.0)),
            power_kw=draw(st.floats(-11.0, 11.0)),
            sampled_at=draw(st.none() | st.integers(0, 900).map(lambda s: NOW + timedelta(seconds=s))),
            soc_fraction=draw(st.none() | fractions),
            needs=draw(st.none() | needs),
            declaration=draw(st.none() | declarations()),
            charging_state=draw(st.sampled_from(["Charging", "SuspendedEV", "SuspendedEVSE"])),
        )
        for station, evse in sockets
    )
    limits = {
        car.id: CarLimits(
            used_phases=draw(st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2, 3})])),
            below_count=draw(st.integers(0, 3)),
            idle_count=draw(st.integers(0, 3)),
            drawn_kw=draw(st.floats(0.0, 11.0)),
        )
        for car in cars
    }
    bookings = tuple(
        booked(f"ZOE{index}", NOW + begin * HOUR, NOW + (begin + 2) * HOUR, energy_kwh)
        for index, begin, energy_kwh in draw(
            st.lists(st.tuples(st.integers(0, 7), st.integers(-3, 40), st.floats(0.0, 70.0)), max_size=8)
        )
    )
    return Street(cars, bookings, history=History(limits=limits))


moments = st.integers(0, 899).map(lambda second: NOW + timedelta(seconds=second))


@quick
@given(streets(), moments)
def test_whatever_is_said_becomes_a_valid_problem(street: Street, now: datetime) -> None:
    case = street.case(now)
    # What goes through the public document is the same problem.
    assert parse_problem(case.problem.model_dump_json()) == case.problem
    assert case.problem.start == NOW
    assert case.problem.steps == 96
    assert {ev.id for ev in case.problem.evs} == set(case.sessions) == set(case.cars)
    everyone = [*case.sessions, *(car.session.id for car in case.standby)]
    assert sorted(everyone) == sorted(car.id for car in street.cars)


def assert_conductors_hold(case: PlanningCase, planned: Plan, voltage_v: float = 230.0) -> None:
    fuse_a: dict[tuple[str, int, int], float] = defaultdict(float)
    for ev in planned.evs:
        car = case.cars[ev.id]
        rotation = car.evse.phase_rotation.conductors
        assert rotation is not None
        for step, power_kw in enumerate(ev.power_kw):
            for phase in car.used_phases:
                current_a = max(power_kw, 0.0) * 1000 / (voltage_v * car.phases)
                fuse_a[car.connection_id, rotation[phase - 1], step] += current_a
    assert max(fuse_a.values(), default=0.0) <= 25.0 + 1e-3


@quick
@given(streets(), moments)
def test_a_plan_keeps_every_conductor_and_every_profile_keeps_the_plan(street: Street, now: datetime) -> None:
    case = street.case(now)
    planned = plan_simply(case.problem)
    assert not check_plan(case.problem, planned)
    assert_conductors_hold(case, planned)
    for ev in planned.evs:
        car = case.cars[ev.id]
        steering = steering_of(car.model, car.phases, may_discharge=car.allowed_discharge_kw > 0.0)
        profile = compile_profile(
            ev.power_kw,
            case.problem.start,
            QUARTER,
            steering=steering,
            max_periods=car.model.max_periods,
            profile_id=tx_profile_id(car.key.evse_id),
            transaction_id=car.session.transaction_id,
            tail_current_a=6.0,
        )
        curve = curve_of(profile, steering, unbounded_kw=1000.0)
        for step, power_kw in enumerate(ev.power_kw):
            told_kw = curve.at(case.problem.start + step * QUARTER)
            assert min(power_kw, 0.0) - 2e-5 <= told_kw <= max(power_kw, 0.0) + 2e-5


def busy_street() -> Street:
    cars = [Plugged(f"LMB-{index:02d}", 1, imported_kwh=4.0, power_kw=8.0) for index in range(1, 9)]
    cars = [declared(car, NOW + 6 * HOUR, 15.0) if index % 2 else car for index, car in enumerate(cars)]
    cars += [Plugged(name, 1, token=f"ZOE{i}", soc_fraction=0.5) for i, name in enumerate(TWO_WAY_STATIONS)]
    return Street(tuple(cars), tuple(booked(f"ZOE{i}", NOW + 9 * HOUR, NOW + 11 * HOUR) for i in range(4)))


def test_nobody_knows_what_nobody_said() -> None:
    street = busy_street()
    silent = [car for car in street.cars if car.declaration is None and car.token is None]
    problems = set()
    for order in permutations(range(len(silent))):
        departures = {car.id: NOW + (2 + hours) * HOUR for car, hours in zip(silent, order, strict=True)}
        cars = tuple(replace(car, departs=departures.get(car.id)) for car in street.cars)
        problems.add(replace(street, cars=cars).case().problem.model_dump_json())
    assert len(problems) == 1
    # Said, the same departures do make a difference.
    told = tuple(
        declared(car, NOW + 2 * HOUR, 15.0) if car.id == silent[0].id else car for car in street.cars
    )
    assert replace(street, cars=told).case().problem.model_dump_json() not in problems


def test_the_order_in_which_stations_are_known_does_not_matter() -> None:
    street = busy_street()
    backwards = replace(street, cars=tuple(reversed(street.cars)))
    assert backwards.case().problem == street.case().problem


def test_the_plan_of_a_busy_street() -> None:
    case = busy_street().case()
    planned = plan(case.problem)
    assert not check_plan(case.problem, planned)
    assert_conductors_hold(case, planned)
    assert max(planned.limit_excess_kw) == 0.0
    assert sum(ev.shortfall_kwh for ev in planned.evs) < 0.01
    for ev in planned.evs:
        assert ev.undelivered_kwh < 0.01


def test_who_says_nothing_has_a_floor_and_who_says_has_none() -> None:
    case = busy_street().case()
    floors = {ev.id: ev.min_delivered_kwh for ev in case.problem.evs}
    for name, car in case.cars.items():
        floor = floors[name]
        silent = car.information is InformationClass.NONE
        assert (floor is not None) == silent
        if silent and floor is not None:
            # Nothing binds at six in the morning: the equal share is full power.
            assert floor[4] == pytest.approx(11.04)
            assert len(floor) == 97


def test_discharge_needs_the_permission() -> None:
    street = busy_street()
    granted = {ev.id: ev.max_discharge_kw for ev in street.case().problem.evs}
    assert sum(each > 0.0 for each in granted.values()) == 4
    refused = street.case(allowed_discharge_kw={})
    assert all(ev.max_discharge_kw == 0.0 for ev in refused.problem.evs)


@pytest.mark.parametrize(("soc_fraction", "gives"), [(0.31, True), (0.29, False)])
def test_below_its_floor_a_car_only_charges(soc_fraction: float, gives: bool) -> None:
    car = Plugged("LMB-21", token="ZOE1", soc_fraction=soc_fraction)
    (ev,) = Street((car,)).case().problem.evs
    assert (ev.max_discharge_kw > 0.0) == gives
    assert ev.min_energy_kwh == (pytest.approx(0.3 * 52.0) if gives else 0.0)


def test_a_car_after_its_time_is_charged_at_once_and_not_discharged() -> None:
    car = Plugged("LMB-21", token="ZOE1", soc_fraction=0.5)
    case = Street((car,), (booked("ZOE1", NOW - HOUR / 2, NOW + HOUR),)).case()
    (ev,) = case.problem.evs
    assert (ev.departure_step, ev.max_discharge_kw) == (1, 0.0)
    assert ev.departure_energy_kwh == 30.0
    (planned,) = plan_simply(case.problem).evs
    assert planned.power_kw[0] == pytest.approx(11.04)


def test_the_energy_of_a_booking_after_the_horizon_is_wanted_in_part() -> None:
    car = Plugged("LMB-21", token="ZOE1", soc_fraction=0.4)
    (ev,) = Street((car,), (booked("ZOE1", NOW + 25 * HOUR, NOW + 26 * HOUR, 40.0),)).case().problem.evs
    assert ev.departure_step == 96
    assert ev.departure_energy_kwh == pytest.approx(40.0 - 11.04 * 0.93)
    assert ev.final_energy_value_eur_per_kwh > 0.0


def test_energy_that_drives_off_for_good_is_worth_nothing() -> None:
    (ev,) = Street((declared(Plugged("LMB-01"), NOW + 3 * HOUR, 10.0),)).case().problem.evs
    assert ev.final_energy_value_eur_per_kwh == 0.0


def test_a_car_that_stopped_asking_keeps_its_fallback_and_gets_no_plan() -> None:
    car = Plugged("LMB-01", charging_state="SuspendedEV")
    other = Plugged("LMB-01", 2)
    history = History(limits={car.id: CarLimits(idle_count=2)})
    case = Street((car, other), history=history).case()
    assert [each.session.id for each in case.standby] == [car.id]
    assert list(case.sessions) == [other.id]
    limits = [limit for group in case.problem.groups for limit in group.import_limit_kw or ()]
    assert limits == pytest.approx([19.0 * 0.23] * 3)


def test_a_silent_station_keeps_what_it_may_draw() -> None:
    street = busy_street()
    gone = street.cars[0]
    case = street.case(unsteered_kw={gone.id: 11.04})
    assert [key.session_id for key in case.unsteered] == [gone.id]
    assert gone.id not in case.sessions
    before = street.case().problem
    assert case.problem.base_load_upper_kw is not None
    assert before.base_load_upper_kw is not None
    assert case.problem.base_load_upper_kw[0] == pytest.approx(before.base_load_upper_kw[0] + 11.04)
    assert case.problem.base_load_kw[0] == pytest.approx(before.base_load_kw[0] + 11.04)


def test_entitlements_are_carried_from_plan_to_plan() -> None:
    car = Plugged("LMB-01", imported_kwh=1.0)
    street = Street((car,))
    first = street.case()
    assert first.fairness.entitled_kwh == {car.id: 1.0}
    later = replace(street, history=History(fairness=first.fairness))
    now = NOW + QUARTER
    second = build_problem(now, later.state(), later.catalogue, later.grid, later.nowcast(now), later.history)
    assert second.fairness.entitled_kwh[car.id] == pytest.approx(1.0 + 11.04 / 4)
    (ev,) = second.problem.evs
    assert ev.min_delivered_kwh is not None
    # It got nothing in that quarter: the floor asks for it on top of the next one's share.
    assert ev.min_delivered_kwh[1] == pytest.approx(2 * 11.04 / 4)


def test_limits_see_the_upper_base_load_and_money_the_median() -> None:
    problem = busy_street().case().problem
    assert problem.base_load_upper_kw is not None
    assert problem.base_load_lower_kw is not None
    assert problem.base_load_lower_kw[0] < problem.base_load_kw[0] < problem.base_load_upper_kw[0]
    assert problem.pv_lower_kw is not None
    assert problem.pv_lower_kw[30] < problem.pv_kw[30]
    assert problem.shortfall_eur_per_kwh > 12.0


def test_an_unknown_rotation_counts_a_one_phase_car_everywhere() -> None:
    catalogue = load_catalogue()
    station = catalogue.stations["LMB-01"]
    unknown = tuple(
        EvseConfig(id=evse.id, emi3=evse.emi3, phase_rotation=PhaseRotation.UNKNOWN) for evse in station.evses
    )
    stations = catalogue.stations | {"LMB-01": station.model_copy(update={"evses": unknown})}
    car = Plugged("LMB-01")
    history = History(limits={car.id: CarLimits(used_phases=frozenset({1}))})
    case = Street((car,), catalogue=replace(catalogue, stations=stations), history=history).case()
    assert [group.weights[car.id] for group in case.problem.groups] == [1.0, 1.0, 1.0]


def test_a_car_whose_phases_nobody_knows_is_asked_first() -> None:
    car = declared(Plugged("LMB-01"), NOW + 12 * HOUR, 10.0)
    case = Street((car,)).case()
    (planned,) = plan(case.problem).evs
    assert planned.power_kw[0] >= 4.14 - 1e-6
    known = History(limits={car.id: CarLimits(used_phases=frozenset({1, 2, 3}))})
    (later,) = plan(Street((car,), history=known).case().problem).evs
    assert later.power_kw[0] == 0.0
    # Energy is cheapest at noon; a little more than was asked costs nothing then.
    assert 40.0 - 1e-6 <= sum(later.power_kw[20:40]) <= 44.14 + 1e-6


def test_charging_ends_a_little_before_the_departure() -> None:
    car = declared(Plugged("LMB-01"), NOW + 3 * HOUR, 12.0)
    (ev,) = Street((car,)).case().problem.evs
    assert ev.departure_step == 6
    tight = declared(Plugged("LMB-01"), NOW + HOUR, 11.0)
    (hurried,) = Street((tight,)).case().problem.evs
    assert hurried.departure_step == 4


@pytest.mark.parametrize("missing_kwh", [0.2, 0.9, 1.1, 5.0])
def test_what_is_less_than_a_step_at_the_least_power_is_charged_too(missing_kwh: float) -> None:
    car = declared(Plugged("LMB-01", imported_kwh=10.0), NOW + 3 * HOUR, 10.0 + missing_kwh)
    (charged,) = plan(Street((car,)).case().problem).evs
    assert charged.shortfall_kwh == pytest.approx(0.0, abs=1e-6)
    assert charged.energy_kwh[-1] == pytest.approx(max(10.0 + missing_kwh, 10.0 + 4.14 / 4))


def test_among_equal_prices_sooner_is_better() -> None:
    car = declared(Plugged("LMB-01"), NOW + 12 * HOUR, 5.0)
    history = History(limits={car.id: CarLimits(used_phases=frozenset({1, 2, 3}))})
    case = Street((car,), history=history).case()
    (planned,) = plan(case.problem).evs
    charged = [step for step, power_kw in enumerate(planned.power_kw) if power_kw > 0.0]
    # Prices are hourly: charging begins with an hour and does not pause.
    assert charged == list(range(charged[0], charged[-1] + 1))
    assert charged[0] % 4 == 0
