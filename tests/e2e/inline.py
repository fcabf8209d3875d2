"""A street and its service without sockets, threads or processes: the same run twice, to the last bit.

The service learns what stations, declarations, bookings and meters say, as over the wire; who brings it is here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from csms.control.loop import ControlLoop
from csms.gateway.server import Gateway
from csms.gateway.transport import memory_pair
from csms.ocpp.vocabulary import OcppVersion
from csms.state.queries import find_plan, list_plans
from csms.state.records import Booking, Declaration, PlanRecord
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import ScaledClock
from grid.feeds.p1 import MeterReading
from optimizer.workers import InlineExecutor
from simulator.client.transport import Transport
from simulator.setup import StationSetup
from simulator.street import PluggedIn, SimulatedStreet, StreetHooks
from simulator.truth import SECONDS_PER_HOUR
from simulator.world import World
from wijkstroom.running import build_catalogue, new_ids
from wijkstroom.scene import Scene, build_world

METER_S = 60.0


@dataclass(frozen=True)
class InlineRun:
    """What came of it: every plan in order, and what the stations and the gateway had to complain about."""

    plans: tuple[PlanRecord, ...]
    errors: int
    charged_kwh: float


@dataclass
class Wires:
    """Opens connections in memory."""

    gateway: Gateway
    group: asyncio.TaskGroup
    attached: list[asyncio.Task[None]] = field(default_factory=list)

    async def connect(self, setup: StationSetup) -> Transport:
        ours, theirs = memory_pair()
        version = OcppVersion(setup.protocol.value)
        self.attached.append(self.group.create_task(self.gateway.attach(ours, setup.id, version)))
        return theirs


@dataclass
class People:
    """Drivers who declare, and the owner of the shared cars, without a network."""

    scene: Scene
    service: StateService
    clock: ScaledClock
    group: asyncio.TaskGroup

    def note(self, plugged: PluggedIn) -> None:
        if plugged.session.declaration is not None:
            self.group.create_task(self.declare(plugged))

    async def declare(self, plugged: PluggedIn) -> None:
        told = plugged.session.declaration
        assert told is not None
        await self.clock.sleep_until(told.at)
        evse = self.service.state.stations[plugged.station_id].evses[plugged.evse_id]
        assert evse.session is not None
        await self.service.declare(evse.session.id, Declaration(told.departure, energy_kwh=told.energy_kwh))

    async def book(self) -> None:
        for one in self.scene.fleet.bookings:
            await self.clock.sleep_until(one.announced_at)
            await self.service.book(one.id, Booking(one.token, one.start, one.end, one.energy_kwh))


async def read_meters(scene: Scene, world: World, service: StateService, clock: ScaledClock) -> None:
    """Tell the service every minute what the street's meters show."""
    net_kws = sun_kws = 0.0
    second = 0
    while True:
        await clock.sleep(METER_S)
        now = clock.now()
        until = min(world.setup.second_of(now), world.setup.seconds)
        world.advance_to(until)
        net, sun = world.truth.net_kw(second, until), world.truth.sun_kw(second, until)
        if not len(net):
            return
        net_kws, sun_kws, second = net_kws + float(net.sum()), sun_kws + float(sun.sum()), until
        transformer, roof = scene.street.service.meters
        reading = MeterReading(now, max(net_kws, 0.0) / SECONDS_PER_HOUR, 0.0, float(net[-1]))
        await service.record_reading(transformer.id, reading)
        await service.record_reading(
            roof.id, MeterReading(now, 0.0, sun_kws / SECONDS_PER_HOUR, -float(sun[-1]))
        )


async def run_inline(scene: Scene) -> InlineRun:
    """Run a scene in memory, as fast as it goes."""
    store = open_store("sqlite://", inline=True)
    try:
        clock = ScaledClock(scene.start, math.inf)
        service = StateService(store, clock, build_catalogue(scene.street), new_id=new_ids(1))
        await service.start()
        gateway = Gateway(service, clock, new_message_id=new_ids(2))
        async with controlled(scene, service, gateway, clock), asyncio.TaskGroup() as group:
            people, wires = People(scene, service, clock, group), Wires(gateway, group)
            simulated = SimulatedStreet(
                build_world(scene),
                clock,
                wires.connect,
                seed=scene.seed,
                hooks=StreetHooks(on_plugged_in=people.note),
                p1_host=None,
            )
            async with simulated:
                await simulated.wait_online()
                told = [
                    group.create_task(people.book()),
                    group.create_task(read_meters(scene, simulated.world, service, clock)),
                ]
                async with clock.running():
                    record = await simulated.run_to_end()
                for task in told:
                    task.cancel()
        errors = gateway.counters.ocpp_errors + simulated.counters.errors
        charged_kwh = sum(one.import_kwh for one in record.outcomes)
        return InlineRun(await read_plans(store), errors, charged_kwh)
    finally:
        await store.close()


@asynccontextmanager
async def controlled(
    scene: Scene, service: StateService, gateway: Gateway, clock: ScaledClock
) -> AsyncIterator[None]:
    """Plan and steer for the block."""
    loop = ControlLoop(service, gateway.call, InlineExecutor(), clock, scene.street.grid, new_id=new_ids(3))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(loop.run())
        try:
            yield
        finally:
            running.cancel()


async def read_plans(store: Store) -> tuple[PlanRecord, ...]:
    """Return every plan with its documents, the first one first."""
    summaries = await store.read(partial(list_plans, limit=100_000))
    plans = [await store.read(partial(find_plan, plan_id=one.id)) for one in summaries]
    return tuple(reversed(plans))
