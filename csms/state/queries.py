"""What the tables say, for the API, the pages and the report. Everything here only reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
from sqlalchemy import Select, func, or_, select
from sqlmodel import Session

from csms.ocpp.vocabulary import Sample
from csms.state.columns import AnyRow, table_of
from csms.state.curves import read_curves
from csms.state.energy import FloatArray, RegisterReading, build_curve, quarter_edges
from csms.state.errors import NotFoundError
from csms.state.meter_rows import read_rows
from csms.state.models import (
    EvseRow,
    MeterValueRow,
    NoticeRow,
    PlanRow,
    SessionRow,
    StreetMeterRow,
)
from csms.state.plan_rows import unpack
from csms.state.records import PlanRecord
from grid.timegrid import floor_quarter

_SESSION, _EVSE, _METER = table_of(SessionRow), table_of(EvseRow), table_of(MeterValueRow)
_PLAN, _STREET, _NOTICE = table_of(PlanRow), table_of(StreetMeterRow), table_of(NoticeRow)

StoredPlan: TypeAlias = PlanRecord

# Registers are interpolated over at most so long at a quarter's edge for the quarter to count as metered.
EDGE_GAP = timedelta(minutes=5)
# No street takes more [kW].
_STREET_MAX_POWER_KW = 1e6


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One plug-in, running or over.

    Parameters
    ----------
    number
        Ascending with the order in which sessions became known: a cursor.
    evse_id
        None while the station has not said where it is.
    end_presumed
        Ended because the next one began; the station has not said so.
    imported_kwh, exported_kwh
        From the registers [kWh].
    """

    number: int
    id: str
    station_id: str
    evse_id: int | None
    transaction_id: str
    token: str | None
    started_at: datetime
    ended_at: datetime | None
    end_presumed: bool
    stopped_reason: str | None
    charging_state: str | None
    meter_start_kwh: float | None
    meter_stop_kwh: float | None
    imported_kwh: float
    exported_kwh: float


@dataclass(frozen=True, slots=True)
class QuarterEnergy:
    """Energy of one place in one quarter [kWh].

    Parameters
    ----------
    quarter
        Its start (UTC).
    import_kwh, export_kwh
        Into the vehicle or the street, and out of it.
    """

    quarter: datetime
    import_kwh: float
    export_kwh: float


@dataclass(frozen=True, slots=True)
class SessionTotals:
    """Sessions that touch a period, and their energy within it [kWh]."""

    sessions: int
    running: int
    import_kwh: float
    export_kwh: float


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan without its documents."""

    id: str
    at: datetime
    trigger: str
    status: str
    objective_eur: float | None
    gap: float | None
    solve_seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something remarkable that a station did; session is the number, 0 for none."""

    station_id: str
    kind: str
    session_number: int
    first_at: datetime
    last_at: datetime
    count: int
    detail: str


# --- sessions -----------------------------------------------------------------------------------------------


def list_sessions(
    session: Session,
    *,
    station_id: str | None = None,
    evse_id: int | None = None,
    running: bool | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[StoredSession]:
    """Return sessions, the last one first.

    Parameters
    ----------
    station_id, evse_id
        Only of this station, of this EVSE of it.
    running
        Only those that run, or only those that are over.
    start, end
        Only those that touch this period.
    before
        Only those with a lower number: the cursor of the page before.
    limit
        How many at the most.
    """
    query = _select_sessions().order_by(_SESSION.c.number.desc()).limit(limit)
    if station_id is not None:
        query = query.where(_SESSION.c.station_id == station_id)
    if evse_id is not None:
        query = query.where(_EVSE.c.evse_id == evse_id)
    if running is not None:
        query = query.where(_SESSION.c.ended_at.is_(None) == running)
    if before is not None:
        query = query.where(_SESSION.c.number < before)
    rows = session.connection().execute(_touching(query, start, end)).all()
    return _describe(session, rows)


def find_session(session: Session, session_id: str) -> StoredSession:
    """Return one session (`NotFoundError` when there is none)."""
    rows = session.connection().execute(_select_sessions().where(_SESSION.c.id == session_id)).all()
    if not rows:
        raise NotFoundError(f"there is no session {session_id!r}: GET /api/v1/sessions lists them")
    return _describe(session, rows)[0]


def list_samples(session: Session, session_id: str, *, limit: int = 1000) -> list[Sample]:
    """Return the samples of the last ``limit`` instants of a session, in their order."""
    number = select(_SESSION.c.number).where(_SESSION.c.id == session_id).scalar_subquery()
    query = (
        select(_METER.c.at, _METER.c.shape_id, _METER.c.packed)
        .where(_METER.c.session_number == number)
        .order_by(_METER.c.station_at.desc())
        .limit(limit)
    )
    rows = session.connection().execute(query).all()
    return read_rows(session, reversed(rows))


def session_totals(session: Session, start: datetime, end: datetime) -> SessionTotals:
    """Return how many sessions touch a period and what they took and gave within it."""
    rows = session.connection().execute(_touching(_select_sessions(), start, end)).all()
    edges = np.array([start.timestamp(), end.timestamp()])
    curves = read_curves(session, rows).values()
    return SessionTotals(
        sessions=len(rows),
        running=sum(row.ended_at is None for row in rows),
        import_kwh=float(sum(taken.between(edges)[0] for taken, _ in curves)),
        export_kwh=float(sum(given.between(edges)[0] for _, given in curves)),
    )


def energy_by_quarter(
    session: Session, start: datetime, end: datetime, *, station_id: str | None = None
) -> dict[tuple[str, int], list[QuarterEnergy]]:
    """Return the energy of every EVSE that had a session in a period, per quarter, from its registers.

    The quarters of a session add up to the difference of its registers. Sessions without an EVSE count for
    EVSE 0 of their station. With ``station_id`` only those of this station.
    """
    query = _touching(_select_sessions(), start, end)
    if station_id is not None:
        query = query.where(_SESSION.c.station_id == station_id)
    rows = session.connection().execute(query).all()
    quarters, edges = quarter_edges(start, end)
    sums: dict[tuple[str, int], FloatArray] = {}
    curves = read_curves(session, rows)
    for row in rows:
        taken, given = curves[row.number]
        key = (row.station_id, row.evse_id or 0)
        energy = np.stack([taken.between(edges), given.between(edges)])
        sums[key] = sums.get(key, 0.0) + energy
    return {key: _list_quarters(quarters, sums[key]) for key in sorted(sums)}


def _select_sessions() -> Select[Any]:
    return select(_SESSION, _EVSE.c.evse_id).join(_EVSE, _EVSE.c.key == _SESSION.c.evse_key, isouter=True)


def _touching(query: Select[Any], start: datetime | None, end: datetime | None) -> Select[Any]:
    if end is not None:
        query = query.where(_SESSION.c.started_at < end)
    if start is not None:
        query = query.where(or_(_SESSION.c.ended_at.is_(None), _SESSION.c.ended_at > start))
    return query


def _describe(session: Session, rows: Sequence[AnyRow]) -> list[StoredSession]:
    curves = read_curves(session, rows)
    return [
        StoredSession(
            number=row.number,
            id=row.id,
            station_id=row.station_id,
            evse_id=row.evse_id,
            transaction_id=row.transaction_id,
            token=row.token,
            started_at=row.started_at,
            ended_at=row.ended_at,
            end_presumed=row.end_presumed,
            stopped_reason=row.stopped_reason,
            charging_state=row.charging_state,
            meter_start_kwh=row.meter_start_kwh,
            meter_stop_kwh=row.meter_stop_kwh,
            imported_kwh=curves[row.number][0].energy_kwh,
            exported_kwh=curves[row.number][1].energy_kwh,
        )
        for row in rows
    ]


def _list_quarters(quarters: Sequence[datetime], energy: FloatArray) -> list[QuarterEnergy]:
    return [
        QuarterEnergy(quarter, float(taken), float(given))
        for quarter, taken, given in zip(quarters, energy[0], energy[1], strict=True)
    ]


# --- the street's meters ------------------------------------------------------------------------------------


def meter_energy_by_quarter(
    session: Session, start: datetime, end: datetime
) -> dict[str, list[QuarterEnergy]]:
    """Return what every meter of the street registered in a period, per quarter."""
    quarters, edges = quarter_edges(start, end)
    result: dict[str, list[QuarterEnergy]] = {}
    meter_ids = session.connection().execute(select(_STREET.c.meter_id).distinct()).scalars().all()
    for meter_id in sorted(meter_ids):
        rows = _read_street_meter(session, meter_id, start, end)
        first = [(row.first_at, row.first_import_kwh, row.first_export_kwh) for row in rows]
        last = [(row.at, row.import_kwh, row.export_kwh) for row in rows]
        curves = [
            build_curve((RegisterReading(one[0], one[index]) for one in first + last), _STREET_MAX_POWER_KW)
            for index in (1, 2)
        ]
        energy = np.stack([curve.between(edges) for curve in curves])
        result[meter_id] = _list_quarters(quarters, energy)
    return result


def metered_quarters(session: Session, meter_id: str, start: datetime, end: datetime) -> list[QuarterEnergy]:
    """Return the quarters of a period whose energy a meter really told.

    At both edges of each the register is known to within `EDGE_GAP`; what lies in a longer gap could only be
    guessed, and is left out.
    """
    rows = _read_street_meter(session, meter_id, start, end)
    instants = np.unique([each.timestamp() for row in rows for each in (row.first_at, row.at)])
    if not instants.size:
        return []
    quarters = meter_energy_by_quarter(session, start, end)[meter_id]
    edges = np.array([*(each.quarter.timestamp() for each in quarters), end.timestamp()])
    after = np.searchsorted(instants, edges, side="left").clip(max=instants.size - 1)
    before = (np.searchsorted(instants, edges, side="right") - 1).clip(min=0)
    gap_s = np.maximum(instants[after] - edges, 0.0) + np.maximum(edges - instants[before], 0.0)
    outside = (edges < instants[0]) | (edges > instants[-1])
    known = ~outside & (gap_s <= EDGE_GAP.total_seconds())
    return [each for index, each in enumerate(quarters) if known[index] and known[index + 1]]


def read_registers(
    session: Session, meter_id: str, instants: Sequence[datetime]
) -> list[tuple[float, float]]:
    """Return a meter's import and export registers at instants, ascending, between its telegrams [kWh]."""
    if not instants:
        return []
    rows = _read_street_meter(session, meter_id, instants[0], instants[-1])
    told = {row.first_at.timestamp(): (row.first_import_kwh, row.first_export_kwh) for row in rows}
    told |= {row.at.timestamp(): (row.import_kwh, row.export_kwh) for row in rows}
    seconds, at = sorted(told), [each.timestamp() for each in instants]
    taken, given = (np.interp(at, seconds, [told[each][index] for each in seconds]) for index in (0, 1))
    return [(float(one), float(other)) for one, other in zip(taken, given, strict=True)]


def _read_street_meter(session: Session, meter_id: str, start: datetime, end: datetime) -> Sequence[AnyRow]:
    """Return the rows of a period and the one on either side of it, between which its edges lie."""
    connection = session.connection()
    mine = _STREET.c.meter_id == meter_id
    first, last = floor_quarter(start), floor_quarter(end)
    before = connection.execute(
        select(func.max(_STREET.c.quarter)).where(mine, _STREET.c.quarter < first)
    ).scalar()
    after = connection.execute(
        select(func.min(_STREET.c.quarter)).where(mine, _STREET.c.quarter > last)
    ).scalar()
    query = select(_STREET).where(
        mine, _STREET.c.quarter >= (before or first), _STREET.c.quarter <= (after or last)
    )
    return connection.execute(query.order_by(_STREET.c.quarter)).all()


# --- plans and notices --------------------------------------------------------------------------------------


def list_plans(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[PlanSummary]:
    """Return plans without their documents, the last one first.

    Parameters
    ----------
    start, end
        Only those asked for in this period.
    before
        Only those asked for earlier: the cursor of the page before.
    limit
        How many at the most.
    """
    names = ("id", "at", "trigger", "status", "objective_eur", "gap", "solve_seconds")
    query = select(*(_PLAN.c[name] for name in names)).order_by(_PLAN.c.at.desc(), _PLAN.c.id.desc())
    if start is not None:
        query = query.where(_PLAN.c.at >= start)
    if end is not None:
        query = query.where(_PLAN.c.at < end)
    if before is not None:
        query = query.where(_PLAN.c.at < before)
    rows = session.connection().execute(query.limit(limit)).all()
    return [PlanSummary(*row) for row in rows]


def find_plan(session: Session, plan_id: str) -> StoredPlan:
    """Return a plan with its documents (`NotFoundError` when there is none)."""
    row = session.connection().execute(select(_PLAN).where(_PLAN.c.id == plan_id)).first()
    if row is None:
        raise NotFoundError(f"there is no plan {plan_id!r}: GET /api/v1/plans lists them")
    return _read_plan(row)


def latest_plan(session: Session) -> StoredPlan | None:
    """Return the last plan with its documents, None before the first."""
    query = select(_PLAN).order_by(_PLAN.c.at.desc(), _PLAN.c.id.desc()).limit(1)
    row = session.connection().execute(query).first()
    return None if row is None else _read_plan(row)


def list_notices(session: Session, *, station_id: str | None = None, limit: int = 100) -> list[Notice]:
    """Return what stations did that somebody should look at, the last first."""
    query = select(_NOTICE).order_by(_NOTICE.c.last_at.desc()).limit(limit)
    if station_id is not None:
        query = query.where(_NOTICE.c.station_id == station_id)
    return [Notice(**row._mapping) for row in session.connection().execute(query)]  # noqa: SLF001 - its public name


def _read_plan(row: AnyRow) -> StoredPlan:
    return PlanRecord(
        id=row.id,
        at=row.at,
        trigger=row.trigger,
        status=row.status,
        objective_eur=row.objective_eur,
        gap=row.gap,
        solve_seconds=row.solve_seconds,
        problem_json=unpack(row.problem),
        plan_json=unpack(row.plan),
    )
