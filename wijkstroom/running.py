"""A street and its central system in one event loop, on one clock, over real sockets on loopback.

This is the one place of the product where both sides meet in a process. They still only see each other
through OCPP, HTTP and the telegrams of the meters.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from csms.app import CentralSystem
from csms.settings import MeterRole
from csms.state.catalogue import Catalogue
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import Clock, ScaledClock
from optimizer.planner import warm_up
from optimizer.workers import Executor, ProcessExecutor
from simulator.client.transport import Connect, Transport, connect_websocket
from simulator.drivers import Drivers, connect_api
from simulator.meter.p1 import TELEGRAM_S
from simulator.setup import StationSetup
from simulator.street import SimulatedStreet
from wijkstroom.scene import Scene, build_world
from wijkstroom.street import Street

LOOPBACK = "127.0.0.1"
# Real seconds that time waits for a meter that is silent.
PATIENCE_S = 2.0
ID_BITS = 96


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a scene is run.

    Parameters
    ----------
    speed
        Simulated seconds per real second, at the most.
    http_port, ocpp_port
        Ports on loopback; 0 picks free ones.
    """

    speed: float = 600.0
    http_port: int = 0
    ocpp_port: int = 0


@dataclass(frozen=True)
class Running:
    """A scene that runs.

    Parameters
    ----------
    scene
        What it is.
    clock
        Its time.
    store
        The service's rows.
    central
        The service.
    simulated
        Stations, cars, meters.
    drivers
        Who tells the service what they want.
    """

    scene: Scene
    clock: ScaledClock
    store: Store
    central: CentralSystem
    simulated: SimulatedStreet
    drivers: Drivers


class Address:
    """Where stations connect; they wait until it is known."""

    def __init__(self) -> None:
        self._known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def set(self, url: str) -> None:
        """Make it known."""
        self._known.set_result(url)

    async def connect(self, setup: StationSetup) -> Transport:
        """Open a station's websocket."""
        return await connect_websocket(await asyncio.shield(self._known))(setup)


@asynccontextmanager
async def running_scene(scene: Scene, options: RunOptions) -> AsyncIterator[Running]:
    """Run a scene for the block; its clock stands at the begin until every station is online.

    Parameters
    ----------
    scene
        What to run.
    options
        How.
    """
    clock = ScaledClock(scene.start, math.inf)  # stands still until it is run
    new_id = new_ids(scene.seed)
    token = new_id()
    async with AsyncExitStack() as stack:
        executor = stack.enter_context(solving())
        store = await stack.enter_async_context(temporary_store())
        address = Address()
        simulated = await stack.enter_async_context(simulated_street(scene, clock, address.connect))
        street = find_meters(scene.street, simulated)
        central = await stack.enter_async_context(
            central_system(street, store, clock, executor, token, new_id, options)
        )
        address.set(ocpp_url(central))
        await simulated.wait_online()
        # The first plan shall be as fast as the others.
        await asyncio.wrap_future(executor.submit(warm_up))
        drivers = await stack.enter_async_context(running_drivers(scene, clock, http_url(central), token))
        await stack.enter_async_context(paced_by_meters(central, clock))
        clock.speed = options.speed
        await stack.enter_async_context(clock.running())
        yield Running(scene, clock, store, central, simulated, drivers)


@asynccontextmanager
async def running_drivers(scene: Scene, clock: Clock, url: str, token: str) -> AsyncIterator[Drivers]:
    """Let drivers and the owner of the shared cars use the API at an address for the block."""
    async with connect_api(url, token) as client, asyncio.TaskGroup() as group:
        drivers = Drivers(scene.fleet, clock, client)
        telling = group.create_task(drivers.run(), name="drivers")
        try:
            yield drivers
        finally:
            telling.cancel()


@asynccontextmanager
async def paced_by_meters(central: CentralSystem, clock: Clock) -> AsyncIterator[None]:
    """Let time wait for the meters' telegrams, as it waits for calls and plans, for the block."""
    async with asyncio.TaskGroup() as group:
        pacing = group.create_task(_follow_meters(central.service, clock), name="meters")
        try:
            yield
        finally:
            pacing.cancel()


async def _follow_meters(service: StateService, clock: Clock) -> None:
    due = clock.now()
    with service.subscribe() as events:
        while True:
            with clock.hold(TELEGRAM_S), suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    while not _all_read_since(service, due):
                        await anext(aiter(events))
            due = clock.now()
            await clock.sleep(TELEGRAM_S)


def _all_read_since(service: StateService, due: datetime) -> bool:
    meters = service.state.meters
    return all(
        one.id in meters and meters[one.id].read_at >= due
        for one in service.catalogue.service.meters
        if one.port
    )


def ocpp_url(central: CentralSystem) -> str:
    """Return where stations connect."""
    return f"ws://{central.host}:{central.ocpp_port}/ocpp"


def http_url(central: CentralSystem) -> str:
    """Return where the live page and the API are."""
    return f"http://{central.host}:{central.http_port}"


def simulated_street(scene: Scene, clock: Clock, connect: Connect | str) -> SimulatedStreet:
    """Return a scene's stations, cars and meters; they run for the block that they are entered for."""
    return SimulatedStreet(
        build_world(scene),
        clock,
        connect,
        seed=scene.seed,
        meter_interval_s=scene.simulation.meter_interval_s,
    )


def central_system(
    street: Street,
    store: Store,
    clock: Clock,
    executor: Executor,
    token: str,
    new_id: Callable[[], str],
    options: RunOptions,
) -> CentralSystem:
    """Return a street's service on loopback; it runs for the block that it is entered for."""
    return CentralSystem(
        build_catalogue(street),
        street.grid,
        store,
        clock,
        executor,
        operator_token=token,
        host=LOOPBACK,
        ocpp_port=options.ocpp_port,
        http_port=options.http_port,
        new_id=new_id,
    )


def build_catalogue(street: Street, *, open_door: bool = False) -> Catalogue:
    """Return what the service knows of a street's stations and cars."""
    stations = {station.id: station for station in street.stations}
    return Catalogue(stations, street.models, street.grid.topology, street.service, open_door=open_door)


def find_meters(street: Street, simulated: SimulatedStreet) -> Street:
    """Return the street with its meters where the simulated ones are."""
    ports = {MeterRole.NODE: simulated.transformer_p1.port, MeterRole.PV: simulated.pv_p1.port}
    meters = tuple(
        meter.model_copy(update={"host": LOOPBACK, "port": ports[meter.role]})
        for meter in street.service.meters
    )
    return replace(street, service=street.service.model_copy(update={"meters": meters}))


@contextmanager
def solving(workers: int = 1) -> Iterator[ProcessExecutor]:
    """Keep warm worker processes for the block."""
    executor = ProcessExecutor(workers, warm_up)
    try:
        yield executor
    finally:
        executor.close()


@asynccontextmanager
async def temporary_store() -> AsyncIterator[Store]:
    """Keep a database for the block."""
    with tempfile.TemporaryDirectory(prefix="wijkstroom-") as folder:
        async with opened_store(f"sqlite:///{folder}/street.db") as store:
            yield store


@asynccontextmanager
async def opened_store(url: str) -> AsyncIterator[Store]:
    """Open a database for the block."""
    store = open_store(url)
    try:
        yield store
    finally:
        await store.close()


def new_ids(seed: int) -> Callable[[], str]:
    """Return a maker of ids that gives the same ones for the same seed; a demo can be repeated."""
    source = random.Random(f"ids {seed}")  # noqa: S311 - `serve` draws from the system
    return lambda: f"{source.getrandbits(ID_BITS):024x}"
