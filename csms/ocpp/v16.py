"""OCPP 1.6: the only place where its words are known.

A connector N of 1.6 is EVSE N, connector 1. Transaction ids are whole numbers that the service gives; inside
they are text like those of 2.x.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from csms.ocpp.errors import CommandError, ErrorCode, RequestError
from csms.ocpp.fields import (
    floor_tenth,
    format_instant,
    parse_instant,
    read_instant,
    read_integer,
    read_optional_integer,
)
from csms.ocpp.news import decode_news
from csms.ocpp.outcomes import read_outcome
from csms.ocpp.samples import read_meter_values
from csms.ocpp.v16_operations import encode_operation
from csms.ocpp.vocabulary import (
    Accepted,
    Answer,
    AuthorizationStatus,
    Authorize,
    AuthorizeAnswer,
    Boot,
    BootAnswer,
    ChargingProfile,
    ClearProfile,
    Command,
    CompositeSchedule,
    ConnectorStatus,
    EmptyAnswer,
    GetComposite,
    Heartbeat,
    HeartbeatAnswer,
    IdToken,
    MeterReport,
    NeedsAnswer,
    NotSupported,
    Outcome,
    Payload,
    Period,
    ProfilePurpose,
    RateUnit,
    RawCommand,
    SetAlignedInterval,
    SetAlignedMeasurands,
    SetConfiguration,
    SetProfile,
    StationRequest,
    StatusReport,
    TransactionAnswer,
    TransactionPhase,
    TransactionReport,
)

STATION_ACTIONS = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)

# Answers to messages that nobody acts on yet, where the standard wants more than an empty object.
_UNHANDLED: dict[str, Payload] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "SignCertificate": {"status": "Rejected"},
}
_PURPOSES = {
    ProfilePurpose.STATION_MAX: "ChargePointMaxProfile",
    ProfilePurpose.TX_DEFAULT: "TxDefaultProfile",
    ProfilePurpose.TX: "TxProfile",
}


# --- from the station ---------------------------------------------------------------------------------------


def decode_request(action: str, payload: Payload, received_at: datetime) -> StationRequest:
    """Translate a request.

    Parameters
    ----------
    action, payload
        As on the wire; the payload passed its schema.
    received_at
        Stands for a timestamp that the station may leave out.

    Raises
    ------
    RequestError
        When a field is unusable although the schema took it.
    """
    if action == "StatusNotification":
        return _decode_status(payload, received_at)
    decode = _DECODERS.get(action)
    return decode_news(action, payload) if decode is None else decode(payload)


def _decode_boot(payload: Payload) -> Boot:
    return Boot(
        vendor=payload["chargePointVendor"],
        model=payload["chargePointModel"],
        serial_number=payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber"),
        firmware_version=payload.get("firmwareVersion"),
    )


def _decode_status(payload: Payload, received_at: datetime) -> StatusReport:
    connector_id = read_integer(payload, "connectorId")
    return StatusReport(
        evse_id=connector_id,
        connector_id=min(connector_id, 1),
        status=ConnectorStatus(payload["status"]),
        timestamp=read_instant(payload, "timestamp") if "timestamp" in payload else received_at,
        error_code=payload["errorCode"],
        info=payload.get("info"),
    )


def _decode_meter_values(payload: Payload) -> MeterReport:
    transaction_id = read_optional_integer(payload, "transactionId")
    samples, rejected = read_meter_values(payload["meterValue"])
    return MeterReport(
        evse_id=read_integer(payload, "connectorId"),
        # ours are positive; some stations write 0 or -1 for "none"
        transaction_id=str(transaction_id) if transaction_id is not None and transaction_id > 0 else None,
        samples=samples,
        rejected_samples=rejected,
    )


def _decode_start(payload: Payload) -> TransactionReport:
    return TransactionReport(
        phase=TransactionPhase.STARTED,
        timestamp=read_instant(payload, "timestamp"),
        transaction_id=None,
        evse_id=read_integer(payload, "connectorId"),
        connector_id=1,
        id_token=IdToken(payload["idTag"]),
        meter_start_kwh=read_integer(payload, "meterStart") / 1000,
    )


def _decode_stop(payload: Payload) -> TransactionReport:
    samples, rejected = read_meter_values(payload.get("transactionData", ()))
    return TransactionReport(
        phase=TransactionPhase.ENDED,
        timestamp=read_instant(payload, "timestamp"),
        transaction_id=str(read_integer(payload, "transactionId")),
        id_token=IdToken(payload["idTag"]) if "idTag" in payload else None,
        meter_stop_kwh=read_integer(payload, "meterStop") / 1000,
        stopped_reason=payload.get("reason", "Local"),
        samples=samples,
        rejected_samples=rejected,
    )


_DECODERS: dict[str, Callable[[Payload], StationRequest]] = {
    "Authorize": lambda payload: Authorize(IdToken(payload["idTag"])),
    "BootNotification": _decode_boot,
    "Heartbeat": lambda _: Heartbeat(),
    "MeterValues": _decode_meter_values,
    "StartTransaction": _decode_start,
    "StopTransaction": _decode_stop,
}


def encode_answer(action: str, answer: Answer) -> Payload:
    """Translate an answer.

    Raises
    ------
    RequestError
        NotSupported, when that is the answer.
    """
    match answer:
        case EmptyAnswer():
            return _UNHANDLED.get(action, {})
        case TransactionAnswer():
            return _encode_transaction_answer(action, answer)
        case BootAnswer():
            return {
                "status": answer.status.value,
                "currentTime": format_instant(answer.now),
                "interval": answer.interval_s,
            }
        case HeartbeatAnswer():
            return {"currentTime": format_instant(answer.now)}
        case AuthorizeAnswer():
            return {"idTagInfo": {"status": _tag_status(answer.status)}}
        case NotSupported():
            raise RequestError(ErrorCode.NOT_SUPPORTED, answer.reason)
        case NeedsAnswer():
            raise TypeError(f"{action} of OCPP 1.6 cannot be answered with charging needs")


def _encode_transaction_answer(action: str, answer: TransactionAnswer) -> Payload:
    if action == "StartTransaction":
        status = answer.token_status or AuthorizationStatus.ACCEPTED
        return {"transactionId": int(answer.transaction_id), "idTagInfo": {"status": _tag_status(status)}}
    return {} if answer.token_status is None else {"idTagInfo": {"status": _tag_status(answer.token_status)}}


def _tag_status(status: AuthorizationStatus) -> str:
    # 1.6 has no word for an unknown tag
    return "Invalid" if status is AuthorizationStatus.UNKNOWN else status.value


# --- to the station -----------------------------------------------------------------------------------------


def encode_command(command: Command) -> tuple[str, Payload]:
    """Translate a command to action and payload.

    Raises
    ------
    CommandError
        When 1.6 has no words for it: setpoints and discharge.
    """
    match command:
        case SetProfile():
            return "SetChargingProfile", {
                "connectorId": command.evse_id,
                "csChargingProfiles": _encode_profile(command.profile),
            }
        case ClearProfile():
            return "ClearChargingProfile", _encode_clear(command)
        case GetComposite():
            return "GetCompositeSchedule", {
                "connectorId": command.evse_id,
                "duration": command.duration_s,
                "chargingRateUnit": command.unit.value,
            }
        case SetConfiguration() | SetAlignedInterval() | SetAlignedMeasurands():
            key, value = _name_setting(command)
            return "ChangeConfiguration", {"key": key, "value": value}
        case RawCommand():
            return command.action, command.payload
        case _:
            return encode_operation(command)


def _name_setting(command: SetConfiguration | SetAlignedInterval | SetAlignedMeasurands) -> tuple[str, str]:
    match command:
        case SetConfiguration():
            return command.key, command.value
        case SetAlignedInterval():
            return "ClockAlignedDataInterval", str(command.interval_s)
        case SetAlignedMeasurands():
            return "MeterValuesAlignedData", ",".join(command.measurands)


def _encode_profile(profile: ChargingProfile) -> Payload:
    schedule: Payload = {
        "startSchedule": format_instant(profile.start),
        "chargingRateUnit": profile.unit.value,
        "chargingSchedulePeriod": [_encode_period(period) for period in profile.periods],
    }
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    payload: Payload = {
        "chargingProfileId": profile.id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": _PURPOSES[profile.purpose],
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    if profile.valid_to is not None:
        payload["validTo"] = format_instant(profile.valid_to)
    if profile.transaction_id is not None:
        payload["transactionId"] = int(profile.transaction_id)
    return payload


def _encode_period(period: Period) -> Payload:
    if period.limit is None or period.limit < 0 or period.setpoint is not None:
        raise CommandError("OCPP 1.6 has no setpoint and no discharge: give each period a limit of 0 or more")
    payload: Payload = {"startPeriod": period.start_s, "limit": floor_tenth(period.limit)}
    if period.phases is not None:
        payload["numberPhases"] = period.phases
    return payload


def _encode_clear(command: ClearProfile) -> Payload:
    payload: Payload = {
        "id": command.profile_id,
        "connectorId": command.evse_id,
        "chargingProfilePurpose": None if command.purpose is None else _PURPOSES[command.purpose],
        "stackLevel": command.stack_level,
    }
    return {key: value for key, value in payload.items() if value is not None}


def decode_outcome(command: Command, payload: Payload) -> Outcome:
    """Translate a station's result."""
    outcome = read_outcome(payload, payload.get("status"))
    if isinstance(command, GetComposite) and isinstance(outcome, Accepted):
        return Accepted(payload, _decode_composite(command, payload))
    return outcome


def _decode_composite(command: GetComposite, payload: Payload) -> CompositeSchedule | None:
    schedule: dict[str, Any] = payload.get("chargingSchedule") or {}
    start = parse_instant(schedule.get("startSchedule") or payload.get("scheduleStart"))
    if not schedule or start is None:
        return None
    periods = schedule["chargingSchedulePeriod"]
    return CompositeSchedule(
        evse_id=command.evse_id,
        start=start,
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(
            Period(int(part["startPeriod"]), limit=part["limit"], phases=part.get("numberPhases"))
            for part in periods
        ),
        duration_s=int(schedule.get("duration", command.duration_s)),
    )
