"""Thousands of stations in one process, on any central system: people come and go, things break.

The same code runs on the wall clock and in virtual time. There is no street behind it: no truth of a
transformer, only stations, cars and their meters, and the invariants that hold for each of them.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from grid.clock import Clock
from grid.errors import WijkstroomError
from simulator.client.counters import WireCounters
from simulator.client.endpoint import CALL_TIMEOUT_S
from simulator.client.station import StationClient
from simulator.client.transport import Connect, Transport
from simulator.faults.behaviours import Patient
from simulator.faults.inject import Injector
from simulator.faults.link import Link, connect_over
from simulator.faults.scenario import DEFAULT_VALUES, OF_SOCKET, FaultKind
from simulator.faults.schedule import FaultEvent
from simulator.fleet.sessions import Fleet, InformationClass, Session
from simulator.invariants import SECONDS_PER_HOUR, Stay, check_stay
from simulator.setup import StationSetup
from simulator.station.build import build_firmware, build_settings
from simulator.station.evse import Evse, PlugIn
from simulator.station.standby import standby_kwh
from simulator.vehicle.model import VehicleModel

# Handshakes at a time: more only wait for each other.
HANDSHAKES = 64
# Who is there when a run begins plugs in within this time [s].
FIRST_PLUG_INS_S = 60.0


class NoSuchSocketError(WijkstroomError):
    """A socket was named that is not there, or cannot do what was asked of it now."""


@dataclass
class CrowdTally:
    """What happened so far.

    Parameters
    ----------
    begun, ended
        Plug-ins and plug-outs.
    diverted
        People who found their socket taken or blocked.
    import_kwh, export_kwh
        Of the sessions that ended [kWh].
    plugged_h
        How long their cars were plugged in [h].
    violations
        What contradicted physics; always empty but for a mistake of ours.
    """

    begun: int = 0
    ended: int = 0
    diverted: int = 0
    import_kwh: float = 0.0
    export_kwh: float = 0.0
    plugged_h: float = 0.0
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CrowdSetup:
    """What a run begins with.

    Parameters
    ----------
    stations
        What stands there, with their quirks.
    fleet
        Who comes.
    events
        What breaks, after the begin of the run.
    start
        Begin of the run (UTC).
    meter_interval_s
        Between clock-aligned meter values until the central system says otherwise [s].
    seed
        Of names and waits.
    call_timeout_s
        How long stations wait for an answer [s of the wall].
    """

    stations: Sequence[StationSetup]
    fleet: Fleet
    events: Sequence[FaultEvent]
    start: datetime
    meter_interval_s: int = 60
    seed: int = 0
    call_timeout_s: float = CALL_TIMEOUT_S


class Crowd:
    """Stations and people as long as the ``async with`` block lasts.

    Parameters
    ----------
    setup
        What there is.
    clock
        The only time.
    connect
        Opens a station's connection.
    """

    def __init__(self, setup: CrowdSetup, clock: Clock, connect: Connect) -> None:
        self.setup = setup
        self.counters, self.tally = WireCounters(), CrowdTally()
        self._clock = clock
        self._random = random.Random(setup.seed)  # noqa: S311 - names and waits of a simulation
        self._handshakes = asyncio.Semaphore(HANDSHAKES)
        numbers = itertools.count(1)
        self._new_id = lambda: f"{self._random.getrandbits(64):016x}-{next(numbers)}"
        self.patients = {one.id: self._build(one, connect) for one in setup.stations}
        self.injector = Injector(self.patients, clock)
        self._stays: dict[tuple[str, int], tuple[str, Stay]] = {}
        self._left_with_kwh: dict[str, float] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._running())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def online(self) -> int:
        """How many stations are connected and accepted."""
        return sum(patient.client.online for patient in self.patients.values())

    @property
    def cars(self) -> int:
        """How many cars are plugged in."""
        return len(self._stays)

    @property
    def standby_kwh(self) -> float:
        """What the electronics of all sockets took so far, cars that are still there counted when they go."""
        sockets = sum(len(one.evses) for one in self.setup.stations)
        hours = (self._clock.now() - self.setup.start) / timedelta(hours=1)
        return standby_kwh(sockets, hours, self.tally.plugged_h)

    @property
    def waiting(self) -> int:
        """How many messages have not been answered or even said."""
        return sum(len(patient.client.firmware.outbox.waiting) for patient in self.patients.values())

    def now(self) -> datetime:
        """Return the stations' time."""
        return self._clock.now()

    def power_kw(self) -> float:
        """Return what all sockets take and give together [kW]."""
        now = self._clock.now()
        return sum(
            evse.socket.recent_power_kw(patient.client.firmware.second_of(now))
            for patient in self.patients.values()
            for evse in patient.client.firmware.evses.values()
            if evse.plug is not None
        )

    async def wait_online(self) -> None:
        """Wait until every station's boot was accepted."""
        for patient in self.patients.values():
            await patient.client.wait_ready()

    async def wait_until(self, end: datetime) -> None:
        """Wait for the end of a run and check what is plugged in then."""
        await self._clock.sleep_until(end)
        for station_id, evse_id in list(self._stays):
            self._settle_up(station_id, evse_id)

    # --- what people do, drawn or by hand -------------------------------------------------------------------

    def plug(self, station_id: str, evse_id: int, plug: PlugIn, session_id: str = "") -> None:
        """Plug a car in and hold its card to the reader.

        Raises
        ------
        NoSuchSocketError
            When there is no such socket, or a car at it.
        """
        client, evse = self._find(station_id, evse_id)
        if evse.plug is not None:
            raise NoSuchSocketError(f"{station_id} socket {evse_id}: a car is plugged in, unplug it first")
        now = self._clock.now()
        client.firmware.plug_in(evse_id, plug, now)
        second = client.firmware.second_of(now)
        car = evse.socket.car
        assert car is not None, "it was just plugged in"
        stay = Stay(car.model, plug.battery.energy_kwh, evse.socket.registers(second), second)
        self._stays[station_id, evse_id] = session_id, stay
        self.tally.begun += 1
        client.wake()

    def unplug(self, station_id: str, evse_id: int) -> None:
        """Pull the cable out.

        Raises
        ------
        NoSuchSocketError
            When there is no such socket, or no car at it.
        """
        client, evse = self._find(station_id, evse_id)
        if evse.plug is None:
            raise NoSuchSocketError(f"{station_id} socket {evse_id}: no car is plugged in")
        session_id, energy_kwh = self._settle_up(station_id, evse_id)
        self._left_with_kwh[session_id] = energy_kwh
        client.firmware.unplug(evse_id, self._clock.now())
        self.tally.ended += 1
        client.wake()

    def tap(self, station_id: str, evse_id: int, token: str) -> None:
        """Hold a card to a reader.

        Raises
        ------
        NoSuchSocketError
            When there is no such socket.
        """
        client, _ = self._find(station_id, evse_id)
        client.firmware.tap_card(evse_id, token, self._clock.now())
        client.wake()

    async def break_(self, kind: FaultKind, station_id: str, evse_id: int, seconds: float) -> None:
        """Let something break for a while.

        Raises
        ------
        NoSuchSocketError
            When there is no such socket.
        """
        self._find(station_id, evse_id)
        where = evse_id if kind in OF_SOCKET else 0
        value = DEFAULT_VALUES.get(kind, 0.0)
        await self.injector.begin(FaultEvent(0.0, seconds, station_id, where, kind, value))

    def _find(self, station_id: str, evse_id: int) -> tuple[StationClient, Evse]:
        patient = self.patients.get(station_id)
        if patient is None or evse_id not in patient.client.firmware.evses:
            raise NoSuchSocketError(f"{station_id} has no socket {evse_id}: name one that stands there")
        return patient.client, patient.client.firmware.evses[evse_id]

    def _settle_up(self, station_id: str, evse_id: int) -> tuple[str, float]:
        """Book what a stay came to, hold it against physics, and return its session and the energy left."""
        session_id, stay = self._stays.pop((station_id, evse_id))
        client, evse = self._find(station_id, evse_id)
        second = client.firmware.second_of(self._clock.now())
        battery, registers = evse.socket.battery(second), evse.socket.registers(second)
        assert battery is not None, "its car is plugged in"
        self.tally.import_kwh += registers.import_kwh - stay.registers.import_kwh
        self.tally.plugged_h += (second - stay.second) / SECONDS_PER_HOUR
        self.tally.export_kwh += registers.export_kwh - stay.registers.export_kwh
        problems = check_stay(stay, battery.energy_kwh, registers, second)
        self.tally.violations += [f"{station_id} socket {evse_id}: {problem}" for problem in problems]
        return session_id, battery.energy_kwh

    # --- the parts ------------------------------------------------------------------------------------------

    def _build(self, setup: StationSetup, connect: Connect) -> Patient:
        link = Link()
        rng = random.Random(self._random.getrandbits(64))  # noqa: S311 - waits of a simulation
        firmware = build_firmware(
            setup,
            self.setup.start,
            self._new_id,
            settings=build_settings(setup, aligned_s=self.setup.meter_interval_s),
        )

        async def connect_in_turn(one: StationSetup) -> Transport:
            async with self._handshakes:
                return await connect(one)

        over = connect_over(connect_in_turn, link, self._clock, rng)
        client = StationClient(
            setup,
            firmware,
            self._clock,
            over,
            self._new_id,
            rng,
            self.counters,
            call_timeout_s=self.setup.call_timeout_s,
            impaired=lambda: link.impaired,
        )
        return Patient(client, link, lambda evse_id: self._pull(setup.id, evse_id))

    def _pull(self, station_id: str, evse_id: int) -> None:
        if (station_id, evse_id) in self._stays:
            self.unplug(station_id, evse_id)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                *(group.create_task(patient.client.run()) for patient in self.patients.values()),
                group.create_task(self._live()),
                group.create_task(self.injector.run(self.setup.events, self.setup.start)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                self.injector.stop()

    async def _live(self) -> None:
        """Let people come and go."""
        departures: list[tuple[datetime, str, Session]] = []
        for session in self.setup.fleet.sessions:
            await self._let_go(departures, session.arrival)
            await self._clock.sleep_until(session.arrival)
            if self._arrive(session):
                heapq.heappush(departures, (session.departure, session.id, session))
        while departures:
            await self._let_go(departures, departures[0][0])

    async def _let_go(self, departures: list[tuple[datetime, str, Session]], until: datetime) -> None:
        while departures and departures[0][0] <= until:
            departure, _, session = heapq.heappop(departures)
            await self._clock.sleep_until(departure)
            place = session.station_id, session.evse_id
            if self._stays.get(place, ("",))[0] == session.id:
                self.unplug(*place)

    def _arrive(self, session: Session) -> bool:
        patient = self.patients[session.station_id]
        place = session.station_id, session.evse_id
        if place in self._stays or session.evse_id in patient.blocked:
            self.tally.diverted += 1
            return False
        self.plug(*place, build_plug(self.setup.fleet, session, self._left_with_kwh), session.id)
        return True

    def models(self) -> dict[str, VehicleModel]:
        """Return the models of cars that a hand may plug in."""
        return dict(self.setup.fleet.models)


def build_plug(fleet: Fleet, session: Session, left_with_kwh: dict[str, float]) -> PlugIn:
    """Return the car of a session as it is plugged in."""
    model = fleet.model_of(session)
    speaks = session.information in {InformationClass.CAR, InformationClass.BOOKING}
    return PlugIn(
        model,
        fleet.battery_at_arrival(session, left_with_kwh),
        session.token,
        communicates=speaks,
        departure=session.told_departure if session.information is InformationClass.CAR else None,
        target_fraction=session.target_energy_kwh / model.capacity_kwh,
    )


def spread_first(sessions: Sequence[Session], start: datetime, seed: int) -> list[Session]:
    """Spread those who are there at the begin over a minute, and return all by arrival."""
    rng = random.Random(seed)  # noqa: S311 - waits of a simulation
    spread = []
    for session in sessions:
        arrival = session.arrival
        if arrival <= start:
            arrival = start + timedelta(seconds=rng.uniform(0.0, FIRST_PLUG_INS_S))
        told = session.declaration
        if told is not None:
            told = replace(told, at=max(told.at, arrival))
        if session.departure > arrival:
            spread.append(replace(session, arrival=arrival, declaration=told))
    return sorted(spread, key=lambda session: (session.arrival, session.id))
