"""EVSEs by their number within a station; those that nobody configured are taken in and noticed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select
from sqlmodel import Session

from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.vocabulary import ConnectorStatus
from csms.state.columns import table_of
from csms.state.memory import memory_of
from csms.state.models import EvseRow, NoticeKind
from csms.state.notices import note
from csms.state.upserts import insert_new

_EVSE = table_of(EvseRow)
_KEY = select(_EVSE.c.key).where(
    _EVSE.c.station_id == bindparam("station_id"), _EVSE.c.evse_id == bindparam("evse_id")
)
# More sockets than any station has; what is beyond is a mistake, not a row.
MAX_EVSE_ID: Final = 64


def check_evse_id(evse_id: int) -> None:
    """Refuse a number that no EVSE can have (`RequestError`)."""
    if not 0 <= evse_id <= MAX_EVSE_ID:
        raise RequestError(
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"EVSE {evse_id} is not one of 0 to {MAX_EVSE_ID}"
        )


def find_evse_key(session: Session, station_id: str, evse_id: int, at: datetime) -> int:
    """Return the key of an EVSE; make it one when it has none."""
    known = memory_of(session).evse_keys
    key = known.get((station_id, evse_id))
    if key is not None:
        return key
    connection = session.connection()
    query = {"station_id": station_id, "evse_id": evse_id}
    key = connection.execute(_KEY, query).scalar()
    if key is None:
        check_evse_id(evse_id)
        row = {
            "station_id": station_id,
            "evse_id": evse_id,
            "phase_rotation": "unknown",
            "configured": False,
            "status": ConnectorStatus.AVAILABLE.value,
        }
        insert_new(connection, _EVSE, [row])
        if evse_id > 0:
            note(session, station_id, NoticeKind.UNKNOWN_EVSE, at, f"EVSE {evse_id} is not configured")
        key = connection.execute(_KEY, query).scalar_one()
    known[station_id, evse_id] = int(key)
    return int(key)


def find_only_evse_id(session: Session, station_id: str) -> int | None:
    """Return the number of a station's EVSE when it has one only."""
    query = select(_EVSE.c.evse_id).where(_EVSE.c.station_id == station_id, _EVSE.c.evse_id > 0).limit(2)
    numbers = session.connection().execute(query).scalars().all()
    return int(numbers[0]) if len(numbers) == 1 else None
