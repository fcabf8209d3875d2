"""A charging station as a running whole: connects, boots, speaks for its firmware, survives outages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

from ocpp.exceptions import OCPPError

from grid.clock import Clock
from simulator.client.counters import WireCounters
from simulator.client.endpoint import CALL_TIMEOUT_S, Endpoint, StationContext
from simulator.client.transport import GONE, Connect, Transport
from simulator.client.v2 import Station21, Station201
from simulator.client.v16 import Station16
from simulator.setup import Protocol, StationSetup
from simulator.station.firmware import Firmware
from simulator.station.messages import Boot, Heartbeat, Message, TransactionMessage, TransactionRecord

_ENDPOINTS: dict[Protocol, Callable[[Transport, StationContext], Any]] = {
    Protocol.V16: Station16,
    Protocol.V201: Station201,
    Protocol.V21: Station21,
}
# Simulated seconds that time may move on while a station has something to say.
HOLD_S = 1.0
BACK_OFF_FIRST_S = 2.0
BACK_OFF_LONGEST_S = 120.0
# A message that is refused so often is given up, as the standard's attempts have it.
ATTEMPTS = 3
POWER_UP = "PowerUp"


class StationClient:
    """One station on the wire.

    Parameters
    ----------
    setup, firmware
        What it is and does.
    clock
        Its time; network deadlines are real.
    connect
        Opens its connection.
    new_id
        Makes names of messages, at most 36 characters.
    rng
        Spreads reconnecting stations.
    counters
        Where its messages are counted.
    on_started
        Called when the central system knows of a transaction.
    call_timeout_s
        Deadline of a call on the wall [s].
    impaired
        Whether its link is so slow that time must pass while something is said.
    """

    def __init__(
        self,
        setup: StationSetup,
        firmware: Firmware,
        clock: Clock,
        connect: Connect,
        new_id: Callable[[], str],
        rng: random.Random,
        counters: WireCounters | None = None,
        on_started: Callable[[TransactionRecord], None] | None = None,
        call_timeout_s: float = CALL_TIMEOUT_S,
        impaired: Callable[[], bool] | None = None,
    ) -> None:
        self.setup = setup
        self.firmware = firmware
        self.counters = WireCounters() if counters is None else counters
        self._clock = clock
        self._connect = connect
        self._rng = rng
        self._impaired = impaired or _never
        self._news = asyncio.Event()
        self._work = asyncio.Event()
        self._ready = asyncio.Event()
        self._reset = asyncio.Event()
        self._booted = False
        self._boot_reason = POWER_UP
        self._again = asyncio.Event()
        self._hold: AbstractContextManager[None] | None = None
        self._last_said = clock.now()
        self._refused: tuple[Message | None, int] = (None, 0)
        self._context = StationContext(
            setup,
            firmware,
            clock,
            self.counters,
            new_id,
            on_reset=self._reset_remotely,
            on_change=self.wake,
            on_started=on_started or _nobody_asked,
            call_timeout_s=call_timeout_s,
        )

    @property
    def online(self) -> bool:
        """Whether it is connected and its boot was accepted."""
        return self.firmware.online

    async def wait_ready(self) -> None:
        """Wait until it is online."""
        await self._ready.wait()

    def wake(self) -> None:
        """Learn that the firmware has something to say, or has something else due."""
        self._take_hold()
        self._news.set()
        self._work.set()

    def reboot(self) -> None:
        """Start again, as a watchdog lets it: connection and memory are lost, the program is not."""
        self._boot_reason = "Watchdog"
        self._reset.set()

    def forget_boot(self) -> None:
        """Lose power: it boots when it comes back."""
        self._booted = False
        self._boot_reason = POWER_UP

    def hurry(self) -> None:
        """Try to connect now, whatever it waited for."""
        self._again.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StationClient]:
        """Run the station for the length of the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._live()), group.create_task(self._stay_connected())]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                self._drop_hold()

    async def run(self) -> None:
        """Run the station until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._live())
                group.create_task(self._stay_connected())
        finally:
            self._drop_hold()

    # --- time -----------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Let the firmware do what is due, for ever."""
        while True:
            self._news.clear()
            now = self._clock.now()
            self.firmware.tick(now)
            self._heartbeat(now)
            if self.firmware.outbox.waiting:
                self._take_hold()
                self._work.set()
            await self._sleep(self._next_due(self._clock.now()))

    def _heartbeat(self, now: datetime) -> None:
        interval = timedelta(seconds=self.firmware.settings.heartbeat_s)
        if self.online and now - self._last_said >= interval and not self.firmware.outbox.waiting:
            self._last_said = now
            self.firmware.outbox.put(Heartbeat())

    def _next_due(self, now: datetime) -> datetime:
        due = self.firmware.next_wake(now)
        if self.online:
            beat = self._last_said + timedelta(seconds=self.firmware.settings.heartbeat_s)
            due = min(due, max(beat, now + timedelta(seconds=1)))
        return due

    async def _sleep(self, until: datetime) -> None:
        """Wait for an instant or for news."""
        await self._sleep_or(self._news, until)

    async def _sleep_or(self, event: asyncio.Event, until: datetime) -> None:
        sleeper = asyncio.ensure_future(self._clock.sleep_until(until))
        news = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({sleeper, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            news.cancel()

    def _take_hold(self) -> None:
        if self._hold is None and self.online and self.firmware.outbox.waiting and not self._impaired():
            self._hold = self._clock.hold(HOLD_S)
            self._hold.__enter__()

    def _held(self) -> AbstractContextManager[None]:
        return nullcontext() if self._impaired() else self._clock.hold(HOLD_S)

    def release_time(self) -> None:
        """Let time pass while something is said: the link has become slow or silent."""
        self._drop_hold()

    def _drop_hold(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.__exit__(None, None, None)

    # --- connection -----------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        back_off_s = BACK_OFF_FIRST_S
        while True:
            try:
                transport = await self._connect(self.setup)
            except GONE as error:
                self.counters.refusals += 1
                self.counters.note_fault("connect", str(error))
            else:
                self.counters.connections += 1
                if await self._serve(transport):
                    back_off_s = BACK_OFF_FIRST_S
            if self._reset.is_set():
                self._reset.clear()
                self._booted = False
                self.firmware.rebooted(self._clock.now())
            await self._back_off(back_off_s * self._rng.uniform(0.5, 1.5))
            back_off_s = min(2.0 * back_off_s, BACK_OFF_LONGEST_S)

    async def _back_off(self, seconds: float) -> None:
        self._again.clear()
        await self._sleep_or(self._again, self._clock.now() + timedelta(seconds=seconds))

    async def _serve(self, transport: Transport) -> bool:
        """Serve a connection until it ends; return whether the station ever was online on it."""
        endpoint: Endpoint = _ENDPOINTS[self.setup.protocol](transport, self._context)
        tasks = [
            asyncio.ensure_future(endpoint.start()),
            asyncio.ensure_future(self._speak(endpoint)),
            asyncio.ensure_future(self._wait_reset()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_online = self.online
            self._go_offline()
            await _end(tasks)
            ended = [None if task.cancelled() else task.exception() for task in tasks]
            with suppress(*GONE):
                await transport.close()
        for one in ended:
            self._judge(one)
        return was_online

    def _judge(self, ended: object) -> None:
        """Count what ended a connection; what is no matter of the network is an error of ours and rises."""
        if isinstance(ended, TimeoutError):
            self.counters.timeouts += 1
            self.counters.note_fault("timeout", str(ended))
        elif isinstance(ended, OCPPError):
            self.counters.note_fault("answer", str(ended))
        elif isinstance(ended, Exception) and not isinstance(ended, GONE):
            raise ended

    def _reset_remotely(self) -> None:
        self._boot_reason = "RemoteReset"
        self._reset.set()

    async def _wait_reset(self) -> None:
        await self._reset.wait()

    def _go_offline(self) -> None:
        self._ready.clear()
        self.firmware.go_offline(self._clock.now())
        self._drop_hold()
        self._news.set()

    async def _speak(self, endpoint: Endpoint) -> None:
        await self._boot(endpoint)
        self.firmware.go_online(self._clock.now())
        self._last_said = self._clock.now()
        with self._held():
            await endpoint.announce()
        self._ready.set()
        self.wake()
        while True:
            await self._empty_outbox(endpoint)
            self._drop_hold()
            self._work.clear()
            await self._work.wait()

    async def _boot(self, endpoint: Endpoint) -> None:
        while not self._booted:
            with self._held():
                result = await endpoint.boot(Boot(self._boot_reason))
            self._booted = result.accepted
            if result.accepted and result.interval_s > 0:
                self.firmware.settings.heartbeat_s = result.interval_s
            elif not result.accepted:
                await self._clock.sleep(max(result.interval_s, 1))

    async def _empty_outbox(self, endpoint: Endpoint) -> None:
        outbox = self.firmware.outbox
        while outbox.waiting:
            self._take_hold()
            message = outbox.waiting[0]
            try:
                await endpoint.deliver(message)
            except OCPPError:
                if self._try_again(message):
                    continue
            self._last_said = self._clock.now()
            if outbox.waiting and outbox.waiting[0] is message:
                outbox.waiting.pop(0)
            self._news.set()

    def _try_again(self, message: Message) -> bool:
        """Say whether a refused message is sent once more: transactions are, some times."""
        last, times = self._refused
        times = times + 1 if last is message else 1
        self._refused = (message, times)
        return isinstance(message, TransactionMessage) and times < ATTEMPTS


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancel tasks until they obey: ``wait_for`` loses a cancellation that meets its result (Python 3.11)."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.05)


def _never() -> bool:
    return False


def _nobody_asked(record: TransactionRecord) -> None:
    del record
