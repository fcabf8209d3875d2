"""Energy over time of sessions, from their samples, or from the quarters that replaced them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlmodel import Session

from csms.state.columns import AnyRow, table_of
from csms.state.energy import EnergyCurve, RegisterReading, build_curve
from csms.state.models import MeterValueRow, SessionQuarterRow
from grid.timegrid import QUARTER

_METER, _QUARTER = table_of(MeterValueRow), table_of(SessionQuarterRow)
# Sessions of one query.
_CHUNK = 500

Curves = tuple[EnergyCurve, EnergyCurve]


def read_curves(session: Session, rows: Sequence[AnyRow]) -> dict[int, Curves]:
    """Return the energy curves of sessions, import and export, by their number.

    Parameters
    ----------
    rows
        Of the session table.
    """
    sampled = _read_registers(session, [row.number for row in rows if not row.rolled_up])
    quarters = _read_quarters(session, [row.number for row in rows if row.rolled_up])
    return {
        row.number: _join_quarters(quarters[row.number])
        if row.rolled_up
        else _build_curves(row, sampled[row.number])
        for row in rows
    }


def _read_registers(session: Session, numbers: Sequence[int]) -> defaultdict[int, list[AnyRow]]:
    columns = (_METER.c.session_number, _METER.c.at, _METER.c.import_kwh, _METER.c.export_kwh)
    return _read(session, numbers, columns, _METER.c.station_at)


def _read_quarters(session: Session, numbers: Sequence[int]) -> defaultdict[int, list[AnyRow]]:
    return _read(session, numbers, tuple(_QUARTER.c), _QUARTER.c.quarter)


def _read(
    session: Session,
    numbers: Sequence[int],
    columns: Sequence[ColumnElement[object]],
    order: ColumnElement[object],
) -> defaultdict[int, list[AnyRow]]:
    values: defaultdict[int, list[AnyRow]] = defaultdict(list)
    number = columns[0]
    for chunk in _chunks(numbers):
        query = select(*columns).where(number.in_(chunk)).order_by(number, order)
        for value in session.connection().execute(query):
            values[value.session_number].append(value)
    return values


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(numbers), _CHUNK):
        yield numbers[begin : begin + _CHUNK]


def _build_curves(row: AnyRow, values: Iterable[AnyRow]) -> Curves:
    taken, given = [], []
    if row.meter_start_kwh is not None:
        taken.append(RegisterReading(row.started_at, row.meter_start_kwh))
    for value in values:
        if value.import_kwh is not None:
            taken.append(RegisterReading(value.at, value.import_kwh))
        if value.export_kwh is not None:
            given.append(RegisterReading(value.at, value.export_kwh))
    if row.meter_stop_kwh is not None and row.ended_at is not None:
        taken.append(RegisterReading(row.ended_at, row.meter_stop_kwh))
    return build_curve(taken, row.max_power_kw), build_curve(given, row.max_power_kw)


def _join_quarters(rows: Sequence[AnyRow]) -> Curves:
    """Return curves through the edges of quarters; between rows nothing flows."""
    edges = sorted({edge.timestamp() for row in rows for edge in (row.quarter, row.quarter + QUARTER)})
    index = {edge: position for position, edge in enumerate(edges)}
    taken, given = np.zeros(len(edges)), np.zeros(len(edges))
    for row in rows:
        position = index[row.quarter.timestamp()] + 1
        taken[position], given[position] = row.import_kwh, row.export_kwh
    seconds = np.array(edges)
    return EnergyCurve(seconds, np.cumsum(taken)), EnergyCurve(seconds, np.cumsum(given))
