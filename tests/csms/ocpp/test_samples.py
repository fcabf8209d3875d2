"""Meter samples: one unit each inside, the bad ones rejected by themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.samples import find_register_kwh, read_meter_values
from csms.ocpp.vocabulary import Sample

AT = "2024-06-11T06:00:00Z"


def read(*values: Any) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    samples, rejected = read_meter_values([{"timestamp": AT, "sampledValue": list(values)}])
    return samples, tuple(sample.reason for sample in rejected)


@pytest.mark.parametrize(
    ("raw", "value", "unit"),
    [
        ({"value": "1500"}, 1.5, "kWh"),
        ({"value": "1.5", "unit": "kWh"}, 1.5, "kWh"),
        ({"value": "-3680", "measurand": "Power.Active.Import"}, -3.68, "kW"),
        ({"value": "3.68", "measurand": "Power.Active.Export", "unit": "kW"}, 3.68, "kW"),
        ({"value": "16", "measurand": "Current.Import"}, 16.0, "A"),
        ({"value": "230.4", "measurand": "Voltage", "unit": "V"}, 230.4, "V"),
        ({"value": "57", "measurand": "SoC"}, 0.57, "fraction"),
        ({"value": 57, "measurand": "SoC", "unitOfMeasure": {"unit": "Percent"}}, 0.57, "fraction"),
        ({"value": 3, "unitOfMeasure": {"multiplier": 3}}, 3.0, "kWh"),
        ({"value": 3, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}, 0.3, "kWh"),
        ({"value": "50.01", "measurand": "Frequency"}, 50.01, "Hz"),
        ({"value": "0.98", "measurand": "Power.Factor"}, 0.98, ""),
        ({"value": "12", "measurand": "Power.Reactive.Import", "unit": "var"}, 0.012, "kvar"),
        ({"value": "31", "measurand": "Temperature", "unit": "Celcius"}, 31.0, "Celsius"),
        ({"value": "1E3"}, 1.0, "kWh"),
        ({"value": " 7 "}, 0.007, "kWh"),
    ],
)
def test_units_become_the_services(raw: dict[str, Any], value: float, unit: str) -> None:
    (sample,), rejected = read(raw)
    assert not rejected
    assert sample.value == pytest.approx(value, rel=1e-12)
    assert sample.unit == unit


@pytest.mark.parametrize(
    "value",
    ["NaN", "nan", "Infinity", "1e400", "", " ", "12,3", "1_000", "0x10", "٣", "1 2", None, True, [], {}],
)
def test_what_is_no_number_is_rejected_and_the_rest_kept(value: Any) -> None:
    samples, rejected = read({"value": "1"}, {"value": value}, {"value": "2"})
    assert [sample.value for sample in samples] == [0.001, 0.002]
    assert len(rejected) == 1


@pytest.mark.parametrize(
    "raw",
    [
        {"value": "1", "measurand": "Energy.Vendor"},
        {"value": "1", "measurand": "Current.Import", "unit": "W"},
        {"value": "1", "measurand": ["Voltage"]},
        {"value": "1", "unit": {}},
        {"value": "1", "phase": "L4"},
        {"value": "1", "phase": {}},
        {"value": "1", "location": "Moon"},
        {"value": "1", "context": "Sometimes"},
        {"value": "A0B1", "format": "SignedData"},
        {"value": 1, "unitOfMeasure": "kWh"},
        {"value": 1, "unitOfMeasure": {"multiplier": 300}},
        {"value": 1, "unitOfMeasure": {"multiplier": 1.5}},
        "1",
        None,
    ],
)
def test_illegal_words_cost_one_sample(raw: Any) -> None:
    samples, rejected = read(raw, {"value": "1"})
    assert len(samples) == len(rejected) == 1


@pytest.mark.parametrize(
    "meter_value",
    [
        {"timestamp": "1970-13-01T00:00:00Z", "sampledValue": [{"value": "1"}]},
        {"timestamp": 5, "sampledValue": [{"value": "1"}]},
        {"sampledValue": [{"value": "1"}]},
        {"timestamp": AT},
        {"timestamp": AT, "sampledValue": []},
        {"timestamp": AT, "sampledValue": {"value": "1"}},
        "x",
        None,
    ],
)
def test_a_broken_meter_value_costs_its_own_samples(meter_value: Any) -> None:
    samples, rejected = read_meter_values([meter_value, {"timestamp": AT, "sampledValue": [{"value": "1"}]}])
    assert len(samples) == len(rejected) == 1


@pytest.mark.parametrize(
    "timestamp",
    ["2024-06-11T08:00:00+02:00", "2024-06-11T06:00:00", "2024-06-11T06:00:00.000Z", "2024-06-11 06:00:00Z"],
)
def test_instants_become_utc(timestamp: str) -> None:
    (sample,), _ = read_meter_values([{"timestamp": timestamp, "sampledValue": [{"value": "1"}]}])
    assert sample.timestamp.isoformat() == "2024-06-11T06:00:00+00:00"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
KEYS = ["value", "measurand", "unit", "phase", "location", "context", "format", "unitOfMeasure"]
ODD = st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["SoC", "Voltage", "Wh", "L1", "Raw"]))


@given(st.lists(ODD | JSON, max_size=6))
def test_every_sample_is_either_finite_or_rejected(values: list[Any]) -> None:
    samples, rejected = read_meter_values([{"timestamp": AT, "sampledValue": values}])
    assert len(samples) + len(rejected) == max(len(values), 1)
    assert all(math.isfinite(sample.value) for sample in samples)


@given(JSON)
def test_anything_in_place_of_meter_values_is_rejected(meter_value: Any) -> None:
    samples, rejected = read_meter_values([meter_value])
    assert not samples
    assert len(rejected) == 1


def test_the_register_of_a_phase_is_not_the_transactions() -> None:
    samples, _ = read(
        {"value": "1", "context": "Transaction.Begin", "phase": "L1"},
        {"value": "5", "context": "Sample.Periodic"},
        {"value": "9", "context": "Transaction.Begin"},
    )
    assert find_register_kwh(samples, "Transaction.Begin") == 0.009
    assert find_register_kwh(samples, "Transaction.End") is None
