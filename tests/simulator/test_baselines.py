"""Replays keep physics and accounts; the policies with eyes keep the limits, the one without does not."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimizer.allocation import GroupHeadroom
from simulator.baselines import POLICIES, Baseline, BaselineTask, run_baseline
from simulator.fleet.draw import draw_fleet
from simulator.fleet.sessions import Fleet, InformationClass
from simulator.fleet.setup import FleetSetup
from simulator.noise import draw_uncontrolled
from simulator.replay import Guest, Replay
from simulator.result import RunRecord
from simulator.setup import StationSetup
from simulator.world import StreetSetup
from wijkstroom.street import Street

DAY = date(2024, 6, 11)
DAY_S = 86_400
few = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def fleet(fleet_setup: FleetSetup) -> Fleet:
    return draw_fleet(fleet_setup, DAY, 1)


@pytest.fixture(scope="module")
def task(street: Street, stations: tuple[StationSetup, ...], fleet: Fleet) -> BaselineTask:
    assert street.simulation is not None
    noise = street.simulation.noise
    return BaselineTask(Baseline.UNCONTROLLED, street.grid, stations, fleet, noise, DAY_S, 1)


@pytest.fixture(scope="module")
def records(task: BaselineTask) -> dict[Baseline, RunRecord]:
    return {baseline: run_baseline(replace(task, baseline=baseline)) for baseline in Baseline}


def test_uncontrolled_exceeds_the_evening_signal(records: dict[Baseline, RunRecord]) -> None:
    excesses = records[Baseline.UNCONTROLLED].limits.excesses
    assert sum(one.exceeded_kwh for one in excesses if one.limit.kind == "signal") >= 20.0


@pytest.mark.parametrize("baseline", [Baseline.EQUAL_SHARE, Baseline.EARLIEST_DEADLINE])
def test_policies_with_eyes_keep_every_limit(records: dict[Baseline, RunRecord], baseline: Baseline) -> None:
    assert records[baseline].limits.limit_exceeded_kwh == 0.0


@few
@given(seed=st.integers(0, 2**20), day=st.dates(date(2023, 1, 2), date(2024, 12, 20)))
def test_fuses_are_kept_on_any_day(task: BaselineTask, fleet_setup: FleetSetup, seed: int, day: date) -> None:
    fleet = draw_fleet(fleet_setup, day, seed)
    for baseline in (Baseline.EQUAL_SHARE, Baseline.EARLIEST_DEADLINE):
        record = run_baseline(replace(task, baseline=baseline, fleet=fleet, seed=seed, seconds=DAY_S // 2))
        assert [one for one in record.limits.excesses if one.limit.kind == "fuse"] == []


@pytest.mark.parametrize("baseline", list(Baseline))
def test_energy_balances(records: dict[Baseline, RunRecord], task: BaselineTask, baseline: Baseline) -> None:
    record = records[baseline]
    meters = record.meters
    truth = draw_uncontrolled(task.noise, task.grid, task.fleet.start, DAY_S, task.seed)
    base_kwh = truth.base_kw.reshape(-1, 900).sum(axis=1, dtype=np.float64) / 3600.0
    stations = sum(meters.connection_import_kwh.values(), np.zeros(96))
    stations = stations - sum(meters.connection_export_kwh.values(), np.zeros(96))
    # Every register reads whole watt-hours.
    street = meters.import_kwh - meters.export_kwh
    assert street == pytest.approx(base_kwh + stations - meters.pv_kwh, abs=0.06)
    assert sum(one.import_kwh for one in record.outcomes) == pytest.approx(stations.sum(), abs=0.2)


@pytest.mark.parametrize("baseline", list(Baseline))
def test_every_car_loses_what_charging_loses(
    records: dict[Baseline, RunRecord], fleet: Fleet, baseline: Baseline
) -> None:
    by_id = {one.id: one for one in fleet.sessions}
    for outcome in records[baseline].outcomes:
        model = fleet.model_of(by_id[outcome.session_id])
        gained_kwh = outcome.left_kwh - outcome.arrived_kwh
        assert -1e-9 <= gained_kwh <= outcome.import_kwh * (1.0 - model.loss_fraction) + 2e-3
        assert outcome.left_kwh <= model.capacity_kwh
        assert outcome.export_kwh == 0.0


def test_shared_cars_carry_their_energy_from_session_to_session(
    records: dict[Baseline, RunRecord], fleet: Fleet
) -> None:
    outcomes = {one.session_id: one for one in records[Baseline.EQUAL_SHARE].outcomes}
    returning = [one for one in fleet.sessions if one.follows in outcomes]
    assert returning
    for session in returning:
        assert session.follows is not None
        expected_kwh = outcomes[session.follows].left_kwh - session.driven_kwh
        assert outcomes[session.id].arrived_kwh == pytest.approx(expected_kwh)


def test_all_sessions_are_accounted_for(records: dict[Baseline, RunRecord], fleet: Fleet) -> None:
    end = fleet.start + timedelta(seconds=DAY_S)
    for record in records.values():
        ended = {one.session_id: one.ended for one in record.outcomes}
        assert ended == {one.id: one.departure <= end for one in fleet.sessions}


def test_a_task_travels_to_a_worker_and_gives_the_same_there(task: BaselineTask) -> None:
    short = replace(task, baseline=Baseline.EQUAL_SHARE, seconds=7200)
    there = pickle.loads(pickle.dumps(run_baseline(pickle.loads(pickle.dumps(short)))))
    here = run_baseline(short)
    assert there.outcomes == here.outcomes
    assert np.array_equal(there.meters.import_kwh, here.meters.import_kwh)


def test_what_happens_later_does_not_change_what_was(task: BaselineTask) -> None:
    short = run_baseline(replace(task, baseline=Baseline.EARLIEST_DEADLINE, seconds=4 * 3600))
    long = run_baseline(replace(task, baseline=Baseline.EARLIEST_DEADLINE, seconds=6 * 3600))
    assert np.array_equal(short.meters.import_kwh, long.meters.import_kwh[:16])


def test_undisclosed_departures_do_not_move_power_before_them(task: BaselineTask) -> None:
    until_s = 5 * 3600
    until = task.fleet.start + timedelta(seconds=until_s)
    secret = {InformationClass.NONE}
    moved = tuple(
        replace(one, departure=one.departure + timedelta(minutes=2))
        if one.information in secret and one.departure > until
        else one
        for one in task.fleet.sessions
    )
    other = replace(task, fleet=replace(task.fleet, sessions=moved))
    powers = []
    for each in (task, other):
        uncontrolled = draw_uncontrolled(each.noise, each.grid, each.fleet.start, until_s, 1)
        setup = StreetSetup(each.grid, each.stations, each.fleet, uncontrolled)
        replay = Replay(setup, POLICIES[Baseline.EARLIEST_DEADLINE])
        replay.run()
        powers.append(replay.world.truth.power_kw)
    assert moved != task.fleet.sessions
    assert np.array_equal(powers[0], powers[1])


def test_earliest_deadline_serves_who_told_before_who_did_not(fleet: Fleet) -> None:
    silent = next(one for one in fleet.sessions if one.information is InformationClass.NONE)
    telling = [one for one in fleet.sessions if one.information is InformationClass.DRIVER][:2]
    guests = [Guest(row, one, 3, 11.0, 4.2) for row, one in enumerate([silent, *telling])]
    power = POLICIES[Baseline.EARLIEST_DEADLINE].divide(guests, [GroupHeadroom(("0", "1", "2"), 16.0)], 0)
    declared = [one.told_departure for one in telling]
    assert None not in declared
    first, second = ("1", "2") if declared[0] <= declared[1] else ("2", "1")  # type: ignore[operator]
    assert power[first] == 11.0
    assert power[second] == pytest.approx(5.0)
    assert power["0"] == 0.0


def test_equal_share_takes_turns_when_it_is_too_little_for_all(fleet: Fleet) -> None:
    guests = [Guest(row, one, 3, 11.0, 4.2) for row, one in enumerate(fleet.sessions[:3])]
    groups = [GroupHeadroom(("0", "1", "2"), 5.0)]
    served = [
        {row for row, kw in POLICIES[Baseline.EQUAL_SHARE].divide(guests, groups, turn).items() if kw > 0.0}
        for turn in range(3)
    ]
    assert served == [{"0"}, {"1"}, {"2"}]
