"""What a station's runner needs of its RPC layer, whatever version it speaks."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

import orjson
from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case
from ocpp.messages import MessageType

from grid.clock import Clock
from simulator.client.counters import WireCounters
from simulator.client.profiles import format_instant
from simulator.client.transport import Transport
from simulator.client.wire import Wire
from simulator.setup import StationSetup
from simulator.station.firmware import Firmware
from simulator.station.messages import Boot, Message, TransactionRecord, Trigger

CALL_TIMEOUT_S = 30.0
# The package logs every frame and every refused call with its traceback; the wire counts them.
logger = logging.getLogger("simulator.ocpp")
logger.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class BootResult:
    """Answer to a boot.

    Parameters
    ----------
    accepted
        Whether the station may go on.
    interval_s
        Between heartbeats, or until the next boot.
    """

    accepted: bool
    interval_s: int


@dataclass
class StationContext:
    """Everything that a station's RPC layer acts on.

    Parameters
    ----------
    setup, firmware, clock
        The station, and the time that it lives in.
    counters
        Of its wire.
    new_id
        Makes names of messages, at most 36 characters.
    on_reset
        Called when the central system asks for a reset.
    on_change
        Called when something that the station waits for may have moved.
    on_started
        Called when the central system knows of a transaction.
    call_timeout_s
        Deadline of a call on the wall [s].
    """

    setup: StationSetup
    firmware: Firmware
    clock: Clock
    counters: WireCounters
    new_id: Callable[[], str]
    on_reset: Callable[[], None]
    on_change: Callable[[], None]
    on_started: Callable[[TransactionRecord], None]
    call_timeout_s: float = CALL_TIMEOUT_S

    def now(self) -> datetime:
        """Return the station's time."""
        return self.clock.now()

    def write(self, at: datetime) -> str:
        """Write an instant as the station's clock has it."""
        return format_instant(self.firmware.write_instant(at))

    def instant_of(self, text: str) -> datetime:
        """Read an instant of the wire."""
        return datetime.fromisoformat(text)


@cache
def _spellings(kind: type) -> tuple[tuple[str, str], ...]:
    """Return field and name on the wire of everything that a call of the package may carry."""
    names = [field.name for field in fields(kind)]
    return tuple(zip(names, snake_to_camel_case(dict.fromkeys(names)), strict=True))


class Asking:
    """Sends calls as the package's `ChargePoint` does, without its deep copies of what is nested.

    That is written by this side and has the standard's names already.
    """

    async def _ask(self, payload: Any) -> Any:
        """Send a call and return its answer.

        Raises
        ------
        OCPPError
            When the answer is an error.
        TimeoutError
            When there is none in time.
        """
        rpc: Any = self
        kind: Any = type(payload)
        values = {name: getattr(payload, field) for field, name in _spellings(kind)}
        body = {name: value for name, value in values.items() if value is not None}
        message_id = str(rpc._unique_id_generator())  # noqa: SLF001 - the package's own
        async with rpc._call_lock:  # noqa: SLF001
            await rpc._send(orjson.dumps([2, message_id, kind.__name__, body]).decode())  # noqa: SLF001
            try:
                answer = await rpc._get_specific_response(message_id, rpc._response_timeout)  # noqa: SLF001
            except TimeoutError as error:
                message = f"waited {rpc._response_timeout:g} s for an answer to {kind.__name__}"  # noqa: SLF001
                raise TimeoutError(message) from error
        if answer.message_type_id == MessageType.CallError:
            raise answer.to_exception()
        answer_kind = getattr(rpc._call_result, kind.__name__)  # noqa: SLF001
        return answer_kind(**camel_to_snake_case(answer.payload))


class Endpoint(Protocol):
    """A connected RPC layer."""

    async def start(self) -> None:
        """Serve what comes in until the connection ends."""
        ...

    @abstractmethod
    async def boot(self, message: Boot) -> BootResult:
        """Announce the station."""
        ...

    @abstractmethod
    async def deliver(self, message: Message) -> None:
        """Say one message and act on its answer."""
        ...

    @abstractmethod
    async def announce(self) -> None:
        """Say the status of every connector."""
        ...


def prepare_wire(transport: Transport, context: StationContext, route_map: dict[str, Any]) -> Wire:
    """Put the checks between a transport and a `ChargePoint` with some routes."""
    return Wire(transport, context.setup.protocol, route_map.keys(), context.counters)


def start_remotely(context: StationContext, evse_id: int | None, token: str) -> int | None:
    """Begin a transaction on request; return on which EVSE, None when no car waits there."""
    for evse in context.firmware.evses.values():
        if evse.plug is not None and evse.record is None and evse_id in {None, evse.id}:
            now = context.now()
            context.firmware.authorized(evse.id, token, accepted=True, now=now, trigger=Trigger.REMOTE_START)
            context.on_change()
            return evse.id
    return None


def composite_window(context: StationContext, duration_s: int) -> tuple[datetime, int]:
    """Return the begin of a composite schedule, in whole seconds, and a length that a station can reckon."""
    now = context.now()
    begin = now - timedelta(microseconds=now.microsecond)
    return begin, min(max(duration_s, 1), 2 * 86_400)
