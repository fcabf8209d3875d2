"""Thousands of stations in one process on one core, against a bare central system in another process."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from grid.clock import ScaledClock, SystemClock
from simulator.accept_all import AcceptAll
from simulator.client.transport import connect_websocket
from simulator.crowd import Crowd, CrowdSetup
from simulator.faults.scenario import NO_SCENARIO
from simulator.fleet.file import load_fleet
from simulator.fleet.joint import Place
from simulator.station.evse import PlugIn
from simulator.vehicle.charging import BatteryState
from wijkstroom.bench.frame import Figure, at_least, at_most
from wijkstroom.fleet import KS_TARGET, DescribeOptions, describe
from wijkstroom.resources import configs_directory, resolver
from wijkstroom.simulate_fleet import FleetOptions, allow_files, build_crowd_setup, spare_collector

DRAWS, SEED = 50_000, 1
MINUTE_S = 60.0
# Meters speak on the minute; a window begins when the last of them has long been heard [s after the minute].
QUIET_AT_S = 45.0
# How often it is looked whether everything has been said [s].
LOOK_S = 0.5
# A busy machine is given this long to connect everybody, and a call to be answered [s of the wall].
PATIENCE_S, CALL_PATIENCE_S = 1200.0, 240.0
# Until all is quiet before the window [s].
QUIET_PATIENCE_S = 300.0
VIRTUAL_STATIONS, VIRTUAL_HOURS = 24, 24.0
CPU_TARGET, MB_TARGET, VIRTUAL_TARGET_S = 1.0, 2_000.0, 60.0
# An evening: most sockets in use.
EVENING = datetime(2025, 2, 11, 18, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured.

    Parameters
    ----------
    stations
        How many.
    ramp_s
        Cars are plugged in over so long [s].
    measured_s
        Length of the window [s]; of whole minutes, so that every meter speaks as often as it should.
    """

    stations: int = 5_000
    ramp_s: float = 60.0
    measured_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it.

    Parameters
    ----------
    online, cars
        At the end of the window.
    cpu_fraction
        Processor seconds of this process per second.
    megabytes
        Resident at the end [MB].
    messages_per_s
        Calls and answers, either way [1/s].
    meter_values_per_minute
        Messages with meter values and news of transactions, of each station [1/min].
    backlog_s
        The longest time for which somebody had something to say [s].
    errors
        Everything that should not have happened since the begin.
    """

    online: int
    cars: int
    cpu_fraction: float
    megabytes: float
    messages_per_s: float
    meter_values_per_minute: float
    backlog_s: float
    errors: int


def measure() -> Sequence[Figure]:
    """Measure stations per core, a day in virtual time, and how the fleet compares with the data."""
    load = Load()
    found = uvloop.run(measure_stations(load))
    virtual_s, virtual_cpu_s = asyncio.run(_measure_virtual_day())
    places = describe(DescribeOptions(DRAWS, 2025, SEED))["places"]
    worst = {name: max(place[name] for place in places) for name in ("ks_arrival", "ks_stay", "ks_energy")}
    ks = f"ElaadNL's tables, worst of {len(Place)} places, {DRAWS} draws each after physical limits"
    day = f"{VIRTUAL_HOURS:g} h of {VIRTUAL_STATIONS} stations, every message, central system in memory"
    return [
        *compose_figures(load, found),
        *(at_most(name, value, "1", KS_TARGET, ks) for name, value in worst.items()),
        at_most("virtual_day_s", virtual_s, "s", VIRTUAL_TARGET_S, f"on the wall: {day}"),
        at_most("virtual_day_cpu_s", virtual_cpu_s, "s", VIRTUAL_TARGET_S, f"of the processor: {day}"),
    ]


def compose_figures(load: Load, found: Measured) -> list[Figure]:
    """Return the figures of stations on the wire, each with what was measured."""
    said = (
        f"{load.stations} stations of utrecht.toml, {found.cars} cars plugged in, one meter value a minute, "
        f"over websockets, for {load.measured_s:g} s of real time; central system in another process"
    )
    return [
        at_least("stations", found.online, "1", load.stations, said),
        at_most(
            "cpu_fraction", found.cpu_fraction, "1", CPU_TARGET, f"of one core, this process alone; {said}"
        ),
        at_most("mb", found.megabytes, "MB", MB_TARGET, f"resident at the end, this process alone; {said}"),
        at_least(
            "meter_values_per_minute", found.meter_values_per_minute, "1/min", 1.0, f"a station; {said}"
        ),
        at_most("backlog_s", found.backlog_s, "s", MINUTE_S, "all meters speak on the minute"),
        at_most("errors", found.errors, "1", 0.0, "CALLERRORs, schema failures, timeouts of the whole run"),
        Figure(
            "messages_per_s", round(found.messages_per_s, 1), "1/s", None, None, f"calls and answers; {said}"
        ),
    ]


async def measure_stations(load: Load) -> Measured:
    """Connect stations, let cars come, wait until all is quiet, and measure the time after that."""
    path = configs_directory() / "fleets" / "utrecht.toml"
    plan = load_fleet(path, resolver(path.parent), load.stations)
    allow_files(load.stations)
    drawn = build_crowd_setup(plan, NO_SCENARIO, FleetOptions(path, "", hours=1.0, seed=SEED), EVENING)
    with _central() as port:
        setup = replace(_moved(drawn, datetime.now(UTC)), call_timeout_s=CALL_PATIENCE_S)
        async with Crowd(setup, SystemClock(), connect_websocket(f"ws://127.0.0.1:{port}")) as crowd:
            await asyncio.wait_for(spare_collector(crowd), PATIENCE_S)
            await _plug_in_everywhere(crowd, load.ramp_s)
            await _wait_quiet(crowd)
            if load.measured_s >= MINUTE_S:
                await asyncio.sleep((QUIET_AT_S - time.time()) % MINUTE_S)
            return await _measure_window(crowd, load)


async def _measure_window(crowd: Crowd, load: Load) -> Measured:
    counters = crowd.counters
    meters, messages = _meter_messages(crowd), counters.messages
    cpu_s, began = time.process_time(), time.monotonic()
    backlog_s, quiet_at = 0.0, began
    while (left_s := began + load.measured_s - time.monotonic()) > 0.0:
        await asyncio.sleep(min(LOOK_S, left_s))
        if crowd.waiting:
            backlog_s = max(backlog_s, time.monotonic() - quiet_at)
        else:
            quiet_at = time.monotonic()
    wall_s = time.monotonic() - began
    return Measured(
        online=crowd.online,
        cars=crowd.cars,
        cpu_fraction=(time.process_time() - cpu_s) / wall_s,
        megabytes=_resident_megabytes(),
        messages_per_s=(counters.messages - messages) / wall_s,
        meter_values_per_minute=(_meter_messages(crowd) - meters) * MINUTE_S / wall_s / load.stations,
        backlog_s=backlog_s,
        errors=counters.errors,
    )


def _meter_messages(crowd: Crowd) -> int:
    return crowd.counters.sent["MeterValues"] + crowd.counters.sent["TransactionEvent"]


async def _plug_in_everywhere(crowd: Crowd, ramp_s: float) -> None:
    """Let a car stand at every station, one after the other, so that each has a meter value to say."""
    model = next(iter(crowd.models().values()))
    empty = [
        station_id
        for station_id, patient in crowd.patients.items()
        if all(evse.plug is None for evse in patient.client.firmware.evses.values())
    ]
    for station_id in empty:
        if crowd.patients[station_id].client.firmware.evses[1].plug is None:
            crowd.plug(station_id, 1, PlugIn(model, BatteryState(0.2 * model.capacity_kwh), "BENCH"))
        await asyncio.sleep(ramp_s / len(empty))


async def _wait_quiet(crowd: Crowd) -> None:
    """Wait until nobody has anything to say; not for ever: the backlog of the window then says why."""
    until = time.monotonic() + QUIET_PATIENCE_S
    while crowd.waiting and time.monotonic() < until:  # noqa: ASYNC110 - thousands of outboxes
        await asyncio.sleep(LOOK_S)


def _moved(setup: CrowdSetup, to: datetime) -> CrowdSetup:
    """Let a run that was drawn for another moment begin now, in whole minutes."""
    by = timedelta(minutes=math.floor((to - setup.start) / timedelta(minutes=1)))
    sessions = tuple(one.retimed(lambda instant: instant + by) for one in setup.fleet.sessions)
    fleet = replace(setup.fleet, start=setup.start + by, sessions=sessions)
    return replace(setup, start=setup.start + by, fleet=fleet)


def _resident_megabytes() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    return float("nan")


@contextmanager
def _central() -> Iterator[int]:
    """Run the bare central system in a process of its own; yield its port."""
    command = [sys.executable, "-m", "simulator.accept_all"]
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None, "piped above"
        assert process.stdin is not None, "as above"
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()


async def _measure_virtual_day() -> tuple[float, float]:
    """Return what a day of some stations takes when nothing waits: on the wall, of the processor [s]."""
    path = configs_directory() / "fleets" / "utrecht.toml"
    plan = load_fleet(path, resolver(path.parent), VIRTUAL_STATIONS)
    options = FleetOptions(path, "", hours=VIRTUAL_HOURS, seed=SEED)
    setup = build_crowd_setup(plan, NO_SCENARIO, options, EVENING)
    began, cpu_s = time.monotonic(), time.process_time()
    async with ScaledClock(EVENING, float("inf")).running() as clock:
        central = AcceptAll(clock.now)
        async with Crowd(setup, clock, central.connect) as crowd:
            await crowd.wait_until(EVENING + timedelta(hours=VIRTUAL_HOURS))
            assert not crowd.tally.violations, crowd.tally.violations
    return time.monotonic() - began, time.process_time() - cpu_s
