"""Fields of payloads that a schema alone does not make safe: instants and whole numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.vocabulary import Payload

# Whole numbers on the wire may be written as floats of any size; nothing in the street needs more than this.
MAX_INTEGER = 2**53


def parse_instant(text: Any) -> datetime | None:
    """Read an ISO 8601 instant; without a zone it is UTC, as the standard asks. None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_instant(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds, as every station reads it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def read_instant(payload: Payload, key: str) -> datetime:
    """Read an instant that the message cannot do without.

    Raises
    ------
    RequestError
        PropertyConstraintViolation naming the field.
    """
    instant = parse_instant(payload[key])
    if instant is None:
        raise RequestError(
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
            f"{key}: send an ISO 8601 instant such as 2024-06-11T06:00:00Z",
        )
    return instant


def read_integer(payload: Payload, key: str) -> int:
    """Read a whole number of a sensible size.

    Raises
    ------
    RequestError
        PropertyConstraintViolation naming the field.
    """
    value = payload[key]
    if abs(value) > MAX_INTEGER:
        raise RequestError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"{key}: larger than {MAX_INTEGER}")
    return int(value)


def read_optional_integer(payload: Payload, key: str) -> int | None:
    """Read a whole number that may be missing."""
    return read_integer(payload, key) if payload.get(key) is not None else None


def floor_tenth(value: float) -> float:
    """Round to a tenth toward zero: limits on the wire have one decimal and must never grow by rounding."""
    tenths = math.floor(abs(value) * 10 + 1e-6)
    return math.copysign(tenths / 10, value) if tenths else 0.0
