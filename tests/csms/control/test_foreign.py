"""What operators send in a station's own words: nothing that lifts a limit passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.foreign import find_risk

FALLBACK_A = 6.0
Payload = dict[str, Any]


def profile_16(limit: float | None, unit: str = "A", number: int = 1000, level: int = 2) -> Payload:
    period = {"startPeriod": 0} | ({} if limit is None else {"limit": limit})
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [period]}
    profile = {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    return {"connectorId": 1, "csChargingProfiles": profile}


def profile_2(*periods: Payload, unit: str = "W", kind: str = "Absolute") -> Payload:
    schedule = {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": list(periods)}
    profile = {
        "id": 1000,
        "stackLevel": 2,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
    }
    return {"evseId": 1, "chargingProfile": profile}


def setting(component: str, variable: str) -> Payload:
    named = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": "1"}
    return {"setVariableData": [named]}


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("SetChargingProfile", profile_16(6.1)),
        ("SetChargingProfile", profile_16(-1.0)),
        ("SetChargingProfile", profile_16(None)),
        ("SetChargingProfile", profile_16(1380.1, "W")),
        ("SetChargingProfile", profile_16(6.0, number=1)),
        ("SetChargingProfile", profile_16(6.0, level=1)),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "setpoint": -1000.0})),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "limit": 0, "dischargeLimit": -5.0})),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "limit": 10, "limit_L2": 9000})),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "limit": 1}, {"startPeriod": 60})),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "limit": 1}, kind="Dynamic")),
        ("RequestStartTransaction", profile_2({"startPeriod": 0, "limit": 2000})),
        ("ClearChargingProfile", {}),
        ("ClearChargingProfile", {"id": 1000}),
        ("UpdateDynamicSchedule", {"chargingProfileId": 1, "scheduleUpdate": {"limit": 2000}}),
        ("UpdateDynamicSchedule", {"chargingProfileId": 1, "scheduleUpdate": {"setpoint": 0}}),
        ("NotifyAllowedEnergyTransfer", {"transactionId": "t", "allowedEnergyTransfer": ["AC_BPT"]}),
        ("ChangeConfiguration", {"key": "ChargeProfileMaxStackLevel", "value": "9"}),
        ("ChangeConfiguration", {"key": "MaxCurrent", "value": "63"}),
        ("SetVariables", setting("SmartChargingCtrlr", "Enabled")),
        ("SetVariables", setting("V2XChargingCtrlr", "Enabled")),
        ("SetVariables", setting("ChargingStation", "PhaseRotation")),
    ],
)
def test_what_could_raise_power_is_refused_with_a_reason(action: str, payload: Payload) -> None:
    reason = find_risk(action, payload, FALLBACK_A)
    assert reason is not None
    assert len(reason) > 20


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("SetChargingProfile", profile_16(6.0)),
        ("SetChargingProfile", profile_16(1380.0, "W")),
        ("SetChargingProfile", profile_2({"startPeriod": 0, "limit": 0})),
        ("RequestStartTransaction", {"evseId": 1}),
        ("NotifyAllowedEnergyTransfer", {"transactionId": "t", "allowedEnergyTransfer": ["AC_three_phase"]}),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
        ("SetVariables", setting("OCPPCommCtrlr", "HeartbeatInterval")),
        ("GetVariables", {"getVariableData": []}),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
    ],
)
def test_what_surely_does_not_passes(action: str, payload: Payload) -> None:
    assert find_risk(action, payload, FALLBACK_A) is None


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5), st.floats(6.0, 32.0))
def test_no_limit_above_the_fallback_passes(limits: list[float], fallback_a: float) -> None:
    periods = [{"startPeriod": 60 * number, "limit": limit} for number, limit in enumerate(limits)]
    passes = find_risk("SetChargingProfile", profile_2(*periods, unit="A"), fallback_a) is None
    assert passes == all(0.0 <= limit <= fallback_a for limit in limits)
