"""What a session's rows have to say, as the events that they once were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from csms.state.columns import AnyRow, table_of
from csms.state.events import ChargingStateChanged, SamplesRecorded
from csms.state.meter_rows import read_rows
from csms.state.models import MeterValueRow

_METER = table_of(MeterValueRow)


def retell_samples(session: Session, row: AnyRow, shapes: dict[int, Any]) -> Iterator[SamplesRecorded]:
    """Yield the samples of a session that has an EVSE, in the order in which they came.

    Parameters
    ----------
    row
        Of the session.
    shapes
        Sample shapes that were read already; grows.
    """
    query = (
        select(_METER.c.at, _METER.c.shape_id, _METER.c.packed, _METER.c.received_at)
        .where(_METER.c.session_number == row.number)
        .order_by(_METER.c.received_at, _METER.c.station_at)
    )
    for value in session.connection().execute(query).all():
        samples = tuple(read_rows(session, [value], shapes=shapes))
        yield SamplesRecorded(row.station_id, row.evse_id, row.id, samples, value.received_at)


def retell_charging_state(row: AnyRow) -> Iterator[ChargingStateChanged]:
    """Yield the last charging state of a session that has an EVSE, if it told one."""
    if row.charging_state is not None:
        yield ChargingStateChanged(
            row.station_id, row.evse_id, row.id, row.charging_state, row.charging_state_at
        )
