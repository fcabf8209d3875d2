"""Sessions in their table: found by business key, begun, bound to an EVSE, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session

from csms.state.columns import AnyRow, table_of
from csms.state.events import Event, SessionEnded, SessionStarted
from csms.state.evses import find_evse_key
from csms.state.memory import memory_of
from csms.state.models import EvseRow, NoticeKind, SessionRow
from csms.state.notices import note
from csms.state.receipt import Receipt

_SESSION, _EVSE = table_of(SessionRow), table_of(EvseRow)
# Every row of a session that this module hands out says its `evse_id` too. Statements of the hot path are
# built once.
_ROWS = select(_SESSION, _EVSE.c.evse_id).join(_EVSE, _EVSE.c.key == _SESSION.c.evse_key, isouter=True)
_BY_TRANSACTION = _ROWS.where(
    _SESSION.c.station_id == bindparam("station_id"),
    _SESSION.c.transaction_id == bindparam("transaction_id"),
)
_OPEN_ON_EVSE = (
    _ROWS.where(
        _SESSION.c.evse_key == bindparam("evse_key"),
        _SESSION.c.ended_at.is_(None),
        _SESSION.c.started_at <= bindparam("at"),
    )
    .order_by(_SESSION.c.started_at.desc())
    .limit(1)
)
SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Started:
    """What is known of a session when its row is made."""

    transaction_id: str
    started_at: datetime
    station_started_at: datetime
    start_seen: bool
    start_key: str | None = None
    token: str | None = None
    token_status: str | None = None
    meter_start_kwh: float | None = None


def find_session(session: Session, station_id: str, transaction_id: str) -> AnyRow | None:
    """Return the session of a station's transaction: never that of another station."""
    memory = memory_of(session)
    row = memory.sessions.get((station_id, transaction_id))
    if row is None:
        parameters = {"station_id": station_id, "transaction_id": transaction_id}
        row = session.connection().execute(_BY_TRANSACTION, parameters).first()
        if row is not None:
            memory.remember_session(row)
    return row


def find_by_start_key(session: Session, station_id: str, start_key: str) -> AnyRow | None:
    """Return the session that a 1.6 start began."""
    query = _ROWS.where(_SESSION.c.station_id == station_id, _SESSION.c.start_key == start_key)
    return session.connection().execute(query).first()


def find_open_on_evse(session: Session, evse_key: int, at: datetime) -> AnyRow | None:
    """Return the session that runs on an EVSE and had begun at an instant."""
    return session.connection().execute(_OPEN_ON_EVSE, {"evse_key": evse_key, "at": at}).first()


def is_open_elsewhere(session: Session, station_id: str, transaction_id: str) -> bool:
    """Say whether another station has a running transaction of this id."""
    query = select(_SESSION.c.number).where(
        _SESSION.c.transaction_id == transaction_id,
        _SESSION.c.station_id != station_id,
        _SESSION.c.ended_at.is_(None),
    )
    return session.connection().execute(query.limit(1)).first() is not None


def begin_session(session: Session, receipt: Receipt, started: Started) -> AnyRow:
    """Make the row of a session that has no EVSE yet."""
    session.connection().execute(
        insert(_SESSION).values(
            id=receipt.fresh_id,
            station_id=receipt.station_id,
            transaction_id=started.transaction_id,
            start_key=started.start_key,
            start_seen=started.start_seen,
            token=started.token,
            token_status=started.token_status,
            started_at=started.started_at,
            station_started_at=started.station_started_at,
            received_at=receipt.received_at,
            meter_start_kwh=started.meter_start_kwh,
            max_power_kw=receipt.max_power_kw,
            end_presumed=False,
            rolled_up=False,
        )
    )
    return reload(session, receipt.fresh_id)


def reload(session: Session, session_id: str) -> AnyRow:
    """Return a session's row as it is now."""
    return session.connection().execute(_ROWS.where(_SESSION.c.id == session_id)).one()


def change(session: Session, number: int, **values: Any) -> None:
    """Change a session's row."""
    memory_of(session).forget_session(number)
    session.connection().execute(update(_SESSION).where(_SESSION.c.number == number).values(**values))


def describe_start(row: AnyRow) -> SessionStarted:
    """Return the event that the row of a session with an EVSE stands for."""
    return SessionStarted(
        station_id=row.station_id,
        evse_id=row.evse_id,
        session_id=row.id,
        transaction_id=row.transaction_id,
        token=row.token,
        at=row.started_at,
        meter_start_kwh=row.meter_start_kwh,
        max_power_kw=row.max_power_kw,
    )


def bind_to_evse(session: Session, receipt: Receipt, row: AnyRow, evse_id: int) -> list[Event]:
    """Give a session its EVSE, which can only run one.

    What runs there and began before ends now. A session that is older than another on the EVSE, from a
    station that was offline, ended at the latest when that one began.
    """
    evse_key = find_evse_key(session, receipt.station_id, evse_id, receipt.received_at)
    later = _find_later(session, evse_key, row)
    if later is not None:
        change(
            session,
            row.number,
            evse_key=evse_key,
            ended_at=row.ended_at or later,
            end_presumed=row.ended_at is None,
            stopped_reason=row.stopped_reason or SUPERSEDED,
        )
        return []
    events: list[Event] = []
    for other in _find_others_open(session, evse_key, row):
        ended_at = max(row.started_at, other.started_at)
        change(
            session,
            other.number,
            ended_at=ended_at,
            end_received_at=receipt.received_at,
            end_presumed=True,
            stopped_reason=SUPERSEDED,
        )
        detail = f"transaction {other.transaction_id} still ran when {row.transaction_id} began"
        note(
            session,
            receipt.station_id,
            NoticeKind.SESSION_OVERLAP,
            receipt.received_at,
            detail,
            other.number,
        )
        events.append(SessionEnded(receipt.station_id, evse_id, other.id, ended_at, None))
    change(session, row.number, evse_key=evse_key)
    if row.ended_at is None:
        events.append(describe_start(reload(session, row.id)))
    return events


def end_session(
    session: Session,
    row: AnyRow,
    received_at: datetime,
    ended_at: datetime,
    meter_stop_kwh: float | None,
    stopped_reason: str | None,
) -> list[Event]:
    """End a session as its station says; only the first end counts, and one that was presumed does not."""
    if row.ended_at is not None and not row.end_presumed:
        return []
    ended_at = max(ended_at, row.started_at)
    ran_here = row.ended_at is None and row.evse_key is not None
    change(
        session,
        row.number,
        ended_at=ended_at,
        end_received_at=received_at if ran_here else row.end_received_at,
        end_presumed=False,
        meter_stop_kwh=meter_stop_kwh,
        stopped_reason=stopped_reason,
    )
    if not ran_here:
        return []
    return [SessionEnded(row.station_id, row.evse_id, row.id, ended_at, meter_stop_kwh)]


def _find_later(session: Session, evse_key: int, row: AnyRow) -> datetime | None:
    query = (
        select(_SESSION.c.started_at)
        .where(_SESSION.c.evse_key == evse_key, _SESSION.c.started_at > row.started_at)
        .order_by(_SESSION.c.started_at)
        .limit(1)
    )
    found: datetime | None = session.connection().execute(query).scalar()
    return found


def _find_others_open(session: Session, evse_key: int, row: AnyRow) -> list[AnyRow]:
    query = select(_SESSION).where(
        _SESSION.c.evse_key == evse_key, _SESSION.c.ended_at.is_(None), _SESSION.c.number != row.number
    )
    return list(session.connection().execute(query).all())
