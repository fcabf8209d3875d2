"""Virtual time: deadlines of days pass at once, in order, and a standstill is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from wijkstroom.proving.virtual import LoopClock, StandstillError, run_virtually

START = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)


def test_sleepers_wake_in_order_at_their_instants() -> None:
    async def main() -> list[tuple[str, datetime]]:
        clock = LoopClock(START)
        woken: list[tuple[str, datetime]] = []

        async def sleep(name: str, hours: float) -> None:
            await clock.sleep(3600 * hours)
            woken.append((name, clock.now()))

        await asyncio.gather(sleep("late", 48.0), sleep("soon", 0.25), sleep("next", 1.0))
        return woken

    woken = run_virtually(main())
    assert [name for name, _ in woken] == ["soon", "next", "late"]
    assert [at - START for _, at in woken] == [timedelta(hours=h) for h in (0.25, 1.0, 48.0)]


def test_deadlines_of_the_event_loop_are_virtual_as_well() -> None:
    async def main() -> datetime:
        clock = LoopClock(START)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await asyncio.Event().wait()
        return clock.now()

    assert run_virtually(main()) - START == timedelta(seconds=30)


def test_who_waits_for_nobody_is_told() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StandstillError):
        run_virtually(main())


def test_an_instant_that_is_past_is_not_waited_for() -> None:
    async def main() -> datetime:
        clock = LoopClock(START)
        await clock.sleep_until(START - timedelta(hours=1))
        return clock.now()

    assert run_virtually(main()) == START
