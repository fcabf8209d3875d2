"""Injected time: the wall clock, a clock that runs faster and waits for work in progress, a manual one.

Everything that waits for a moment of the street's time does so through a `Clock`. Deadlines of network
calls and solver budgets are real monotonic time and do not belong here.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

logger = logging.getLogger(__name__)

# The system clock is followed when it is corrected by no more than this at once.
LARGEST_CORRECTION = timedelta(seconds=5)
# Turns of the event loop that woken tasks get before time moves on.
SETTLE_TURNS = 8
# Real seconds of lateness that a scaled clock makes up (the scheduling jitter of the machine).
CATCH_UP_S = 0.05


class Clock(Protocol):
    """The street's time."""

    def now(self) -> datetime:
        """Return the current instant (aware, UTC)."""
        ...

    async def sleep_until(self, when: datetime) -> None:
        """Wait until the clock shows ``when``; return at once when that is past."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of this clock's seconds."""
        ...

    def hold(self, allowance_s: float) -> AbstractContextManager[None]:
        """Mark work in progress: time moves at the most ``allowance_s`` seconds on until it ends."""
        ...


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """Return the current instant (aware, UTC)."""
        return datetime.now(UTC)

    async def sleep_until(self, when: datetime) -> None:
        """Wait until ``when``, in steps, so that a corrected system clock is noticed."""
        while (remaining_s := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - waits for time alone
            await asyncio.sleep(min(remaining_s, 60.0))

    async def sleep(self, seconds: float) -> None:
        """Wait on monotonic time."""
        await asyncio.sleep(seconds)

    def hold(self, allowance_s: float) -> AbstractContextManager[None]:
        """Do nothing: the wall clock waits for nobody."""
        del allowance_s
        return contextlib.nullcontext()


class SteadyClock(SystemClock):
    """The wall clock without its jumps: small corrections are followed, large ones are told and not followed.

    Profiles hold instants: a service whose clock is set an hour wrong would let every station wait, or go on,
    for an hour. Whoever corrects a clock that was wrong from the begin starts the service anew.

    Parameters
    ----------
    wall
        What the system says the time is (UTC).
    elapsed_s
        Seconds that nobody can set.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._elapsed_s = wall, elapsed_s
        self._anchor, self._anchor_s = wall(), elapsed_s()
        self.is_apart = False

    def now(self) -> datetime:
        """Return the current instant (aware, UTC)."""
        elapsed_s = self._elapsed_s()
        steady = self._anchor + timedelta(seconds=elapsed_s - self._anchor_s)
        apart = self._wall() - steady
        was, self.is_apart = self.is_apart, abs(apart) > LARGEST_CORRECTION
        if self.is_apart:
            if not was:
                logger.error(
                    "the system clock jumped by %s: not followed; start anew when it is right", apart
                )
            return steady
        self._anchor, self._anchor_s = steady + apart, elapsed_s
        return self._anchor


@dataclass(order=True, slots=True)
class _Timer:
    due: datetime
    order: int
    future: asyncio.Future[None] = field(compare=False)


@dataclass(slots=True)
class ClockReport:
    """How fast a scaled clock really ran.

    Parameters
    ----------
    simulated_s, real_s
        Seconds passed on this clock and on the wall.
    stalls
        How often time stood still because a call or a plan was in progress.
    stalled_s
        Real seconds that it stood still.
    """

    simulated_s: float = 0.0
    real_s: float = 0.0
    stalls: int = 0
    stalled_s: float = 0.0

    @property
    def achieved_speed(self) -> float:
        """Simulated seconds per real second."""
        return self.simulated_s / self.real_s if self.real_s > 0 else math.nan


class ManualClock:
    """A clock that only moves when told: for tests.

    Parameters
    ----------
    start
        First instant (aware).
    """

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._timers: list[_Timer] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Return the instant last set."""
        return self._now

    async def sleep_until(self, when: datetime) -> None:
        """Wait until somebody advances the clock to ``when``."""
        if when <= self._now:
            await asyncio.sleep(0)
            return
        timer = _Timer(when.astimezone(UTC), next(self._order), asyncio.get_running_loop().create_future())
        heapq.heappush(self._timers, timer)
        await timer.future

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of this clock's seconds."""
        await self.sleep_until(self.now() + timedelta(seconds=seconds))

    @contextmanager
    def hold(self, allowance_s: float) -> Iterator[None]:
        """Accept and ignore holds: whoever advances the clock decides."""
        del allowance_s
        yield

    async def advance_to(self, when: datetime) -> None:
        """Move to ``when``, waking every sleeper in order of its due time."""
        when = when.astimezone(UTC)
        while (timer := self._pop_due(when)) is not None:
            self._now = max(self._now, timer.due)
            timer.future.set_result(None)
            await settle()
        self._now = max(self._now, when)
        await settle()

    async def advance(self, seconds: float) -> None:
        """Move on by a number of seconds."""
        await self.advance_to(self._now + timedelta(seconds=seconds))

    def _pop_due(self, when: datetime) -> _Timer | None:
        while self._timers and self._timers[0].due <= when:
            timer = heapq.heappop(self._timers)
            if not timer.future.done():
                return timer
        return None


class ScaledClock:
    """Time at ``speed`` times real time at the most, conservative: it waits for work in progress.

    It stands still until it is run. Time moves from timer to timer and never steps over one; a hold stops
    it ``allowance_s`` seconds after the hold began until the hold ends. With ``speed = math.inf`` it jumps
    to the next timer as soon as nothing else is to do, which makes a whole day of an in-process street
    deterministic.

    Parameters
    ----------
    start
        First instant (aware).
    speed
        Simulated seconds per real second, > 0, may be ``math.inf``. May be changed while running.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        self._now = start.astimezone(UTC)
        self._speed = speed
        self._timers: list[_Timer] = []
        self._order = itertools.count()
        self._holds: dict[int, datetime] = {}
        self._changed = asyncio.Event()
        self._anchor_real = time.monotonic()
        self._anchor = self._now
        self._started_real = self._anchor_real
        self._started = self._now
        self._stalls = 0
        self._stalled_s = 0.0
        self._driven = False

    @property
    def speed(self) -> float:
        """Simulated seconds per real second, at the most."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._advance(self.now())
        self._speed = value
        self._changed.set()

    def now(self) -> datetime:
        """Return the current instant: never past the next due timer, never past a hold's allowance."""
        if math.isinf(self._speed) or not self._driven:
            return self._now
        elapsed_s = (time.monotonic() - self._anchor_real) * self._speed
        reached = min(self._anchor + timedelta(seconds=elapsed_s), self._barrier())
        if self._timers:
            reached = min(reached, self._timers[0].due)
        self._now = max(self._now, reached)
        return self._now

    async def sleep_until(self, when: datetime) -> None:
        """Wait until the clock shows ``when``."""
        if when <= self.now():
            await asyncio.sleep(0)
            return
        timer = _Timer(when.astimezone(UTC), next(self._order), asyncio.get_running_loop().create_future())
        heapq.heappush(self._timers, timer)
        self._changed.set()
        await timer.future

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of simulated seconds."""
        await self.sleep_until(self.now() + timedelta(seconds=seconds))

    @contextmanager
    def hold(self, allowance_s: float) -> Iterator[None]:
        """Stop time ``allowance_s`` simulated seconds from now until the block ends."""
        key = next(self._order)
        self._holds[key] = deadline = self.now() + timedelta(seconds=allowance_s)
        self._changed.set()  # the driver may be waiting for a timer beyond the new barrier
        try:
            yield
        finally:
            reached = self.now()  # while the hold still counts
            del self._holds[key]
            if reached >= deadline:
                self._reanchor()  # time stood still: it goes on from here, it does not catch up
            self._changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScaledClock]:
        """Run the clock for the length of the block."""
        self._reanchor()
        self._driven = True
        self._started, self._started_real = self._now, self._anchor_real
        driver = asyncio.create_task(self._drive(), name="clock")
        try:
            yield self
        finally:
            driver.cancel()
            (ended,) = await asyncio.gather(driver, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended

    def report(self) -> ClockReport:
        """Say how fast the clock ran since it was started."""
        return ClockReport(
            simulated_s=(self.now() - self._started).total_seconds(),
            real_s=time.monotonic() - self._started_real,
            stalls=self._stalls,
            stalled_s=self._stalled_s,
        )

    def _barrier(self) -> datetime:
        return min(self._holds.values(), default=datetime.max.replace(tzinfo=UTC))

    def _reanchor(self) -> None:
        self._anchor, self._anchor_real = self._now, time.monotonic()

    def _advance(self, to: datetime) -> None:
        self._now = max(self._now, to)
        self._reanchor()

    def _next_due(self) -> datetime | None:
        while self._timers and self._timers[0].future.done():
            heapq.heappop(self._timers)
        return self._timers[0].due if self._timers else None

    async def _drive(self) -> None:
        while True:
            await settle()
            self._changed.clear()
            due, barrier = self._next_due(), self._barrier()
            if due is None:
                await self._changed.wait()
            elif due > barrier:
                await self._stall(barrier)
            elif await self._pace(due):
                self._fire(due)

    async def _stall(self, barrier: datetime) -> None:
        if not await self._pace(barrier):
            return
        self._now = max(self._now, barrier)
        began = time.monotonic()
        while self._barrier() <= self._now:
            self._changed.clear()
            await self._changed.wait()
        self._stalls += 1
        self._stalled_s += time.monotonic() - began

    async def _pace(self, until: datetime) -> bool:
        """Wait for the real time that ``until`` stands for; False when something changed meanwhile."""
        if math.isinf(self._speed):
            return True
        wait_s = (until - self._anchor).total_seconds() / self._speed - (time.monotonic() - self._anchor_real)
        if wait_s <= 0:
            return True
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with a change.
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return True
        return False

    def _fire(self, due: datetime) -> None:
        self._now = max(self._now, due)
        behind_s = (time.monotonic() - self._anchor_real) - (due - self._anchor).total_seconds() / self._speed
        if behind_s > CATCH_UP_S:
            self._reanchor()  # speed is a maximum: more than a moment is not made up
        while self._timers and self._timers[0].due <= due:
            timer = heapq.heappop(self._timers)
            if not timer.future.done():
                timer.future.set_result(None)


async def settle(turns: int = SETTLE_TURNS) -> None:
    """Let tasks that were just woken run until they wait for something."""
    for _ in range(turns):
        await asyncio.sleep(0)
