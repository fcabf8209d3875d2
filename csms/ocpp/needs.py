"""NotifyEVChargingNeeds of 2.0.1 and 2.1: what a car says of itself, in the service's units.

The ISO 15118 parameters come in three dresses: AC (currents and a voltage), DC (power, state of charge) and,
since 2.1, bidirectional ones (powers both ways and energy requests). What a dress does not carry stays None.
"""

from __future__ import annotations

import math

from csms.ocpp.fields import parse_instant, read_integer
from csms.ocpp.vocabulary import ChargingNeeds, Payload

_PHASES = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3}
# Cars report the voltage against neutral or between phases; above this it is between phases.
_LINE_TO_LINE_FROM_V = 300.0


def decode_needs(payload: Payload) -> ChargingNeeds:
    """Translate the request; its payload passed the schema.

    Bidirectional parameters say most and go first, then DC, then AC.
    """
    needs: Payload = payload["chargingNeeds"]
    transfer: str = needs["requestedEnergyTransfer"]
    phases = _PHASES.get(transfer)
    values: dict[str, float | None] = {}
    if "acChargingParameters" in needs:
        values |= _read_ac(needs["acChargingParameters"], phases or 1)
    if "dcChargingParameters" in needs:
        values |= _read_dc(needs["dcChargingParameters"])
    if "v2xChargingParameters" in needs:
        bidirectional = _read_v2x(needs["v2xChargingParameters"])
        values |= {key: value for key, value in bidirectional.items() if value is not None}
    return ChargingNeeds(
        evse_id=read_integer(payload, "evseId"),
        requested_energy_transfer=transfer,
        departure=parse_instant(needs.get("departureTime")),
        phases=phases,
        **values,
    )


def _read_ac(parameters: Payload, phases: int) -> dict[str, float | None]:
    voltage_v: float = parameters["evMaxVoltage"]
    if voltage_v > _LINE_TO_LINE_FROM_V:
        voltage_v /= math.sqrt(3)
    kw_per_a = voltage_v * phases / 1000
    return {
        "energy_kwh": parameters["energyAmount"] / 1000,
        "max_charge_kw": parameters["evMaxCurrent"] * kw_per_a,
        "min_charge_kw": parameters["evMinCurrent"] * kw_per_a,
    }


def _read_dc(parameters: Payload) -> dict[str, float | None]:
    power_w = parameters.get("evMaxPower")
    if power_w is None:
        power_w = parameters["evMaxCurrent"] * parameters["evMaxVoltage"]
    return {
        "energy_kwh": _thousandth(parameters.get("energyAmount")),
        "capacity_kwh": _thousandth(parameters.get("evEnergyCapacity")),
        "max_charge_kw": power_w / 1000,
        "soc_fraction": _percent(parameters.get("stateOfCharge")),
        "target_soc_fraction": _percent(parameters.get("fullSoC")),
    }


def _read_v2x(parameters: Payload) -> dict[str, float | None]:
    return {
        "energy_kwh": _thousandth(parameters.get("evTargetEnergyRequest")),
        "min_energy_kwh": _thousandth(parameters.get("evMinEnergyRequest")),
        "max_energy_kwh": _thousandth(parameters.get("evMaxEnergyRequest")),
        "min_v2x_energy_kwh": _thousandth(parameters.get("evMinV2XEnergyRequest")),
        "max_v2x_energy_kwh": _thousandth(parameters.get("evMaxV2XEnergyRequest")),
        "target_soc_fraction": _percent(parameters.get("targetSoC")),
        "max_charge_kw": _sum_phases(parameters, "maxChargePower"),
        "min_charge_kw": _sum_phases(parameters, "minChargePower"),
        "max_discharge_kw": _sum_phases(parameters, "maxDischargePower"),
        "min_discharge_kw": _sum_phases(parameters, "minDischargePower"),
    }


def _sum_phases(parameters: Payload, key: str) -> float | None:
    """Add the phases [kW]: the plain key is the total, or phase 1 when the others are given beside it."""
    values = [parameters.get(key + suffix) for suffix in ("", "_L2", "_L3")]
    return None if values[0] is None else sum(abs(value) for value in values if value is not None) / 1000


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _percent(value: float | None) -> float | None:
    return None if value is None else value / 100
