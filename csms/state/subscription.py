"""A reader of events that may be slow: it never holds up anybody, it misses the oldest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from csms.state.events import Event

DEFAULT_CAPACITY = 10_000


class Subscription:
    """Events from the moment of subscribing on.

    Parameters
    ----------
    leave
        Called once when the reader goes.
    capacity
        Most events that wait; beyond, the oldest is dropped and counted in ``missed``.
    """

    def __init__(self, leave: Callable[[Subscription], None], capacity: int = DEFAULT_CAPACITY) -> None:
        self.missed = 0
        self._leave = leave
        self._events: deque[Event] = deque(maxlen=capacity)
        self._news = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Offer an event; never waits."""
        if len(self._events) == self._events.maxlen:
            self.missed += 1
        self._events.append(event)
        self._news.set()

    def take_all(self) -> list[Event]:
        """Return what waits, without waiting for more."""
        events = list(self._events)
        self._events.clear()
        self._news.clear()
        return events

    def close(self) -> None:
        """Leave; an iteration in progress ends after what waits."""
        if not self._closed:
            self._closed = True
            self._leave(self)
            self._news.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()
