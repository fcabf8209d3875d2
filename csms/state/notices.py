"""Remarkable things that a station does, for people to look at."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.models import NoticeKind, NoticeRow
from csms.state.upserts import build_insert

_NOTICE = table_of(NoticeRow)
_MAX_DETAIL = 500


def note(
    session: Session, station_id: str, kind: NoticeKind, at: datetime, detail: str, session_number: int = 0
) -> None:
    """Count a remarkable thing: one row per station, kind and session, with the last detail."""
    connection = session.connection()
    insert = build_insert(connection, _NOTICE).values(
        station_id=station_id,
        kind=kind.value,
        session_number=session_number,
        first_at=at,
        last_at=at,
        count=1,
        detail=detail[:_MAX_DETAIL],
    )
    again = {"last_at": at, "count": _NOTICE.c.count + 1, "detail": insert.excluded.detail}
    keys = ["station_id", "kind", "session_number"]
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=again))


def withdraw(session: Session, station_id: str, kind: NoticeKind, session_number: int) -> None:
    """Forget a notice that proved wrong."""
    session.connection().execute(
        delete(_NOTICE).where(
            _NOTICE.c.station_id == station_id,
            _NOTICE.c.kind == kind.value,
            _NOTICE.c.session_number == session_number,
        )
    )
