"""Crowds of stations: the same code in virtual time, faults by the dozen, and physics that always holds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.clock import ScaledClock
from grid.errors import DocumentError
from simulator.accept_all import AcceptAll
from simulator.crowd import Crowd, CrowdSetup, NoSuchSocketError
from simulator.faults.scenario import NO_SCENARIO, FaultKind, Scenario, load_scenario
from simulator.fleet.file import FleetPlan, load_fleet
from simulator.fleet.groups import FleetDraw, compress
from simulator.invariants import Stay, check_stay
from simulator.meter.register import Registers
from simulator.station.evse import PlugIn
from simulator.vehicle.charging import BatteryState, Offer
from simulator.vehicle.model import VehicleModel, load_vehicle
from simulator.vehicle.socket import NoRecorder, Socket
from wijkstroom.resources import configs_directory, resolver
from wijkstroom.simulate_fleet import FleetOptions, build_crowd_setup, build_report, compose_report

CONFIGS = configs_directory()
NOW = datetime(2024, 6, 11, 15, 30, tzinfo=UTC)
DAYS = [date(2024, 6, 10), date(2024, 6, 11)]


def load(stations: int, name: str = "utrecht.toml") -> FleetPlan:
    path = CONFIGS / "fleets" / name
    return load_fleet(path, resolver(path.parent), stations)


@pytest.fixture(scope="module")
def plan() -> FleetPlan:
    return load(24)


def build(plan: FleetPlan, scenario: Scenario, hours: float, seed: int = 1) -> CrowdSetup:
    options = FleetOptions(Path("x"), "ws://x", hours=hours, seed=seed)
    return replace(build_crowd_setup(plan, scenario, options, NOW), meter_interval_s=900)


def make_crowd(setup: CrowdSetup, clock: ScaledClock) -> Crowd:
    return Crowd(setup, clock, AcceptAll(clock.now).connect)


async def run(setup: CrowdSetup, hours: float) -> tuple[dict[str, Any], AcceptAll]:
    async with ScaledClock(NOW, float("inf")).running() as clock:
        central = AcceptAll(clock.now)
        async with Crowd(setup, clock, central.connect) as crowd:
            await crowd.wait_until(NOW + timedelta(hours=hours))
            return build_report(crowd), central


async def test_a_day_of_24_stations_in_virtual_time(plan: FleetPlan) -> None:
    report, central = await run(build(plan, NO_SCENARIO, 24.0), 24.0)
    assert report["online"] == 24
    assert report["sessions"]["begun"] > 15
    assert report["import_kwh"] > 100.0
    # Sockets that wait take 10 W, those with a car 25 W.
    hours = 24.0 * sum(len(one.evses) for one in plan.stations)
    assert 0.010 * hours < report["standby_kwh"] < 0.025 * hours
    assert report["wishes"]["booking"] > 0
    assert report["violations"] == []
    assert report["waiting"] == 0
    assert report["first_errors"] == {}
    assert central.counts["MeterValues"] + central.counts["TransactionEvent"] > 500
    assert any("0 violated" in line for line in compose_report(report))


async def test_a_rough_day_loses_nothing_and_breaks_no_physics(plan: FleetPlan) -> None:
    scenario = load_scenario(CONFIGS / "scenarios" / "rough-day.toml")
    report, _ = await run(build(plan, scenario, 3.0), 3.0)
    assert len(report["faults"]) >= 8
    assert len(report["quirks"]) >= 2
    assert report["violations"] == []
    assert report["schema_failures"] == report["call_errors"] == 0, report["first_errors"]
    assert report["connections"] > 24


async def test_quirky_stations_are_what_they_say() -> None:
    plan = load(6, "quirky.toml")
    report, _ = await run(build(plan, NO_SCENARIO, 0.5), 0.5)
    assert len(report["quirks"]) >= 8
    assert report["first_errors"] == {}


async def test_what_a_hand_does(plan: FleetPlan) -> None:
    setup = replace(build(plan, NO_SCENARIO, 1.0), events=())
    setup = replace(setup, fleet=replace(setup.fleet, sessions=()))
    station = setup.stations[0].id
    car = next(iter(setup.fleet.models.values()))
    plug = PlugIn(car, BatteryState(0.3 * car.capacity_kwh), "HAND")
    async with ScaledClock(NOW, float("inf")).running() as clock, make_crowd(setup, clock) as crowd:
        await crowd.wait_online()
        crowd.plug(station, 1, plug)
        await clock.sleep(60)
        assert crowd.power_kw() > 3.0
        with pytest.raises(NoSuchSocketError, match="unplug it first"):
            crowd.plug(station, 1, plug)
        with pytest.raises(NoSuchSocketError, match="no socket 9"):
            crowd.tap(station, 9, "HAND")
        with pytest.raises(NoSuchSocketError, match="no car is plugged in"):
            crowd.unplug(station, 2)
        crowd.tap(station, 1, "HAND")
        await clock.sleep(60)
        assert crowd.power_kw() == 0.0
        await crowd.break_(FaultKind.CABLE_PULLED, station, 1, 0.0)
        assert crowd.cars == 0
        assert crowd.tally.violations == []


def test_any_number_of_workers_draws_the_same_fleet(plan: FleetPlan) -> None:
    whole = FleetDraw(plan, 7).sessions(plan.stations, DAYS)
    halves = [
        session
        for part in (plan.stations[:11], plan.stations[11:])
        for session in FleetDraw(plan, 7).sessions(part, DAYS)
    ]
    assert sorted(halves, key=lambda one: (one.arrival, one.id)) == whole
    assert FleetDraw(plan, 8).sessions(plan.stations, DAYS) != whole


def test_nobody_shares_a_socket_with_somebody_else(plan: FleetPlan) -> None:
    by_socket: dict[tuple[str, int], list[tuple[datetime, datetime]]] = {}
    for one in FleetDraw(plan, 3).sessions(plan.stations, DAYS):
        by_socket.setdefault((one.station_id, one.evse_id), []).append((one.arrival, one.departure))
    for stays in by_socket.values():
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(stays))


def test_a_fleet_of_any_size_keeps_its_proportions() -> None:
    for count in (1, 7, 24, 1000, 5000):
        assert len(load(count).stations) == count
    assert len({station.id for station in load(5000).stations}) == 5000


def test_a_faster_day_is_shorter_and_begins_with_who_is_there(plan: FleetPlan) -> None:
    drawn = FleetDraw(plan, 1).sessions(plan.stations, DAYS)
    fast = compress(drawn, NOW, NOW, 60.0)
    kept = {one.id: one for one in fast}
    for one in drawn:
        if one.departure <= NOW:
            assert one.id not in kept
        elif one.arrival > NOW:
            stay = kept[one.id].departure - kept[one.id].arrival
            assert stay.total_seconds() == pytest.approx((one.departure - one.arrival).total_seconds() / 60.0)
        else:
            assert kept[one.id].arrival == NOW


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ('place = "shared"\nvehicle = "vehicles/renault-5.toml"', "bookings"),
        ('place = "public"\nvehicle = "vehicles/renault-5.toml"', "add or remove it"),
        ('place = "moon"', "place"),
        (
            'place = "public"\n[[stations]]\nprefix = "A-"\ncount = 1\nfile = "x"\nplace = "home"',
            "same prefix",
        ),
    ],
)
def test_mistakes_of_a_fleet_file_are_refused(tmp_path: Path, changed: str, said: str) -> None:
    path = tmp_path / "fleet.toml"
    head = (
        '[fleet]\nname = "x"\n[[stations]]\nprefix = "A-"\ncount = 1\nfile = "stations/public-duo-16.toml"\n'
    )
    path.write_text(head + changed)
    with pytest.raises(DocumentError, match=said):
        load_fleet(path, resolver(tmp_path))


@settings(max_examples=60, deadline=None)
@given(
    soc=st.floats(0.0, 1.0),
    offers=st.lists(
        st.tuples(
            st.integers(1, 4000),
            st.floats(0.0, 32.0),
            st.none() | st.floats(-12.0, 12.0),
            st.none() | st.sampled_from([1, 3]),
        ),
        max_size=8,
    ),
    ramp=st.sampled_from([0.0, 0.5, 4.0]),
    step=st.sampled_from([0.0, 1.0]),
)
def test_whatever_is_offered_physics_holds(
    soc: float,
    offers: list[tuple[int, float, float | None, int | None]],
    ramp: float,
    step: float,
) -> None:
    zoe = load_vehicle(CONFIGS / "vehicles" / "renault-zoe-v2g.toml")
    model = zoe.model_copy(update={"ramp_a_per_s": ramp, "step_a": step})
    socket = Socket(0, NoRecorder(), bidirectional=True)
    socket.plug_in(model, BatteryState(soc * model.capacity_kwh), 0)
    stay = Stay(model, soc * model.capacity_kwh, socket.registers(0), 0)
    second, read = 0, Registers()
    for wait_s, current_a, setpoint_kw, phases in offers:
        socket.offer([(second, Offer(current_a, setpoint_kw, phases))], second)
        second += wait_s
        later = socket.registers(second)
        assert later.import_kwh >= read.import_kwh
        assert later.export_kwh >= read.export_kwh
        read = later
    battery = socket.battery(second)
    assert battery is not None
    assert list(check_stay(stay, battery.energy_kwh, read, second)) == []


def make_stay() -> tuple[Stay, VehicleModel]:
    model = load_vehicle(CONFIGS / "vehicles" / "tesla-model-3.toml")
    return Stay(model, 20.0, Registers(), 0), model


@pytest.mark.parametrize(
    ("energy_kwh", "registers", "said"),
    [
        (25.0, Registers(4.0), "were lost"),
        (20.0, Registers(8.0), "were lost"),
        (58.0, Registers(40.0), "the battery holds"),
        (20.0, Registers(-1.0), "a register fell"),
        (38.0, Registers(20.0), "at full power"),
        (19.0, Registers(0.0, 0.95), "back in"),
    ],
)
def test_what_contradicts_physics_is_found(energy_kwh: float, registers: Registers, said: str) -> None:
    stay, _ = make_stay()
    problems = list(check_stay(stay, energy_kwh, registers, 3600))
    assert any(said in problem for problem in problems), problems


def test_an_ordinary_hour_contradicts_nothing() -> None:
    stay, model = make_stay()
    stored = model.battery_power_kw(10.0)
    assert list(check_stay(stay, 20.0 + stored, Registers(10.0), 3600)) == []
    assert np.isfinite(stored)
