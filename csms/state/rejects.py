"""Samples that could not be read, kept as they came."""

from __future__ import annotations

from sqlalchemy import insert
from sqlmodel import Session

from csms.ocpp.vocabulary import RejectedSample
from csms.state.columns import table_of
from csms.state.models import RejectedSampleRow
from csms.state.receipt import Receipt

_REJECTED = table_of(RejectedSampleRow)
_MAX_RAW = 2000


def keep_rejected(
    session: Session,
    receipt: Receipt,
    evse_id: int | None,
    session_number: int,
    samples: tuple[RejectedSample, ...],
) -> None:
    """Store samples that could not be read, with the reason."""
    if samples:
        rows = [
            {
                "station_id": receipt.station_id,
                "evse_id": evse_id,
                "session_number": session_number,
                "received_at": receipt.received_at,
                "raw": sample.raw[:_MAX_RAW],
                "reason": sample.reason,
            }
            for sample in samples
        ]
        session.connection().execute(insert(_REJECTED), rows)
