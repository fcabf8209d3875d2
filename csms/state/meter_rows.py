"""Meter samples to compact rows and back, without loss.

A row holds all samples of an EVSE at one instant: their values as packed doubles, and the id of their shape
(measurand, unit, phase, location and context of each), which stations repeat all day. A sample that is there
already is not stored again; a sample of another kind at the same instant joins its row.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Connection, select, update
from sqlmodel import Session

from csms.ocpp.vocabulary import Measurand, Sample
from csms.state.columns import AnyRow, table_of
from csms.state.memory import memory_of
from csms.state.models import MeterValueRow, SampleShapeRow
from csms.state.readings import find_total
from csms.state.receipt import hold_for_true
from csms.state.upserts import insert_if_new, insert_new

_METER = table_of(MeterValueRow)
_SHAPE = table_of(SampleShapeRow)
_NOTHING = timedelta(0)


def record_samples(
    session: Session,
    evse_key: int,
    session_number: int,
    samples: Sequence[Sample],
    received_at: datetime,
    shift: timedelta = _NOTHING,
) -> tuple[Sample, ...]:
    """Store samples and return those that are new, at the instants that we hold for true.

    Parameters
    ----------
    evse_key, session_number
        Whose; 0 stands for none.
    samples
        As read.
    received_at
        When they came.
    shift
        What to add to the station's clock.
    """
    fresh: list[Sample] = []
    ordered = sorted(samples, key=attrgetter("timestamp"))
    for station_at, group in groupby(ordered, key=attrgetter("timestamp")):
        at = hold_for_true(station_at + shift, received_at)
        known = _record_instant(session, (session_number, evse_key, station_at), at, received_at, list(group))
        fresh += known if at == station_at else [replace(sample, timestamp=at) for sample in known]
    return tuple(fresh)


def read_rows(
    session: Session, rows: Iterable[AnyRow], *, shapes: dict[int, Any] | None = None
) -> list[Sample]:
    """Return the samples of rows (columns ``at``, ``shape_id``, ``packed``), at the instants held true."""
    shapes = {} if shapes is None else shapes
    samples: list[Sample] = []
    for row in rows:
        samples += _unpack(row, _find_shape(session.connection(), row.shape_id, shapes))
    return samples


def _record_instant(
    session: Session,
    key: tuple[int, int, datetime],
    at: datetime,
    received_at: datetime,
    samples: list[Sample],
) -> list[Sample]:
    connection = session.connection()
    unique = _without_duplicates(samples)
    row = {
        "session_number": key[0],
        "evse_key": key[1],
        "station_at": key[2],
        "at": at,
        "received_at": received_at,
        **_pack(session, unique),
    }
    if insert_if_new(connection, _METER, row):
        return unique
    return _join(session, key, unique)


def _join(session: Session, key: tuple[int, int, datetime], samples: list[Sample]) -> list[Sample]:
    """Add to a row what it does not have; return what that was."""
    connection = session.connection()
    here = (
        (_METER.c.session_number == key[0]) & (_METER.c.evse_key == key[1]) & (_METER.c.station_at == key[2])
    )
    row = connection.execute(select(_METER.c.at, _METER.c.shape_id, _METER.c.packed).where(here)).one()
    present = read_rows(session, [row])
    kinds = {_kind(sample) for sample in present}
    fresh = [sample for sample in samples if _kind(sample) not in kinds]
    if fresh:
        connection.execute(update(_METER).where(here).values(_pack(session, [*present, *fresh])))
    return fresh


def _kind(sample: Sample) -> tuple[str | None, ...]:
    return sample.measurand, sample.phase, sample.location, sample.context


def _without_duplicates(samples: list[Sample]) -> list[Sample]:
    return list({_kind(sample): sample for sample in reversed(samples)}.values())[::-1]


def _pack(session: Session, samples: list[Sample]) -> dict[str, Any]:
    return {
        "shape_id": _find_shape_id(session, samples),
        "packed": struct.pack(f"<{len(samples)}d", *(sample.value for sample in samples)),
        "import_kwh": find_total(samples, Measurand.ENERGY_IMPORT_REGISTER),
        "export_kwh": find_total(samples, Measurand.ENERGY_EXPORT_REGISTER),
    }


def _unpack(row: AnyRow, shape: list[list[str | None]]) -> list[Sample]:
    values = struct.unpack(f"<{len(shape)}d", row.packed)
    return [
        Sample(row.at, str(measurand), value, str(unit), phase, location, str(context))
        for (measurand, unit, phase, location, context), value in zip(shape, values, strict=True)
    ]


def _find_shape_id(session: Session, samples: list[Sample]) -> int:
    shape = [(one.measurand, one.unit, one.phase, one.location, one.context) for one in samples]
    definition = orjson.dumps(shape)
    shape_id = int.from_bytes(blake2b(definition, digest_size=8).digest(), signed=True)
    known = memory_of(session).shapes
    if shape_id not in known:
        shape_row = {"id": shape_id, "definition": definition.decode()}
        insert_new(session.connection(), _SHAPE, [shape_row])
        known.add(shape_id)
    return shape_id


def _find_shape(connection: Connection, shape_id: int, shapes: dict[int, Any]) -> Any:
    shape = shapes.get(shape_id)
    if shape is None:
        query = select(_SHAPE.c.definition).where(_SHAPE.c.id == shape_id)
        shape = shapes[shape_id] = orjson.loads(connection.execute(query).scalar_one())
    return shape
