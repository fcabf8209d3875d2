"""A street of stations on the wire: cars come and go, meters send telegrams, and the truth is written down.

Nothing here reaches the service but OCPP and P1. Who acts on a plug-in (drivers who declare their need) gives
`StreetHooks`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from grid.clock import Clock
from simulator.client.counters import WireCounters
from simulator.client.station import StationClient
from simulator.client.transport import Connect, connect_websocket
from simulator.fleet.sessions import InformationClass, Session
from simulator.meter.p1 import P1Meter, P1Port
from simulator.result import RunRecord, SessionOutcome
from simulator.setup import Protocol
from simulator.station.build import DEFAULT_METER_INTERVAL_S, build_firmware, build_settings
from simulator.station.evse import PlugIn
from simulator.station.messages import TransactionRecord
from simulator.truth import Floats
from simulator.world import StreetSetup, World, list_turns

# Cars of these classes speak ISO 15118; the departure of a booking is told by the booking, not by the car.
_SPEAKING = frozenset({InformationClass.CAR, InformationClass.BOOKING})


@dataclass(frozen=True, slots=True)
class PluggedIn:
    """A transaction that the central system knows of.

    Parameters
    ----------
    session
        Whose it is.
    station_id, evse_id
        Where.
    transaction_id
        Its name on the wire.
    at
        When its start was answered.
    """

    session: Session
    station_id: str
    evse_id: int
    transaction_id: str
    at: datetime


def _ignore(_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class StreetHooks:
    """Whom to tell what people do; called on the loop, must not block.

    Parameters
    ----------
    on_plugged_in
        When the central system has answered the start of a session's transaction.
    on_left
        When a car is gone.
    """

    on_plugged_in: Callable[[PluggedIn], None] = _ignore
    on_left: Callable[[SessionOutcome], None] = _ignore


@dataclass(frozen=True, slots=True)
class Glance:
    """The street at one moment, for a progress line.

    Parameters
    ----------
    at
        When.
    net_kw, charging_kw, base_kw, pv_kw
        Power of the second before [kW].
    cars
        Plugged in.
    sessions_begun, sessions_ended
        So far.
    """

    at: datetime
    net_kw: float
    charging_kw: float
    base_kw: float
    pv_kw: float
    cars: int
    sessions_begun: int
    sessions_ended: int


class SimulatedStreet:
    """A street's stations, cars and meters as long as the ``async with`` block lasts.

    Parameters
    ----------
    setup
        What there is, who comes, and how households and sun really are.
    clock
        The only time; it should show ``setup.start`` or earlier when the street is entered.
    connect
        Where stations connect: the address of a central system, or what opens a transport.
    seed
        Of names and of the spread of reconnecting stations.
    hooks
        Whom to tell.
    meter_interval_s
        Between clock-aligned meter values until the central system says otherwise [s].
    p1_host
        Where the meters' ports are opened; None for a street without.
    """

    def __init__(
        self,
        setup: StreetSetup,
        clock: Clock,
        connect: str | Connect,
        *,
        seed: int = 0,
        hooks: StreetHooks | None = None,
        meter_interval_s: int = DEFAULT_METER_INTERVAL_S,
        p1_host: str | None = "127.0.0.1",
    ) -> None:
        self.setup = setup
        self.world = World(setup)
        self.counters = WireCounters()
        self._clock = clock
        self._hooks = hooks or StreetHooks()
        self._connect = connect_websocket(connect) if isinstance(connect, str) else connect
        self._random = random.Random(seed)  # noqa: S311 - names and waits of a simulation
        self._p1_host = p1_host
        self._meter_interval_s = meter_interval_s
        self._begun = self._ended = 0
        numbers = itertools.count(1)
        self._new_id = lambda: f"{self._random.getrandbits(64):016x}-{next(numbers)}"
        self.stations = {client.setup.id: client for client in self._build_stations()}
        self.transformer_p1 = P1Port(self._meter("transformer", self._net_power), clock)
        self.pv_p1 = P1Port(self._meter("sun", self._sun_power), clock)
        self._stack = AsyncExitStack()
        self._everybody_done = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._running())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        with self._clock.hold(0.0):  # nothing more happens while the stations hang up one by one
            return await self._stack.__aexit__(kind, error, trace)

    async def wait_online(self) -> None:
        """Wait until every station's boot was accepted."""
        for station in self.stations.values():
            await station.wait_ready()

    async def run_to_end(self) -> RunRecord:
        """Wait for the end of the run and return what it came to."""
        await self._clock.sleep_until(self.setup.end)
        await self._everybody_done.wait()
        return self.world.record()

    def glance(self) -> Glance:
        """Look at the street now."""
        now = self._clock.now()
        second = min(max(self.setup.second_of(now), 1), self.setup.seconds)
        self.world.advance_to(second)
        truth = self.world.truth
        charging_kw = float(truth.power_kw[:, second - 1].sum())
        base_kw, pv_kw = float(truth.base_kw[second - 1]), float(truth.pv_kw[second - 1])
        return Glance(
            now,
            base_kw + charging_kw - pv_kw,
            charging_kw,
            base_kw,
            pv_kw,
            self._begun - self._ended,
            self._begun,
            self._ended,
        )

    # --- the parts ------------------------------------------------------------------------------------------

    def _build_stations(self) -> list[StationClient]:
        return [self._build_station(index) for index in range(len(self.setup.stations))]

    def _build_station(self, index: int) -> StationClient:
        setup = self.setup.stations[index]
        firmware = build_firmware(
            setup,
            self.setup.start,
            self._new_id,
            rows={evse.id: self.world.rows[setup.id, evse.id] for evse in setup.evses},
            recorder=self.world.truth,
            settings=build_settings(setup, aligned_s=self._meter_interval_s),
            voltage_v=self.setup.grid.voltage_v,
        )

        def tell(record: TransactionRecord) -> None:
            self._tell_started(setup.id, setup.protocol, record)

        return StationClient(
            setup,
            firmware,
            self._clock,
            self._connect,
            self._new_id,
            random.Random(self._random.getrandbits(64)),  # noqa: S311 - waits of a simulation
            self.counters,
            on_started=tell,
        )

    def _meter(self, serial: str, power_of: Callable[[int, int], Floats]) -> P1Meter:
        return P1Meter(serial, power_of, self.setup.start, self.setup.grid.tz)

    def _net_power(self, begin_s: int, end_s: int) -> Floats:
        self.world.advance_to(end_s)
        return self.world.truth.net_kw(begin_s, end_s)

    def _sun_power(self, begin_s: int, end_s: int) -> Floats:
        return -self.world.truth.sun_kw(begin_s, end_s)

    # --- what happens ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self._p1_host is not None:
                await stack.enter_async_context(self.transformer_p1.open(self._p1_host))
                await stack.enter_async_context(self.pv_p1.open(self._p1_host))
            for station in self.stations.values():
                await stack.enter_async_context(station.running())
            async with asyncio.TaskGroup() as group:
                people = group.create_task(self._live())
                try:
                    yield
                finally:
                    people.cancel()

    async def _live(self) -> None:
        """Let cars come and go, to the end of the run."""
        by_id = {session.id: session for session in self.setup.fleet.sessions}
        for turn in list_turns(self.setup):
            await self._clock.sleep_until(self.setup.start + timedelta(seconds=turn.second))
            session = by_id[turn.session_id]
            if turn.comes:
                self._arrive(session)
            else:
                self._leave(session)
        self._everybody_done.set()

    def _arrive(self, session: Session) -> None:
        now = self._clock.now()
        client = self.stations[session.station_id]
        model = self.setup.fleet.model_of(session)
        speaks = session.information in _SPEAKING
        plug = PlugIn(
            model,
            self.world.battery_of(session),
            session.token,
            communicates=speaks,
            departure=session.departure if session.information is InformationClass.CAR else None,
            target_fraction=session.target_energy_kwh / model.capacity_kwh,
        )
        client.firmware.plug_in(session.evse_id, plug, now)
        socket = client.firmware.evses[session.evse_id].socket
        self.world.note_arrival(session, socket, self.setup.second_of(now))
        self._begun += 1
        client.wake()

    def _leave(self, session: Session) -> None:
        now = self._clock.now()
        client = self.stations[session.station_id]
        battery = client.firmware.unplug(session.evse_id, now)
        row = self.world.row_of(session)
        outcome = self.world.note_departure(row, battery, self.setup.second_of(now))
        self._ended += 1
        client.wake()
        self._hooks.on_left(outcome)

    def _tell_started(self, station_id: str, protocol: Protocol, record: TransactionRecord) -> None:
        session = self.world.session_at(self.world.rows[station_id, record.evse_id])
        running = self.stations[station_id].firmware.is_running(record)
        if session is None or not running:
            return  # told late, after an outage: the car is gone
        name = str(record.server_id) if protocol is Protocol.V16 else record.id
        self._hooks.on_plugged_in(PluggedIn(session, station_id, record.evse_id, name, self._clock.now()))
