"""What stations tell beside charging, in the vocabulary's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class NewsKind(StrEnum):
    """What news of a station is about."""

    SECURITY = "security"
    FIRMWARE = "firmware"
    LOG = "log"
    MONITORING = "monitoring"
    RESERVATION = "reservation"
    LIMIT = "limit"
    PROFILE = "profile"
    DISPLAY = "display"
    CUSTOMER = "customer"
    CERTIFICATE = "certificate"
    PAYMENT = "payment"
    DER = "der"
    STREAM = "stream"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NewsItem:
    """One thing that a station tells beside charging.

    ``subject`` names it (an event's type, a variable, a request's number), ``status`` says what happened to
    it, ``at`` when: None when the message does not say.
    """

    kind: NewsKind
    subject: str
    status: str
    at: datetime | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewsReport:
    """A message that changes nothing in how cars are charged, and is kept for people and their tools."""

    action: str
    items: tuple[NewsItem, ...]


@dataclass(frozen=True, slots=True)
class DeviceVariable:
    """An attribute of a variable of a station's device model; 0 and "" stand for what it does not name."""

    component: str
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None
    mutability: str
    data_type: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class VariableReport:
    """NotifyReport."""

    at: datetime | None
    variables: tuple[DeviceVariable, ...]
