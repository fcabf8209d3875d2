"""Lost connections, silent central systems, refused messages: a station lives on and loses no transaction."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from grid.clock import ManualClock, settle
from simulator.client.station import StationClient
from simulator.client.transport import TransportClosedError, connect_websocket
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.build import build_firmware
from simulator.vehicle.model import VehicleModel

START = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_session_during_an_outage_is_told_afterwards(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    async with open_bench(protocol) as bench:
        bench.reachable = False
        await bench.cut()
        began = bench.clock.now()
        bench.plug_in(car)
        await bench.advance(900)
        bench.unplug()
        await bench.advance(60)
        bench.reachable = True
        await bench.advance(600)
        assert bench.station.online
        if protocol is Protocol.V16:
            (start,) = bench.central.of("StartTransaction")
            (stop,) = bench.central.of("StopTransaction")
            assert stop["transaction_id"] == 701
            assert stop["meter_stop"] - start["meter_start"] > 2_500
            assert len(bench.central.of("MeterValues")) == 3
            return
        events = bench.central.of("TransactionEvent")
        assert all(one["offline"] for one in events)
        assert [one["seq_no"] for one in events] == list(range(len(events)))
        assert events[0]["timestamp"] == began.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_a_station_waits_until_its_boot_is_accepted(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    async with open_bench(protocol) as bench:
        bench.boot_answers += ["Pending", "Rejected"]
        bench.station.reboot()
        await bench.advance(30)
        central = bench.central
        assert not bench.station.online
        bench.plug_in(car)
        await bench.advance(30)
        assert {action for action, _ in central.seen} == {"BootNotification"}
        await bench.advance(120)
        assert bench.station.online
        # Asked again every sixty seconds, as the answers said, and then everything is told.
        assert len(central.of("BootNotification")) == 3
        begun = "StartTransaction" if protocol is Protocol.V16 else "TransactionEvent"
        assert central.of("StatusNotification")
        assert central.of(begun)
        assert bench.counters.errors == 0, bench.counters.faults


async def test_card_that_nobody_answered_is_taken(open_bench: Any, car: VehicleModel) -> None:
    """The connection breaks between card and answer: the station decides, and charges."""
    async with open_bench(Protocol.V201) as bench:
        bench.central.route_message = _swallow
        bench.reachable = False
        bench.plug_in(car)
        await bench.quiet()
        assert bench.station.firmware.evses[1].record is None
        await bench.cut()
        assert bench.station.firmware.evses[1].record is not None


async def _swallow(text: str) -> None:
    del text


async def test_waits_between_attempts_grow_to_a_bound(open_bench: Any) -> None:
    async with open_bench(Protocol.V16) as bench:
        bench.reachable = False
        await bench.cut()
        attempts = []
        for _ in range(600):
            await bench.clock.advance(2)
            attempts.append(bench.counters.refusals)
        changes = [index for index, (a, b) in enumerate(itertools.pairwise(attempts)) if b > a]
        waits = [2 * (b - a) for a, b in itertools.pairwise(changes)]
        assert waits[0] < 15
        assert 60 <= max(waits) <= 182


async def test_silent_central_system_is_left_and_found_again(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V21, call_timeout_s=0.05) as bench:
        bench.central.route_message = _swallow
        bench.plug_in(car)
        async with asyncio.timeout(10):
            while bench.station.online:  # noqa: ASYNC110 - the deadline of a call is real time
                await asyncio.sleep(0.01)
        assert bench.counters.timeouts == 1
        await bench.advance(60)
        assert bench.station.online
        kinds = [one["event_type"] for one in bench.central.of("TransactionEvent")]
        assert kinds[0] == "Started"


async def test_refused_transaction_message_is_tried_three_times(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V16) as bench:
        asked = []

        def refuse(**payload: Any) -> None:
            asked.append(payload)
            raise RuntimeError("no room")

        bench.central.route_map["MeterValues"]["_on_action"] = refuse
        bench.plug_in(car)
        await bench.quiet()
        await bench.advance(310)
        assert len(asked) == 3
        assert bench.counters.call_errors == 3
        bench.unplug()
        await bench.quiet()
        assert len(bench.central.of("StopTransaction")) == 1


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_both_ways_of_metering_at_once(open_bench: Any, car: VehicleModel, protocol: Protocol) -> None:
    async with open_bench(protocol) as bench:
        bench.station.firmware.settings.sampled_s = 400
        await bench.advance(50)
        bench.plug_in(car)
        await bench.quiet()
        await bench.advance(1200)
        action = "MeterValues" if protocol is Protocol.V16 else "TransactionEvent"
        found = [
            (value["sampled_value"][0]["context"], value["timestamp"][11:19])
            for payload in bench.central.of(action)
            for value in payload.get("meter_value", [])
        ]
        assert [at for context, at in found if context == "Sample.Clock"] == [
            "04:05:00",
            "04:10:00",
            "04:15:00",
            "04:20:00",
        ]
        assert [at for context, at in found if context == "Sample.Periodic"] == [
            "04:07:30",
            "04:14:10",
            "04:20:50",
        ]


# --- real websockets ----------------------------------------------------------------------------------------


def _setup(protocol: Protocol, password: bytes | None = None) -> StationSetup:
    return StationSetup("CP 1/ä", "pole-1", protocol, (EvseSetup(1),), password=password)


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_websocket_carries_id_version_and_password(protocol: Protocol) -> None:
    seen: list[Request] = []

    async def welcome(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request)
        await socket.send("hello")
        assert await socket.recv() == "answer"

    every = [one.value for one in Protocol]
    async with serve(welcome, "127.0.0.1", 0, subprotocols=every) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        transport = await connect_websocket(f"ws://127.0.0.1:{port}/ocpp/")(_setup(protocol, b"\x00secret"))
        assert await transport.recv() == "hello"
        await transport.send("answer")
        with pytest.raises(TransportClosedError):
            await transport.recv()
    (request,) = seen
    assert request.path == "/ocpp/CP%201%2F%C3%A4"
    assert request.headers["Sec-WebSocket-Protocol"] == protocol.value
    kind, secret = request.headers["Authorization"].split()
    assert (kind, base64.b64decode(secret)) == ("Basic", "CP 1/ä:\x00secret".encode())


async def test_t03_no_common_version_is_no_connection() -> None:
    async def welcome(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(welcome, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportClosedError):
            await connect_websocket(f"ws://127.0.0.1:{port}")(_setup(Protocol.V16))


async def test_refused_handshake_and_closed_port_are_no_connection() -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(401, "no\n")

    async def welcome(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(welcome, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportClosedError):
            await connect_websocket(f"ws://127.0.0.1:{port}")(_setup(Protocol.V16))
    with pytest.raises(OSError, match="Connect"):
        await connect_websocket(f"ws://127.0.0.1:{port}")(_setup(Protocol.V16))


async def test_station_that_is_stopped_leaves_nothing_behind() -> None:
    """Stopped while it waits for its next attempt, it does not hold the clock or a task."""
    clock = ManualClock(START)
    setup = _setup(Protocol.V16)
    names = itertools.count()

    async def nobody(_: StationSetup) -> Any:
        raise TransportClosedError("nobody there")

    firmware = build_firmware(setup, START, lambda: str(next(names)))
    station = StationClient(setup, firmware, clock, nobody, lambda: "m", random.Random(1))
    before = asyncio.all_tasks()
    async with station.running():
        await settle()
        await clock.advance(timedelta(minutes=5).total_seconds())
        assert station.counters.refusals >= 4
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_connection_that_ends_in_its_handshake_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise ConnectionClosedError(None, None)

    monkeypatch.setattr("simulator.client.transport.connect", fail)
    setup = StationSetup("S-1", "pole", Protocol.V16, (EvseSetup(1),))
    with pytest.raises(TransportClosedError, match="S-1"):
        await connect_websocket("ws://127.0.0.1:1")(setup)
