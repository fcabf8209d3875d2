"""What stations tell beside charging: firmware, logs, security, monitoring, limits, all as news.

One line of `RULES` per message says where its words stand; the payload is kept whole beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from csms.ocpp.fields import parse_instant
from csms.ocpp.reporting import DeviceVariable, NewsItem, NewsKind, NewsReport, VariableReport
from csms.ocpp.vocabulary import Payload


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the words of a message stand.

    Parameters
    ----------
    kind
        What it is about.
    subject
        Dotted paths of what names it; their texts are joined by dots.
    status
        Dotted path of what happened; a word that stands for it when it begins with ``=``.
    at
        Dotted path of when; None for the moment of its arrival.
    items
        The list whose entries are news of their own, None when the message is one.
    """

    kind: NewsKind
    subject: tuple[str, ...] = ()
    status: str = ""
    at: str | None = None
    items: str | None = None


_VARIABLE: Final = ("component.name", "variable.name")

RULES: Final[dict[str, Rule]] = {
    "BatterySwap": Rule(NewsKind.OTHER, ("requestId",), "eventType"),
    "ClearedChargingLimit": Rule(NewsKind.LIMIT, ("chargingLimitSource",), "=Cleared"),
    "ClosePeriodicEventStream": Rule(NewsKind.STREAM, ("id",), "=Closed"),
    "DataTransfer": Rule(NewsKind.OTHER, ("vendorId", "messageId")),
    "DiagnosticsStatusNotification": Rule(NewsKind.LOG, (), "status"),
    "FirmwareStatusNotification": Rule(NewsKind.FIRMWARE, ("requestId",), "status"),
    "Get15118EVCertificate": Rule(NewsKind.CERTIFICATE, ("action",)),
    "GetCertificateChainStatus": Rule(NewsKind.CERTIFICATE),
    "GetCertificateStatus": Rule(NewsKind.CERTIFICATE, ("ocspRequestData.serialNumber",)),
    "LogStatusNotification": Rule(NewsKind.LOG, ("requestId",), "status"),
    "NotifyChargingLimit": Rule(NewsKind.LIMIT, ("chargingLimit.chargingLimitSource",), "=Set"),
    "NotifyCustomerInformation": Rule(NewsKind.CUSTOMER, ("requestId",), "", "generatedAt"),
    "NotifyDERAlarm": Rule(NewsKind.DER, ("controlType",), "gridEventFault", "timestamp"),
    "NotifyDERStartStop": Rule(NewsKind.DER, ("controlId",), "started", "timestamp"),
    "NotifyDisplayMessages": Rule(NewsKind.DISPLAY, ("id",), "state", None, "messageInfo"),
    "NotifyEVChargingSchedule": Rule(NewsKind.PROFILE, ("evseId",), "=EVSchedule", "timeBase"),
    "NotifyEvent": Rule(NewsKind.MONITORING, _VARIABLE, "actualValue", "timestamp", "eventData"),
    "NotifyMonitoringReport": Rule(NewsKind.MONITORING, _VARIABLE, "=Monitors", None, "monitor"),
    "NotifyPeriodicEventStream": Rule(NewsKind.STREAM, ("id",), "=Data", "basetime"),
    "NotifyPriorityCharging": Rule(NewsKind.PROFILE, ("transactionId",), "activated"),
    "NotifySettlement": Rule(NewsKind.PAYMENT, ("pspRef",), "status", "settlementTime"),
    "NotifyWebPaymentStarted": Rule(NewsKind.PAYMENT, ("evseId",), "=Started"),
    "OpenPeriodicEventStream": Rule(NewsKind.STREAM, ("constantStreamData.id",), "=Asked"),
    "PublishFirmwareStatusNotification": Rule(NewsKind.FIRMWARE, ("requestId",), "status"),
    "PullDynamicScheduleUpdate": Rule(NewsKind.PROFILE, ("chargingProfileId",), "=Pulled"),
    "ReportChargingProfiles": Rule(
        NewsKind.PROFILE, ("id",), "chargingProfilePurpose", None, "chargingProfile"
    ),
    "ReportDERControl": Rule(NewsKind.DER, ("requestId",), "=Report"),
    "ReservationStatusUpdate": Rule(NewsKind.RESERVATION, ("reservationId",), "reservationUpdateStatus"),
    "SecurityEventNotification": Rule(NewsKind.SECURITY, ("type",), "", "timestamp"),
    "SignCertificate": Rule(NewsKind.CERTIFICATE, ("certificateType",), "=Asked"),
    "SignedFirmwareStatusNotification": Rule(NewsKind.FIRMWARE, ("requestId",), "status"),
    "VatNumberValidation": Rule(NewsKind.PAYMENT, ("evseId",)),
}


def decode_news(action: str, payload: Payload) -> NewsReport:
    """Translate a message that has a rule.

    Parameters
    ----------
    action, payload
        As on the wire; the payload passed its schema.
    """
    rule = RULES[action]
    if rule.items is None:
        return NewsReport(action, (_read_item(rule, payload),))
    return NewsReport(action, tuple(_read_item(rule, entry) for entry in payload.get(rule.items, [])))


def _read_item(rule: Rule, entry: Payload) -> NewsItem:
    subject = ".".join(text for path in rule.subject if (text := _write(_find(entry, path))))
    status = rule.status[1:] if rule.status.startswith("=") else _write(_find(entry, rule.status))
    at = None if rule.at is None else parse_instant(_find(entry, rule.at))
    return NewsItem(rule.kind, subject, status, at, entry)


def _find(entry: Payload, path: str) -> Any:
    value: Any = entry
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _write(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def decode_variables(payload: Payload) -> VariableReport:
    """Translate NotifyReport: a part of a station's device model."""
    found = tuple(_read_variables(payload.get("reportData", ())))
    return VariableReport(parse_instant(payload["generatedAt"]), found)


def _read_variables(report: Any) -> Iterator[DeviceVariable]:
    for entry in report:
        component, variable = entry["component"], entry["variable"]
        evse: Payload = component.get("evse", {})
        about: Payload = entry.get("variableCharacteristics", {})
        for attribute in entry["variableAttribute"]:
            yield DeviceVariable(
                component=component["name"],
                component_instance=component.get("instance", ""),
                evse_id=int(evse.get("id", 0)),
                connector_id=int(evse.get("connectorId", 0)),
                variable=variable["name"],
                variable_instance=variable.get("instance", ""),
                attribute=attribute.get("type", "Actual"),
                value=attribute.get("value"),
                mutability=attribute.get("mutability", "ReadWrite"),
                data_type=about.get("dataType"),
                unit=about.get("unit"),
            )
