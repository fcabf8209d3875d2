"""Commands in a station's own words: which of them could lift a limit that the guard counts on. Pure.

Operators may send any message. Those that could raise power are let through only when they surely do not:
a profile that stays at or below the fallback, a setting that has nothing to do with power.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from grid.topology import NOMINAL_VOLTAGE_V

Payload = dict[str, Any]

_BY_CONTROL: Final = "declare a need, or send a capacity signal: the plan follows"
# Settings that say how much, on how many phases, or whether profiles count.
_POWER_SETTING: Final = re.compile(
    r"charg|current|power|limit|phase|ampere|discharge|v2x|setpoint|offline|profile", re.IGNORECASE
)
_DISCHARGES: Final = "_BPT"
# Below are control's own: one that replaces them and ends would leave a station without any.
LOWEST_ID: Final = 1000
LOWEST_STACK_LEVEL: Final = 2


def find_risk(action: str, payload: Payload, fallback_current_a: float) -> str | None:
    """Say why a message may not be sent, None when it may.

    Parameters
    ----------
    action, payload
        As on the wire; the payload passed its schema.
    fallback_current_a
        What a socket may always draw, on one phase [A].
    """
    judge = _JUDGES.get(action)
    return None if judge is None else judge(payload, fallback_current_a)


def _judge_profile(payload: Payload, fallback_current_a: float) -> str | None:
    profile: Payload = payload.get("chargingProfile") or payload.get("csChargingProfiles") or {}
    schedules = profile.get("chargingSchedule", [])
    listed = schedules if isinstance(schedules, list) else [schedules]
    if profile.get("chargingProfileKind") == "Dynamic":
        return f"what a dynamic profile allows is not known before it is pulled: {_BY_CONTROL}"
    number = int(profile.get("id") or profile.get("chargingProfileId") or 0)
    if number < LOWEST_ID or int(profile.get("stackLevel", 0)) < LOWEST_STACK_LEVEL:
        least = f"an id of {LOWEST_ID} or more and a stack level of {LOWEST_STACK_LEVEL} or more"
        return f"it would replace a profile that control counts on: give it {least}"
    for schedule in listed:
        unit = schedule.get("chargingRateUnit", "A")
        for period in schedule.get("chargingSchedulePeriod", []):
            reason = _judge_limits(period, unit, fallback_current_a)
            if reason is not None:
                return reason
    return None


def _judge_limits(period: Payload, unit: str, fallback_current_a: float) -> str | None:
    """Let a period pass that only bounds charging, at or below the fallback."""
    most = fallback_current_a if unit == "A" else fallback_current_a * NOMINAL_VOLTAGE_V
    if any(re.match(r"setpoint|dischargeLimit|operationMode|v2x", name) for name in period):
        return f"setpoints and discharge are control's alone: {_BY_CONTROL}"
    limits = [value for name, value in period.items() if name.startswith("limit")]
    if not limits:
        return f"a period without a limit lifts every limit: give one of 0 to {most:g} {unit}"
    if any(not 0.0 <= limit <= most for limit in limits):
        return f"a limit of 0 to {most:g} {unit}, the fallback, may be sent; for more {_BY_CONTROL}"
    return None


def _judge_update(payload: Payload, fallback_current_a: float) -> str | None:
    return _judge_limits(payload.get("scheduleUpdate", {}), "W", fallback_current_a)


def _judge_clear(payload: Payload, fallback_current_a: float) -> str | None:
    del payload, fallback_current_a
    return "clearing a profile lifts a limit that control counts on: control clears its own"


def _judge_transfer(payload: Payload, fallback_current_a: float) -> str | None:
    del fallback_current_a
    modes = payload.get("allowedEnergyTransfer", [])
    if any(_DISCHARGES in mode for mode in modes):
        return "discharge needs the four permissions: record them, and the station is told by itself"
    return None


def _judge_start(payload: Payload, fallback_current_a: float) -> str | None:
    key = "chargingProfile"
    return _judge_profile(payload, fallback_current_a) if key in payload else None


def _judge_configuration(payload: Payload, fallback_current_a: float) -> str | None:
    del fallback_current_a
    return _judge_setting(str(payload.get("key", "")))


def _judge_variables(payload: Payload, fallback_current_a: float) -> str | None:
    del fallback_current_a
    for setting in payload.get("setVariableData", []):
        name = f"{setting['component']['name']}.{setting['variable']['name']}"
        reason = _judge_setting(name)
        if reason is not None:
            return reason
    return None


def _judge_setting(name: str) -> str | None:
    if _POWER_SETTING.search(name):
        return f"{name} may change how much a station draws: set it in its model entry, control sends it"
    return None


_JUDGES: Final[dict[str, Callable[[Payload, float], str | None]]] = {
    "ChangeConfiguration": _judge_configuration,
    "ClearChargingProfile": _judge_clear,
    "NotifyAllowedEnergyTransfer": _judge_transfer,
    "RemoteStartTransaction": _judge_start,
    "RequestStartTransaction": _judge_start,
    "SetChargingProfile": _judge_profile,
    "SetVariables": _judge_variables,
    "UpdateDynamicSchedule": _judge_update,
}
