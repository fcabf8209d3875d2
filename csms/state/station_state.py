"""The street as it is now: pure folds over events, a cache that can be rebuilt from the rows at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus, OcppVersion
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
from csms.state.readings import Reading, read_samples
from csms.state.registers import Counter, advance, begin
from grid.capacity.signals import SignalBook

# A sample that came later than this after it was taken says nothing about now: only its registers count.
LIVE_AGE = timedelta(minutes=15)
# A booking is forgotten so long after its end; its row stays.
BOOKING_MEMORY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SessionState:
    """One plug-in.

    Parameters
    ----------
    imported_kwh, exported_kwh
        Energy since the session began, at the station's meter.
    power_kw
        Last measured power, > 0 charges.
    phase_currents_a
        Last measured current by phase (``L1``, ``L2``, ``L3``), empty until measured.
    soc_fraction
        Last state of charge known by protocol, None when the car does not say.
    max_power_kw
        Rated power of the socket [kW].
    import_counter, export_counter
        The registers behind the energies.
    """

    id: str
    transaction_id: str
    token: str | None
    started_at: datetime
    meter_start_kwh: float | None = None
    export_start_kwh: float | None = None
    imported_kwh: float = 0.0
    exported_kwh: float = 0.0
    power_kw: float = 0.0
    phase_currents_a: dict[str, float] = field(default_factory=dict)
    voltage_v: float | None = None
    soc_fraction: float | None = None
    sampled_at: datetime | None = None
    charging_state: str | None = None
    needs: ChargingNeeds | None = None
    declaration: SessionDeclared | None = None
    max_power_kw: float = 500.0
    import_counter: Counter | None = None
    export_counter: Counter | None = None


@dataclass(frozen=True, slots=True)
class EvseState:
    """One EVSE (1.6: connector); ``needs`` came before its session and wait for it."""

    evse_id: int
    status: ConnectorStatus = ConnectorStatus.AVAILABLE
    session: SessionState | None = None
    needs: ChargingNeeds | None = None


@dataclass(frozen=True, slots=True)
class StationState:
    """One charging station."""

    station_id: str
    connected: bool = False
    version: OcppVersion | None = None
    booted_at: datetime | None = None
    seen_at: datetime | None = None
    evses: dict[int, EvseState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeterState:
    """One meter of the street; power > 0 is taken from the grid."""

    meter_id: str
    read_at: datetime
    power_kw: float
    import_kwh: float
    export_kwh: float


@dataclass(frozen=True, slots=True)
class StreetState:
    """Everything that the control loop knows."""

    stations: dict[str, StationState] = field(default_factory=dict)
    bookings: dict[str, BookingMade] = field(default_factory=dict)
    meters: dict[str, MeterState] = field(default_factory=dict)
    signals: SignalBook = field(default_factory=SignalBook)

    def find_session(self, session_id: str) -> tuple[str, int, SessionState] | None:
        """Return station, EVSE and state of a running session."""
        for station in self.stations.values():
            for evse in station.evses.values():
                if evse.session is not None and evse.session.id == session_id:
                    return station.station_id, evse.evse_id, evse.session
        return None


def mark_seen(state: StreetState, station_id: str, at: datetime) -> StreetState:
    """Return the street after a station that it knows gave a sign of life that is no event."""
    return _on_station(state, station_id, at, lambda one: one) if station_id in state.stations else state


def fold(state: StreetState, event: Event) -> StreetState:  # noqa: C901, PLR0911, PLR0912 - one case an event
    """Return the street after an event."""
    match event:
        case StationConnected():
            return _on_station(
                state,
                event.station_id,
                event.at,
                lambda one: replace(one, connected=True, version=event.version),
            )
        case StationDisconnected():
            return _on_station(state, event.station_id, event.at, lambda one: replace(one, connected=False))
        case StationBooted():
            return _on_station(
                state, event.station_id, event.at, lambda one: replace(one, booted_at=event.at)
            )
        case StatusChanged():
            return _fold_status(state, event)
        case SessionStarted():
            return _on_evse(state, event, lambda evse: _start(evse, event))
        case SamplesRecorded():
            return _on_session(state, event, lambda session: _sample(session, event))
        case ChargingStateChanged():
            return _on_session(
                state, event, lambda session: replace(session, charging_state=event.charging_state)
            )
        case SessionEnded():
            return _on_evse(state, event, lambda evse: _end(evse, event))
        case NeedsReported():
            return _on_evse(state, event, lambda evse: _need(evse, event))
        case SessionDeclared():
            return _fold_declaration(state, event)
        case BookingMade():
            return _fold_booking(state, event)
        case MeterRead():
            return _fold_meter(state, event)
        case SignalReceived() | SignalWithdrawn() | SenderHeard():
            return replace(state, signals=_fold_signals(state.signals, event))
        case _:
            assert_never(event)


_EvseEvent = SessionStarted | SamplesRecorded | ChargingStateChanged | SessionEnded | NeedsReported


def _on_station(
    state: StreetState, station_id: str, at: datetime, change: Callable[[StationState], StationState]
) -> StreetState:
    station = state.stations.get(station_id, StationState(station_id))
    seen_at = at if station.seen_at is None else max(at, station.seen_at)
    changed = change(replace(station, seen_at=seen_at))
    return replace(state, stations={**state.stations, station_id: changed})


def _on_evse(
    state: StreetState, event: _EvseEvent | StatusChanged, change: Callable[[EvseState], EvseState]
) -> StreetState:
    def on_station(station: StationState) -> StationState:
        evse = station.evses.get(event.evse_id, EvseState(event.evse_id))
        return replace(station, evses={**station.evses, event.evse_id: change(evse)})

    return _on_station(state, event.station_id, event.at, on_station)


def _on_session(
    state: StreetState,
    event: SamplesRecorded | ChargingStateChanged,
    change: Callable[[SessionState], SessionState],
) -> StreetState:
    """Change the running session that the event names; news of any other changes nothing but `seen_at`."""
    station = state.stations.get(event.station_id)
    evse = None if station is None else station.evses.get(event.evse_id)
    if evse is None or evse.session is None or evse.session.id != event.session_id:
        return _on_station(state, event.station_id, event.at, lambda one: one)
    session = change(evse.session)
    return _on_evse(state, event, lambda evse: replace(evse, session=session))


def _fold_status(state: StreetState, event: StatusChanged) -> StreetState:
    if event.evse_id == 0:
        return _on_station(state, event.station_id, event.at, lambda one: one)
    return _on_evse(state, event, lambda evse: replace(evse, status=event.status))


def _start(evse: EvseState, event: SessionStarted) -> EvseState:
    meter_start_kwh = event.meter_start_kwh
    if evse.session is not None and evse.session.id == event.session_id:
        return replace(evse, session=_refine(evse.session, event))
    session = SessionState(
        id=event.session_id,
        transaction_id=event.transaction_id,
        token=event.token,
        started_at=event.at,
        meter_start_kwh=meter_start_kwh,
        needs=evse.needs,
        soc_fraction=None if evse.needs is None else evse.needs.soc_fraction,
        max_power_kw=event.max_power_kw,
        import_counter=None if meter_start_kwh is None else begin(event.at, meter_start_kwh),
    )
    return replace(evse, session=session, needs=None)


def _refine(session: SessionState, event: SessionStarted) -> SessionState:
    """Take what a start that came late says of a session that is known already."""
    counter, meter_start_kwh = session.import_counter, event.meter_start_kwh
    if meter_start_kwh is not None and counter is not None:
        started = begin(min(event.at, counter.at), meter_start_kwh)
        counter, _ = advance(started, counter.at, counter.register_kwh, session.max_power_kw)
    elif meter_start_kwh is not None:
        counter = begin(event.at, meter_start_kwh)
    return replace(
        session,
        token=event.token,
        started_at=event.at,
        meter_start_kwh=session.meter_start_kwh if meter_start_kwh is None else meter_start_kwh,
        import_counter=counter,
        imported_kwh=0.0 if counter is None else counter.total_kwh,
    )


def _end(evse: EvseState, event: SessionEnded) -> EvseState:
    if evse.session is None or evse.session.id != event.session_id:
        return evse
    return replace(evse, session=None, needs=None)


def _need(evse: EvseState, event: NeedsReported) -> EvseState:
    if evse.session is None:
        return replace(evse, needs=event.needs)
    if event.session_id not in {None, evse.session.id}:
        return evse
    soc_fraction = evse.session.soc_fraction if event.needs.soc_fraction is None else event.needs.soc_fraction
    return replace(evse, session=replace(evse.session, needs=event.needs, soc_fraction=soc_fraction))


def _sample(session: SessionState, event: SamplesRecorded) -> SessionState:
    for reading in read_samples(event.samples):
        live = event.at - reading.at <= LIVE_AGE
        session = _read(session, reading, live=live)
    return session


def _read(session: SessionState, reading: Reading, *, live: bool) -> SessionState:
    taken = _count(session.import_counter, reading.at, reading.import_kwh, session.max_power_kw)
    given = _count(session.export_counter, reading.at, reading.export_kwh, session.max_power_kw)
    mean_kw = _mean_power_kw(session, taken, given)
    session = replace(
        session,
        import_counter=taken,
        export_counter=given,
        imported_kwh=0.0 if taken is None else taken.total_kwh,
        exported_kwh=0.0 if given is None else given.total_kwh,
        meter_start_kwh=reading.import_kwh if session.meter_start_kwh is None else session.meter_start_kwh,
        export_start_kwh=reading.export_kwh if session.export_start_kwh is None else session.export_start_kwh,
    )
    if not live or (session.sampled_at is not None and reading.at < session.sampled_at):
        return session
    power_kw = mean_kw if reading.power_kw is None else reading.power_kw
    return replace(
        session,
        sampled_at=reading.at,
        power_kw=session.power_kw if power_kw is None else power_kw,
        phase_currents_a=reading.phase_currents_a or session.phase_currents_a,
        voltage_v=session.voltage_v if reading.voltage_v is None else reading.voltage_v,
        soc_fraction=session.soc_fraction if reading.soc_fraction is None else reading.soc_fraction,
    )


def _count(
    counter: Counter | None, at: datetime, register_kwh: float | None, max_power_kw: float
) -> Counter | None:
    if register_kwh is None:
        return counter
    return begin(at, register_kwh) if counter is None else advance(counter, at, register_kwh, max_power_kw)[0]


def _mean_power_kw(session: SessionState, taken: Counter | None, given: Counter | None) -> float | None:
    """Return the mean power since the registers were last read: what stations without power have to say."""
    before = session.import_counter
    if before is None or taken is None or taken.at <= before.at:
        return None
    hours = (taken.at - before.at) / timedelta(hours=1)
    exported_kwh = 0.0 if given is None else given.total_kwh - session.exported_kwh
    return (taken.total_kwh - session.imported_kwh - exported_kwh) / hours


def _fold_declaration(state: StreetState, event: SessionDeclared) -> StreetState:
    found = state.find_session(event.session_id)
    if found is None:
        return state
    station_id, evse_id, session = found
    station = state.stations[station_id]
    evse = replace(station.evses[evse_id], session=replace(session, declaration=event))
    changed = replace(station, evses={**station.evses, evse_id: evse})
    return replace(state, stations={**state.stations, station_id: changed})


def _fold_booking(state: StreetState, event: BookingMade) -> StreetState:
    kept = {key: one for key, one in state.bookings.items() if one.end > event.at - BOOKING_MEMORY}
    return replace(state, bookings={**kept, event.booking_id: event})


def _fold_signals(book: SignalBook, event: SignalReceived | SignalWithdrawn | SenderHeard) -> SignalBook:
    match event:
        case SignalReceived():
            return book.with_signal(event.signal)
        case SignalWithdrawn():
            return book.without(event.sender, event.signal_id, event.at)
        case SenderHeard():
            return book.heard(event.sender, event.offline_at)


def _fold_meter(state: StreetState, event: MeterRead) -> StreetState:
    before = state.meters.get(event.meter_id)
    if before is not None and event.at < before.read_at:
        return state
    meter = MeterState(event.meter_id, event.at, event.power_kw, event.import_kwh, event.export_kwh)
    return replace(state, meters={**state.meters, event.meter_id: meter})
