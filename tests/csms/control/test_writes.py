"""A station's memory is written to as often as its budget says, and no more often for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.writes import BURST_FRACTION, WriteBudget

NOW = datetime(2024, 6, 11, tzinfo=UTC)


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.booleans()), max_size=400), st.integers(1, 200))
def test_permitted_writes_of_a_day_stay_within_budget_and_burst(
    tries: list[tuple[float, bool]], per_day: int
) -> None:
    budget, now, written = WriteBudget(per_day), NOW, 0
    for minutes, soon in tries:
        now += timedelta(minutes=minutes)
        if budget.permits("S", now, soon=soon):
            budget.spend("S", now)
            written += 1
    days = (now - NOW) / timedelta(days=1)
    assert written <= per_day * days + max(1.0, BURST_FRACTION * per_day) + 1e-6


def test_what_was_overdrawn_by_reductions_is_saved_up_again() -> None:
    budget = WriteBudget(96)
    for _ in range(40):
        budget.spend("S", NOW)
    assert not budget.permits("S", NOW, soon=True)
    assert budget.permits("T", NOW, soon=False)
    later = NOW + timedelta(minutes=15 * 13)
    assert budget.permits("S", later, soon=True)
    assert not budget.permits("S", later, soon=False)


def test_a_large_increase_may_overdraw_but_not_without_end() -> None:
    budget, written = WriteBudget(100), 0
    while budget.permits("S", NOW, soon=True, increase_kw=7.0):
        budget.spend("S", NOW)
        written += 1
    assert written == 2 * BURST_FRACTION * 100
    assert not budget.permits("S", NOW, soon=True, increase_kw=1.0)
