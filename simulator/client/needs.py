"""NotifyEVChargingNeeds: what a car says over ISO 15118, in the words of 2.0.1 and 2.1."""

from __future__ import annotations

import math
from typing import Any

from simulator.client.profiles import format_instant
from simulator.station.messages import DirectNeeds, Needs

Payload = dict[str, Any]
WH_PER_KWH = 1000.0
W_PER_KW = 1000.0
PERCENT = 100.0
# Of an ordinary battery [V]: assumption.
BATTERY_VOLTAGE_V = 400


def write_needs_201(needs: Needs) -> Payload:
    """Write the needs of a car, in the whole numbers of 2.0.1: energy up, currents and powers down."""
    if needs.direct is not None:
        written = {"requestedEnergyTransfer": "DC", "dcChargingParameters": _direct(needs, needs.direct)}
        return _with_departure(needs, written)
    return _with_departure(
        needs,
        {
            "requestedEnergyTransfer": _transfer(needs),
            "acChargingParameters": {
                "energyAmount": max(0, math.ceil(needs.energy_kwh * WH_PER_KWH)),
                "evMinCurrent": math.ceil(needs.min_current_a),
                "evMaxCurrent": math.floor(needs.max_current_a),
                "evMaxVoltage": math.floor(needs.voltage_v),
            },
        },
    )


def _direct(needs: Needs, direct: DirectNeeds) -> Payload:
    power_w = math.floor(direct.max_power_kw * W_PER_KW)
    target = 1.0 if needs.target_soc_fraction is None else needs.target_soc_fraction
    return {
        "evMaxCurrent": math.floor(power_w / BATTERY_VOLTAGE_V),
        "evMaxVoltage": BATTERY_VOLTAGE_V,
        "evMaxPower": power_w,
        "energyAmount": max(0, math.ceil(needs.energy_kwh * WH_PER_KWH)),
        "stateOfCharge": math.floor(direct.soc_fraction * PERCENT),
        "evEnergyCapacity": round(direct.capacity_kwh * WH_PER_KWH),
        "fullSoC": round(target * PERCENT),
        "bulkSoC": round(direct.bulk_soc_fraction * PERCENT),
    }


def write_needs_21(needs: Needs) -> Payload:
    """Write the needs of a car in 2.1: as in 2.0.1, or bidirectional with all its bounds."""
    if needs.max_discharge_kw is None:
        return write_needs_201(needs)
    kw_per_a = needs.voltage_v * needs.phases / W_PER_KW
    parameters: Payload = {
        "minChargePower": _watts(needs.min_current_a * kw_per_a),
        "maxChargePower": _watts(needs.max_current_a * kw_per_a),
        "minDischargePower": _watts(needs.min_discharge_kw or 0.0),
        "maxDischargePower": _watts(needs.max_discharge_kw),
        "evTargetEnergyRequest": round(needs.energy_kwh * WH_PER_KWH, 1),
        "evMinEnergyRequest": round(needs.min_energy_kwh * WH_PER_KWH, 1),
        "evMaxEnergyRequest": round(needs.max_energy_kwh * WH_PER_KWH, 1),
    }
    if needs.target_soc_fraction is not None:
        parameters["targetSoC"] = round(needs.target_soc_fraction * PERCENT)
    return _with_departure(
        needs,
        {
            "requestedEnergyTransfer": "AC_BPT" if needs.direct is None else "DC_BPT",
            "controlMode": "ScheduledControl",
            "v2xChargingParameters": parameters,
        },
    )


def _transfer(needs: Needs) -> str:
    return "AC_single_phase" if needs.phases == 1 else "AC_three_phase"


def _watts(power_kw: float) -> float:
    return round(power_kw * W_PER_KW, 1)


def _with_departure(needs: Needs, written: Payload) -> Payload:
    if needs.departure is not None:
        written["departureTime"] = format_instant(needs.departure)
    return written
