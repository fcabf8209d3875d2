from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.web.trace import BUCKET_MINUTES, MOST_BUCKETS, Curve, Trace

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
offsets = st.lists(st.integers(min_value=0, max_value=3 * 86_400), min_size=1, max_size=60)


@given(offsets, st.floats(min_value=-500, max_value=500))
def test_a_constant_power_is_drawn_as_it_is(seconds: list[int], value_kw: float) -> None:
    trace = Trace()
    for offset in sorted(seconds):
        trace.add(Curve.NODE, START + timedelta(seconds=offset), value_kw)
    points = trace.document()
    assert all(abs(point["node_kw"] - value_kw) <= 0.0051 for point in points)  # type: ignore[operator]
    assert all(point["pv_kw"] is None for point in points)
    assert len(points) == len({offset // (60 * BUCKET_MINUTES) for offset in seconds})


@given(offsets)
def test_buckets_are_ordered_and_bounded_whatever_comes_late(seconds: list[int]) -> None:
    trace = Trace()
    for offset in seconds:
        trace.add(Curve.PV, START + timedelta(seconds=offset), 1.0)
    instants = [point["at_ms"] for point in trace.document()]
    assert instants == sorted(set(instants))  # type: ignore[type-var]
    assert len(instants) <= MOST_BUCKETS
    assert trace.tail(2) == trace.document()[-2:]


def test_a_bucket_is_the_mean_of_what_was_measured_in_it() -> None:
    trace = Trace()
    for minute, value_kw in ((0, 10.0), (2, 20.0), (5, 40.0)):
        trace.add(Curve.CHARGING, START + timedelta(minutes=minute), value_kw)
    assert [point["charging_kw"] for point in trace.document()] == [15.0, 40.0]


def test_a_day_is_kept_and_no_more() -> None:
    trace = Trace()
    for bucket in range(2 * MOST_BUCKETS):
        trace.add(Curve.NODE, START + timedelta(minutes=BUCKET_MINUTES * bucket), 1.0)
    assert len(trace.document()) == MOST_BUCKETS
    before = trace.changes
    trace.add(Curve.NODE, START, 1.0)
    assert trace.changes == before, "older than what is kept"
