"""The test stand: service and street in one virtual loop, and the handles by which faults turn them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from csms.control.ledger import EvseKey
from csms.control.loop import ControlLoop
from csms.gateway.server import Gateway
from csms.gateway.transport import memory_pair
from csms.ocpp.vocabulary import (
    Accepted,
    Command,
    OcppVersion,
    Outcome,
    Priority,
    ProfilePurpose,
    SetProfile,
)
from csms.settings import MeterRole
from csms.state.records import Booking, Declaration
from csms.state.service import StateService
from csms.state.store import Store
from grid.errors import WijkstroomError
from grid.feeds.p1 import MeterReading
from optimizer.workers import WorkerKilledError
from simulator.client.transport import Transport, TransportClosedError
from simulator.faults.link import Link, connect_over
from simulator.fleet.sessions import Session
from simulator.meter.register import WH_PER_KWH, Registers
from simulator.setup import StationSetup
from simulator.station.quirks import Quirk
from simulator.street import PluggedIn, SimulatedStreet, StreetHooks
from wijkstroom.proving.reversion import Told
from wijkstroom.proving.site import Site
from wijkstroom.proving.virtual import LoopClock, ServiceClock
from wijkstroom.running import build_catalogue, new_ids
from wijkstroom.scene import build_world

ResultT = TypeVar("ResultT")
# What a plan takes, in virtual seconds.
SOLVE_S = 0.5
# Between readings of the transformer's and the sun's meter [s].
READING_S = 45.0
_AGAIN_S = 10.0


class ShakyExecutor:
    """Makes plans in process; a fault may let them hang, crash or come out absurd.

    Parameters
    ----------
    hang, crash, absurd
        How many faults want that.
    """

    def __init__(self) -> None:
        self.hang = self.crash = self.absurd = 0

    def submit(
        self, function: Callable[..., ResultT], /, *args: Any, deadline_s: float | None = None
    ) -> Future[ResultT]:
        """Run ``function(*args)`` now and hand the result out a moment later."""
        future: Future[ResultT] = Future()
        loop = asyncio.get_running_loop()
        if self.hang:
            limit_s = 8.0 if deadline_s is None else min(deadline_s, 8.0)
            loop.call_later(limit_s, _fail, future, WorkerKilledError("killed at its deadline"))
        elif self.crash:
            loop.call_later(SOLVE_S, _fail, future, WorkerKilledError("the worker died"))
        elif self.absurd:
            loop.call_later(SOLVE_S, _fail, future, ValueError("the solver returned NaN"))
        else:
            try:
                result = function(*args)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever holds the future
                _fail(future, error)
                return future
            loop.call_later(SOLVE_S, _give, future, result)
        return future

    def close(self) -> None:
        """Do nothing."""


def _give(future: Future[ResultT], result: ResultT) -> None:
    if not future.cancelled():
        future.set_result(result)


def _fail(future: Future[Any], error: Exception) -> None:
    if not future.cancelled():
        future.set_exception(error)


class Meters:
    """The street's own meters, and what may be wrong with them."""

    def __init__(self) -> None:
        self.silent = self.frozen = self.flipped = 0

    def bend(self, reading: MeterReading, last: MeterReading | None) -> MeterReading | None:
        """Return what a faulty meter says instead of a reading; None when it says nothing."""
        if self.silent:
            return None
        if self.frozen and last is not None:
            return MeterReading(reading.at, last.import_kwh, last.export_kwh, last.power_kw)
        if self.flipped:
            return MeterReading(reading.at, reading.import_kwh, reading.export_kwh, -reading.power_kw)
        return reading


class Stand:
    """Everything that runs, with its handles.

    Parameters
    ----------
    site
        The street.
    store
        Survives the service.
    guarded
        Whether the guard is on.
    """

    def __init__(self, site: Site, store: Store, *, guarded: bool = True) -> None:
        self.site, self.guarded = site, guarded
        self.clock = LoopClock(site.scene.start)
        # What the service's machine says the time is may be wrong; how much time passes is not.
        self.wall_error_s = 0.0
        self.executor, self.meters = ShakyExecutor(), Meters()
        self.rng = random.Random(f"stand {site.seed}")  # noqa: S311 - a simulation
        self.links = {setup.id: Link() for setup in site.scene.setups}
        self.writes = 0
        self.told: list[Told] = []
        self._store = store
        self._new_id = new_ids(site.seed)
        self._catalogue = build_catalogue(site.scene.street)
        self._attached: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self.service: StateService | None = None
        self.gateway: Gateway | None = None
        self.loop: ControlLoop | None = None
        self.street = SimulatedStreet(
            build_world(site.scene),
            self.clock,
            self._connect,
            seed=site.seed,
            hooks=StreetHooks(on_plugged_in=self._on_plugged_in),
            meter_interval_s=site.scene.simulation.meter_interval_s,
            p1_host=None,
        )
        self._errands: set[asyncio.Task[None]] = set()

    async def start_service(self) -> None:
        """Start gateway, state and control on the rows that there are."""
        self.wall_error_s = 0.0  # a machine that starts asks the network for the time
        clock = ServiceClock(self.clock, lambda: self.wall_error_s, steady=self.guarded)
        service = StateService(self._store, clock, self._catalogue, new_id=self._new_id)
        await service.start()
        self.service = service
        self.gateway = Gateway(service, clock, new_message_id=self._new_id)
        grid = self.site.scene.street.grid
        self.loop = ControlLoop(
            service, self._call, self.executor, clock, grid, new_id=self._new_id, guarded=self.guarded
        )
        self._running = asyncio.create_task(self.loop.run(), name="control loop")

    async def kill_service(self) -> None:
        """Stop everything of the service at once, as a signal 9 does; the rows stay."""
        tasks = [*self._attached, *([self._running] if self._running else [])]
        self.service = self.gateway = self.loop = self._running = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in self.links.values():
            await link.cut()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stand]:
        """Run service, street and people for the block."""
        await self.start_service()
        try:
            async with self.street:
                await self.street.wait_online()
                tasks = [asyncio.create_task(self._read_meters()), asyncio.create_task(self._book())]
                try:
                    yield self
                finally:
                    for task in (*tasks, *self._errands):
                        task.cancel()
                    await asyncio.gather(*tasks, *self._errands, return_exceptions=True)
        finally:
            await self.kill_service()

    # --- wires ----------------------------------------------------------------------------------------------

    async def _connect(self, setup: StationSetup) -> Transport:
        return await connect_over(self._open, self.links[setup.id], self.clock, self.rng)(setup)

    async def _open(self, setup: StationSetup) -> Transport:
        gateway = self.gateway
        if gateway is None:
            raise TransportClosedError(f"{setup.id}: nobody listens")
        ours, theirs = memory_pair()
        task = asyncio.create_task(gateway.attach(theirs, setup.id, OcppVersion(setup.protocol.value)))
        self._attached.add(task)
        task.add_done_callback(self._attached.discard)
        return ours

    async def _call(
        self, station_id: str, command: Command, *, priority: Priority = Priority.CONTROL
    ) -> Outcome:
        gateway = self.gateway
        assert gateway is not None, "only a running service calls"
        if not isinstance(command, SetProfile):
            return await gateway.call(station_id, command, priority=priority)
        self.writes += 1
        key = EvseKey(station_id, command.evse_id)
        told = command.profile.purpose is ProfilePurpose.TX
        if told:
            self.told.append(Told(self.clock.now(), key, None))
        outcome = await gateway.call(station_id, command, priority=priority)
        if told and isinstance(outcome, Accepted) and self._applies(station_id):
            self.told.append(Told(self.clock.now(), key, command.profile))
        return outcome

    def _applies(self, station_id: str) -> bool:
        """Say whether a station does what it says yes to."""
        return Quirk.ACCEPTS_WITHOUT_APPLYING not in self.street.stations[station_id].firmware.setup.quirks

    # --- meters and people ----------------------------------------------------------------------------------

    async def _read_meters(self) -> None:
        roles = {meter.role: meter.id for meter in self._catalogue.service.meters}
        world = self.street.world
        counted = {role: Registers() for role in roles}
        last: dict[MeterRole, MeterReading] = {}
        read_s = 0
        while True:
            await self.clock.sleep(READING_S)
            second = min(world.setup.second_of(self.clock.now()), world.setup.seconds)
            if second <= read_s:
                continue
            world.advance_to(second)
            powers = {
                MeterRole.NODE: world.truth.net_kw(read_s, second),
                MeterRole.PV: -world.truth.sun_kw(read_s, second),
            }
            read_s = second
            for role, name in roles.items():
                counted[role].add(powers[role])
                reading = MeterReading(
                    self.clock.now(),
                    counted[role].import_wh / WH_PER_KWH,
                    counted[role].export_wh / WH_PER_KWH,
                    float(powers[role][-1]),
                )
                said = self.meters.bend(reading, last.get(role))
                if said is not None and self.service is not None:
                    last[role] = said
                    await self.service.record_reading(name, said)

    async def _book(self) -> None:
        for booking in self.site.scene.fleet.bookings:
            await self.clock.sleep_until(booking.announced_at)
            body = Booking(booking.token, booking.start, booking.end, booking.energy_kwh)
            await self._tell(lambda service, body=body, name=booking.id: service.book(name, body))  # type: ignore[misc]

    def _on_plugged_in(self, plugged: PluggedIn) -> None:
        if plugged.session.declaration is not None:
            task = asyncio.create_task(self._declare(plugged.session, plugged))
            self._errands.add(task)
            task.add_done_callback(self._errands.discard)

    async def _declare(self, session: Session, plugged: PluggedIn) -> None:
        told = session.declaration
        assert told is not None, "asked for just now"
        await self.clock.sleep_until(told.at)

        async def declare(service: StateService) -> None:
            evse = service.state.stations[plugged.station_id].evses[plugged.evse_id]
            if evse.session is not None:
                await service.declare(
                    evse.session.id, Declaration(told.departure, energy_kwh=told.energy_kwh)
                )

        await self._tell(declare)

    async def _tell(self, errand: Callable[[StateService], Any]) -> None:
        """Tell the service something, later when it is down; what it refuses is told once."""
        while self.service is None:
            await self.clock.sleep(_AGAIN_S)
        with suppress(WijkstroomError):
            await errand(self.service)
