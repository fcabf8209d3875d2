"""One station's connection without I/O: frames in, events out, and the queue of our calls.

One call of ours is outstanding at a time; the next leaves when it is answered, given up or cancelled. Calls
wait by priority, then in order. An answer is matched to the outstanding call by its id alone, so that a late
one never settles another call. Whoever does the I/O acts on the events and tells when a deadline has passed.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from csms.gateway.counters import Counters, ErrorKind
from csms.ocpp.frames import (
    MAX_FRAME_BYTES,
    Call,
    CallError,
    CallResult,
    CallResultError,
    FrameError,
    Send,
    decode_frame,
    encode_call,
)
from csms.ocpp.vocabulary import OcppVersion, Offline, Payload, Priority, TimedOut
from grid.errors import WijkstroomError

# Calls that may wait for one station; reductions for safety may wait beyond that.
QUEUE_BOUND = 256

_RANKS = {Priority.SAFETY: 0, Priority.CONTROL: 1, Priority.OPERATOR: 2}

CallEnd = CallResult | CallError | TimedOut | Offline


class QueueFullError(WijkstroomError):
    """Too many calls wait for this station."""


@dataclass(slots=True, order=True)
class Ticket:
    """One call of ours, from the queue to its end.

    Parameters
    ----------
    rank, order
        Its place in the queue: lower first.
    id
        Message id on the wire.
    action
        What is asked: an answer is checked against its schema.
    text
        The encoded frame.
    """

    rank: int
    order: int
    id: str = field(compare=False)
    action: str = field(compare=False)
    text: str = field(compare=False)
    done: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """The station asks or tells something."""

    request: Call | Send


@dataclass(frozen=True, slots=True)
class Settled:
    """A call of ours has ended."""

    ticket: Ticket
    end: CallEnd


@dataclass(frozen=True, slots=True)
class Malformed:
    """The station sent something that is no message; the reaction follows as events of its own."""

    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this code."""

    code: int
    reason: str


Event = Transmit | Received | Settled | Malformed | Close


class Connection:
    """The protocol state of one connection.

    Parameters
    ----------
    version
        Its subprotocol.
    counters
        Where messages and errors are counted.
    new_id
        Makes message ids: unique and at most 36 characters.
    max_bytes
        Longest frame that is looked at.
    """

    def __init__(
        self,
        version: OcppVersion,
        counters: Counters,
        new_id: Callable[[], str],
        *,
        max_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._version = version
        self._counters = counters
        self._new_id = new_id
        self._max_bytes = max_bytes
        self._queue: list[Ticket] = []
        self._order = itertools.count()
        self._waiting = 0
        self._outstanding: Ticket | None = None
        self._closed = False
        self._ignoring = False

    @property
    def outstanding(self) -> Ticket | None:
        """The call that waits for its answer."""
        return self._outstanding

    @property
    def waiting(self) -> int:
        """How many calls wait in the queue."""
        return self._waiting

    def receive(self, data: str | bytes) -> list[Event]:
        """Take one message from the station; never raises."""
        self._counters.messages_in += 1
        if self._ignoring:
            return []
        try:
            if isinstance(data, bytes):
                raise FrameError("OCPP is spoken in text messages", close_code=1003)  # noqa: TRY301
            frame = decode_frame(data, self._version, max_bytes=self._max_bytes)
        except FrameError as error:
            return self._refuse(error)
        match frame:
            case Call() | Send():
                return [Received(frame)]
            case CallResultError():
                self._counters.errors[ErrorKind.CALL_ERROR_RECEIVED] += 1
                return []
            case CallResult() | CallError():
                return self._settle_answer(frame)

    def call(self, action: str, payload: Payload, priority: Priority) -> tuple[Ticket, list[Event]]:
        """Queue a call; the events send it if the line is free.

        Raises
        ------
        QueueFullError
            When too many wait already.
        """
        if self._waiting >= QUEUE_BOUND and priority is not Priority.SAFETY:
            raise QueueFullError(f"{self._waiting} calls wait for this station: try again later")
        message_id = self._new_id()
        text = encode_call(message_id, action, payload)
        ticket = Ticket(_RANKS[priority], next(self._order), message_id, action, text)
        if self._closed:
            ticket.done = True
            return ticket, [Settled(ticket, Offline())]
        heapq.heappush(self._queue, ticket)
        self._waiting += 1
        return ticket, self._send_next()

    def give_up(self, ticket: Ticket, after_s: float) -> list[Event]:
        """End a call whose deadline has passed, sent or not."""
        if ticket.done:
            return []
        self._counters.errors[ErrorKind.TIMEOUT] += 1
        return self._settle(ticket, TimedOut(after_s))

    def cancel(self, ticket: Ticket) -> list[Event]:
        """Forget a call that nobody waits for any more; a late answer finds nothing."""
        return [] if ticket.done else [event for event in self._settle(ticket, Offline()) if not _ends(event)]

    def ignore(self) -> None:
        """Take nothing more from the station: the connection is about to be closed."""
        self._ignoring = True

    def close(self) -> list[Event]:
        """Learn that the connection is gone: every call ends, nothing is taken any more."""
        self._closed = self._ignoring = True
        tickets = [*sorted(self._queue)]
        if self._outstanding is not None:
            tickets.insert(0, self._outstanding)
        tickets = [ticket for ticket in tickets if not ticket.done]
        self._queue.clear()
        self._waiting = 0
        self._outstanding = None
        for ticket in tickets:
            ticket.done = True
        return [Settled(ticket, Offline()) for ticket in tickets]

    def _refuse(self, error: FrameError) -> list[Event]:
        self._counters.errors[ErrorKind.MALFORMED] += 1
        events: list[Event] = [Malformed(error.reason)]
        if error.reply is not None:
            self._counters.errors[ErrorKind.CALL_ERROR_SENT] += 1
            events.append(Transmit(error.reply))
        if error.close_code is not None:
            self.ignore()
            events.append(Close(error.close_code, error.reason))
        return events

    def _settle_answer(self, answer: CallResult | CallError) -> list[Event]:
        ticket = self._outstanding
        if isinstance(answer, CallError):
            self._counters.errors[ErrorKind.CALL_ERROR_RECEIVED] += 1
        if ticket is None or ticket.id != answer.id:
            self._counters.errors[ErrorKind.UNSOLICITED] += 1
            return []
        return self._settle(ticket, answer)

    def _settle(self, ticket: Ticket, end: CallEnd) -> list[Event]:
        ticket.done = True
        if ticket is self._outstanding:
            self._outstanding = None
        else:
            self._waiting -= 1
            self._drop_dead_entries()
        return [Settled(ticket, end), *self._send_next()]

    def _drop_dead_entries(self) -> None:
        """Keep the heap in proportion to what waits in it: given-up calls stay in it until they come up."""
        if len(self._queue) > 2 * self._waiting + QUEUE_BOUND:
            self._queue = [ticket for ticket in self._queue if not ticket.done]
            heapq.heapify(self._queue)

    def _send_next(self) -> list[Event]:
        while self._outstanding is None and self._queue:
            ticket = heapq.heappop(self._queue)
            if ticket.done:
                continue
            self._waiting -= 1
            self._outstanding = ticket
            return [Transmit(ticket.text)]
        return []


def _ends(event: Event) -> bool:
    return isinstance(event, Settled)
