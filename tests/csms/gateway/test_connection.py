"""The connection without I/O: one call outstanding, priorities, deadlines, late answers, disconnection."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from csms.gateway.connection import (
    QUEUE_BOUND,
    Close,
    Connection,
    Event,
    Malformed,
    QueueFullError,
    Received,
    Settled,
    Ticket,
    Transmit,
)
from csms.gateway.counters import Counters, ErrorKind
from csms.ocpp.frames import Call, CallError, CallResult, Send, encode_result
from csms.ocpp.vocabulary import OcppVersion, Offline, Priority, TimedOut


def make(version: OcppVersion = OcppVersion.V16) -> tuple[Connection, Counters]:
    counters, ids = Counters(), itertools.count()
    return Connection(version, counters, lambda: f"id{next(ids)}"), counters


def sent(events: list[Event]) -> list[Any]:
    return [orjson.loads(event.text) for event in events if isinstance(event, Transmit)]


def test_a_request_is_received() -> None:
    connection, counters = make()
    assert connection.receive('[2,"a","Heartbeat",{}]') == [Received(Call("a", "Heartbeat", {}))]
    assert counters.messages_in == 1


def test_a_message_without_an_answer_is_received() -> None:
    connection, _ = make(OcppVersion.V21)
    assert connection.receive('[6,"a","X",{}]') == [Received(Send("a", "X", {}))]


def test_a_call_leaves_at_once_and_is_settled_by_its_answer() -> None:
    connection, _ = make()
    ticket, events = connection.call("Reset", {"type": "Soft"}, Priority.CONTROL)
    assert sent(events) == [[2, ticket.id, "Reset", {"type": "Soft"}]]
    answer = CallResult(ticket.id, {"status": "Accepted"})
    assert connection.receive(encode_result(*answer)) == [Settled(ticket, answer)]
    assert connection.outstanding is None


def test_a_call_is_settled_by_an_error_too() -> None:
    connection, counters = make()
    ticket, _ = connection.call("Reset", {}, Priority.CONTROL)
    (event,) = connection.receive(f'[4,"{ticket.id}","OccurenceConstraintViolation","x",{{}}]')
    assert event == Settled(ticket, CallError(ticket.id, "OccurrenceConstraintViolation", "x", {}))
    assert counters.ocpp_errors == 1


def test_calls_wait_by_priority_then_order() -> None:
    connection, _ = make()
    first, _ = connection.call("A", {}, Priority.OPERATOR)
    for action, priority in [
        ("B", Priority.OPERATOR),
        ("C", Priority.CONTROL),
        ("D", Priority.SAFETY),
        ("E", Priority.CONTROL),
        ("F", Priority.SAFETY),
    ]:
        _, events = connection.call(action, {}, priority)
        assert events == []
    order, outstanding = [], first
    while connection.outstanding is not None:
        outstanding = connection.outstanding
        order.append(outstanding.action)
        connection.receive(encode_result(outstanding.id, {}))
    assert order == ["A", "D", "F", "C", "E", "B"]


def test_crossing_calls_do_not_disturb_each_other() -> None:
    """R15."""
    connection, _ = make()
    ticket, _ = connection.call("A", {}, Priority.CONTROL)
    assert connection.receive(f'[2,"{ticket.id}","Heartbeat",{{}}]') == [
        Received(Call(ticket.id, "Heartbeat", {}))
    ]
    assert connection.outstanding is ticket


def test_a_late_answer_never_matches_the_next_call() -> None:
    """R12."""
    connection, counters = make()
    first, _ = connection.call("A", {}, Priority.CONTROL)
    second, _ = connection.call("B", {}, Priority.CONTROL)
    events = connection.give_up(first, 30.0)
    assert events[0] == Settled(first, TimedOut(30.0))
    assert sent(events) == [[2, second.id, "B", {}]]
    assert connection.receive(encode_result(first.id, {})) == []
    assert connection.outstanding is second
    assert counters.errors[ErrorKind.UNSOLICITED] == 1
    assert counters.errors[ErrorKind.TIMEOUT] == 1


def test_a_call_may_be_given_up_before_it_is_sent() -> None:
    connection, _ = make()
    first, _ = connection.call("A", {}, Priority.CONTROL)
    second, _ = connection.call("B", {}, Priority.CONTROL)
    assert connection.give_up(second, 1.0) == [Settled(second, TimedOut(1.0))]
    assert connection.give_up(second, 1.0) == []
    assert connection.receive(encode_result(first.id, {})) == [Settled(first, CallResult(first.id, {}))]
    assert connection.outstanding is None


def test_a_cancelled_call_frees_the_line_silently() -> None:
    connection, _ = make()
    first, _ = connection.call("A", {}, Priority.CONTROL)
    second, _ = connection.call("B", {}, Priority.CONTROL)
    assert sent(connection.cancel(first)) == [[2, second.id, "B", {}]]
    assert connection.cancel(first) == []


def test_a_disconnection_ends_every_call() -> None:
    connection, _ = make()
    tickets = [connection.call("A", {}, Priority.CONTROL)[0] for _ in range(3)]
    assert connection.close() == [Settled(ticket, Offline()) for ticket in tickets]
    assert connection.close() == []
    ticket, events = connection.call("A", {}, Priority.CONTROL)
    assert events == [Settled(ticket, Offline())]
    assert connection.receive('[2,"a","Heartbeat",{}]') == []


def test_the_queue_is_bounded_but_not_for_safety() -> None:
    connection, _ = make()
    for _ in range(QUEUE_BOUND + 1):
        connection.call("A", {}, Priority.OPERATOR)
    with pytest.raises(QueueFullError):
        connection.call("A", {}, Priority.CONTROL)
    connection.call("A", {}, Priority.SAFETY)
    assert connection.waiting == QUEUE_BOUND + 1


def test_given_up_calls_leave_no_memory_behind() -> None:
    connection, _ = make()
    connection.call("A", {}, Priority.CONTROL)
    for _ in range(5000):
        ticket, _ = connection.call("B", {}, Priority.CONTROL)
        connection.give_up(ticket, 1.0)
    assert connection.waiting == 0
    assert len(connection._queue) <= 2 * QUEUE_BOUND


def test_unsolicited_results_are_counted_and_dropped() -> None:
    """R11."""
    connection, counters = make()
    for number in range(1000):
        assert connection.receive(encode_result(str(number), {})) == []
    assert counters.errors[ErrorKind.UNSOLICITED] == 1000
    assert counters.ocpp_errors == 0


def test_a_binary_frame_closes() -> None:
    """T17."""
    connection, _ = make()
    events = connection.receive(b'[2,"a","Heartbeat",{}]')
    assert [type(event) for event in events] == [Malformed, Close]
    assert isinstance(events[1], Close)
    assert events[1].code == 1003
    assert connection.receive('[2,"a","Heartbeat",{}]') == []


def test_a_broken_frame_is_answered_by_version() -> None:
    connection, counters = make(OcppVersion.V201)
    assert sent(connection.receive("x")) == [[4, "-1", "RpcFrameworkError", "", {}]]
    assert counters.errors[ErrorKind.MALFORMED] == 1
    connection, _ = make(OcppVersion.V16)
    assert sent(connection.receive("x")) == []


class CallQueue(RuleBasedStateMachine):
    """Whatever happens in whatever order: one outstanding at the most, each call settled exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.connection, _ = make()
        self.open: dict[str, Ticket] = {}
        self.on_the_line: list[str] = []

    def act(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Transmit):
                message_id = orjson.loads(event.text)[1]
                assert message_id in self.open
                self.on_the_line.append(message_id)
            elif isinstance(event, Settled):
                self.open.pop(event.ticket.id)

    @rule(priority=st.sampled_from(list(Priority)))
    def call(self, priority: Priority) -> None:
        ticket, events = self.connection.call("A", {}, priority)
        self.open[ticket.id] = ticket
        self.act(events)

    @rule()
    def answer(self) -> None:
        if self.connection.outstanding is not None:
            self.act(self.connection.receive(encode_result(self.connection.outstanding.id, {})))

    @rule(data=st.data())
    def answer_something_old(self, data: st.DataObject) -> None:
        if self.on_the_line:
            message_id = data.draw(st.sampled_from(self.on_the_line))
            was_open = message_id in self.open
            before = len(self.open)
            self.act(self.connection.receive(encode_result(message_id, {})))
            assert len(self.open) == before - was_open

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        if self.open:
            ticket = self.open[data.draw(st.sampled_from(sorted(self.open)))]
            self.act(self.connection.give_up(ticket, 1.0))
            assert ticket.id not in self.open

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.open:
            ticket = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
            self.act(self.connection.cancel(ticket))

    @invariant()
    def nothing_waits_without_reason(self) -> None:
        assert (self.connection.outstanding is None) == (not self.open)
        assert self.connection.waiting == max(len(self.open) - 1, 0)

    @invariant()
    def the_outstanding_call_ranks_first(self) -> None:
        assert len(set(self.on_the_line)) == len(self.on_the_line)


TestCallQueue = CallQueue.TestCase
TestCallQueue.settings = settings(max_examples=60, stateful_step_count=30)
