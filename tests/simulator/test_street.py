"""A street of three stations for hours of simulated time, over pairs in memory and in virtual time."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest

from grid.clock import ScaledClock
from grid.errors import DocumentError
from simulator.baselines import UncontrolledCharging
from simulator.client.transport import MemoryTransport, Transport, TransportClosedError, memory_pair
from simulator.fleet.sessions import Fleet, InformationClass, Session
from simulator.invariants import BrokenPhysicsError
from simulator.noise import Uncontrolled
from simulator.replay import Replay
from simulator.result import RunRecord, SessionOutcome
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.street import PluggedIn, SimulatedStreet, StreetHooks
from simulator.vehicle.charging import BatteryState
from simulator.vehicle.model import VehicleModel
from simulator.vehicle.socket import NoRecorder, Socket
from simulator.world import StreetSetup, World
from wijkstroom.street import Street

START = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
HOURS = 3
CAR = VehicleModel(
    name="Test car",
    capacity_kwh=50.0,
    phases=3,
    max_current_a=16.0,
    transition_soc_fraction=0.8,
    loss_fixed_kw=0.2,
    loss_fraction=0.06,
    reports_soc=True,
)
STATIONS = tuple(
    StationSetup(f"S-{index}", f"pole-{index + 1:02d}", protocol, (EvseSetup(1), EvseSetup(2, "STR")))
    for index, protocol in enumerate(Protocol)
)


class AcceptAll:
    """A central system that says yes and asks for nothing; over ends in memory."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.open = True
        self.ends: list[MemoryTransport] = []

    async def connect(self, setup: StationSetup) -> Transport:
        if not self.open:
            raise TransportClosedError("nobody there")
        ours, theirs = memory_pair()
        self.ends.append(theirs)
        self.tasks.append(asyncio.ensure_future(self._serve(setup, theirs)))
        return ours

    async def _serve(self, setup: StationSetup, end: MemoryTransport) -> None:
        while True:
            kind, message_id, *rest = orjson.loads(await end.recv())
            if kind == 2:
                action, payload = rest
                self.seen.append((setup.id, action, payload))
                answer = self._answer(setup.protocol, action)
                await end.send(orjson.dumps([3, message_id, answer]).decode())

    def _answer(self, protocol: Protocol, action: str) -> dict[str, Any]:
        match action:
            case "BootNotification":
                return {"currentTime": "2024-06-11T04:00:00Z", "interval": 900, "status": "Accepted"}
            case "Heartbeat":
                return {"currentTime": "2024-06-11T04:00:00Z"}
            case "StartTransaction":
                return {"transactionId": len(self.seen), "idTagInfo": {"status": "Accepted"}}
            case "Authorize":
                info = "idTagInfo" if protocol is Protocol.V16 else "idTokenInfo"
                return {info: {"status": "Accepted"}}
            case "NotifyEVChargingNeeds":
                return {"status": "Accepted"}
        return {}

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def _session(index: int, station: int, evse: int, arrival_min: float, stay_min: float) -> Session:
    arrival = START + timedelta(minutes=arrival_min)
    return Session(
        id=f"session-{index}",
        station_id=f"S-{station}",
        evse_id=evse,
        token=f"TAG-{index}",
        vehicle="car",
        arrival=arrival,
        departure=arrival + timedelta(minutes=stay_min),
        information=InformationClass.CAR if station else InformationClass.NONE,
        start_energy_kwh=10.0 + index,
        target_energy_kwh=30.0,
        limit_fraction=1.0,
    )


SESSIONS = (
    _session(0, 0, 1, 2, 100),
    _session(1, 0, 2, 5, 30),
    _session(2, 1, 1, 10, 90),
    _session(3, 2, 1, 12, 400),
    _session(4, 2, 2, 12.5, 60),
    _session(5, 0, 2, 35, 50),
)


@pytest.fixture
def setup(street: Street) -> StreetSetup:
    fleet = Fleet(START, SESSIONS, (), {"car": CAR}, 0)
    seconds = HOURS * 3600
    base_kw = np.full(seconds, 40.0, dtype=np.float32)
    uncontrolled = Uncontrolled(START, base_kw, np.zeros(seconds, dtype=np.float32))
    return StreetSetup(street.grid, STATIONS, fleet, uncontrolled)


def _uncontrolled(setup: StreetSetup) -> RunRecord:
    return Replay(setup, UncontrolledCharging()).run()


def test_a_stay_that_cannot_be_ends_the_run(setup: StreetSetup) -> None:
    world, socket = World(setup), Socket(0, NoRecorder())
    socket.plug_in(CAR, BatteryState(10.0), 0)
    world.note_arrival(SESSIONS[0], socket, 0)
    socket.unplug(600)
    with pytest.raises(BrokenPhysicsError, match=r"session-0: .* were lost"):
        world.note_departure(world.row_of(SESSIONS[0]), BatteryState(12.0), 600)


async def test_street_over_the_wire_does_as_the_replay_does(setup: StreetSetup) -> None:
    """Without any profile a station offers all it has; so does this policy. The same physics, the same result."""
    central, plugged, left = AcceptAll(), list[PluggedIn](), list[SessionOutcome]()
    clock = ScaledClock(START, math.inf)
    hooks = StreetHooks(plugged.append, left.append)
    street = SimulatedStreet(setup, clock, central.connect, hooks=hooks, p1_host=None)
    async with clock.running(), street:
        result = await street.run_to_end()
    await central.close()
    virtual = {one.session_id: one for one in _uncontrolled(setup).outcomes}
    assert street.counters.errors == 0, street.counters.faults
    assert {one.session_id for one in result.outcomes} == set(virtual) == {one.id for one in SESSIONS}
    for wired in result.outcomes:
        assert wired.import_kwh == pytest.approx(virtual[wired.session_id].import_kwh, abs=0.02)
        assert wired.ended == virtual[wired.session_id].ended
    assert [one.session.id for one in plugged] == [one.id for one in SESSIONS]
    assert {one.session_id for one in left} == {one.id for one in SESSIONS if one.id != "session-3"}


async def test_registers_on_the_wire_are_those_of_the_truth(setup: StreetSetup) -> None:
    central = AcceptAll()
    clock = ScaledClock(START, math.inf)
    street = SimulatedStreet(setup, clock, central.connect, p1_host=None)
    async with clock.running(), street:
        result = await street.run_to_end()
    await central.close()
    (stop,) = [
        payload
        for station, action, payload in central.seen
        if action == "StopTransaction" and payload["idTag"] == "TAG-0"
    ]
    (start,) = [
        payload
        for station, action, payload in central.seen
        if action == "StartTransaction" and payload["idTag"] == "TAG-0"
    ]
    (outcome,) = [one for one in result.outcomes if one.session_id == "session-0"]
    assert stop["meterStop"] - start["meterStart"] == round(outcome.import_kwh * 1000.0)


async def test_outage_loses_no_transaction_message(setup: StreetSetup) -> None:
    central = AcceptAll()
    clock = ScaledClock(START, math.inf)
    street = SimulatedStreet(setup, clock, central.connect, p1_host=None)
    async with clock.running(), street:
        await clock.sleep_until(START + timedelta(minutes=20))
        central.open = False
        for end in central.ends:
            await end.close()
        await clock.sleep_until(START + timedelta(minutes=80))
        central.open = True
        await street.run_to_end()
    await central.close()
    assert street.counters.errors == 0, street.counters.faults
    for station in ("S-1", "S-2"):
        events = [one for who, action, one in central.seen if action == "TransactionEvent" and who == station]
        by_transaction: dict[str, list[int]] = {}
        for event in events:
            by_transaction.setdefault(event["transactionInfo"]["transactionId"], []).append(event["seqNo"])
        assert all(numbers == list(range(len(numbers))) for numbers in by_transaction.values())
        assert any(event["offline"] for event in events)
    starts = [one for who, action, one in central.seen if action == "StartTransaction"]
    stops = [one for who, action, one in central.seen if action == "StopTransaction"]
    assert {one["idTag"] for one in starts} == {one["idTag"] for one in stops} == {"TAG-0", "TAG-1", "TAG-5"}


def test_overlapping_sessions_are_refused_by_name(setup: StreetSetup) -> None:
    fleet = replace(setup.fleet, sessions=(*SESSIONS, _session(9, 1, 1, 50, 10)))
    with pytest.raises(DocumentError, match="session-9 comes before session-2 has left"):
        replace(setup, fleet=fleet)
