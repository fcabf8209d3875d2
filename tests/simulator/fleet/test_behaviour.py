"""What people do beyond plugging in: tell, opt out, answer to prices and seasons, drive away when full."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.crowd import FIRST_PLUG_INS_S, spread_first
from simulator.fleet.behaviour import HABITS, Habits, choose_telling, evening_prices, opt_out_share
from simulator.fleet.describe import describe_classes, ks_distance, ks_shares
from simulator.fleet.file import FleetPlan, load_fleet
from simulator.fleet.groups import FleetDraw, compress
from simulator.fleet.joint import DriverClass, JointSampler, Place, load_session_tables
from simulator.fleet.mix import load_mix
from simulator.fleet.plugins import CLASSES, PlugIns, PlugInSampler, Sockets
from simulator.fleet.sessions import Booking, Declaration, InformationClass, Session
from simulator.setup import Protocol
from wijkstroom.resources import configs_directory, resolver

CONFIGS = configs_directory()
NOW = datetime(2025, 2, 11, 16, 0, tzinfo=UTC)
WEEK = [date(2025, 2, 10) + timedelta(days=offset) for offset in range(7)]


@pytest.fixture(scope="module")
def plan() -> FleetPlan:
    path = CONFIGS / "fleets" / "utrecht.toml"
    return load_fleet(path, resolver(path.parent), 40)


def with_head(plan: FleetPlan, **changes: float) -> FleetPlan:
    return replace(
        plan, file=plan.file.model_copy(update={"fleet": plan.file.fleet.model_copy(update=changes)})
    )


def visitors(plan: FleetPlan, days: list[date]) -> list[Session]:
    drawn = FleetDraw(plan, 1).sessions(plan.stations, days)
    return [one for one in drawn if one.booking is None]


@pytest.fixture(scope="module")
def week(plan: FleetPlan) -> list[Session]:
    return visitors(plan, WEEK)


@pytest.fixture(scope="module")
def public() -> PlugIns:
    mix = load_mix(CONFIGS / "fleets" / "ev-mix.toml", 2025, lambda name: CONFIGS / name)
    joint = JointSampler(Place.PUBLIC, load_session_tables(CONFIGS / "data")[Place.PUBLIC])
    return PlugInSampler(joint, mix).draw(50_000, np.random.default_rng(4))


def test_steering_that_pays_keeps_people_by_hand() -> None:
    habits = Habits(opt_out_fraction=0.4, worth_eur_per_kwh=0.1)
    shares = [opt_out_share(habits, reward) for reward in (0.0, 0.1, 0.2, 0.3)]
    assert shares == pytest.approx([0.4, 0.2, 0.1, 0.05])


@given(st.sampled_from(CLASSES), st.floats(0.0, 1.0), st.booleans(), st.integers(0, 2**32))
def test_who_opts_out_has_to_tell_it(
    driver: DriverClass,
    reward: float,
    speaks: bool,
    seed: int,
) -> None:
    telling = choose_telling(HABITS[driver], reward, np.random.default_rng(seed), speaks=speaks)
    if telling.opted_out:
        assert telling.information is not InformationClass.NONE
    if not speaks:
        assert telling.information is not InformationClass.CAR


def test_classes_tell_as_often_as_their_habits_say() -> None:
    habits, rng = HABITS[DriverClass.VISITOR], np.random.default_rng(1)
    told = [choose_telling(habits, 0.0, rng, speaks=False) for _ in range(20_000)]
    assert np.mean([one.opted_out for one in told]) == pytest.approx(0.25, abs=0.01)
    steered = [one.information is InformationClass.DRIVER for one in told if not one.opted_out]
    assert np.mean(steered) == pytest.approx(0.15, abs=0.01)


def test_what_people_of_a_fleet_tell_can_be_true(plan: FleetPlan, week: list[Session]) -> None:
    listens = {one.id for one in plan.stations if one.protocol is not Protocol.V16}
    assert {one.information for one in week} == set(InformationClass) - {InformationClass.BOOKING}
    for one in week:
        assert (one.declaration is not None) == (one.information is InformationClass.DRIVER)
        if one.information is InformationClass.CAR:
            assert one.station_id in listens
        if one.ready_by is not None:
            assert one.arrival < one.ready_by <= one.departure
            assert one.told_departure == one.ready_by
        if one.declaration is not None:
            assert one.arrival <= one.declaration.at < one.declaration.departure <= one.departure
            assert one.declaration.energy_kwh > 0.0


def test_fewer_opt_out_of_a_fleet_that_is_paid(plan: FleetPlan, week: list[Session]) -> None:
    paid = visitors(with_head(plan, steering_reward_eur_per_kwh=0.3), WEEK)
    before, after = (np.mean([one.ready_by is not None for one in people]) for people in (week, paid))
    assert before > 0.10
    assert after < before / 4


def test_dear_evenings_empty_the_evening(plan: FleetPlan, week: list[Session]) -> None:
    dear = visitors(with_head(plan, evening_price_ratio=3.0), WEEK)

    def in_the_evening(people: list[Session]) -> float:
        return float(np.mean([17 <= one.arrival.astimezone(plan.tz).hour < 21 for one in people]))

    assert in_the_evening(dear) < in_the_evening(week) - 0.02
    assert len(evening_prices(2.0)) == 96
    assert evening_prices(2.0)[68] == pytest.approx(2.0 * evening_prices(2.0)[67])


def test_people_who_leave_full_cars_leave_sooner(plan: FleetPlan, week: list[Session]) -> None:
    leaving = visitors(with_head(plan, leaves_when_full=True), WEEK)
    mean_h = [
        np.mean([(one.departure - one.arrival).total_seconds() / 3600 for one in people])
        for people in (week, leaving)
    ]
    assert mean_h[1] < mean_h[0] - 0.2


def test_winter_is_busier_than_summer_and_nobody_works_on_a_sunday(plan: FleetPlan) -> None:
    winter, summer = (
        visitors(plan, [monday + timedelta(days=offset) for offset in range(7)])
        for monday in (date(2025, 1, 6), date(2025, 7, 7))
    )
    assert len(winter) > 1.05 * len(summer)
    sunday = visitors(plan, [date(2025, 1, 12)])
    assert {one.station_id.split("-")[1] for one in sunday} == {"PA", "PB", "PS", "HOME"}


def test_the_mixture_of_the_classes_is_the_public_marginal(public: PlugIns) -> None:
    """Shares from one half of the draws, sessions of each class from the other, held against the tables."""
    tables = load_session_tables(CONFIGS / "data")[Place.PUBLIC]
    first, second = np.arange(50_000) < 25_000, np.arange(50_000) >= 25_000
    rng = np.random.default_rng(1)
    rows: list[int] = []
    means_h = []
    for index in range(len(CLASSES)):
        own = np.flatnonzero(second & (public.driver == index))
        rows += list(rng.choice(own, int((public.driver[first] == index).sum())))
        means_h.append(public.stay_h[own].mean())
    assert len(rows) == 25_000
    assert ks_distance(public.stay_h[rows], tables.stay_h) < 0.03
    assert ks_distance(public.energy_kwh[rows], tables.energy_kwh) < 0.03
    joint = JointSampler(Place.PUBLIC, tables)
    week = (1 - joint.weekend_share) * tables.weekday_arrivals + joint.weekend_share * tables.weekend_arrivals
    arrivals = np.bincount(public.quarter[rows], minlength=96).astype(float)
    assert ks_shares(arrivals, week) < 0.03
    # The classes are not the same people under other names.
    assert max(means_h) > 3 * min(means_h)


def test_classes_are_described_by_what_they_do(public: PlugIns) -> None:
    reports = {one.driver: one for one in describe_classes(public, np.random.default_rng(1))}
    assert set(reports) == set(CLASSES)
    assert sum(one.share for one in reports.values()) == pytest.approx(1.0)
    assert reports["resident"].shifts > reports["visitor"].shifts
    assert reports["taxi"].opts_out > reports["resident"].opts_out > reports["resident"].opts_out_paid
    assert reports["taxi"].leaves_full > 0.3
    assert reports["shared"].leaves_full == reports["shared"].shifts == 0.0


def test_cars_without_a_plug_for_direct_current_do_not_come_to_it() -> None:
    mix = load_mix(CONFIGS / "fleets" / "ev-mix.toml", 2025, lambda name: CONFIGS / name)
    joint = JointSampler(Place.WORK, load_session_tables(CONFIGS / "data")[Place.WORK])
    drawn = PlugInSampler(joint, mix, Sockets(72.5, 3, direct_current=True)).draw(
        5_000, np.random.default_rng(1)
    )
    models = list(mix.models.values())
    assert all(models[car].max_dc_power_kw > 0.0 for car in set(drawn.car))
    assert drawn.power_kw.min() > 40.0


LATER = timedelta(hours=3)
SESSION = Session(
    id="s",
    station_id="S",
    evse_id=1,
    token="T",
    vehicle="v",
    arrival=NOW - timedelta(hours=1),
    departure=NOW + LATER,
    information=InformationClass.DRIVER,
    start_energy_kwh=10.0,
    target_energy_kwh=20.0,
    limit_fraction=0.8,
    declaration=Declaration(NOW - timedelta(minutes=58), 10.0, NOW + LATER),
    booking=Booking("b", "T", NOW, NOW + LATER, NOW + 2 * LATER, 10.0, 5.0),
    ready_by=NOW + timedelta(hours=1),
)


@given(st.integers(-(10**6), 10**6))
def test_a_session_moves_with_everything_that_is_said_of_it(seconds: int) -> None:
    by = timedelta(seconds=seconds)
    moved = SESSION.retimed(lambda instant: instant + by)
    assert moved.retimed(lambda instant: instant - by) == SESSION
    assert moved.declaration is not None
    assert moved.booking is not None
    assert moved.ready_by is not None
    assert moved.declaration.at - moved.arrival == timedelta(minutes=2)
    assert moved.booking.start == moved.departure


def test_who_is_there_already_tells_it_after_the_plug_in() -> None:
    (fast,) = compress([SESSION], NOW, NOW, 60.0)
    assert fast.departure == NOW + LATER / 60
    (first,) = spread_first([fast], NOW, seed=1)
    assert NOW <= first.arrival <= NOW + timedelta(seconds=FIRST_PLUG_INS_S)
    assert first.declaration is not None
    assert first.declaration.at >= first.arrival
