"""The central system: gateway, state, control loop, meters, API and pages in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI

from csms.api.application import build_application
from csms.api.bounds import LOOPBACK_NAMES, OwnNames
from csms.api.context import ApiContext
from csms.api.openadr import build_openadr
from csms.api.oscp import build_oscp, build_oscp_desk
from csms.api.pricing import build_pricing
from csms.control.fleet import FleetDesk, FleetGate, FleetSwitch
from csms.control.load_forecast import LoadForecastDesk
from csms.control.loop import ControlLoop
from csms.control.pricing import PriceDesk
from csms.gateway.server import Gateway
from csms.settings import MeterConfig
from csms.share.day_ahead import fetching_prices
from csms.share.openadr_desk import VenDesk
from csms.share.oscp import OscpDesk
from csms.share.weather import forecasting_sun
from csms.state.catalogue import Catalogue
from csms.state.compliance import build_rules
from csms.state.housekeeping import keep_house
from csms.state.journal import Journal
from csms.state.redaction import Redactor
from csms.state.service import StateService
from csms.state.store import Store
from csms.web.city import CityDesk, add_city
from csms.web.connect import ConnectDesk, add_guide
from csms.web.control import StationDesk
from csms.web.door import PageDoor
from csms.web.driver import add_driver_page
from csms.web.feed import LiveFeed, LiveSource
from csms.web.history import read_history
from csms.web.network import GridDesk
from csms.web.pages import build_pages
from csms.web.plans import PlanReader
from csms.web.uploads import UploadDesk
from csms.web.view import day_start
from grid.clock import Clock
from grid.errors import WijkstroomError
from grid.feeds.p1 import P1Client
from grid.street import GridSide
from grid.timegrid import floor_quarter
from optimizer.workers import Executor

logger = logging.getLogger(__name__)

_BACKLOG = 512
# Real seconds for answers in progress when the service stops.
_GRACE_S = 2


class PortInUseError(WijkstroomError):
    """A port that the service needs is taken."""


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to whoever runs the event loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class CentralSystem:
    """Everything that runs for one street; an async context manager.

    Parameters
    ----------
    catalogue
        Stations and cars.
    grid
        Network, prices and sun.
    store
        Where rows are kept; closed by whoever opened it.
    clock
        The street's time.
    executor
        Where plans are made; closed by whoever made it.
    operator_token
        Who shows it may ask the API everything.
    host
        Address of both ports.
    ocpp_port, http_port
        0 picks a free one; after the start they are those that were picked.
    new_id
        Makes ids: at most 36 characters, not guessable, never twice the same.
    live_page_open
        Whether everybody who reaches the page may see it.
    pepper
        Mixed into the hashes of station passwords.
    openadr_secrets
        By name of a VTN, the secret of our client id.
    weather_key
        Shown to the source of the sun's forecast; None: neither a source nor the array's meter is asked.
    entsoe_token
        Shown to ENTSO-E's platform when prices are fetched there.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        grid: GridSide,
        store: Store,
        clock: Clock,
        executor: Executor,
        *,
        operator_token: str,
        host: str = "127.0.0.1",
        ocpp_port: int = 0,
        http_port: int = 0,
        new_id: Callable[[], str],
        live_page_open: bool = True,
        pepper: bytes = b"",
        openadr_secrets: Mapping[str, str] | None = None,
        weather_key: str | None = None,
        entsoe_token: str = "",
    ) -> None:
        self._grid, self._entsoe_token = grid, entsoe_token
        self._weather_key, self._sun, self._weather_feed = weather_key, grid.sun, grid.weather_feed
        self.host, self.ocpp_port, self.http_port = host, ocpp_port, http_port
        self._store, self._clock = store, clock
        self.service = StateService(store, clock, catalogue, new_id=new_id, pepper=pepper)
        self.journal = Journal(store, clock, Redactor(pepper))
        self.gateway = Gateway(self.service, clock, new_message_id=new_id, journal=self.journal)
        self._switch = FleetSwitch(store, clock)
        gate = FleetGate(self.gateway.call, clock, catalogue.service.fleet.stations_alone)
        self.loop = ControlLoop(
            self.service, gate.call, executor, clock, grid, new_id=new_id, switch=self._switch
        )
        self._unready = ["the service is starting"]
        self._stack = AsyncExitStack()
        context = ApiContext(
            self.service,
            grid,
            clock,
            self.gateway.counters,
            gate.call,
            operator_token,
            lambda: self._unready,
            lambda: (*self._switch.concerns(), *self.loop.safety.concerns()),
            FleetDesk(self._switch, gate),
        )
        self._source = LiveSource(
            lambda: self.service.state, catalogue.stations, catalogue.service, grid, clock, PlanReader(store)
        )
        self._feed = LiveFeed(self._source)
        self._prices = PriceDesk(self.service, grid, clock, self.loop.ledger, self._planned_net_kw)
        self._app = build_application(context)
        if live_page_open and host in LOOPBACK_NAMES:
            self._app.add_middleware(OwnNames)
        door = PageDoor(operator_token, open_to_all=live_page_open)
        public = APIRouter(include_in_schema=False)
        add_driver_page(public, self._source, catalogue, self._prices)
        add_city(public, CityDesk(context))
        add_guide(public, door, ConnectDesk(context, lambda: self.ocpp_port))
        self._app.include_router(public)
        self._http = httpx.AsyncClient()
        self._rules = build_rules(catalogue.service, grid.tz)
        excess = self._expected_excess
        self._oscp = OscpDesk(self.service, clock, self._http, new_id, self._rules, excess)
        secrets = openadr_secrets or {}
        self._vens = VenDesk(self.service, clock, self._http, secrets, self._rules, new_id)
        identify = self.service.identify
        self._app.include_router(build_pricing(self._prices, self.service, operator_token, identify))
        self._app.include_router(build_oscp(self._oscp))
        self._app.include_router(build_openadr(self._vens))
        self._app.include_router(build_oscp_desk(self._oscp, operator_token, identify))
        self._app.include_router(
            build_pages(
                self._feed,
                door,
                StationDesk(context, self._source, lambda: self._feed.plan),
                GridDesk(context),
                UploadDesk(context, lambda: self._feed.plan),
            )
        )

    async def __aenter__(self) -> Self:
        """Start everything; both ports accept when this returns.

        Raises
        ------
        PortInUseError
            When a port is taken.
        """
        async with AsyncExitStack() as stack:
            await self.service.start()
            stack.push_async_callback(self.service.close)
            stack.push_async_callback(self.journal.close)
            await self._switch.load()
            await self._remember_day()
            listening = stack.enter_context(contextlib.closing(_listen(self.host, self.http_port)))
            self.http_port = listening.getsockname()[1]
            self.ocpp_port = await stack.enter_async_context(self._accepting_stations())
            # A task that fails ends the whole.
            group = await stack.enter_async_context(asyncio.TaskGroup())
            await stack.enter_async_context(_running(group, self._follow(), "live page"))
            housekeeping = keep_house(self._store, self._clock, self.service.catalogue.service.retention)
            await stack.enter_async_context(_running(group, housekeeping, "housekeeping"))
            announcing = LoadForecastDesk(self.service, self._grid, self._clock).run()
            await stack.enter_async_context(_running(group, announcing, "load forecast"))
            for meter in self.service.catalogue.service.meters:
                if meter.port:
                    await stack.enter_async_context(_running(group, self._read(meter), f"meter {meter.id}"))
            await stack.enter_async_context(_running(group, self.loop.run(), "control loop"))
            await stack.enter_async_context(_running(group, self._prices.run(), "prices for drivers"))
            await stack.enter_async_context(self._http)
            await stack.enter_async_context(self._forecasting_sun())
            await stack.enter_async_context(self._fetching_prices())
            public_url = self.service.catalogue.service.public_url or self._own_url
            self._oscp.listen_at(public_url)
            await stack.enter_async_context(self._oscp.running())
            self._vens.listen_at(public_url)
            await stack.enter_async_context(self._vens.running())
            await stack.enter_async_context(self._serving_http(group, listening))
            self._unready.clear()
            self._stack = stack.pop_all()
        return self

    def _expected_excess(self) -> list[tuple[datetime, float]]:
        return [] if self.loop.latest is None else self.loop.latest.excess()

    def _planned_net_kw(self, at: datetime) -> float | None:
        return None if self.loop.latest is None else self.loop.latest.net_kw(at)

    def _fetching_prices(self) -> AbstractAsyncContextManager[None]:
        return fetching_prices(
            self._grid.price_feed,
            self._grid.prices,
            self._entsoe_token,
            self._http,
            self._store,
            self._clock,
            lambda: self.loop.ask("prices"),
        )

    @asynccontextmanager
    async def _forecasting_sun(self) -> AsyncIterator[None]:
        if self._weather_key is None:
            yield
            return
        sun, feed, key = self._sun, self._weather_feed, self._weather_key
        async with forecasting_sun(sun, feed, key, self._http, self.service, self._clock):
            yield

    @property
    def _own_url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in the reverse order: pages, planning, meters, stations (close code 1001)."""
        self._unready.append("the service is stopping")
        self._feed.close()
        await self._stack.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _accepting_stations(self) -> AsyncIterator[int]:
        async with AsyncExitStack() as stack:
            try:
                listener = await stack.enter_async_context(self.gateway.listening(self.host, self.ocpp_port))
            except OSError as error:
                raise _port_error("OCPP", "--ocpp-port", self.host, self.ocpp_port, error) from error
            yield listener.port

    @asynccontextmanager
    async def _serving_http(self, group: asyncio.TaskGroup, listening: socket.socket) -> AsyncIterator[None]:
        server = _HttpServer(_configure(self._app))
        task = group.create_task(server.serve([listening]), name="http")
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.wait([task])

    async def _remember_day(self) -> None:
        now, meters = self._source.clock.now(), self._source.service.meters
        start = day_start(now, self._source.grid)
        work = partial(read_history, meters=meters, start=start, end=floor_quarter(now))
        for curve, at, value_kw in await self.service.store.read(work):
            self._feed.trace.add(curve, at, value_kw)

    async def _follow(self) -> None:
        with self.service.subscribe() as events:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed.follow(events))
                group.create_task(self._feed.push())

    async def _read(self, meter: MeterConfig) -> None:
        async for reading in P1Client(meter.host, meter.port).readings():
            await self.service.record_reading(meter.id, reading)


@asynccontextmanager
async def _running(
    group: asyncio.TaskGroup, work: Coroutine[None, None, None], name: str
) -> AsyncIterator[None]:
    """Run something beside the block, and cancel it after."""
    task = group.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _configure(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        limit_concurrency=2000,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise _port_error("HTTP", "--http-port", host, port, error) from error


def _port_error(what: str, option: str, host: str, port: int, error: OSError) -> PortInUseError:
    reason = str(error) if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
    return PortInUseError(
        f"{what} port {port} on {host} cannot be opened ({reason}): "
        f"stop what uses it, or choose another with {option}"
    )
