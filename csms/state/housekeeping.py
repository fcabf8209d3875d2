"""What grows is given up in time: old samples become quarters, old messages, plans and forecasts go.

Work is done in small pieces between which stations are served.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Final, Protocol

from sqlalchemy import Table, delete, select, update
from sqlmodel import Session

from csms.settings import RetentionConfig
from csms.state.columns import AnyRow, table_of
from csms.state.curves import Curves, read_curves
from csms.state.energy import quarter_edges
from csms.state.models import (
    LoadForecastRow,
    MessageRow,
    MeterValueRow,
    PlanRow,
    RejectedSampleRow,
    SessionQuarterRow,
    SessionRow,
)
from csms.state.store import Store
from csms.state.upserts import insert_new
from grid.clock import Clock

logger = logging.getLogger(__name__)

_SESSION, _METER, _QUARTER = table_of(SessionRow), table_of(MeterValueRow), table_of(SessionQuarterRow)
_MESSAGE, _REJECTED, _PLAN = table_of(MessageRow), table_of(RejectedSampleRow), table_of(PlanRow)
_FORECAST = table_of(LoadForecastRow)

# Hours of UTC in which streets are quiet.
TIDY_AT: Final = time(2, 30)
SESSIONS_AT_ONCE: Final = 20
ROWS_AT_ONCE: Final = 2000
_NO_SESSION = 0


class _Deletion(Protocol):
    def __call__(self, session: Session, *, until: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was given up: sessions whose samples became quarters, and rows by kind."""

    sessions: int
    idle_values: int
    messages: int
    rejected_samples: int
    plans: int
    load_forecasts: int


async def keep_house(store: Store, clock: Clock, retention: RetentionConfig) -> None:
    """Tidy up every night, for ever. One failure is logged and tried again the next night."""
    while True:
        await clock.sleep_until(next_night(clock.now()))
        try:
            tidied = await tidy(store, clock.now(), retention)
            logger.info("tidied up: %s", tidied)
        except Exception:
            logger.exception("tidying up failed: it is tried again tomorrow")


def next_night(now: datetime) -> datetime:
    """Return when it is time to tidy up next."""
    tonight = datetime.combine(now.date(), TIDY_AT, tzinfo=now.tzinfo)
    return tonight if tonight > now else tonight + timedelta(days=1)


async def tidy(store: Store, now: datetime, retention: RetentionConfig) -> Tidied:
    """Give up what is older than it has to be kept."""
    samples_until = now - timedelta(days=retention.samples_days)
    messages_until = now - timedelta(days=retention.messages_days)
    plans_until = now - timedelta(days=retention.plans_days)
    forecasts_until = now - timedelta(days=retention.load_forecasts_days)
    return Tidied(
        sessions=await _roll_up_all(store, samples_until),
        idle_values=await _delete_all(store, _delete_idle_values, samples_until),
        messages=await _delete_all(
            store, partial(_delete_rows, table=_MESSAGE, instant="at"), messages_until
        ),
        rejected_samples=await _delete_all(
            store, partial(_delete_rows, table=_REJECTED, instant="received_at"), messages_until
        ),
        plans=await _delete_all(store, partial(_delete_rows, table=_PLAN, instant="at"), plans_until),
        load_forecasts=await _delete_all(
            store, partial(_delete_rows, table=_FORECAST, instant="made_at"), forecasts_until
        ),
    )


def roll_up(session: Session, until: datetime, limit: int) -> int:
    """Replace the samples of sessions that ended before an instant by quarters; return of how many."""
    connection = session.connection()
    query = select(_SESSION).where(_SESSION.c.ended_at < until, _SESSION.c.rolled_up.is_(False)).limit(limit)
    rows = connection.execute(query).all()
    curves = read_curves(session, rows)
    for row in rows:
        insert_new(connection, _QUARTER, _build_quarters(row, curves[row.number]))
    numbers = [row.number for row in rows]
    connection.execute(delete(_METER).where(_METER.c.session_number.in_(numbers)))
    connection.execute(update(_SESSION).where(_SESSION.c.number.in_(numbers)).values(rolled_up=True))
    return len(rows)


async def _roll_up_all(store: Store, until: datetime) -> int:
    total = 0
    while count := await store.write(partial(roll_up, until=until, limit=SESSIONS_AT_ONCE)):
        total += count
    return total


def _build_quarters(row: AnyRow, curves: Curves) -> list[dict[str, object]]:
    """Return the rows of those quarters in which energy flowed."""
    seconds = [curve.seconds for curve in curves if curve.seconds.size]
    if not seconds:
        return []
    first_s, last_s = min(each[0] for each in seconds), max(each[-1] for each in seconds)
    zone = row.started_at.tzinfo
    start, end = datetime.fromtimestamp(first_s, zone), datetime.fromtimestamp(last_s, zone)
    quarters, edges = quarter_edges(start, end)
    if not quarters:
        return []
    taken, given = (curve.between(edges) for curve in curves)
    return [
        {
            "session_number": row.number,
            "quarter": quarter,
            "import_kwh": float(taken[index]),
            "export_kwh": float(given[index]),
        }
        for index, quarter in enumerate(quarters)
        if taken[index] or given[index]
    ]


async def _delete_all(store: Store, work: _Deletion, until: datetime) -> int:
    total = 0
    while count := await store.write(partial(work, until=until)):
        total += count
    return total


def _delete_idle_values(session: Session, *, until: datetime) -> int:
    """Delete values of no session: an idle socket's register, in which no energy shows."""
    old = (_METER.c.session_number == _NO_SESSION) & (_METER.c.at < until)
    query = select(_METER.c.evse_key, _METER.c.station_at).where(old).limit(ROWS_AT_ONCE)
    rows = session.connection().execute(query).all()
    for row in rows:
        session.connection().execute(
            delete(_METER).where(
                _METER.c.session_number == _NO_SESSION,
                _METER.c.evse_key == row.evse_key,
                _METER.c.station_at == row.station_at,
            )
        )
    return len(rows)


def _delete_rows(session: Session, *, table: Table, instant: str, until: datetime) -> int:
    oldest = select(table.c.id).where(table.c[instant] < until).limit(ROWS_AT_ONCE)
    ids = session.connection().execute(oldest).scalars().all()
    if ids:
        session.connection().execute(delete(table).where(table.c.id.in_(ids)))
    return len(ids)
