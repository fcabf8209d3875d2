"""Thousands of stations in one process on one core, against a bare central system in another process."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
from wijkstroom.simulate_fleet import FleetOptions, allow_files, build_crowd_setup

STATIONS, DRAWS, SEED = 5_000, 50_000, 1
# What is measured after every station is connected and every car that is there is plugged in [s].
SETTLE_S, MEASURED_S = 30.0, 60.0
# Everybody is given this long to connect [s of the wall].
CONNECT_S = 400.0
VIRTUAL_STATIONS, VIRTUAL_HOURS = 24, 24.0
CPU_TARGET, MB_TARGET, VIRTUAL_TARGET_S = 1.0, 2_000.0, 60.0
# An evening: most sockets in use.
EVENING = datetime(2025, 2, 11, 18, 0, tzinfo=UTC)


def measure() -> Sequence[Figure]:
    """Measure stations per core, a day in virtual time, and how the fleet compares with the data."""
    online, cpu, megabytes, rate, cars = uvloop.run(_measure_stations())
    virtual_s = asyncio.run(_measure_virtual_day())
    places = describe(DescribeOptions(DRAWS, 2025, SEED))["places"]
    said = (
        f"{STATIONS} stations of utrecht.toml, {cars} cars plugged in, {rate:.0f} messages/s over "
        f"websockets, at every station one meter value a minute, for {MEASURED_S:g} s of real time; "
        "central system in another process"
    )
    ks = f"ElaadNL's tables, worst of {len(Place)} places, {DRAWS} draws each after physical limits"
    worst = {name: max(place[name] for place in places) for name in ("ks_arrival", "ks_stay", "ks_energy")}
    day = f"{VIRTUAL_HOURS:g} h of {VIRTUAL_STATIONS} stations, every message, central system in memory"
    return [
        at_least("stations", online, "1", STATIONS, said),
        at_most("cpu_fraction", cpu, "1", CPU_TARGET, f"of one core; {said}"),
        at_most("mb", megabytes, "MB", MB_TARGET, f"resident at the end of the same run, beside {said}"),
        *(at_most(name, value, "1", KS_TARGET, ks) for name, value in worst.items()),
        at_most("virtual_day_s", virtual_s, "s", VIRTUAL_TARGET_S, day),
    ]


async def _measure_stations() -> tuple[int, float, float, float, int]:
    """Return stations online, CPU seconds per second, resident megabytes, messages per second, cars."""
    path = configs_directory() / "fleets" / "utrecht.toml"
    plan = load_fleet(path, resolver(path.parent), STATIONS)
    allow_files(STATIONS)
    options = FleetOptions(path, "", hours=1.0, seed=SEED)
    with _central() as port:
        now = datetime.now(UTC)
        drawn = build_crowd_setup(plan, NO_SCENARIO, options, EVENING)
        setup = _moved(drawn, now)
        async with Crowd(setup, SystemClock(), connect_websocket(f"ws://127.0.0.1:{port}")) as crowd:
            await asyncio.wait_for(crowd.wait_online(), CONNECT_S)
            await asyncio.sleep(SETTLE_S)
            _plug_in_everywhere(crowd)
            await asyncio.sleep(SETTLE_S)
            cpu_s, wall_s, messages = time.process_time(), time.monotonic(), crowd.counters.messages
            await asyncio.sleep(MEASURED_S)
            wall_s = time.monotonic() - wall_s
            cpu = (time.process_time() - cpu_s) / wall_s
            rate = (crowd.counters.messages - messages) / wall_s
            return crowd.online, cpu, _resident_megabytes(), rate, crowd.cars


def _plug_in_everywhere(crowd: Crowd) -> None:
    """Let a car stand at every station, so that every station has a meter value to say each minute."""
    model = next(iter(crowd.models().values()))
    for station_id, patient in crowd.patients.items():
        if all(evse.plug is None for evse in patient.client.firmware.evses.values()):
            crowd.plug(station_id, 1, PlugIn(model, BatteryState(0.3 * model.capacity_kwh), "BENCH"))


def _moved(setup: CrowdSetup, to: datetime) -> CrowdSetup:
    """Let a run that was drawn for another moment begin now, in whole minutes."""
    by = timedelta(minutes=math.floor((to - setup.start) / timedelta(minutes=1)))
    sessions = tuple(
        replace(one, arrival=one.arrival + by, departure=one.departure + by) for one in setup.fleet.sessions
    )
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


async def _measure_virtual_day() -> float:
    """Return how long a day of some stations takes when nothing waits for the wall [s]."""
    path = configs_directory() / "fleets" / "utrecht.toml"
    plan = load_fleet(path, resolver(path.parent), VIRTUAL_STATIONS)
    options = FleetOptions(path, "", hours=VIRTUAL_HOURS, seed=SEED)
    setup = build_crowd_setup(plan, NO_SCENARIO, options, EVENING)
    began = time.monotonic()
    async with ScaledClock(EVENING, float("inf")).running() as clock:
        central = AcceptAll(clock.now)
        async with Crowd(setup, clock, central.connect) as crowd:
            await crowd.wait_until(EVENING + timedelta(hours=VIRTUAL_HOURS))
            assert not crowd.tally.violations, crowd.tally.violations
    return time.monotonic() - began
