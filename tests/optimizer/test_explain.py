"""Who leaves short is told why, by the name of what binds."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer.planner import plan
from optimizer.problem import Problem

EV: dict[str, Any] = {
    "id": "a",
    "arrival_step": 0,
    "departure_step": 4,
    "capacity_kwh": 50.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 16.0,
    "max_charge_kw": 11.0,
    "min_charge_kw": 4.14,
    "charge_efficiency": 1.0,
    "discharge_efficiency": 1.0,
}


def explanation(ev: dict[str, Any] | None = None, **changes: Any) -> tuple[str, ...]:
    document = {
        "start": "2024-06-11T04:00:00Z",
        "step_minutes": 15,
        "steps": 4,
        "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
        "export_price_eur_per_kwh": 0.05,
        "import_limit_kw": 12.0,
        "export_limit_kw": 10.0,
        "shortfall_eur_per_kwh": 2.0,
        "evs": [{**EV, **(ev or {})}],
        **changes,
    }
    return plan(Problem.model_validate(document)).explanation


GROUP = {"id": "pole-7", "members": ["a"], "import_limit_kw": 3.0}
BAND = {"name": "evening", "steps": [0, 1, 2, 3], "price_eur_per_kw": 50.0, "realised_kw": 0.0}


@pytest.mark.parametrize(
    ("ev", "changes", "cause"),
    [
        ({"departure_energy_kwh": 40.0}, {}, "its stay is too short"),
        ({"max_charge_kw": 0.0}, {}, "cannot charge"),
        ({"departure_step": 0}, {}, "cannot charge"),
        ({}, {"import_limit_kw": 4.0}, "the connection's import limit"),
        ({}, {"groups": [GROUP]}, "the limit of pole-7"),
        ({}, {"peak_bands": [BAND]}, "the peak price of evening"),
        ({"capacity_kwh": 12.0, "departure_energy_kwh": 15.0, "min_charge_kw": 0.0}, {}, "full battery"),
        ({"departure_energy_kwh": 10.02}, {"import_price_eur_per_kwh": 4.0}, "its smallest power"),
        ({}, {"import_price_eur_per_kwh": 4.0}, "dearer than the shortfall price"),
    ],
)
def test_the_cause_of_a_shortfall_is_named(ev: dict[str, Any], changes: dict[str, Any], cause: str) -> None:
    first = explanation(ev, **changes)[0]
    assert first.startswith("Warning: a leaves")
    assert cause in first


def test_who_is_served_is_not_warned_of() -> None:
    assert not any(sentence.startswith("Warning") for sentence in explanation())


def test_a_start_below_the_least_is_told() -> None:
    assert any("below its least" in sentence for sentence in explanation({"min_energy_kwh": 12.0}))


def test_a_floor_that_cannot_be_kept_is_told() -> None:
    floor = [0.0, 9.0, 9.0, 9.0, 9.0]
    assert any(
        "floor of delivered energy" in sentence for sentence in explanation({"min_delivered_kwh": floor})
    )


def test_a_limit_that_base_load_breaks_is_told() -> None:
    assert any("no session adds to it" in sentence for sentence in explanation(base_load_kw=[0, 20, 0, 0]))


@pytest.mark.parametrize(
    ("realised_kw", "words"), [(90.0, "which was made before"), (0.0, "made by this plan")]
)
def test_a_peak_is_told_with_who_made_it(realised_kw: float, words: str) -> None:
    band = {**BAND, "price_eur_per_kw": 0.1, "realised_kw": realised_kw}
    assert any("The peak of evening" in each and words in each for each in explanation(peak_bands=[band]))
