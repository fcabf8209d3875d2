"""OCPP 2.1: 2.0.1 and more, above all bidirectional charging."""

from __future__ import annotations

from csms.ocpp import v201
from csms.ocpp.errors import CommandError
from csms.ocpp.fields import floor_tenth
from csms.ocpp.v201 import decode_outcome, decode_request
from csms.ocpp.vocabulary import (
    Answer,
    AuthorizeAnswer,
    Command,
    NeedsAnswer,
    Payload,
    Period,
    RateUnit,
    SetProfile,
)

__all__ = ["STATION_ACTIONS", "decode_outcome", "decode_request", "encode_answer", "encode_command"]

STATION_ACTIONS = v201.STATION_ACTIONS | {
    "BatterySwap",
    "ClosePeriodicEventStream",
    "GetCertificateChainStatus",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPeriodicEventStream",
    "NotifyPriorityCharging",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "OpenPeriodicEventStream",
    "PullDynamicScheduleUpdate",
    "ReportDERControl",
    "VatNumberValidation",
}


def encode_answer(action: str, answer: Answer) -> Payload:
    """Translate an answer.

    Raises
    ------
    RequestError
        NotSupported, when that is the answer.
    """
    match answer:
        case AuthorizeAnswer() if answer.allowed_energy_transfer:
            return {
                "idTokenInfo": {"status": answer.status.value},
                "allowedEnergyTransfer": list(answer.allowed_energy_transfer),
            }
        case NeedsAnswer():
            return {"status": answer.status}
        case _:
            return v201.encode_answer(action, answer)


def encode_command(command: Command) -> tuple[str, Payload]:
    """Translate a command to action and payload.

    Raises
    ------
    CommandError
        When a period is neither a limit nor a setpoint, or a setpoint is not in watts.
    """
    if isinstance(command, SetProfile) and command.profile.unit is not RateUnit.WATT:
        setpoints = [period for period in command.profile.periods if period.setpoint is not None]
        if setpoints:
            raise CommandError("setpoints are sent in W: per-phase amperes leave the direction open")
    return v201.encode_with(command, _encode_period)


def _encode_period(period: Period) -> Payload:
    """Write a period; a setpoint stands alone, a limit beside it is forbidden (Q03.FR.02)."""
    if period.setpoint is None:
        return v201.encode_limit(period)
    if period.limit is not None:
        raise CommandError("a period has a limit or a setpoint, not both: caps go into the station's maximum")
    return {
        "startPeriod": period.start_s,
        "operationMode": "CentralSetpoint",
        "setpoint": floor_tenth(period.setpoint),
    }
