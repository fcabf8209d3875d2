"""OCPP 2.0.1: the vocabulary's own words, in camel case. `v21` builds on it."""

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
from csms.ocpp.needs import decode_needs
from csms.ocpp.news import decode_news, decode_variables
from csms.ocpp.outcomes import read_outcome
from csms.ocpp.samples import find_register_kwh, read_meter_values
from csms.ocpp.v2_operations import encode_operation
from csms.ocpp.vocabulary import (
    Accepted,
    Answer,
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
        "ClearedChargingLimit",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
    }
)

# Answers to messages that nobody acts on yet, where the standard wants more than an empty object. The
# schedule that a car reports is its own choice within our profile: there is nothing to object to.
_UNHANDLED: dict[str, Payload] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "OpenPeriodicEventStream": {"status": "Rejected"},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
    "SignCertificate": {"status": "Rejected"},
}


# --- from the station ---------------------------------------------------------------------------------------


def decode_request(action: str, payload: Payload, received_at: datetime) -> StationRequest:
    """Translate a request.

    Parameters
    ----------
    action, payload
        As on the wire; the payload passed its schema.
    received_at
        Not needed in 2.x, where every message carries its instant.

    Raises
    ------
    RequestError
        When a field is unusable although the schema took it.
    """
    del received_at
    decode = _DECODERS.get(action)
    return decode_news(action, payload) if decode is None else decode(payload)


def _decode_boot(payload: Payload) -> Boot:
    station: Payload = payload["chargingStation"]
    return Boot(
        vendor=station["vendorName"],
        model=station["model"],
        serial_number=station.get("serialNumber"),
        firmware_version=station.get("firmwareVersion"),
        reason=payload["reason"],
    )


def _decode_status(payload: Payload) -> StatusReport:
    return StatusReport(
        evse_id=read_integer(payload, "evseId"),
        connector_id=read_integer(payload, "connectorId"),
        status=ConnectorStatus(payload["connectorStatus"]),
        timestamp=read_instant(payload, "timestamp"),
    )


def _decode_token(token: Payload) -> IdToken:
    return IdToken(token["idToken"], token["type"])


def _decode_meter_values(payload: Payload) -> MeterReport:
    samples, rejected = read_meter_values(payload["meterValue"])
    return MeterReport(read_integer(payload, "evseId"), None, samples, rejected)


def _decode_transaction(payload: Payload) -> TransactionReport:
    info: Payload = payload["transactionInfo"]
    evse: Payload | None = payload.get("evse")
    phase = TransactionPhase(payload["eventType"])
    samples, rejected = read_meter_values(payload.get("meterValue", ()))
    return TransactionReport(
        phase=phase,
        timestamp=read_instant(payload, "timestamp"),
        transaction_id=info["transactionId"],
        evse_id=None if evse is None else read_integer(evse, "id"),
        connector_id=None if evse is None else read_optional_integer(evse, "connectorId"),
        id_token=_decode_token(payload["idToken"]) if "idToken" in payload else None,
        seq_no=read_integer(payload, "seqNo"),
        trigger_reason=payload["triggerReason"],
        charging_state=info.get("chargingState"),
        meter_start_kwh=find_register_kwh(samples, "Transaction.Begin"),
        meter_stop_kwh=find_register_kwh(samples, "Transaction.End"),
        stopped_reason=info.get("stoppedReason", "Local") if phase is TransactionPhase.ENDED else None,
        offline=payload.get("offline", False),
        phases_used=read_optional_integer(payload, "numberOfPhasesUsed"),
        samples=samples,
        rejected_samples=rejected,
    )


_DECODERS: dict[str, Callable[[Payload], StationRequest]] = {
    "Authorize": lambda payload: Authorize(_decode_token(payload["idToken"])),
    "BootNotification": _decode_boot,
    "Heartbeat": lambda _: Heartbeat(),
    "MeterValues": _decode_meter_values,
    "NotifyEVChargingNeeds": decode_needs,
    "NotifyReport": decode_variables,
    "StatusNotification": _decode_status,
    "TransactionEvent": _decode_transaction,
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
            return (
                {} if answer.token_status is None else {"idTokenInfo": {"status": answer.token_status.value}}
            )
        case BootAnswer():
            return {
                "status": answer.status.value,
                "currentTime": format_instant(answer.now),
                "interval": answer.interval_s,
            }
        case HeartbeatAnswer():
            return {"currentTime": format_instant(answer.now)}
        case AuthorizeAnswer():
            return {"idTokenInfo": {"status": answer.status.value}}
        case NeedsAnswer():
            # the fourth status came with 2.1
            return {"status": "Rejected" if answer.status == "NoChargingProfile" else answer.status}
        case NotSupported():
            raise RequestError(ErrorCode.NOT_SUPPORTED, answer.reason)


# --- to the station -----------------------------------------------------------------------------------------


def encode_command(command: Command) -> tuple[str, Payload]:
    """Translate a command to action and payload.

    Raises
    ------
    CommandError
        When 2.0.1 has no words for it: setpoints and discharge.
    """
    return encode_with(command, _encode_period)


def encode_with(command: Command, encode_period: Callable[[Period], Payload]) -> tuple[str, Payload]:
    """Translate a command of 2.x; the versions differ in what a schedule's period can say."""
    match command:
        case SetProfile():
            return "SetChargingProfile", {
                "evseId": command.evse_id,
                "chargingProfile": _encode_profile(command.profile, encode_period),
            }
        case ClearProfile():
            return "ClearChargingProfile", _encode_clear(command)
        case GetComposite():
            return "GetCompositeSchedule", {
                "evseId": command.evse_id,
                "duration": command.duration_s,
                "chargingRateUnit": command.unit.value,
            }
        case SetConfiguration() | SetAlignedInterval() | SetAlignedMeasurands():
            return "SetVariables", _encode_variable(*_name_setting(command))
        case RawCommand():
            return command.action, command.payload
        case _:
            return encode_operation(command)


def _encode_profile(profile: ChargingProfile, encode_period: Callable[[Period], Payload]) -> Payload:
    schedule: Payload = {
        "id": profile.id,
        "startSchedule": format_instant(profile.start),
        "chargingRateUnit": profile.unit.value,
        "chargingSchedulePeriod": [encode_period(period) for period in profile.periods],
    }
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    payload: Payload = {
        "id": profile.id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": profile.purpose.value,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
    if profile.valid_to is not None:
        payload["validTo"] = format_instant(profile.valid_to)
    if profile.transaction_id is not None:
        payload["transactionId"] = profile.transaction_id
    return payload


def _encode_period(period: Period) -> Payload:
    if period.limit is None or period.setpoint is not None:
        raise CommandError("OCPP 2.0.1 has no setpoint: give each period a limit of 0 or more")
    return encode_limit(period)


def encode_limit(period: Period) -> Payload:
    """Write a period that bounds charging."""
    if period.limit is None or period.limit < 0:
        raise CommandError("a charging limit is 0 or more: firmware may read a negative one as none")
    payload: Payload = {"startPeriod": period.start_s, "limit": floor_tenth(period.limit)}
    if period.phases is not None:
        payload["numberPhases"] = period.phases
    return payload


def _encode_clear(command: ClearProfile) -> Payload:
    if command.profile_id is not None:
        return {"chargingProfileId": command.profile_id}
    criteria: Payload = {
        "evseId": command.evse_id,
        "chargingProfilePurpose": None if command.purpose is None else command.purpose.value,
        "stackLevel": command.stack_level,
    }
    return {"chargingProfileCriteria": {key: value for key, value in criteria.items() if value is not None}}


def _name_setting(command: SetConfiguration | SetAlignedInterval | SetAlignedMeasurands) -> tuple[str, str]:
    match command:
        case SetConfiguration():
            return command.key, command.value
        case SetAlignedInterval():
            return "AlignedDataCtrlr.Interval", str(command.interval_s)
        case SetAlignedMeasurands():
            return "AlignedDataCtrlr.Measurands", ",".join(command.measurands)


def _encode_variable(key: str, value: str) -> Payload:
    component, dot, variable = key.partition(".")
    if not dot:
        raise CommandError(f"{key}: OCPP 2.x names a variable Component.Variable")
    setting = {
        "attributeValue": value,
        "component": {"name": component},
        "variable": {"name": variable},
    }
    return {"setVariableData": [setting]}


def decode_outcome(command: Command, payload: Payload) -> Outcome:
    """Translate a station's result."""
    if isinstance(command, SetConfiguration | SetAlignedInterval | SetAlignedMeasurands):
        return read_outcome(payload, payload["setVariableResult"][0]["attributeStatus"])
    outcome = read_outcome(payload, payload.get("status"))
    if isinstance(command, GetComposite) and isinstance(outcome, Accepted):
        return Accepted(payload, _decode_composite(payload))
    return outcome


def _decode_composite(payload: Payload) -> CompositeSchedule | None:
    schedule: Payload = payload.get("schedule") or {}
    start = parse_instant(schedule.get("scheduleStart"))
    if start is None:
        return None
    return CompositeSchedule(
        evse_id=int(schedule["evseId"]),
        start=start,
        unit=RateUnit(schedule["chargingRateUnit"]),
        periods=tuple(_decode_period(period) for period in schedule["chargingSchedulePeriod"]),
        duration_s=int(schedule["duration"]),
    )


def _decode_period(period: dict[str, Any]) -> Period:
    return Period(
        int(period["startPeriod"]),
        period.get("limit"),
        period.get("setpoint"),
        phases=period.get("numberPhases"),
    )
