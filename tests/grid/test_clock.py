from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.clock import Clock, ManualClock, ScaledClock, SteadyClock, SystemClock, settle

START = datetime(2024, 6, 11, 4, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# the system clock


async def test_the_system_clock_shows_utc_and_waits() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    begin = time.monotonic()
    await clock.sleep(0.01)
    await clock.sleep_until(clock.now() + timedelta(milliseconds=10))
    await clock.sleep_until(clock.now() - timedelta(days=1))
    with clock.hold(1.0):
        pass
    assert 0.018 <= time.monotonic() - begin < 2.0


# the manual clock


async def test_the_manual_clock_wakes_in_order_at_the_right_moment() -> None:
    clock = ManualClock(START)
    woken: list[tuple[str, datetime]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [
        asyncio.create_task(sleeper(name, s)) for name, s in (("late", 30), ("early", 10), ("later", 31))
    ]
    await settle()
    await clock.advance(30)
    assert woken == [("early", after(10)), ("late", after(30))]
    assert clock.now() == after(30)
    await clock.advance_to(after(60))
    assert woken[-1] == ("later", after(31))
    await asyncio.gather(*tasks)


async def test_the_manual_clock_serves_sleepers_that_sleep_again() -> None:
    clock = ManualClock(START)
    ticks: list[datetime] = []

    async def ticker() -> None:
        while len(ticks) < 5:
            await clock.sleep(10)
            ticks.append(clock.now())

    task = asyncio.create_task(ticker())
    await settle()
    await clock.advance(60)
    assert ticks == [after(10 * n) for n in range(1, 6)]
    await task


async def test_the_manual_clock_skips_cancelled_sleepers_and_the_past() -> None:
    clock = ManualClock(START)
    task = asyncio.create_task(clock.sleep(10))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await clock.advance(20)
    assert clock.now() == after(20)
    await clock.sleep_until(after(5))
    with clock.hold(1.0):
        await clock.advance(5)
    assert clock.now() == after(25)


# the scaled clock, as fast as it can


async def run_sleepers(clock: ScaledClock, delays: list[list[float]]) -> list[tuple[int, float]]:
    """Let each sleeper sleep its delays one after the other, and log who woke when."""
    log: list[tuple[int, float]] = []

    async def sleeper(number: int, waits: list[float]) -> None:
        for wait in waits:
            await clock.sleep(wait)
            log.append((number, (clock.now() - START).total_seconds()))

    async with clock.running():
        await asyncio.gather(*(sleeper(number, waits) for number, waits in enumerate(delays)))
    return log


delays = st.lists(st.lists(st.integers(1, 5000).map(float), max_size=6), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(delays)
def test_at_infinite_speed_every_timer_fires_exactly_when_due(waits: list[list[float]]) -> None:
    log = asyncio.run(run_sleepers(ScaledClock(START, math.inf), waits))
    for number, own in enumerate(waits):
        due = [sum(own[: n + 1]) for n in range(len(own))]
        assert [moment for who, moment in log if who == number] == due
    assert [moment for _, moment in log] == sorted(moment for _, moment in log)


@settings(max_examples=20, deadline=None)
@given(delays)
def test_at_infinite_speed_two_runs_are_equal(waits: list[list[float]]) -> None:
    one, other = (asyncio.run(run_sleepers(ScaledClock(START, math.inf), waits)) for _ in range(2))
    assert one == other


async def test_a_day_passes_in_a_moment() -> None:
    begin = time.monotonic()
    log = await run_sleepers(ScaledClock(START, math.inf), [[900.0] * 96])
    assert log[-1] == (0, 86400.0)
    assert time.monotonic() - begin < 5.0


async def test_a_hold_stops_time_at_its_allowance() -> None:
    clock = ScaledClock(START, math.inf)
    answered = asyncio.Event()
    seen: list[float] = []

    async def ticker() -> None:
        for _ in range(5):
            await clock.sleep(1)
            seen.append((clock.now() - START).total_seconds())

    async def caller() -> None:
        with clock.hold(2.0):
            await answered.wait()

    async with clock.running():
        tasks = [asyncio.create_task(ticker()), asyncio.create_task(caller())]
        await asyncio.sleep(0.05)
        assert seen == [1.0, 2.0]
        assert clock.now() == after(2)
        answered.set()
        await asyncio.gather(*tasks)
    assert seen == [1.0, 2.0, 3.0, 4.0, 5.0]
    report = clock.report()
    assert report.stalls == 1
    assert 0.03 < report.stalled_s < 1.0
    assert report.simulated_s == 5.0


async def test_new_timers_and_holds_during_a_stall_are_no_stalls_of_their_own() -> None:
    clock = ScaledClock(START, math.inf)
    async with clock.running():
        sleepers = [asyncio.create_task(clock.sleep(100))]
        with clock.hold(1.0):
            for _ in range(5):
                await asyncio.sleep(0.002)
                sleepers.append(asyncio.create_task(clock.sleep(50)))
                with clock.hold(1.0):
                    await asyncio.sleep(0.002)
            assert clock.now() == after(1)
        await asyncio.gather(*sleepers)
    assert clock.report().stalls == 1


async def test_the_shortest_of_several_holds_counts() -> None:
    clock = ScaledClock(START, math.inf)
    async with clock.running():
        sleeper = asyncio.create_task(clock.sleep(60))
        with clock.hold(5.0):
            with clock.hold(1.0):
                await asyncio.sleep(0.02)
                assert clock.now() == after(1)
            await asyncio.sleep(0.02)
            assert clock.now() == after(5)
        await sleeper
    assert clock.now() == after(60)
    assert clock.report().stalls == 2


async def test_a_hold_that_is_cancelled_or_fails_lets_time_go_on() -> None:
    clock = ScaledClock(START, math.inf)

    async def stuck() -> None:
        with clock.hold(1.0):
            await asyncio.Event().wait()

    async with clock.running():
        task = asyncio.create_task(stuck())
        sleeper = asyncio.create_task(clock.sleep(10))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(ZeroDivisionError), clock.hold(1.0):
            _ = 1 / 0
        await sleeper
    assert clock.now() == after(10)


# the scaled clock, at a speed


async def test_time_never_runs_faster_than_its_speed() -> None:
    clock = ScaledClock(START, 100.0)
    async with clock.running():
        begin = time.monotonic()
        await clock.sleep(5)
        assert time.monotonic() - begin >= 0.045
    report = clock.report()
    assert 0 < report.achieved_speed <= 110.0


async def test_now_moves_between_timers_but_never_past_one() -> None:
    clock = ScaledClock(START, 1000.0)
    async with clock.running():
        sleeper = asyncio.create_task(clock.sleep_until(after(20)))
        await asyncio.sleep(0)
        time.sleep(0.01)  # noqa: ASYNC251 - a busy loop, during which the timer cannot fire
        assert after(5) < clock.now() <= after(20)
        time.sleep(0.05)  # noqa: ASYNC251
        assert clock.now() == after(20)
        assert not sleeper.done()
        await sleeper
        assert clock.now() - after(20) < timedelta(seconds=55)  # the lateness that it makes up


async def test_a_hold_that_begins_while_the_clock_waits_for_a_later_timer_counts() -> None:
    clock = ScaledClock(START, 1000.0)
    async with clock.running():
        sleeper = asyncio.create_task(clock.sleep(200))
        await asyncio.sleep(0.005)
        with clock.hold(1.0):
            barrier = clock.now() + timedelta(seconds=1)
            await asyncio.sleep(0.25)
            assert not sleeper.done()
            assert barrier - timedelta(seconds=1) <= clock.now() <= barrier
        assert clock.now() < after(200)
        await sleeper


async def test_time_that_stood_still_is_not_made_up() -> None:
    clock = ScaledClock(START, 1000.0)
    async with clock.running():
        sleeper = asyncio.create_task(clock.sleep(50))
        with clock.hold(1.0):
            await asyncio.sleep(0.05)
        begin = time.monotonic()
        await sleeper
        assert time.monotonic() - begin > 0.04
    assert clock.report().stalls == 1


async def test_a_hold_that_ends_in_a_busy_loop_does_not_leap() -> None:
    clock = ScaledClock(START, 1000.0)
    async with clock.running():
        with clock.hold(1.0):
            time.sleep(0.03)  # noqa: ASYNC251 - nobody looks at the clock meanwhile
        assert clock.now() < after(10)


async def test_the_speed_can_be_changed() -> None:
    clock = ScaledClock(START, math.inf)
    async with clock.running():
        await clock.sleep(3600)
        clock.speed = 100.0
        assert clock.speed == 100.0
        begin = time.monotonic()
        await clock.sleep(4)
        assert time.monotonic() - begin >= 0.035
        waiting = asyncio.create_task(clock.sleep(86400))
        await asyncio.sleep(0.01)
        clock.speed = math.inf
        await asyncio.wait_for(waiting, 5.0)
    assert clock.now() >= after(3604 + 86400)


async def test_cancelled_sleepers_do_not_hold_the_clock_up() -> None:
    clock = ScaledClock(START, 1000.0)
    async with clock.running():
        cancelled = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait_for(clock.sleep(20), 5.0)
    assert clock.now() >= after(20)


async def test_leaving_the_block_stops_the_driver_and_passes_cancellation_on() -> None:
    clock = ScaledClock(START, 1.0)

    async def run() -> None:
        async with clock.running():
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [other.get_name() for other in asyncio.all_tasks() if other.get_name() == "clock"] == []


@pytest.mark.parametrize("build", [SystemClock, lambda: ManualClock(START), lambda: ScaledClock(START, 1.0)])
def test_all_are_clocks_and_show_aware_utc(build: Callable[[], Clock]) -> None:
    clock = build()
    assert clock.now().utcoffset() == timedelta(0)


async def test_a_start_in_another_zone_is_kept_as_utc() -> None:
    local = datetime(2024, 6, 11, 6, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert ManualClock(local).now() == START
    clock = ManualClock(START)
    await clock.advance_to(local + timedelta(hours=1))
    assert clock.now().tzinfo is UTC


def test_a_steady_clock_follows_corrections_and_no_jumps() -> None:
    passed_s, error = 0.0, timedelta()
    start = datetime(2024, 3, 31, 0, 59, 50, tzinfo=UTC)
    clock = SteadyClock(lambda: start + timedelta(seconds=passed_s) + error, lambda: passed_s)
    for _ in range(10):
        passed_s, error = passed_s + 60.0, error + timedelta(seconds=2)
        assert clock.now() == start + timedelta(seconds=passed_s) + error
    right = error
    for jump in (timedelta(hours=1), timedelta(days=-1)):
        error = right + jump
        passed_s += 60.0
        assert clock.now() == start + timedelta(seconds=passed_s) + right
        assert clock.is_apart
    error = right
    assert clock.now() == start + timedelta(seconds=passed_s) + right
    assert not clock.is_apart
