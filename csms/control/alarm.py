"""The next moment at which to plan: many wish, the earliest counts, all are named."""

from __future__ import annotations

import asyncio
from datetime import datetime

from grid.clock import Clock


class Alarm:
    """Rings once for all wishes that are due.

    Parameters
    ----------
    clock
        The street's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: datetime | None = None
        self._reasons: dict[str, None] = {}
        self._changed = asyncio.Event()

    def set(self, due: datetime, reason: str) -> None:
        """Wish for a ring at ``due`` or earlier."""
        self._reasons[reason] = None
        if self._due is None or due < self._due:
            self._due = due
            self._changed.set()

    async def ring(self) -> tuple[str, ...]:
        """Wait for the next ring and return the reasons for it, the oldest first."""
        while self._due is None or self._clock.now() < self._due:
            self._changed.clear()
            if self._due is None:
                await self._changed.wait()
            else:
                await self._wait_until(self._due)
        reasons = tuple(self._reasons)
        self._due = None
        self._reasons.clear()
        return reasons

    async def _wait_until(self, due: datetime) -> None:
        """Wait for a moment or for an earlier wish."""
        waits = [asyncio.create_task(self._clock.sleep_until(due)), asyncio.create_task(self._changed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
