"""Registers that went back or ran too fast are kept as they came; that they did is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlmodel import Session

from csms.ocpp.vocabulary import Sample
from csms.state.columns import table_of
from csms.state.memory import memory_of
from csms.state.models import MeterValueRow, NoticeKind
from csms.state.notices import note
from csms.state.readings import Reading, read_samples
from csms.state.receipt import Receipt
from csms.state.registers import Counter, Step, advance, begin

_METER = table_of(MeterValueRow)
_KINDS = {Step.DECREASED: NoticeKind.REGISTER_DECREASED, Step.TOO_FAST: NoticeKind.REGISTER_TOO_FAST}
_REGISTERS = ("import_kwh", "export_kwh")
_BEFORE = {
    register: (
        select(_METER.c.at, _METER.c[register])
        .where(
            _METER.c.session_number == bindparam("session_number"),
            _METER.c.evse_key == bindparam("evse_key"),
            _METER.c.station_at < bindparam("before"),
            _METER.c[register].is_not(None),
        )
        .order_by(_METER.c.station_at.desc())
        .limit(1)
    )
    for register in _REGISTERS
}


def check_registers(
    session: Session, receipt: Receipt, evse_key: int, session_number: int, fresh: Sequence[Sample]
) -> None:
    """Compare new registers with those before them in the same session."""
    readings = [
        one for one in read_samples(fresh) if one.import_kwh is not None or one.export_kwh is not None
    ]
    if not readings or not session_number:
        return
    for register in _REGISTERS:
        if any(getattr(one, register) is not None for one in readings):
            _check(session, receipt, (session_number, evse_key, register), readings)


def _check(
    session: Session, receipt: Receipt, key: tuple[int, int, str], readings: Sequence[Reading]
) -> None:
    counters = memory_of(session).counters.setdefault(key[0], {})
    counter = counters.get(key[1:]) or _find_before(session, key, readings[0].at)
    for reading in readings:
        value_kwh = getattr(reading, key[2])
        if value_kwh is None:
            continue
        if counter is None:
            counter = begin(reading.at, value_kwh)
            continue
        last_kwh = counter.register_kwh
        counter, step = advance(counter, reading.at, value_kwh, receipt.max_power_kw)
        if step in _KINDS:
            detail = f"{key[2]}: from {last_kwh:g} to {value_kwh:g} kWh at {reading.at.isoformat()}"
            note(session, receipt.station_id, _KINDS[step], receipt.received_at, detail, key[0])
    if counter is not None:
        counters[key[1:]] = counter


def _find_before(session: Session, key: tuple[int, int, str], at: datetime) -> Counter | None:
    session_number, evse_key, register = key
    parameters = {"session_number": session_number, "evse_key": evse_key, "before": at}
    row = session.connection().execute(_BEFORE[register], parameters).first()
    return None if row is None else begin(row.at, row[1])
