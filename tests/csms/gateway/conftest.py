"""A handler that records, a clock that counts holds, and stations in memory and on sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
import pytest

from csms.gateway.server import Gateway, Listener
from csms.gateway.transport import MemoryEnd, memory_pair
from csms.ocpp.vocabulary import (
    Answer,
    AuthorizationStatus,
    Authorize,
    AuthorizeAnswer,
    Boot,
    BootAnswer,
    ChargingNeeds,
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

NOW = datetime(2024, 6, 11, 6, tzinfo=UTC)


class CountingClock:
    """Stands still and counts the holds that are in force."""

    def __init__(self) -> None:
        self.holds: list[float] = []
        self.held = 0

    def now(self) -> datetime:
        return NOW

    async def sleep_until(self, when: datetime) -> None:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    @contextmanager
    def hold(self, allowance_s: float) -> Iterator[None]:
        self.holds.append(allowance_s)
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


class RecordingHandler:
    """Keeps what it is told; answers as a service would."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, StationRequest]] = []
        self.events: list[tuple[str, str]] = []
        self.passwords: list[tuple[str, bytes | None]] = []
        self.refuse: set[str] = set()
        self.on_request: Callable[[StationRequest], Any] | None = None

    async def authenticate(self, station_id: str, password: bytes | None) -> bool:
        self.passwords.append((station_id, password))
        return station_id not in self.refuse

    async def connected(self, station_id: str, version: OcppVersion) -> None:
        self.events.append(("connected", f"{station_id} {version}"))

    async def disconnected(self, station_id: str) -> None:
        self.events.append(("disconnected", station_id))

    async def handle(self, station_id: str, version: OcppVersion, request: StationRequest) -> Answer:
        if self.on_request is not None:
            answer = await self.on_request(request)
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        self.requests.append((station_id, request))
        return answer_to(request)


def answer_to(request: StationRequest) -> Answer:
    """Accept everything."""
    answer: Answer = EmptyAnswer()
    match request:
        case Boot():
            answer = BootAnswer(RegistrationStatus.ACCEPTED, NOW, 300)
        case Heartbeat():
            answer = HeartbeatAnswer(NOW)
        case Authorize():
            answer = AuthorizeAnswer(AuthorizationStatus.ACCEPTED, ("AC_BPT",))
        case TransactionReport():
            status = None if request.id_token is None else AuthorizationStatus.ACCEPTED
            answer = TransactionAnswer(request.transaction_id or "815", status)
        case ChargingNeeds():
            answer = NeedsAnswer("Accepted")
    return answer


class Wire(Protocol):
    async def recv(self) -> Any: ...
    async def send(self, text: Any) -> None: ...


async def ask(wire: Wire, action: str, payload: dict[str, Any], message_id: str = "1") -> list[Any]:
    """Send a request and return the next frame."""
    await wire.send(orjson.dumps([2, message_id, action, payload]).decode())
    return await hear(wire)


async def hear(wire: Wire) -> list[Any]:
    frame: list[Any] = orjson.loads(await asyncio.wait_for(wire.recv(), 5))
    return frame


@pytest.fixture
def handler() -> RecordingHandler:
    return RecordingHandler()


@pytest.fixture
def clock() -> CountingClock:
    return CountingClock()


@pytest.fixture
def gateway(handler: RecordingHandler, clock: CountingClock) -> Gateway:
    return Gateway(handler, clock, call_deadline_s=5.0)


@pytest.fixture
async def listener(gateway: Gateway) -> AsyncIterator[Listener]:
    async with gateway.listening("127.0.0.1", 0) as listener:
        yield listener


@pytest.fixture
async def station(gateway: Gateway) -> AsyncIterator[MemoryEnd]:
    """Return the station's end of a 1.6 connection in memory."""
    mine, theirs = memory_pair()
    task = asyncio.create_task(gateway.attach(theirs, "S1", OcppVersion.V16))
    await asyncio.sleep(0)
    yield mine
    await mine.close()
    await asyncio.wait_for(task, 5)
