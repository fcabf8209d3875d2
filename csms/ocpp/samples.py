"""Meter samples of every version in the service's units: kWh, kW, A, V, fractions.

A sample that cannot be read is rejected by itself and kept as `RejectedSample`; the rest of the message
counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from ocpp.v16.enums import Measurand as Measurand16
from ocpp.v21.enums import LocationEnumType, MeasurandEnumType, PhaseEnumType, ReadingContextEnumType

from csms.ocpp.fields import parse_instant
from csms.ocpp.vocabulary import Measurand, Payload, RejectedSample, Sample

DEFAULT_MEASURAND: Final = Measurand.ENERGY_IMPORT_REGISTER.value
DEFAULT_CONTEXT: Final = "Sample.Periodic"

# OCPP 2.1 has every measurand of the older versions but two.
_MEASURANDS = {str(name.value) for enum in (MeasurandEnumType, Measurand16) for name in enum}
_PHASES = {str(name.value) for name in PhaseEnumType} | {None}
_LOCATIONS = {str(name.value) for name in LocationEnumType} | {None}
_CONTEXTS = {str(name.value) for name in ReadingContextEnumType}

# What float() reads beyond this (``1_0``, ``nan``, ``infinity``, digits of other scripts) is no OCPP number.
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_MAX_MULTIPLIER = 12

# By kind of measurand: wire unit -> (divisor, unit inside). The first stands for a missing unit.
_ENERGY = {"Wh": (1000.0, "kWh"), "kWh": (1.0, "kWh")}
_POWER = {"W": (1000.0, "kW"), "kW": (1.0, "kW")}
_REACTIVE_ENERGY = {"varh": (1000.0, "kvarh"), "kvarh": (1.0, "kvarh")}
_REACTIVE_POWER = {"var": (1000.0, "kvar"), "kvar": (1.0, "kvar")}
_APPARENT_ENERGY = {"VAh": (1000.0, "kVAh"), "kVAh": (1.0, "kVAh")}
_CURRENT = {"A": (1.0, "A")}
_VOLTAGE = {"V": (1.0, "V")}
_FRACTION = {"Percent": (100.0, "fraction"), "%": (100.0, "fraction")}
_TEMPERATURE = {
    "Celsius": (1.0, "Celsius"),
    "Celcius": (1.0, "Celsius"),
    "Fahrenheit": (1.0, "Fahrenheit"),
    "K": (1.0, "K"),
}
_FREQUENCY = {"Hz": (1.0, "Hz"), "Hertz": (1.0, "Hz")}
_TIME = {"s": (1.0, "s")}
_PLAIN = {"": (1.0, "")}

# The first prefix that fits decides.
_KINDS: tuple[tuple[str, dict[str, tuple[float, str]]], ...] = (
    ("Energy.Reactive", _REACTIVE_ENERGY),
    ("Energy.Apparent", _APPARENT_ENERGY),
    ("Energy", _ENERGY),
    ("Display.BatteryEnergyCapacity", _ENERGY),
    ("Display.RemainingTime", _TIME),
    ("Display.ChargingComplete", _PLAIN),
    ("Display.InletHot", _PLAIN),
    ("Display", _FRACTION),
    ("SoC", _FRACTION),
    ("Power.Reactive", _REACTIVE_POWER),
    ("Power.Factor", _PLAIN),
    ("Power", _POWER),
    ("Current", _CURRENT),
    ("Voltage", _VOLTAGE),
    ("Frequency", _FREQUENCY),
    ("Temperature", _TEMPERATURE),
    ("RPM", _PLAIN),
)


def _build_scales() -> Iterator[tuple[tuple[str, str | None], tuple[float, str]]]:
    for measurand in _MEASURANDS:
        units = next(units for prefix, units in _KINDS if measurand.startswith(prefix))
        yield (measurand, None), next(iter(units.values()))
        for unit, scale in units.items():
            yield (measurand, unit), scale


_SCALES = dict(_build_scales())


class SampleError(ValueError):
    """One sample that cannot be read."""


def read_meter_values(meter_values: Sequence[Any]) -> tuple[tuple[Sample, ...], tuple[RejectedSample, ...]]:
    """Read the ``meterValue`` list of any version.

    Parameters
    ----------
    meter_values
        As decoded from JSON, not checked by any schema.

    Returns
    -------
    The samples in the service's units, and those that could not be read with the reason.
    """
    samples: list[Sample] = []
    rejected: list[RejectedSample] = []
    for meter_value in meter_values:
        try:
            timestamp, values = _open(meter_value)
        except SampleError as error:
            rejected.append(_reject(meter_value, error))
            continue
        for value in values:
            try:
                samples.append(_read_sample(timestamp, value))
            except SampleError as error:
                rejected.append(_reject(value, error))
    return tuple(samples), tuple(rejected)


def find_register_kwh(samples: Sequence[Sample], context: str) -> float | None:
    """Return the import register [kWh] over all phases, read at the start or the end of a transaction."""
    for sample in samples:
        if sample.measurand == DEFAULT_MEASURAND and sample.phase is None and sample.context == context:
            return sample.value
    return None


def _open(meter_value: Any) -> tuple[datetime, list[Any]]:
    if not isinstance(meter_value, dict):
        raise SampleError("a meter value is an object")
    timestamp = parse_instant(meter_value.get("timestamp"))
    if timestamp is None:
        raise SampleError("timestamp is not an instant")
    values = meter_value.get("sampledValue")
    if not isinstance(values, list) or not values:
        raise SampleError("sampledValue has no sample")
    return timestamp, values


def _read_sample(timestamp: datetime, raw: Any) -> Sample:
    if not isinstance(raw, dict):
        raise SampleError("a sample is an object")
    read = raw.get
    if read("format", "Raw") != "Raw":
        raise SampleError("signed data is not a number")
    measurand = read("measurand", DEFAULT_MEASURAND)
    unit, multiplier = _read_unit(raw)
    try:
        divisor, inner_unit = _SCALES[measurand, unit]
    except (KeyError, TypeError):
        raise SampleError(f"measurand {measurand!r:.60} with unit {unit!r:.30} is unknown") from None
    phase, location, context = read("phase"), read("location"), read("context", DEFAULT_CONTEXT)
    try:
        if phase not in _PHASES or location not in _LOCATIONS or context not in _CONTEXTS:
            raise SampleError("phase, location or context is not one of the standard")
    except TypeError:
        raise SampleError("phase, location and context are strings") from None
    value = _read_number(read("value")) / divisor
    if multiplier:
        value *= 10.0**multiplier
    return Sample(timestamp, measurand, value, inner_unit, phase, location, context)


def _read_unit(raw: Payload) -> tuple[Any, int]:
    """Return the wire unit and the power of ten; 1.6 writes ``unit``, 2.x an object."""
    described = raw.get("unitOfMeasure")
    if described is None:
        return raw.get("unit"), 0
    if not isinstance(described, dict):
        raise SampleError("unitOfMeasure is an object")
    multiplier = described.get("multiplier", 0)
    if type(multiplier) is not int or abs(multiplier) > _MAX_MULTIPLIER:
        raise SampleError(f"multiplier is a whole number between -{_MAX_MULTIPLIER} and {_MAX_MULTIPLIER}")
    return described.get("unit"), multiplier


def _read_number(value: Any) -> float:
    """Read a value: 1.6 sends strings, 2.x numbers, and some stations the other one."""
    if type(value) is str:
        if _NUMBER.fullmatch(value) is None:
            raise SampleError(f"value {value!r:.60} is not a decimal number")
        value = float(value)
    elif type(value) is not float and type(value) is not int:
        raise SampleError("value is not a number")
    if not math.isfinite(value):
        raise SampleError("value is not finite")
    return float(value)


def _reject(raw: Any, error: SampleError) -> RejectedSample:
    return RejectedSample(orjson.dumps(raw).decode(), str(error))
