"""One station's connection at work: reads, serves requests in order, places our calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, assert_never

from csms.gateway.complaints import Complaints
from csms.gateway.connection import (
    CallEnd,
    Close,
    Connection,
    Event,
    Malformed,
    Received,
    Settled,
    Ticket,
    Transmit,
)
from csms.gateway.counters import Counters
from csms.gateway.dispatch import Dispatcher
from csms.gateway.transport import EndClosedError, MessageEnd
from csms.ocpp.frames import Call, Send
from csms.ocpp.vocabulary import Offline, Payload, Priority
from grid.clock import Clock

logger = logging.getLogger(__name__)

# Seconds of the street's time that may pass while a call is in progress, either way.
CALL_ALLOWANCE_S = 1.0
# Requests that a station may send ahead of our replies before we stop reading; the standard allows one.
MAX_BACKLOG = 64
# Real seconds that a newer connection waits for the last request of the older one to be served.
GIVE_WAY_S = 5.0


class Session:
    """Runs a connection over an end.

    Requests are served one after the other in the order of their arrival, beside the reading: a handler may
    call the station and wait, since results are read meanwhile. Our calls never keep the reader waiting.

    Parameters
    ----------
    end
        The pipe to the station.
    connection
        The protocol state.
    dispatcher
        Who answers requests.
    clock
        The street's time; held while a call is in progress.
    counters
        Where sent messages are counted.
    complaints
        Where unreadable frames are logged.
    """

    def __init__(
        self,
        end: MessageEnd,
        connection: Connection,
        dispatcher: Dispatcher,
        clock: Clock,
        counters: Counters,
        complaints: Complaints,
    ) -> None:
        self._end = end
        self._connection = connection
        self._dispatcher = dispatcher
        self._clock = clock
        self._counters = counters
        self._complaints = complaints
        self._requests: deque[tuple[Call | Send, datetime]] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._ends: dict[str, asyncio.Future[CallEnd]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._over = False

    async def run(self) -> None:
        """Read until the end is closed; return when everything received is served and no task is left."""
        self._open = not self._over
        try:
            while self._open:
                self._act(self._connection.receive(await self._end.recv()))
                if len(self._requests) >= MAX_BACKLOG:
                    self._room.clear()
                    await self._room.wait()
        except EndClosedError as error:
            logger.debug("closed: %s", error)
        finally:
            self._open = False
            self._act(self._connection.close())
            await self._close(1000, "")
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def give_way(self) -> None:
        """Stop at once for a newer connection: calls end, what was received is still served, then return.

        The closing handshake goes on by itself, since a station that came back rarely still listens on its
        old connection.
        """
        self._open, self._over = False, True
        self._act(self._connection.close())
        self._spawn(self._close(1000, "replaced by a newer connection"))
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=GIVE_WAY_S)

    async def call(self, action: str, payload: Payload, priority: Priority, deadline_s: float) -> CallEnd:
        """Call the station and wait for the end of the call.

        Parameters
        ----------
        action, payload
            In the station's words.
        priority
            Place in the queue.
        deadline_s
            Real seconds for waiting in the queue and for the answer.
        """
        if not self._open:
            return Offline()
        loop = asyncio.get_running_loop()
        with self._clock.hold(CALL_ALLOWANCE_S):
            ticket, events = self._connection.call(action, payload, priority)
            future: asyncio.Future[CallEnd] = loop.create_future()
            self._ends[ticket.id] = future
            timer = loop.call_later(deadline_s, self._give_up, ticket, deadline_s)
            try:
                self._act(events)
                return await future
            finally:
                timer.cancel()
                self._ends.pop(ticket.id, None)
                self._act(self._connection.cancel(ticket))

    def _give_up(self, ticket: Ticket, after_s: float) -> None:
        self._act(self._connection.give_up(ticket, after_s))

    def _act(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Received():
                    self._queue(event.request)
                case Settled():
                    future = self._ends.get(event.ticket.id)
                    if future is not None and not future.done():
                        future.set_result(event.end)
                case Transmit():
                    self._spawn(self._send(event.text))
                case Malformed():
                    self._complaints.add("frame refused: %.200r", event.reason)
                case Close():
                    self._open = False
                    self._spawn(self._close(event.code, event.reason))
                case _:
                    assert_never(event)

    def _queue(self, request: Call | Send) -> None:
        self._requests.append((request, self._clock.now()))
        if self._serving is None or self._serving.done():
            self._serving = self._spawn(self._serve())

    async def _serve(self) -> None:
        while self._requests:
            with self._clock.hold(CALL_ALLOWANCE_S):
                request, received_at = self._requests.popleft()
                self._room.set()
                reply = await self._dispatcher.serve(request, received_at)
                if reply.text is not None:
                    await self._send(reply.text)
            if reply.abandon:
                self._abandon()

    def _abandon(self) -> None:
        """Close without an answer: the station sends this and what came after it again, in order."""
        self._requests.clear()
        self._connection.ignore()
        self._act([Close(1011, "not recorded: send it again")])

    async def _send(self, text: str) -> None:
        try:
            await self._end.send(text)
        except EndClosedError:
            return  # the reader finds out by itself
        self._counters.messages_out += 1

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(EndClosedError):
            await self._end.close(code, reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
