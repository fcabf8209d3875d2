"""A simulated fleet serves any central system, from any moment on."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from csms.gateway.server import Gateway
from csms.ocpp.vocabulary import (
    Answer,
    AuthorizationStatus,
    Authorize,
    AuthorizeAnswer,
    Boot,
    BootAnswer,
    EmptyAnswer,
    Heartbeat,
    HeartbeatAnswer,
    NeedsAnswer,
    OcppVersion,
    RegistrationStatus,
    StationRequest,
    TransactionAnswer,
    TransactionReport,
)
from grid.clock import ScaledClock
from simulator.street import SimulatedStreet
from wijkstroom.cli import app
from wijkstroom.scene import Scene, build_world, load_scene
from wijkstroom.simulate import cut_fleet, summarise

DAY = date(2024, 6, 11)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return load_scene(None, DAY, 12.0, 1)


def test_a_fleet_cut_at_noon_begins_with_the_cars_that_are_there(scene: Scene) -> None:
    noon, end = scene.start + timedelta(hours=6), scene.end
    cut = cut_fleet(scene.fleet, noon, end)
    before = {
        one.id for one in scene.fleet.sessions if one.arrival < noon < one.departure - timedelta(hours=1)
    }
    assert before
    assert before <= {one.id for one in cut.sessions}
    assert all(noon <= one.arrival < one.departure for one in cut.sessions)
    assert all(one.follows in {None, *(other.id for other in cut.sessions)} for one in cut.sessions)
    by_socket: dict[tuple[str, int], list[tuple[datetime, datetime]]] = {}
    for one in cut.sessions:
        by_socket.setdefault((one.station_id, one.evse_id), []).append((one.arrival, one.departure))
    assert all(
        left[1] <= right[0] for stays in by_socket.values() for left, right in itertools.pairwise(stays)
    )


def test_cutting_nothing_off_changes_nobody_who_comes_later(scene: Scene) -> None:
    cut = cut_fleet(scene.fleet, scene.start, scene.end)
    assert {one.id for one in cut.sessions} == {one.id for one in scene.fleet.sessions}


@pytest.mark.parametrize("address", ["127.0.0.1:9000", "http://127.0.0.1:9000/ocpp", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    result = CliRunner().invoke(app, ["simulate", address])
    assert result.exit_code == 2
    assert "ws://HOST:PORT/PATH" in result.stderr


def test_nobody_listens_and_the_report_says_so() -> None:
    arguments = ["simulate", "ws://127.0.0.1:9/ocpp", "--date", "2024-06-11", "--hours", "1"]
    result = CliRunner().invoke(app, [*arguments, "--speed", "900", "--stations", "1"])
    assert result.exit_code == 0, result.output
    assert "first connect" in result.output


class Accepting:
    """A central system that accepts everything and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._ids = itertools.count(1)

    async def authenticate(self, station_id: str, password: bytes | None) -> bool:
        return True

    async def connected(self, station_id: str, version: OcppVersion) -> None:
        self.asked["connected"] += 1

    async def disconnected(self, station_id: str) -> None:
        self.asked["disconnected"] += 1

    async def handle(self, station_id: str, version: OcppVersion, request: StationRequest) -> Answer:
        self.asked[type(request).__name__] += 1
        match request:
            case Boot():
                return BootAnswer(RegistrationStatus.ACCEPTED, datetime.now(UTC), 300)
            case Heartbeat():
                return HeartbeatAnswer(datetime.now(UTC))
            case Authorize():
                return AuthorizeAnswer(AuthorizationStatus.ACCEPTED)
            case TransactionReport():
                return TransactionAnswer(str(next(self._ids)), AuthorizationStatus.ACCEPTED)
            case _:
                return NeedsAnswer("Accepted") if "Needs" in type(request).__name__ else EmptyAnswer()


async def test_every_version_talks_to_a_foreign_central_system(scene: Scene) -> None:
    handler = Accepting()
    clock = ScaledClock(scene.start, 600.0)
    gateway = Gateway(handler, clock)
    with clock.hold(0.0):
        await boot_everybody(scene, clock, gateway, handler)


async def boot_everybody(scene: Scene, clock: ScaledClock, gateway: Gateway, handler: Accepting) -> None:
    async with gateway.listening("127.0.0.1", 0) as listener:
        url = f"ws://127.0.0.1:{listener.port}/ocpp"
        async with SimulatedStreet(build_world(scene), clock, url, p1_host=None) as simulated:
            await asyncio.wait_for(simulated.wait_online(), 60.0)
            lines = summarise(simulated.world.record(), simulated.counters)
    assert handler.asked["Boot"] == 24
    assert handler.asked["connected"] == 24
    assert simulated.counters.errors == 0, simulated.counters.faults
    assert "connections   24, 0 refused" in lines
