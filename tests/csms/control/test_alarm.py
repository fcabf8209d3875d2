"""One ring for all that is due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from csms.control.alarm import Alarm
from grid.clock import ManualClock

START = datetime(2024, 6, 11, 4, tzinfo=UTC)


async def test_the_earliest_wish_counts_and_all_are_named() -> None:
    clock = ManualClock(START)
    alarm = Alarm(clock)
    alarm.set(START + timedelta(seconds=60), "arrival")
    ringing = asyncio.create_task(alarm.ring())
    await clock.advance(10)
    alarm.set(START + timedelta(seconds=20), "limit")
    alarm.set(START + timedelta(seconds=90), "arrival")
    await clock.advance_to(START + timedelta(seconds=19))
    assert not ringing.done()
    await clock.advance_to(START + timedelta(seconds=20))
    assert await ringing == ("arrival", "limit")


async def test_it_rings_once() -> None:
    clock = ManualClock(START)
    alarm = Alarm(clock)
    alarm.set(START, "quarter")
    assert await alarm.ring() == ("quarter",)
    ringing = asyncio.create_task(alarm.ring())
    await clock.advance(3600)
    assert not ringing.done()
    alarm.set(clock.now(), "departure")
    await clock.advance(0)
    assert await ringing == ("departure",)
