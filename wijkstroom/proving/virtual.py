"""An event loop whose time is virtual: it jumps to the next timer as soon as nothing else is to do.

Every deadline, also those that are real seconds elsewhere, is virtual on it. One thread, no socket: the same
seed gives the same run to the last message.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from grid.clock import SteadyClock
from grid.errors import WijkstroomError

ResultT = TypeVar("ResultT")


class StandstillError(WijkstroomError):
    """Everybody waits for somebody else, and no timer is set."""


class _Selector(selectors.DefaultSelector):
    """Lets time pass instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise StandstillError("nothing is left to happen: a task waits for what nobody does")
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return virtual seconds since the begin."""
        return self._virtual.now_s


class LoopClock:
    """The street's time on a `VirtualLoop`.

    Parameters
    ----------
    start
        The instant of the loop's second 0 (aware).
    """

    def __init__(self, start: datetime) -> None:
        self._start = start

    def now(self) -> datetime:
        """Return the current instant (aware, UTC)."""
        return self._start + timedelta(seconds=asyncio.get_running_loop().time())

    async def sleep_until(self, when: datetime) -> None:
        """Wait until the clock shows ``when``; return at once when that is past."""
        while (remaining_s := (when - self.now()).total_seconds()) > 0.0:  # noqa: ASYNC110 - time alone
            await asyncio.sleep(remaining_s)

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of virtual seconds."""
        await self.sleep_until(self.now() + timedelta(seconds=seconds))

    def hold(self, allowance_s: float) -> AbstractContextManager[None]:
        """Do nothing: time passes only while nobody has anything to do."""
        del allowance_s
        return contextlib.nullcontext()


class ServiceClock(LoopClock):
    """What the service takes for the street's time: its machine's clock may be set wrong while it runs.

    Parameters
    ----------
    truth
        The true time.
    error_s
        By how much the machine's clock is ahead, as it is when asked [s].
    steady
        Whether jumps are told from time that passes, as `grid.clock.SteadyClock` does.
    """

    def __init__(self, truth: LoopClock, error_s: Callable[[], float], *, steady: bool) -> None:
        self._truth = truth
        self._error_s = error_s
        self._steady = SteadyClock(self._wall, lambda: truth.now().timestamp()) if steady else None

    def now(self) -> datetime:
        """Return what the service takes for the current instant (aware, UTC)."""
        return self._wall() if self._steady is None else self._steady.now()

    def _wall(self) -> datetime:
        return self._truth.now() + timedelta(seconds=self._error_s())


def run_virtually(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine on a virtual loop of its own.

    Parameters
    ----------
    main
        The whole run.

    Raises
    ------
    StandstillError
        When everybody waits for somebody else.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
