"""The street's state from the rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from operator import attrgetter
from typing import Any

import orjson
from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlmodel import Session

from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus, OcppVersion
from csms.state.columns import AnyRow, table_of
from csms.state.events import (
    BookingMade,
    Event,
    MeterRead,
    NeedsReported,
    SessionDeclared,
)
from csms.state.models import (
    BookingRow,
    ChargingNeedsRow,
    DeclarationRow,
    EvseRow,
    MeterValueRow,
    SessionRow,
    StationRow,
    StreetMeterRow,
)
from csms.state.retelling import retell_charging_state, retell_samples
from csms.state.session_rows import describe_start
from csms.state.signals import replay_signals
from csms.state.station_state import BOOKING_MEMORY, EvseState, StationState, StreetState, fold

_STATION, _EVSE, _SESSION = map(table_of, (StationRow, EvseRow, SessionRow))
_METER, _NEEDS, _DECLARATION = map(table_of, (MeterValueRow, ChargingNeedsRow, DeclarationRow))
_BOOKING, _STREET = map(table_of, (BookingRow, StreetMeterRow))
_needs_adapter = TypeAdapter(ChargingNeeds)


def rebuild_state(session: Session, now: datetime) -> StreetState:
    """Return what the service knew when it last ran; nobody is connected."""
    events = [
        *_read_sessions(session),
        *_read_bookings(session, now),
        *_read_meters(session),
        *replay_signals(session, now),
    ]
    return reduce(fold, events, StreetState(stations=_read_stations(session)))


def read_needs(document: str) -> ChargingNeeds:
    """Return charging needs from their JSON."""
    return _needs_adapter.validate_python(orjson.loads(document))


def _read_stations(session: Session) -> dict[str, StationState]:
    connection = session.connection()
    evses: dict[str, dict[int, EvseState]] = defaultdict(dict)
    for row in connection.execute(select(_EVSE).where(_EVSE.c.evse_id > 0).order_by(_EVSE.c.evse_id)):
        status = ConnectorStatus(row.status or ConnectorStatus.AVAILABLE)
        evses[row.station_id][row.evse_id] = EvseState(row.evse_id, status)
    return {
        row.id: StationState(
            station_id=row.id,
            version=None if row.version is None else OcppVersion(row.version),
            booted_at=row.booted_at,
            seen_at=row.seen_at,
            evses=evses[row.id],
        )
        for row in connection.execute(select(_STATION).order_by(_STATION.c.id))
    }


def _read_sessions(session: Session) -> Iterator[Event]:
    query = (
        select(_SESSION, _EVSE.c.evse_id)
        .join(_EVSE, _EVSE.c.key == _SESSION.c.evse_key)
        .where(_SESSION.c.ended_at.is_(None))
        .order_by(_SESSION.c.started_at, _SESSION.c.number)
    )
    shapes: dict[int, Any] = {}
    needs = _read_needs(session)
    for row in session.connection().execute(query).all():
        yield describe_start(row)
        news = [*needs.pop(row.evse_key, ()), *retell_samples(session, row, shapes)]
        yield from sorted(news, key=attrgetter("at"))
        yield from retell_charging_state(row)
        yield from _read_declaration(session, row)
    for waiting in needs.values():
        yield from waiting


def _read_needs(session: Session) -> dict[int, list[NeedsReported]]:
    """Return what cars said on each EVSE since a session ended there, by the EVSE's key."""
    last = (
        select(_SESSION.c.evse_key, func.max(_SESSION.c.end_received_at).label("at"))
        .group_by(_SESSION.c.evse_key)
        .subquery()
    )
    query = (
        select(_NEEDS, _EVSE.c.station_id, _EVSE.c.evse_id)
        .join(_EVSE, _EVSE.c.key == _NEEDS.c.evse_key)
        .join(last, last.c.evse_key == _NEEDS.c.evse_key, isouter=True)
        .where(last.c.at.is_(None) | (_NEEDS.c.at >= last.c.at))
        .order_by(_NEEDS.c.id)
    )
    told: dict[int, list[NeedsReported]] = defaultdict(list)
    for row in session.connection().execute(query).all():
        event = NeedsReported(row.station_id, row.evse_id, None, read_needs(row.needs_json), row.at)
        told[row.evse_key].append(event)
    return told


def _read_declaration(session: Session, row: AnyRow) -> Iterator[Event]:
    query = (
        select(_DECLARATION)
        .where(_DECLARATION.c.session_number == row.number)
        .order_by(_DECLARATION.c.id.desc())
        .limit(1)
    )
    for one in session.connection().execute(query).all():
        yield SessionDeclared(
            session_id=row.id,
            at=one.at,
            departure=one.departure,
            energy_kwh=one.energy_kwh,
            target_soc_fraction=one.target_soc_fraction,
            discharge_opt_in=one.discharge_opt_in,
            floor_soc_fraction=one.floor_soc_fraction,
        )


def _read_bookings(session: Session, now: datetime) -> Iterator[Event]:
    query = select(_BOOKING).where(_BOOKING.c.ends_at > now - BOOKING_MEMORY).order_by(_BOOKING.c.made_at)
    for row in session.connection().execute(query).all():
        yield BookingMade(row.id, row.token, row.starts_at, row.ends_at, row.energy_kwh, row.made_at)


def _read_meters(session: Session) -> Iterator[Event]:
    last = select(_STREET.c.meter_id, func.max(_STREET.c.quarter).label("quarter")).group_by(
        _STREET.c.meter_id
    )
    newest = last.subquery()
    query = select(_STREET).join(
        newest, (_STREET.c.meter_id == newest.c.meter_id) & (_STREET.c.quarter == newest.c.quarter)
    )
    for row in session.connection().execute(query.order_by(_STREET.c.meter_id)).all():
        yield MeterRead(row.meter_id, row.at, row.power_kw, row.import_kwh, row.export_kwh)
