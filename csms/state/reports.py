"""What stations report outside transactions, into rows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import insert, update
from sqlmodel import Session

from csms.ocpp.vocabulary import (
    Boot,
    BootAnswer,
    ChargingNeeds,
    EmptyAnswer,
    MeterReport,
    NeedsAnswer,
    RegistrationStatus,
    StatusReport,
)
from csms.state.columns import AnyRow, table_of
from csms.state.events import NeedsReported, SamplesRecorded, StationBooted, StatusChanged
from csms.state.evses import check_evse_id, find_evse_key
from csms.state.meter_rows import record_samples
from csms.state.models import ChargingNeedsRow, EvseRow, NoticeKind, StationRow
from csms.state.notices import note
from csms.state.receipt import Receipt, Recorded, hold_for_true
from csms.state.register_checks import check_registers
from csms.state.rejects import keep_rejected
from csms.state.session_rows import find_open_on_evse, find_session

_STATION = table_of(StationRow)
_EVSE = table_of(EvseRow)
_NEEDS = table_of(ChargingNeedsRow)


def record_boot(session: Session, receipt: Receipt, boot: Boot, interval_s: int) -> Recorded:
    """Record a boot; every known station is accepted."""
    at = receipt.received_at
    session.connection().execute(
        update(_STATION)
        .where(_STATION.c.id == receipt.station_id)
        .values(
            vendor=boot.vendor,
            model=boot.model,
            serial_number=boot.serial_number,
            firmware_version=boot.firmware_version,
            booted_at=at,
            seen_at=at,
        )
    )
    answer = BootAnswer(RegistrationStatus.ACCEPTED, at, interval_s)
    return Recorded(answer, (StationBooted(receipt.station_id, at, boot.vendor, boot.model),))


def record_connection(session: Session, station_id: str, version: str | None, at: datetime) -> None:
    """Record that a station came (with its version) or went."""
    values: dict[str, Any] = {"seen_at": at}
    if version is not None:
        values["version"] = version
    session.connection().execute(update(_STATION).where(_STATION.c.id == station_id).values(**values))


def record_status(session: Session, receipt: Receipt, report: StatusReport) -> Recorded:
    """Record a connector's status, unless a later one is known."""
    check_evse_id(report.evse_id)
    at = hold_for_true(report.timestamp, receipt.received_at)
    key = find_evse_key(session, receipt.station_id, report.evse_id, receipt.received_at)
    newer = (_EVSE.c.status_at.is_(None)) | (_EVSE.c.status_at <= at)
    changed = session.connection().execute(
        update(_EVSE)
        .where(_EVSE.c.key == key, newer)
        .values(status=report.status.value, connector_id=report.connector_id, status_at=at)
    )
    if not changed.rowcount:
        return Recorded(EmptyAnswer())
    event = StatusChanged(receipt.station_id, report.evse_id, report.connector_id, report.status, at)
    return Recorded(EmptyAnswer(), (event,))


def record_meter_report(session: Session, receipt: Receipt, report: MeterReport) -> Recorded:
    """Record meter values; those of an EVSE whose session runs belong to that session."""
    check_evse_id(report.evse_id)
    station_id, received_at = receipt.station_id, receipt.received_at
    row, evse_key = _find_owner(session, receipt, report)
    number = 0 if row is None else row.number
    keep_rejected(session, receipt, report.evse_id, number, report.rejected_samples)
    fresh = record_samples(session, evse_key, number, report.samples, received_at)
    if not fresh:
        return Recorded(EmptyAnswer())
    check_registers(session, receipt, evse_key, number, fresh)
    # a session is where its transaction began, whatever EVSE its values name
    evse_id, session_id = (report.evse_id, None) if row is None else (row.evse_id, row.id)
    event = SamplesRecorded(station_id, evse_id, session_id, fresh, received_at)
    return Recorded(EmptyAnswer(), (event,))


def _find_owner(session: Session, receipt: Receipt, report: MeterReport) -> tuple[AnyRow | None, int]:
    """Return the session to which values belong, and the EVSE's key."""
    station_id, received_at = receipt.station_id, receipt.received_at
    if report.transaction_id is not None:
        row = find_session(session, station_id, report.transaction_id)
        if row is not None and row.evse_key is not None:
            return row, row.evse_key
        detail = f"meter values of transaction {report.transaction_id}"
        note(session, station_id, NoticeKind.UNKNOWN_TRANSACTION, received_at, detail)
    evse_key = find_evse_key(session, station_id, report.evse_id, received_at)
    if report.evse_id == 0 or not report.samples:
        return None, evse_key
    at = min(hold_for_true(sample.timestamp, received_at) for sample in report.samples)
    return find_open_on_evse(session, evse_key, at), evse_key


def record_needs(session: Session, receipt: Receipt, needs: ChargingNeeds) -> Recorded:
    """Record what a car needs."""
    check_evse_id(needs.evse_id)
    at = receipt.received_at
    evse_key = find_evse_key(session, receipt.station_id, needs.evse_id, at)
    row = find_open_on_evse(session, evse_key, at)
    session.connection().execute(
        insert(_NEEDS).values(
            evse_key=evse_key,
            session_number=0 if row is None else row.number,
            at=at,
            needs_json=orjson.dumps(asdict(needs)).decode(),
        )
    )
    session_id = None if row is None else row.id
    event = NeedsReported(receipt.station_id, needs.evse_id, session_id, needs, at)
    return Recorded(NeedsAnswer("Accepted"), (event,))
