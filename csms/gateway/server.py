"""The OCPP server: stations in, the vocabulary out, commands back."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import assert_never

from csms.gateway.complaints import Complaints
from csms.gateway.connection import CallEnd, Connection, QueueFullError
from csms.gateway.counters import Counters, ErrorKind
from csms.gateway.dispatch import Dispatcher, RequestHandler
from csms.gateway.journaled import JournaledEnd
from csms.gateway.session import Session
from csms.gateway.transport import MessageEnd
from csms.gateway.websocket import Listener, StationDoor
from csms.ocpp.codec import codec_of
from csms.ocpp.errors import CommandError, ErrorCode, RequestError
from csms.ocpp.frames import CallError, CallResult
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import Command, Failed, OcppVersion, Offline, Outcome, Priority, TimedOut
from csms.state.journal import Journal
from grid.clock import Clock

__all__ = ["Gateway", "Listener", "RequestHandler"]

logger = logging.getLogger(__name__)

CALL_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a station is reached."""

    version: OcppVersion
    session: Session


class Gateway:
    """Connects stations to a handler and commands to stations.

    Parameters
    ----------
    handler
        Who knows and records.
    clock
        The street's time; held while a call is in progress, either way.
    call_deadline_s
        Real seconds for a command's wait in the queue and its answer, unless the caller says otherwise.
    new_message_id
        Makes ids of our calls, at most 36 characters, never twice the same.
    journal
        Where every message is logged, if anywhere.
    """

    def __init__(
        self,
        handler: RequestHandler,
        clock: Clock,
        *,
        call_deadline_s: float = CALL_DEADLINE_S,
        new_message_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        journal: Journal | None = None,
    ) -> None:
        self.counters = Counters()
        self._handler = handler
        self._clock = clock
        self._call_deadline_s = call_deadline_s
        self._new_message_id = new_message_id
        self._journal = journal
        self._routes: dict[str, _Route] = {}

    @property
    def station_ids(self) -> frozenset[str]:
        """Stations that are connected."""
        return frozenset(self._routes)

    def version_of(self, station_id: str) -> OcppVersion | None:
        """Return what a connected station speaks, None when it is not connected."""
        route = self._routes.get(station_id)
        return None if route is None else route.version

    async def call(
        self,
        station_id: str,
        command: Command,
        *,
        priority: Priority = Priority.CONTROL,
        deadline_s: float | None = None,
    ) -> Outcome:
        """Tell a station to do something and wait for what it says.

        Parameters
        ----------
        station_id
            Whom.
        command
            What.
        priority
            Reductions for safety go before control, control before operators.
        deadline_s
            Real seconds, the wait in the queue included.
        """
        route = self._routes.get(station_id)
        if route is None:
            return Offline()
        try:
            action, payload = codec_of(route.version).encode_command(command)
            schemas_of(route.version).check_request(action, payload)
        except CommandError as error:
            return Failed(ErrorCode.NOT_SUPPORTED, f"not sent: {error}")
        except RequestError as error:
            return Failed(error.code, f"not sent: {error.description}")
        deadline_s = self._call_deadline_s if deadline_s is None else deadline_s
        try:
            end = await route.session.call(action, payload, priority, deadline_s)
        except QueueFullError as error:
            return Failed(ErrorCode.GENERIC_ERROR, f"not sent: {error}")
        return self._read_end(route.version, command, action, end)

    async def attach(self, end: MessageEnd, station_id: str, version: OcppVersion) -> None:
        """Serve an authenticated station over an end until it is closed.

        A connection that the station already has gives way. For stations in memory: run this as a task.
        """
        if self._journal is not None:
            end = JournaledEnd(end, self._journal, station_id, version)
        complaints = Complaints(station_id)
        connection = Connection(version, self.counters, self._new_message_id)
        dispatcher = Dispatcher(station_id, version, self._handler, self.counters, complaints)
        session = Session(end, connection, dispatcher, self._clock, self.counters, complaints)
        route, previous = _Route(version, session), self._routes.get(station_id)
        self._routes[station_id] = route
        if previous is not None:
            logger.info("station %s connects anew", station_id)
            await previous.session.give_way()
        try:
            await self._handler.connected(station_id, version)
            await session.run()
        except Exception:
            logger.exception("station %s: the connection failed", station_id)
            await end.close(1011, "internal error")
        finally:
            if self._routes.get(station_id) is route:
                del self._routes[station_id]
                await self._handler.disconnected(station_id)

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[Listener]:
        """Accept stations at ``ws://HOST:PORT/ocpp/{station_id}`` for the block; port 0 picks a free one."""
        door = StationDoor(self._handler.authenticate, self.attach, self.counters)
        async with door.open(host, port) as listener:
            yield listener

    def _read_end(self, version: OcppVersion, command: Command, action: str, end: CallEnd) -> Outcome:
        match end:
            case CallResult():
                return self._read_result(version, command, action, end)
            case CallError():
                return Failed(end.code, end.description)
            case TimedOut() | Offline():
                return end
            case _:
                assert_never(end)

    def _read_result(
        self, version: OcppVersion, command: Command, action: str, result: CallResult
    ) -> Outcome:
        try:
            schemas_of(version).check_answer(action, result.payload)
        except RequestError as error:
            self.counters.errors[ErrorKind.SCHEMA_FAILURE] += 1
            return Failed(error.code, f"the station's answer breaks its schema: {error.description}")
        return codec_of(version).decode_outcome(command, result.payload)
