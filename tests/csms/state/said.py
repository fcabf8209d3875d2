"""What stations say, in short."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from csms.ocpp.vocabulary import (
    IdToken,
    Measurand,
    MeterReport,
    Sample,
    TransactionAnswer,
    TransactionPhase,
    TransactionReport,
)
from csms.ocpp.vocabulary import OcppVersion as Version
from csms.state.service import StateService
from grid.clock import ManualClock
from tests.csms.state.street import NOW

TAG = IdToken("ANNA")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def register(at: datetime, kwh: float, **more: Any) -> Sample:
    return Sample(at, Measurand.ENERGY_IMPORT_REGISTER, kwh, "kWh", **more)


def exported(at: datetime, kwh: float) -> Sample:
    return Sample(at, Measurand.ENERGY_EXPORT_REGISTER, kwh, "kWh")


def power(at: datetime, kw: float) -> Sample:
    return Sample(at, Measurand.POWER_IMPORT, kw, "kW")


def start_16(
    at: datetime = NOW, *, evse_id: int = 1, kwh: float = 100.0, tag: IdToken = TAG
) -> TransactionReport:
    return TransactionReport(
        TransactionPhase.STARTED, at, None, evse_id=evse_id, connector_id=1, id_token=tag, meter_start_kwh=kwh
    )


def stop_16(transaction_id: str, at: datetime, kwh: float) -> TransactionReport:
    return TransactionReport(
        TransactionPhase.ENDED, at, transaction_id, meter_stop_kwh=kwh, stopped_reason="Local"
    )


def event_2x(
    seq_no: int, at: datetime = NOW, phase: TransactionPhase = TransactionPhase.UPDATED, **more: Any
) -> TransactionReport:
    more.setdefault("evse_id", 1)
    transaction_id = more.pop("transaction_id", "tx-1")
    return TransactionReport(phase, at, transaction_id, seq_no=seq_no, trigger_reason="Trigger", **more)


async def say(
    service: StateService,
    report: TransactionReport | MeterReport,
    station_id: str | None = None,
    *,
    clock: ManualClock | None = None,
) -> TransactionAnswer | None:
    """Let a station say something: OLD-1 in 1.6, NEW-1 in 2.1; with a clock, at the time that it is about."""
    if clock is not None:
        at = report.samples[-1].timestamp if isinstance(report, MeterReport) else report.timestamp
        await clock.advance_to(max(at, clock.now()))
    new = isinstance(report, TransactionReport) and report.seq_no is not None
    station_id = station_id or ("NEW-1" if new else "OLD-1")
    version = Version.V21 if station_id.startswith("NEW") else Version.V16
    answer = await service.handle(station_id, version, report)
    return answer if isinstance(answer, TransactionAnswer) else None


async def begin_16(service: StateService, **more: Any) -> str:
    """Start a 1.6 transaction and return its id."""
    answer = await say(service, start_16(**more))
    assert answer is not None
    return answer.transaction_id
