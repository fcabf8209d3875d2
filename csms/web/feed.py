"""Pushes changes of the street to every open page: encoded once, for those that look, and never a backlog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from csms.settings import MeterRole, ServiceConfig, StationConfig
from csms.state.events import (
    BookingMade,
    ChargingStateChanged,
    Event,
    MeterRead,
    NeedsReported,
    SamplesRecorded,
    SenderHeard,
    SessionDeclared,
    SessionEnded,
    SessionStarted,
    SignalReceived,
    SignalWithdrawn,
    StationBooted,
    StationConnected,
    StationDisconnected,
    StatusChanged,
)
from csms.state.station_state import StreetState
from csms.web.alerts import list_alerts
from csms.web.trace import Curve, Trace
from csms.web.view import (
    Document,
    PlanView,
    SocketName,
    measured_kw,
    session_powers_kw,
    view_day,
    view_plan,
    view_station,
    view_totals,
)
from grid.capacity.signals import SignalBook
from grid.clock import Clock
from grid.street import GridSide
from grid.timegrid import floor_quarter

# Real seconds: these pace what people look at, not the street.
PUSH_INTERVAL_S: Final = 0.5
PULSE_EVERY: Final = 10  # pushes without news between two signs of life
MOST_VIEWERS: Final = 500
_QUEUE_LENGTH: Final = 4


class TooManyViewersError(Exception):
    """No more pages can be kept up to date."""


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Where the page's facts come from.

    Parameters
    ----------
    state
        The street as it is now.
    stations
        Those that are configured, by id.
    service
        Meters and power factor.
    grid
        Limits and prices.
    clock
        The street's time.
    fetch_plan
        Returns the latest plan, given the one that is known; None while there is none.
    """

    state: Callable[[], StreetState]
    stations: dict[str, StationConfig]
    service: ServiceConfig
    grid: GridSide
    clock: Clock
    fetch_plan: Callable[[PlanView | None], Awaitable[PlanView | None]]

    def names(self, station_id: str) -> SocketName:
        """Return how a station and its sockets are called in public."""
        station = self.stations.get(station_id)
        if station is None:
            return SocketName("unknown", {})
        return SocketName(station.model, {evse.id: evse.emi3 for evse in station.evses})


@dataclass(eq=False, slots=True)
class _Viewer:
    """One open page and what it has not read yet; None ends it."""

    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE_LENGTH))


class LiveFeed:
    """The live page's news.

    Parameters
    ----------
    source
        Where facts come from.
    interval_s
        Real seconds between two pushes.
    """

    def __init__(self, source: LiveSource, interval_s: float = PUSH_INTERVAL_S) -> None:
        self._source = source
        self._interval_s = interval_s
        self._viewers: set[_Viewer] = set()
        self._closed = False
        self._dirty: set[str] = set()
        self._plan: PlanView | None = None
        self._day: Document = {}
        self._day_basis: tuple[datetime, datetime, PlanView | None, SignalBook] | None = None
        self._alerts: list[Document] = []
        self._pushing = asyncio.Lock()
        self._trace = Trace()
        self._traced = 0
        self._quiet = 0

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    @property
    def plan(self) -> PlanView | None:
        """The latest plan that pages were told of."""
        return self._plan

    @property
    def trace(self) -> Trace:
        """What was measured over the day."""
        return self._trace

    async def follow(self, events: AsyncIterator[Event]) -> None:
        """Note what changes, until the events end."""
        async for event in events:
            self._note(event)

    async def push(self) -> None:
        """Send what changed to all pages, for ever."""
        while True:
            await asyncio.sleep(self._interval_s)
            if self._viewers:
                await self.push_once()
            else:
                self._dirty.clear()

    async def push_once(self) -> None:
        """Send what changed since the last time to all pages."""
        async with self._pushing:
            before = self._plan
            self._plan = await self._source.fetch_plan(before)
            self._push_change(before)

    def _push_change(self, before: PlanView | None) -> None:
        now, state = self._source.clock.now(), self._source.state()
        change: Document = {}
        if self._refresh_day(now):
            change["day"] = self._day
            self._dirty |= _stations_with_sessions(state)
        if self._plan is not before:
            change["plan"] = view_plan(self._plan, state)
        if self._dirty:
            change["stations"] = [self._view_station(each, state) for each in sorted(self._dirty)]
        if self._trace.changes != self._traced:
            self._traced, change["trace"] = self._trace.changes, self._trace.tail(3)
        alerts = self._view_alerts(state)
        if alerts != self._alerts:
            self._alerts, change["alerts"] = alerts, alerts
        self._dirty.clear()
        self._quiet = 0 if change else self._quiet + 1
        if change or self._quiet >= PULSE_EVERY:
            self._quiet = 0
            change["totals"] = self._view_totals(state)
            self._broadcast(_encode("change", change))

    async def view(self) -> AsyncGenerator[bytes]:
        """Yield the messages for one page: all that there is, then what changes.

        Raises
        ------
        TooManyViewersError
            When there are too many pages already.
        """
        if len(self._viewers) >= MOST_VIEWERS or self._closed:
            raise TooManyViewersError
        everything = _encode("snapshot", await self.snapshot())
        viewer = _Viewer()
        self._viewers.add(viewer)  # from here on it misses nothing
        try:
            yield everything
            while (message := await viewer.queue.get()) is not None:
                yield message
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """End every open page's stream."""
        self._closed = True
        for viewer in self._viewers:
            _empty(viewer.queue)
            viewer.queue.put_nowait(None)

    async def snapshot(self) -> Document:
        """Return everything that the page shows; whoever looks already gets what is new of it."""
        await self.push_once()
        return self._snapshot(self._source.state())

    def _refresh_day(self, now: datetime) -> bool:
        """Reckon limits, prices and plan anew when something of them changed; say whether."""
        signals = self._source.state().signals
        # A sender of signals may fall silent in any minute.
        moment = now.replace(second=0, microsecond=0) if signals.signals else floor_quarter(now)
        basis = (moment, self._source.grid.prices.known_until(now), self._plan, signals)
        if basis == self._day_basis:
            return False
        self._day_basis, before = basis, self._day
        self._day = view_day(now, self._source.grid, self._source.service.power_factor, self._plan, signals)
        return self._day != before

    def _snapshot(self, state: StreetState) -> Document:
        ids = [
            *self._source.stations,
            *(each for each in state.stations if each not in self._source.stations),
        ]
        return {
            "street": {"name": self._source.grid.name, "timezone": self._source.grid.tz.key},
            "day": self._day,
            "plan": view_plan(self._plan, state),
            "alerts": self._view_alerts(state),
            "trace": self._trace.document(),
            "stations": [self._view_station(each, state) for each in ids],
            "totals": self._view_totals(state),
        }

    def _view_station(self, station_id: str, state: StreetState) -> Document:
        names, now = self._source.names(station_id), self._source.clock.now()
        return view_station(station_id, state.stations.get(station_id), names, now, self._plan)

    def _view_totals(self, state: StreetState) -> Document:
        stations = len({*self._source.stations, *state.stations})
        meters = self._source.service.meters
        return view_totals(state, meters, stations, self._source.clock.now(), self._day)

    def _view_alerts(self, state: StreetState) -> list[Document]:
        totals, source = self._view_totals(state), self._source
        load = (totals["node_kw"], totals["limit_kw"])
        planned_at = None if self._plan is None else self._plan.at
        stations = {**source.stations, **state.stations}
        alerts = list_alerts(state, stations, source.service.meters, source.clock.now(), planned_at, load)
        return [alert.document() for alert in alerts]

    def _broadcast(self, message: bytes) -> None:
        for viewer in self._viewers:
            try:
                viewer.queue.put_nowait(message)
            except asyncio.QueueFull:
                # It reads too slowly for every change: it gets the whole instead, and nothing piles up.
                _empty(viewer.queue)
                viewer.queue.put_nowait(_encode("snapshot", self._snapshot(self._source.state())))

    def _note(self, event: Event) -> None:
        match event:
            case MeterRead():
                self._trace_meters()
            case SessionDeclared():
                self._dirty |= _station_of(self._source.state(), event.session_id)
            case BookingMade() | SignalReceived() | SignalWithdrawn() | SenderHeard():
                pass  # limits are reckoned anew with every push
            case SamplesRecorded() | SessionEnded():
                self._dirty.add(event.station_id)
                self._trace_charging()
            case (
                StationConnected()
                | StationDisconnected()
                | StationBooted()
                | StatusChanged()
                | SessionStarted()
                | ChargingStateChanged()
                | NeedsReported()
            ):
                self._dirty.add(event.station_id)

    def _trace_meters(self) -> None:
        now, state, meters = self._source.clock.now(), self._source.state(), self._source.service.meters
        for role, curve, sign in ((MeterRole.NODE, Curve.NODE, 1), (MeterRole.PV, Curve.PV, -1)):
            value_kw = measured_kw(state, meters, role, now)
            if value_kw is not None:
                self._trace.add(curve, now, sign * value_kw)
        self._trace_charging()

    def _trace_charging(self) -> None:
        now, powers_kw = self._source.clock.now(), session_powers_kw(self._source.state())
        self._trace.add(Curve.CHARGING, now, sum(power for power in powers_kw if power > 0))
        self._trace.add(Curve.DISCHARGING, now, -sum(power for power in powers_kw if power < 0))


def _stations_with_sessions(state: StreetState) -> set[str]:
    return {
        station.station_id
        for station in state.stations.values()
        if any(evse.session is not None for evse in station.evses.values())
    }


def _station_of(state: StreetState, session_id: str) -> set[str]:
    found = state.find_session(session_id)
    return set() if found is None else {found[0]}


def _encode(event: str, document: Document) -> bytes:
    return b"event: " + event.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


def _empty(queue: asyncio.Queue[bytes | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
