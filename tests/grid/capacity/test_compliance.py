"""What was kept is judged by what was known then; what came late is told apart; nothing counts twice."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.capacity.compliance import (
    ComplianceReport,
    Rules,
    SignalHistory,
    Silence,
    Verdict,
    judge_quarters,
)
from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.timegrid import QUARTER, quarters_of_local_month
from grid.topology import Direction, Limit, LimitKind, LimitUnit, Node, NodeKind, Topology

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
STARTS = tuple(NOW + number * QUARTER for number in range(12))
PHYSICAL_KW = 200.0
THERMAL = Limit(
    value=PHYSICAL_KW,
    unit=LimitUnit.KW,
    direction=Direction.IMPORT,
    kind=LimitKind.THERMAL,
    source="transformer",
)
TREE = Topology((Node("transformer", NodeKind.TRANSFORMER, None, (THERMAL,)),), ())
RULES = Rules(AMSTERDAM)


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


def signal(
    name: str,
    kw: float,
    *,
    begin: float = -60,
    end: float = 600,
    received: float = -120,
    withdrawn: float | None = None,
    kind: SignalKind = SignalKind.LIMIT,
    sender: str = "Stedin",
) -> CapacitySignal:
    return CapacitySignal(
        id=name,
        source=SignalSource.MANUAL,
        sender=sender,
        group="transformer",
        direction=Direction.IMPORT,
        kind=kind,
        blocks=(Block(minutes(begin), minutes(end), kw),),
        received_at=minutes(received),
        withdrawn_at=None if withdrawn is None else minutes(withdrawn),
    )


def judge(history: SignalHistory, *mean_kw: float, rules: Rules = RULES) -> tuple[Verdict, ...]:
    starts = STARTS[: len(mean_kw)]
    net = [kw / 4 for kw in mean_kw]
    return judge_quarters(TREE, "transformer", Direction.IMPORT, starts, net, history, rules)


def test_what_was_in_force_counts_in_full() -> None:
    (first, second) = judge(SignalHistory((signal("a", 80.0),)), 100.0, 80.0)
    assert (first.limit_kw, first.source) == (80.0, "Stedin signal a")
    assert (first.excess_kwh, first.late_kwh) == (5.0, 0.0)
    assert second.is_kept


def test_a_signal_that_came_within_the_quarter_is_told_apart_in_that_quarter_only() -> None:
    (first, second) = judge(SignalHistory((signal("a", 80.0, received=5),)), 100.0, 100.0)
    assert (first.limit_kw, first.excess_kwh, first.late_kwh) == (PHYSICAL_KW, 0.0, 5.0)
    assert (first.late_limit_kw, first.late_source) == (80.0, "Stedin signal a")
    assert (second.limit_kw, second.excess_kwh, second.late_kwh) == (80.0, 5.0, 0.0)


@pytest.mark.parametrize(("notice", "apart"), [(1, False), (10, False), (11, True)])
def test_within_the_notice_it_is_late(notice: float, *, apart: bool) -> None:
    rules = Rules(AMSTERDAM, notice=timedelta(minutes=notice))
    (first,) = judge(SignalHistory((signal("a", 80.0, received=-10),)), 100.0, rules=rules)
    assert (first.late_kwh > 0) is apart
    assert first.is_kept is apart


def test_a_limit_that_was_raised_within_the_quarter_counts_at_once() -> None:
    history = SignalHistory((signal("a", 80.0), signal("b", 120.0, received=14)))
    (first,) = judge(history, 100.0)
    assert first.limit_kw == 120.0
    assert first.is_kept
    withdrawn = SignalHistory((signal("a", 80.0, withdrawn=3),))
    assert judge(withdrawn, 100.0)[0].limit_kw == PHYSICAL_KW


def test_what_came_later_changes_nothing() -> None:
    history = SignalHistory((signal("a", 80.0, received=15), signal("b", 10.0, received=400)))
    (first,) = judge(history, 100.0)
    assert (first.limit_kw, first.late_kwh) == (PHYSICAL_KW, 0.0)


def test_the_fallback_held_while_its_sender_was_silent() -> None:
    history = SignalHistory(
        (signal("f", 40.0, kind=SignalKind.FALLBACK),), (Silence("Stedin", minutes(20), minutes(50)),)
    )
    verdicts = judge(history, *[100.0] * 5)
    assert [each.limit_kw for each in verdicts] == [PHYSICAL_KW, PHYSICAL_KW, 40.0, PHYSICAL_KW, PHYSICAL_KW]
    assert [each.late_kwh for each in verdicts] == [0.0, 15.0, 0.0, 0.0, 0.0]
    lasting = SignalHistory(history.signals, (Silence("Stedin", minutes(20)),))
    assert [each.limit_kw for each in judge(lasting, *[100.0] * 5)][2:] == [40.0] * 3


def test_what_meters_round_off_is_kept_and_export_is_the_other_way() -> None:
    history = SignalHistory((signal("a", 80.0),))
    assert judge(history, 80.04)[0].is_kept
    (export,) = judge_quarters(TREE, "transformer", Direction.EXPORT, STARTS[:1], [-10.0], history, RULES)
    assert (export.mean_kw, export.limit_kw, export.excess_kwh) == (40.0, math.inf, 0.0)


@pytest.mark.parametrize(
    ("month", "quarters"),
    [(date(2024, 3, 1), 31 * 96 - 4), (date(2024, 10, 31), 31 * 96 + 4), (date(2024, 2, 9), 29 * 96)],
)
def test_months_have_their_quarters_and_windows_follow_the_local_clock(month: date, quarters: int) -> None:
    grid = quarters_of_local_month(month, AMSTERDAM)
    assert grid.steps == quarters
    evening = Limit(
        value=50.0,
        unit=LimitUnit.KW,
        direction=Direction.IMPORT,
        kind=LimitKind.SIGNAL,
        source="evening",
        daily_from=time(17),
        daily_to=time(21),
    )
    tree = Topology((Node("transformer", NodeKind.TRANSFORMER, None, (evening,)),), ())
    verdicts = judge_quarters(
        tree, "transformer", Direction.IMPORT, grid.starts, [15.0] * grid.steps, SignalHistory(), RULES
    )
    days = round(grid.steps / 96)
    report = ComplianceReport("transformer", Direction.IMPORT, grid.start, grid.end, grid.steps, verdicts)
    assert len(report.exceeded) == days * 16
    assert report.exceeded_kwh == pytest.approx(days * 16 * 2.5)
    assert {each.start.astimezone(AMSTERDAM).hour for each in report.exceeded} == {17, 18, 19, 20}


blocks = st.tuples(st.integers(-4, 10), st.integers(1, 8))
told = st.builds(
    lambda number, kw, span, received, withdrawn, sender: signal(
        f"s{number}",
        kw,
        begin=span[0] * 15,
        end=(span[0] + span[1]) * 15,
        received=received,
        withdrawn=None if withdrawn is None else received + withdrawn,
        sender=sender,
    ),
    st.integers(0, 10**9),
    st.sampled_from([20.0, 50.0, 80.0, 110.0]),
    blocks,
    st.integers(-60, 200),
    st.none() | st.integers(1, 120),
    st.sampled_from(["Stedin", "city"]),
)
histories = st.lists(told, max_size=6, unique_by=lambda each: each.id).map(
    lambda found: SignalHistory(tuple(sorted(found, key=lambda each: each.received_at)))
)
loads = st.lists(st.integers(0, 250).map(float), min_size=1, max_size=len(STARTS))


def limit_by_hand(history: SignalHistory, start: datetime, known_at: datetime) -> float:
    """Return the limit of one quarter: of each sender the last word about it, and the lowest of those."""
    lowest = PHYSICAL_KW
    for sender in ("Stedin", "city"):
        words = [
            each.blocks[0].limit_kw
            for each in history.signals
            if each.sender == sender
            and each.received_at <= known_at
            and (each.withdrawn_at is None or each.withdrawn_at > known_at)
            and each.blocks[0].start <= start < each.blocks[0].end
        ]
        lowest = min([lowest, *words[-1:]])
    return lowest


@given(histories, loads, st.integers(0, 40))
def test_the_report_equals_judging_quarter_by_quarter(
    history: SignalHistory, mean_kw: list[float], notice: int
) -> None:
    rules = Rules(AMSTERDAM, notice=timedelta(minutes=notice))
    verdicts = judge(history, *mean_kw, rules=rules)
    for verdict, kw in zip(verdicts, mean_kw, strict=True):
        due = limit_by_hand(history, verdict.start, verdict.start - rules.notice)
        last = limit_by_hand(history, verdict.start, verdict.start + QUARTER - timedelta(microseconds=1))
        assert verdict.limit_kw == max(due, last)
        assert verdict.excess_kwh == max(0.0, kw - max(due, last)) / 4
        assert verdict.late_kwh == max(0.0, kw - last) / 4 - verdict.excess_kwh


@given(histories, loads, st.integers(0, 40))
def test_nothing_counts_twice_and_nothing_is_lost(
    history: SignalHistory, mean_kw: list[float], notice: int
) -> None:
    rules = Rules(AMSTERDAM, notice=timedelta(minutes=notice))
    verdicts = judge(history, *mean_kw, rules=rules)
    report = ComplianceReport("transformer", Direction.IMPORT, STARTS[0], STARTS[-1], 20, verdicts)
    above = [max(0.0, each.mean_kw - each.late_limit_kw) / 4 for each in verdicts]
    assert report.exceeded_kwh + report.late_kwh == pytest.approx(sum(above))
    assert sum(each.quarters for each in report.by_source()) + report.unmetered_quarters == report.quarters
    assert sum(each.exceeded_kwh for each in report.by_source()) == pytest.approx(report.exceeded_kwh)


@given(histories, loads)
def test_with_a_notice_longer_than_anything_only_the_configured_limit_counts(
    history: SignalHistory, mean_kw: list[float]
) -> None:
    verdicts = judge(history, *mean_kw, rules=Rules(AMSTERDAM, notice=timedelta(days=30)))
    assert all(each.excess_kwh == max(0.0, each.mean_kw - PHYSICAL_KW) / 4 for each in verdicts)
