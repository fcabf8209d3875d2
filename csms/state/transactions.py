"""Transactions into rows: exactly once in effect, in any order, with the same answer to the same message.

OCPP 2.x numbers the events of a transaction whose id the station gave. OCPP 1.6 has a start, to which we give
the id, and a stop; both are recognised by what they say. An id is only ever looked up together with its
station.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from csms.ocpp.vocabulary import (
    AuthorizationStatus,
    OcppVersion,
    TransactionAnswer,
    TransactionPhase,
    TransactionReport,
)
from csms.state.catalogue import fold_token
from csms.state.columns import AnyRow, table_of
from csms.state.events import ChargingStateChanged, Event, SamplesRecorded
from csms.state.evses import find_only_evse_id
from csms.state.meter_rows import record_samples
from csms.state.models import NoticeKind, TransactionEventRow
from csms.state.notices import note, withdraw
from csms.state.receipt import Receipt, Recorded, hold_for_true
from csms.state.register_checks import check_registers
from csms.state.rejects import keep_rejected
from csms.state.retelling import retell_charging_state, retell_samples
from csms.state.session_rows import (
    Started,
    begin_session,
    bind_to_evse,
    change,
    describe_start,
    end_session,
    find_by_start_key,
    find_session,
    is_open_elsewhere,
    reload,
)
from csms.state.tokens import find_token_status
from csms.state.upserts import insert_if_new

_EVENT = table_of(TransactionEventRow)
_INT31 = 0x7FFF_FFFF


def record_transaction(session: Session, receipt: Receipt, report: TransactionReport) -> Recorded:
    """Record a transaction message of any version."""
    if report.seq_no is not None:
        return _record_event(session, receipt, report)
    if report.phase is TransactionPhase.STARTED:
        return _record_start_16(session, receipt, report)
    return _record_stop_16(session, receipt, report)


# --- OCPP 1.6 -----------------------------------------------------------------------------------------------


def _record_start_16(session: Session, receipt: Receipt, report: TransactionReport) -> Recorded:
    start_key = _build_start_key(report)
    row = find_by_start_key(session, receipt.station_id, start_key)
    if row is not None:
        return Recorded(TransactionAnswer(row.transaction_id, AuthorizationStatus(row.token_status)))
    status = _find_status(session, receipt, report) or AuthorizationStatus.ACCEPTED
    started = Started(
        transaction_id=_choose_transaction_id(session, receipt),
        started_at=hold_for_true(report.timestamp, receipt.received_at),
        station_started_at=report.timestamp,
        start_seen=True,
        start_key=start_key,
        token=None if report.id_token is None else report.id_token.value,
        token_status=status.value,
        meter_start_kwh=report.meter_start_kwh,
    )
    row = begin_session(session, receipt, started)
    events = bind_to_evse(session, receipt, row, report.evse_id or 1)
    return Recorded(TransactionAnswer(started.transaction_id, status), tuple(events))


def _record_stop_16(session: Session, receipt: Receipt, report: TransactionReport) -> Recorded:
    transaction_id = report.transaction_id or ""
    row = find_session(session, receipt.station_id, transaction_id)
    if row is None:
        _note_orphan(session, receipt, report, transaction_id)
        return Recorded(TransactionAnswer(transaction_id, _find_status(session, receipt, report)))
    if row.ended_at is not None and not row.end_presumed:
        status = row.stop_token_status
        return Recorded(TransactionAnswer(transaction_id, AuthorizationStatus(status) if status else None))
    return _end_16(session, receipt, report, row)


def _end_16(session: Session, receipt: Receipt, report: TransactionReport, row: AnyRow) -> Recorded:
    ended_at = hold_for_true(report.timestamp, receipt.received_at)
    recording = _Recording(session, receipt, report, row, ended_at)
    recording.record_samples()
    status = _find_status(session, receipt, report)
    change(session, row.number, stop_token_status=None if status is None else status.value)
    recording.end()
    return Recorded(TransactionAnswer(row.transaction_id, status), tuple(recording.events))


def _build_start_key(report: TransactionReport) -> str:
    tag = "" if report.id_token is None else fold_token(report.id_token.value)
    return f"{report.evse_id}|{report.timestamp.isoformat()}|{report.meter_start_kwh}|{tag}"


def _choose_transaction_id(session: Session, receipt: Receipt) -> str:
    """Return a positive number of 31 bits that nobody can guess and the station does not have yet."""
    for attempt in range(100):
        digest = sha256(f"{receipt.fresh_id}/{attempt}".encode()).digest()
        transaction_id = str(int.from_bytes(digest[:4]) & _INT31 or 1)
        if find_session(session, receipt.station_id, transaction_id) is None:
            return transaction_id
    raise RuntimeError("no transaction id is free")


def _note_orphan(session: Session, receipt: Receipt, report: TransactionReport, transaction_id: str) -> None:
    foreign = is_open_elsewhere(session, receipt.station_id, transaction_id)
    kind = NoticeKind.FOREIGN_TRANSACTION if foreign else NoticeKind.UNKNOWN_TRANSACTION
    detail = (
        f"stop of {transaction_id} at {report.timestamp.isoformat()}, register {report.meter_stop_kwh} kWh, "
        f"reason {report.stopped_reason}"
    )
    note(session, receipt.station_id, kind, receipt.received_at, detail)


# --- OCPP 2.x -----------------------------------------------------------------------------------------------


def _record_event(session: Session, receipt: Receipt, report: TransactionReport) -> Recorded:
    transaction_id = report.transaction_id or ""
    at = hold_for_true(report.timestamp, receipt.received_at, live=not report.offline)
    row = find_session(session, receipt.station_id, transaction_id)
    if row is None:
        row = begin_session(session, receipt, _describe_start(transaction_id, at, report))
    recording = _Recording(session, receipt, report, row, at)
    status = _find_status(session, receipt, report)
    if not recording.record_event_row(status):
        stored = _find_event(session, row.number, report.seq_no)
        if stored.station_at == report.timestamp and stored.phase == report.phase.value:
            known = stored.token_status
            return Recorded(TransactionAnswer(transaction_id, AuthorizationStatus(known) if known else None))
        detail = f"transaction {transaction_id}: number {report.seq_no} names another event too"
        kind = NoticeKind.SEQUENCE_REUSED
        note(session, receipt.station_id, kind, receipt.received_at, detail, row.number)
    recording.learn()
    recording.record_samples()
    recording.record_charging_state()
    if report.phase is TransactionPhase.ENDED:
        recording.end()
    recording.check_sequence()
    return Recorded(TransactionAnswer(transaction_id, status), tuple(recording.events))


def _describe_start(transaction_id: str, at: datetime, report: TransactionReport) -> Started:
    seen = report.phase is TransactionPhase.STARTED
    return Started(
        transaction_id=transaction_id,
        started_at=at,
        station_started_at=report.timestamp,
        start_seen=seen,
        token=None if report.id_token is None else report.id_token.value,
        meter_start_kwh=report.meter_start_kwh if seen else None,
    )


def _find_event(session: Session, number: int, seq_no: int | None) -> AnyRow:
    query = select(_EVENT.c.phase, _EVENT.c.station_at, _EVENT.c.token_status).where(
        _EVENT.c.session_number == number, _EVENT.c.seq_no == seq_no
    )
    return session.connection().execute(query).one()


def _find_status(session: Session, receipt: Receipt, report: TransactionReport) -> AuthorizationStatus | None:
    if report.id_token is None:
        return None
    return find_token_status(session, report.id_token.value, receipt.received_at)


@dataclass
class _Recording:
    """One transaction message on its way into the rows of its session.

    Parameters
    ----------
    at
        When it happened, as we hold for true.
    events
        What is to be published.
    """

    session: Session
    receipt: Receipt
    report: TransactionReport
    row: AnyRow
    at: datetime
    events: list[Event] = field(default_factory=list)

    def record_event_row(self, status: AuthorizationStatus | None) -> bool:
        """Store the event itself; say whether its number is new."""
        report = self.report
        event = {
            "session_number": self.row.number,
            "seq_no": report.seq_no,
            "phase": report.phase.value,
            "at": self.at,
            "station_at": report.timestamp,
            "received_at": self.receipt.received_at,
            "trigger_reason": report.trigger_reason,
            "charging_state": report.charging_state,
            "offline": report.offline,
            "token_status": None if status is None else status.value,
        }
        if not insert_if_new(self.session.connection(), _EVENT, event):
            return False
        if self.at != report.timestamp:
            detail = f"it said {report.timestamp.isoformat()} at {self.receipt.received_at.isoformat()}"
            received_at = self.receipt.received_at
            note(self.session, self.receipt.station_id, NoticeKind.CLOCK_OFF, received_at, detail)
        return True

    def learn(self) -> None:
        """Take what the message adds to the session: its EVSE, its true start, its token."""
        news = self._find_news()
        if news:
            change(self.session, self.row.number, **news)
            self.row = reload(self.session, self.row.id)
        if self.row.evse_key is None:
            evse_id = self.report.evse_id or find_only_evse_id(self.session, self.receipt.station_id)
            if evse_id is not None:
                self.events += bind_to_evse(self.session, self.receipt, self.row, evse_id)
                self.row = reload(self.session, self.row.id)
                self._retell()
        elif news and self.row.ended_at is None:
            self.events.append(describe_start(self.row))

    def _retell(self) -> None:
        """Publish what the session said before anybody knew where it is."""
        if self.row.ended_at is None:
            self.events += [*retell_samples(self.session, self.row, {}), *retell_charging_state(self.row)]

    def _find_news(self) -> dict[str, Any]:
        report, row = self.report, self.row
        news: dict[str, Any] = {}
        if report.phase is TransactionPhase.STARTED and not row.start_seen:
            news = {"start_seen": True, "started_at": self.at, "station_started_at": report.timestamp}
            if report.meter_start_kwh is not None:
                news["meter_start_kwh"] = report.meter_start_kwh
        if report.id_token is not None and row.token is None:
            news["token"] = report.id_token.value
        return news

    def record_samples(self) -> None:
        session, row, received_at = self.session, self.row, self.receipt.received_at
        keep_rejected(session, self.receipt, self.report.evse_id, row.number, self.report.rejected_samples)
        if not self.report.samples:
            return
        shift = timedelta(0) if self.receipt.version is OcppVersion.V16 else self.at - self.report.timestamp
        fresh = record_samples(
            session, row.evse_key or 0, row.number, self.report.samples, received_at, shift
        )
        check_registers(session, self.receipt, row.evse_key or 0, row.number, fresh)
        if fresh and row.evse_key is not None:
            self.events.append(
                SamplesRecorded(self.receipt.station_id, row.evse_id, row.id, fresh, received_at)
            )

    def record_charging_state(self) -> None:
        state, row = self.report.charging_state, self.row
        if state in {None, row.charging_state}:
            return
        if row.charging_state_at is not None and row.charging_state_at > self.at:
            return
        change(self.session, row.number, charging_state=state, charging_state_at=self.at)
        if row.evse_key is not None and row.ended_at is None:
            self.events.append(
                ChargingStateChanged(self.receipt.station_id, row.evse_id, row.id, state, self.at)
            )

    def end(self) -> None:
        report = self.report
        self.events += end_session(
            self.session,
            self.row,
            self.receipt.received_at,
            self.at,
            report.meter_stop_kwh,
            report.stopped_reason,
        )

    def check_sequence(self) -> None:
        """Notice numbers that are missing once the end is known; forget it when they come after all."""
        if self.report.phase is not TransactionPhase.ENDED and self.row.ended_at is None:
            return
        query = select(func.min(_EVENT.c.seq_no), func.max(_EVENT.c.seq_no), func.count()).where(
            _EVENT.c.session_number == self.row.number
        )
        lowest, highest, count = self.session.connection().execute(query).one()
        missing = highest - lowest + 1 - count
        kind, station_id = NoticeKind.SEQUENCE_GAP, self.receipt.station_id
        if missing > 0 or not self.row.start_seen:
            detail = f"transaction {self.row.transaction_id}: {missing} events and more are missing"
            note(self.session, station_id, kind, self.receipt.received_at, detail, self.row.number)
        else:
            withdraw(self.session, station_id, kind, self.row.number)
