"""Ends of a message pipe: what a connection needs of a websocket, and a pair of ends in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from grid.errors import WijkstroomError


class EndClosedError(WijkstroomError):
    """The other side is gone, or this side was closed.

    Parameters
    ----------
    code, reason
        As in a websocket's closing handshake; 1006 when there was none.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"connection closed: {code} {reason}".rstrip())


class MessageEnd(Protocol):
    """One end of an ordered pipe of messages. Text comes as str, binary messages as bytes."""

    async def recv(self) -> str | bytes:
        """Wait for the next message; `EndClosedError` when there will be none."""
        ...

    async def send(self, text: str) -> None:
        """Send a message; `EndClosedError` when nobody can get it."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; the other side reads what was sent before, then finds it closed."""
        ...


class MemoryEnd:
    """One end of a pair in memory; made by `memory_pair`."""

    def __init__(self) -> None:
        self._inbox: deque[str | bytes] = deque()
        self._arrived = asyncio.Event()
        self._closed: EndClosedError | None = None
        self._peer: MemoryEnd = self

    async def recv(self) -> str | bytes:
        """Wait for the next message."""
        while not self._inbox:
            if self._closed is not None:
                raise EndClosedError(self._closed.code, self._closed.reason)
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.popleft()

    async def send(self, text: str | bytes) -> None:
        """Put a message into the peer's inbox."""
        if self._closed is not None:
            raise EndClosedError(self._closed.code, self._closed.reason)
        self._peer.put(text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both ends."""
        self.shut(EndClosedError(code, reason))
        self._peer.shut(EndClosedError(code, reason))

    def put(self, text: str | bytes) -> None:
        """Receive from the peer."""
        self._inbox.append(text)
        self._arrived.set()

    def shut(self, error: EndClosedError) -> None:
        """Learn that the pair is closed; the first reason stands."""
        self._closed = self._closed or error
        self._arrived.set()

    def join(self, peer: MemoryEnd) -> None:
        """Send to ``peer`` from now on."""
        self._peer = peer


def memory_pair() -> tuple[MemoryEnd, MemoryEnd]:
    """Return two joined ends: what one sends the other receives, in order."""
    one, other = MemoryEnd(), MemoryEnd()
    one.join(other)
    other.join(one)
    return one, other
