"""What holds when: supersession, gaps, fallback, and what was known at the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.capacity.signals import (
    Block,
    CapacitySignal,
    SignalBook,
    SignalKind,
    SignalSource,
    SignalStatus,
    check_signal,
    take_signal,
)
from grid.errors import DocumentError
from grid.timegrid import QUARTER
from grid.topology import Connection, ConnectionKind, Direction, Node, NodeKind, Phase, Topology

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
EAN = "871694600000010017"
TREE = Topology(
    (Node("substation", NodeKind.SUBSTATION), Node("transformer", NodeKind.TRANSFORMER, "substation")),
    (Connection(id="pole", node="transformer", ean18=EAN, kind=ConnectionKind.PUBLIC_POLE, fuse="3x25A"),),
)
STARTS = tuple(NOW + number * QUARTER for number in range(16))


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def signal(
    name: str,
    *blocks: tuple[float, float, float],
    group: str = "transformer",
    kind: SignalKind = SignalKind.LIMIT,
    received: float = 0.0,
    direction: Direction = Direction.IMPORT,
    phase: Phase = Phase.ALL,
    sender: str = "Stedin",
    binding: bool = True,
) -> CapacitySignal:
    """Return a signal of (begin, end, limit), in hours from now."""
    return CapacitySignal(
        id=name,
        source=SignalSource.MANUAL,
        sender=sender,
        group=group,
        direction=direction,
        kind=kind,
        blocks=tuple(Block(hours(begin), hours(end), limit, phase) for begin, end, limit in blocks),
        received_at=hours(received),
        binding=binding,
    )


def limits(book: SignalBook, element: str = "transformer", known: float = 0.0) -> list[float]:
    values, _ = book.limit_kw(TREE, element, Direction.IMPORT, STARTS, hours(known))
    return [float(value) for value in values]


INF = float("inf")


def test_a_later_signal_supersedes_where_both_speak() -> None:
    book = SignalBook().with_signal(signal("a", (0, 2, 100.0))).with_signal(signal("b", (1, 3, 150.0)))
    assert limits(book) == [100.0] * 4 + [150.0] * 8 + [INF] * 4


def test_senders_do_not_supersede_each_other() -> None:
    book = SignalBook().with_signal(signal("a", (0, 2, 100.0)))
    book = book.with_signal(signal("a", (0, 4, 150.0), sender="city"))
    values, names = book.limit_kw(TREE, "transformer", Direction.IMPORT, STARTS, NOW)
    assert values.tolist() == [100.0] * 8 + [150.0] * 8
    assert names == ["Stedin signal a"] * 8 + ["city signal a"] * 8


def test_everything_above_binds_too_and_an_ean_is_a_group() -> None:
    book = SignalBook().with_signal(signal("top", (0, 1, 400.0), group="substation"))
    book = book.with_signal(signal("pole", (0, 1, 5.0), group=EAN))
    assert limits(book, "pole")[0] == 5.0
    assert limits(book, "transformer")[0] == 400.0


def test_what_came_later_was_not_known() -> None:
    book = SignalBook().with_signal(signal("a", (0, 4, 100.0)))
    book = book.with_signal(signal("b", (0, 4, 50.0), received=1.0))
    assert limits(book, known=0.5)[0] == 100.0
    assert limits(book, known=1.0)[0] == 50.0


def test_what_is_taken_back_counts_no_more_and_uncovers_the_earlier() -> None:
    book = SignalBook().with_signal(signal("a", (0, 4, 100.0))).with_signal(signal("b", (0, 4, 50.0)))
    book = book.without("Stedin", "b", hours(1))
    assert limits(book, known=0.5)[0] == 50.0
    assert limits(book, known=1.0)[0] == 100.0


def test_the_fallback_rules_only_while_its_sender_is_silent() -> None:
    book = SignalBook().with_signal(signal("f", (0, 4, 30.0), kind=SignalKind.FALLBACK))
    assert limits(book) == [INF] * 16
    book = book.heard("Stedin", offline_at=hours(1))
    assert limits(book, known=0.9)[0] == INF
    assert limits(book, known=1.0)[0] == 30.0
    assert limits(book.heard("Stedin", offline_at=hours(3)), known=1.0)[0] == INF


@pytest.mark.parametrize(
    "change", [{"kind": SignalKind.OPTIMUM}, {"binding": False}, {"direction": Direction.EXPORT}]
)
def test_what_does_not_bind_import_leaves_it(change: dict[str, object]) -> None:
    book = SignalBook().with_signal(signal("a", (0, 4, 30.0), **change))  # type: ignore[arg-type]
    assert limits(book) == [INF] * 16


def test_a_phase_bounds_a_balanced_load_at_three_times_its_value() -> None:
    assert limits(SignalBook().with_signal(signal("a", (0, 4, 30.0), phase=Phase.L2)))[0] == 90.0


def test_a_block_that_touches_a_quarter_holds_for_all_of_it() -> None:
    book = SignalBook().with_signal(signal("a", (0.1, 0.3, 30.0)))
    assert limits(book)[:3] == [30.0, 30.0, INF]


def test_a_repeated_signal_changes_nothing() -> None:
    book = SignalBook().with_signal(signal("a", (0, 4, 30.0)))
    assert book.with_signal(signal("a", (0, 4, 99.0))) is book


def test_the_life_of_a_signal() -> None:
    first, second = signal("a", (1, 2, 30.0)), signal("b", (0.5, 2.5, 30.0), received=1.0)
    book = SignalBook().with_signal(first)
    assert book.status(first, NOW) is SignalStatus.RECEIVED
    assert book.status(first, hours(1)) is SignalStatus.ACTIVE
    assert book.status(first, hours(2)) is SignalStatus.EXPIRED
    assert book.with_signal(second).status(first, hours(1)) is SignalStatus.SUPERSEDED
    (gone,) = book.without("Stedin", "a", hours(1)).signals
    assert book.status(gone, hours(1.5)) is SignalStatus.WITHDRAWN


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 16), st.floats(1.0, 500.0)), max_size=8))
def test_the_last_word_on_every_quarter_holds(spans: list[tuple[int, int, float]]) -> None:
    book, expected = SignalBook(), [INF] * 16
    for number, (begin, length, limit) in enumerate(spans):
        book = book.with_signal(signal(str(number), (begin / 4, (begin + length) / 4, limit)))
        for quarter in range(begin, min(begin + length, 16)):
            expected[quarter] = limit
    assert np.array_equal(limits(book), expected)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (signal("a", (0, 1, 5.0), group="moon"), "group"),
        (signal("a"), "blocks"),
        (signal("a", (1, 1, 5.0)), "blocks[0].end"),
        (signal("a", (-2, -1, 5.0)), "blocks[0].end"),
        (signal("a", (0, 1, -5.0)), "blocks[0].limit_kw"),
        (signal("a", (0, 1, float("nan"))), "blocks[0].limit_kw"),
        (signal("a", (0, 2, 5.0), (1, 3, 6.0)), "blocks[1].start"),
        (signal("a", (20000, 20001, 5.0)), "blocks[0].start"),
    ],
)
def test_a_signal_with_a_mistake_is_refused_whole(wrong: CapacitySignal, place: str) -> None:
    assert place in [problem.path for problem in check_signal(wrong, TREE, NOW)]
    book = SignalBook().with_signal(signal("before", (0, 4, 30.0)))
    with pytest.raises(DocumentError):
        take_signal(book, wrong, TREE, NOW, "upload")
    assert limits(book)[0] == 30.0
