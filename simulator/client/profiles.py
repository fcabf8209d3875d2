"""Charging profiles between the wire (keys in snake case, as the package has them) and the firmware."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from simulator.setup import StationSetup
from simulator.station.composite import Step
from simulator.station.profiles import (
    SECONDS_PER_DAY,
    Kind,
    Profile,
    ProfileRefusedError,
    Purpose,
    SchedulePeriod,
)

Payload = Mapping[str, Any]
VOLTAGE_V = 230.0
_DAYS_PER_WEEK = 7
_STATION_MAX_16 = "ChargePointMaxProfile"
# Modes of 2.1 that these stations know; the others need signals that they do not get.
_LIMITING_MODES = frozenset({"ChargingOnly", "ExternalLimits"})


def format_instant(instant: datetime) -> str:
    """Write an instant as both standards want it: UTC, milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_profile_16(connector_id: int, payload: Payload, transaction_id: str | None) -> Profile:
    """Read ``csChargingProfiles`` of 1.6.

    Parameters
    ----------
    connector_id
        Where it is to hold.
    payload
        The profile.
    transaction_id
        The transaction that it names or, when it names none, that runs there; the station's own numbering.
    """
    purpose = _purpose(payload)
    return _decode(payload, connector_id, payload["charging_schedule"], purpose, transaction_id)


def decode_profile_2(evse_id: int, payload: Payload) -> Profile:
    """Read ``chargingProfile`` of 2.0.1 and 2.1; of several schedules the first."""
    schedule = payload["charging_schedule"][0]
    return _decode(payload, evse_id, schedule, _purpose(payload), payload.get("transaction_id"))


def _purpose(payload: Payload) -> Purpose:
    name = payload["charging_profile_purpose"]
    if name == _STATION_MAX_16:
        return Purpose.STATION_MAX
    if name not in {purpose.value for purpose in Purpose}:
        raise ProfileRefusedError("UnsupportedPurpose", f"{name} is not supported")
    return Purpose(name)


def _decode(
    payload: Payload, evse_id: int, schedule: Payload, purpose: Purpose, transaction_id: str | None
) -> Profile:
    kind = Kind(payload["charging_profile_kind"])
    weekly = payload.get("recurrency_kind") == "Weekly"
    recurrence_s = SECONDS_PER_DAY * (_DAYS_PER_WEEK if weekly else 1)
    return Profile(
        id=payload.get("charging_profile_id", payload.get("id")),
        stack_level=payload["stack_level"],
        purpose=purpose,
        kind=kind,
        evse_id=evse_id,
        unit=schedule["charging_rate_unit"],
        periods=tuple(_decode_period(part) for part in schedule["charging_schedule_period"]),
        start_s=_seconds(schedule.get("start_schedule")),
        duration_s=schedule.get("duration"),
        valid_from_s=_seconds(payload.get("valid_from")),
        valid_to_s=_seconds(payload.get("valid_to")),
        transaction_id=transaction_id,
        recurrence_s=recurrence_s if kind is Kind.RECURRING else None,
        max_offline_s=payload.get("max_offline_duration"),
    )


def _decode_period(part: Payload) -> SchedulePeriod:
    phases = part.get("number_phases") or 3
    mode = part.get("operation_mode", "ChargingOnly")
    if mode == "CentralSetpoint":
        if "setpoint" not in part:
            raise ProfileRefusedError("InvalidSchedule", "CentralSetpoint needs a setpoint")
        if "limit" in part:
            raise ProfileRefusedError("InvalidSchedule", "a setpoint stands alone (Q03.FR.02)")
        return SchedulePeriod(part["start_period"], setpoint_w=part["setpoint"], phases=phases)
    if mode == "Idle":
        return SchedulePeriod(part["start_period"], limit=0.0, phases=phases)
    if mode not in _LIMITING_MODES:
        raise ProfileRefusedError("UnsupportedParam", f"operation mode {mode} is not supported")
    return SchedulePeriod(part["start_period"], limit=part.get("limit"), phases=phases)


def decode_update(payload: Payload) -> SchedulePeriod:
    """Read ``scheduleUpdate`` of 2.1: the one period of a dynamic profile."""
    return SchedulePeriod(0, limit=payload.get("limit"), setpoint_w=payload.get("setpoint"))


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def encode_profile_2(profile: Profile) -> dict[str, Any]:
    """Write a profile as ReportChargingProfiles carries it."""
    schedule: dict[str, Any] = {
        "id": profile.id,
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [_encode_period(period) for period in profile.periods],
        "duration": profile.duration_s,
        "startSchedule": _instant(profile.start_s),
    }
    written: dict[str, Any] = {
        "id": profile.id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": profile.purpose.value,
        "chargingProfileKind": profile.kind.value,
        "validFrom": _instant(profile.valid_from_s),
        "validTo": _instant(profile.valid_to_s),
        "transactionId": profile.transaction_id,
        "maxOfflineDuration": profile.max_offline_s,
        "chargingSchedule": [_present(schedule)],
    }
    if profile.recurrence_s is not None:
        written["recurrencyKind"] = "Daily" if profile.recurrence_s == SECONDS_PER_DAY else "Weekly"
    return _present(written)


def _encode_period(period: SchedulePeriod) -> dict[str, Any]:
    if period.setpoint_w is not None:
        return {
            "startPeriod": int(period.start_s),
            "operationMode": "CentralSetpoint",
            "setpoint": period.setpoint_w,
        }
    return _present(
        {"startPeriod": int(period.start_s), "limit": period.limit, "numberPhases": period.phases}
    )


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else format_instant(datetime.fromtimestamp(seconds, UTC))


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def encode_composite(
    steps: Sequence[Step], evse_id: int, unit: str, setup: StationSetup, from_s: float
) -> list[dict[str, Any]]:
    """Write a composite schedule's periods, what the hardware carries where nothing else bounds.

    Parameters
    ----------
    steps
        The composite.
    evse_id
        Whose it is; 0 for the station, whose hardware carries as much as all its sockets.
    unit
        ``A`` or ``W``; setpoints are in W and only in 2.1.
    setup
        The station.
    from_s
        Begin of the schedule [s since 1970 UTC].
    """
    sockets = len(setup.evses) if evse_id == 0 else 1
    watts_per_ampere = VOLTAGE_V * setup.phases if unit == "W" else 1.0
    periods: list[dict[str, Any]] = []
    for step in steps:
        start = math.ceil(step.start_s - from_s)
        if step.allowance.setpoint_kw is not None:
            setpoint_w = round(step.allowance.setpoint_kw * 1000.0, 1)
            periods.append({"startPeriod": start, "operationMode": "CentralSetpoint", "setpoint": setpoint_w})
            continue
        current_a = min(step.allowance.current_a, setup.max_current_a * sockets)
        # Tenths are all that 1.6 can say: never more than the truth.
        limit = math.floor(round(current_a * watts_per_ampere * 10.0, 6)) / 10.0
        periods.append({"startPeriod": start, "limit": limit, "numberPhases": setup.phases})
    return periods
