"""A link that fails: cut, half open, slow, with calls said twice and answers out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from grid.clock import Clock
from simulator.client.transport import GONE, Connect, Transport, TransportClosedError
from simulator.setup import StationSetup

# How OCPP's calls and answers begin.
# The network notices after this time that nothing is acknowledged [s].
UNACKNOWLEDGED_S = 25.0
_CALL, _ANSWERS = "[2", ("[3", "[4")


@dataclass(eq=False)
class Link:
    """The state of one station's link.

    Parameters
    ----------
    down
        How many faults keep it cut.
    half_open
        How many faults swallow everything while the connection seems to stand.
    slow_s
        What every message takes on its way, either way [s].
    duplicates_fraction
        Part of the calls that are said twice.
    reorder_s
        Longest time that an answer waits while others pass it [s].
    """

    down: int = 0
    half_open: int = 0
    slow_s: float = 0.0
    duplicates_fraction: float = 0.0
    reorder_s: float = 0.0
    transports: set[FaultyTransport] = field(default_factory=set)

    @property
    def impaired(self) -> bool:
        """Whether messages need time, or never come."""
        return bool(self.half_open or self.slow_s or self.reorder_s)

    async def cut(self) -> None:
        """Close what stands."""
        for transport in list(self.transports):
            with suppress(*GONE):
                await transport.close()


class FaultyTransport:
    """A transport over a link that may fail.

    Parameters
    ----------
    inner
        Carries what gets through.
    link
        How the link is.
    clock
        Time that delays count in.
    rng
        Picks what is doubled, and how long an answer waits.
    """

    def __init__(self, inner: Transport, link: Link, clock: Clock, rng: random.Random) -> None:
        self._inner, self._link, self._clock, self._rng = inner, link, clock, rng
        self._late: set[asyncio.Task[None]] = set()
        link.transports.add(self)

    async def recv(self) -> str | bytes:
        """Wait for the next message that gets through."""
        while True:
            text = await self._inner.recv()
            if self._link.half_open:
                continue
            if self._link.slow_s:
                await self._clock.sleep(self._link.slow_s)
            return text

    async def send(self, text: str, /) -> None:
        """Send a message, if and when the link lets it through."""
        if self._link.half_open:
            self._later(self._give_up())
            return
        if self._link.slow_s:
            await self._clock.sleep(self._link.slow_s)
        head = text.replace(" ", "")[:2]
        if self._link.reorder_s and head in _ANSWERS:
            self._later(self._send_later(text, self._rng.uniform(0.0, self._link.reorder_s)))
            return
        await self._inner.send(text)
        if head == _CALL and self._rng.random() < self._link.duplicates_fraction:
            await self._inner.send(text)

    async def close(self) -> None:
        """Close it."""
        self._link.transports.discard(self)
        for task in self._late:
            task.cancel()
        await self._inner.close()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _give_up(self) -> None:
        """Close what nobody has acknowledged, as a network does after a while."""
        await self._clock.sleep(UNACKNOWLEDGED_S)
        self._link.transports.discard(self)
        with suppress(*GONE):
            await self._inner.close()

    async def _send_later(self, text: str, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        with suppress(*GONE):
            await self._inner.send(text)


def connect_over(connect: Connect, link: Link, clock: Clock, rng: random.Random) -> Connect:
    """Return what opens a station's connections over a link that may fail."""

    async def open_over(setup: StationSetup) -> Transport:
        if link.down:
            raise TransportClosedError(f"{setup.id}: the link is down")
        return FaultyTransport(await connect(setup), link, clock, rng)

    return open_over
