"""Jobs on the injected clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from csms.control.schedule import every_quarter, occurrences
from grid.clock import ManualClock

QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    "start", [datetime(2024, 3, 31, 0, 7, tzinfo=UTC), datetime(2024, 10, 27, 0, 7, tzinfo=UTC)]
)
async def test_quarters_come_once_each_on_both_days_of_the_clock_change(start: datetime) -> None:
    clock = ManualClock(start)
    due = occurrences(every_quarter(), clock)
    first = start.replace(minute=15)
    for number in range(24):
        waiting = asyncio.create_task(anext(due))
        await clock.advance(0)
        await clock.advance_to(first + number * QUARTER)
        assert await waiting == first + number * QUARTER
    await due.aclose()


async def test_a_busy_consumer_skips_what_it_missed() -> None:
    clock = ManualClock(datetime(2024, 6, 11, 4, tzinfo=UTC))
    due = occurrences(every_quarter(), clock)
    assert await anext(due) == datetime(2024, 6, 11, 4, tzinfo=UTC)
    await clock.advance(3601)
    waiting = asyncio.create_task(anext(due))
    await clock.advance(0)
    await clock.advance(900)
    assert await waiting == datetime(2024, 6, 11, 5, 15, tzinfo=UTC)
    await due.aclose()
