"""Golden cases: situations worth remembering, each solved by the planner, by the readable model and independently.

A case in tests/cases is ``{"what", "seen_in"?, "problem", "strict", "expected"}``; ``strict`` ones have one optimum
only, so that their powers are compared too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optimizer.check import check_plan
from optimizer.coefficients import compute_coefficients
from optimizer.model.build import build_model
from optimizer.plan import Proof
from optimizer.planner import plan
from optimizer.problem import Problem, parse_problem
from tests.optimizer.independent import optimum_eur
from tests.optimizer.written import optimum_as_written

FOLDER = Path(__file__).parents[1] / "cases"
CASES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def problem_of(case: dict[str, Any]) -> Problem:
    return parse_problem({**case["problem"], "gap": 0.0})


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_the_planner_finds_the_optimum(name: str) -> None:
    case = CASES[name]
    problem, expected = problem_of(case), case["expected"]
    answer = plan(problem)
    assert check_plan(problem, answer) == []
    assert answer.status.proof is Proof.OPTIMAL
    assert answer.objective_eur == pytest.approx(expected["objective_eur"], rel=1e-6, abs=1e-4)
    if case["strict"]:
        for ev in answer.evs:
            assert ev.power_kw == pytest.approx(expected["power_kw"][ev.id], abs=1e-3)
            assert ev.shortfall_kwh == pytest.approx(expected["shortfall_kwh"].get(ev.id, 0.0), abs=1e-3)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "warns" in case["expected"]])
def test_who_stays_short_is_warned_of(name: str) -> None:
    answer = plan(problem_of(CASES[name]))
    for vehicle in CASES[name]["expected"]["warns"]:
        assert any(line.startswith(f"Warning: {vehicle} leaves") for line in answer.explanation)


# Both leave a floor of delivered energy that is out of reach in their objective, or know no floors.
WITHOUT_FLOORS = [
    name
    for name, case in CASES.items()
    if not any("min_delivered_kwh" in ev for ev in case["problem"]["evs"])
]


@pytest.mark.parametrize("name", WITHOUT_FLOORS)
def test_an_independent_program_agrees(name: str) -> None:
    expected_eur = CASES[name]["expected"]["objective_eur"]
    assert optimum_eur(problem_of(CASES[name])) == pytest.approx(expected_eur, rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("name", WITHOUT_FLOORS)
def test_the_readable_model_agrees(name: str) -> None:
    model = build_model(compute_coefficients(problem_of(CASES[name])), exact=True)
    expected_eur = CASES[name]["expected"]["objective_eur"]
    assert optimum_as_written(model) == pytest.approx(expected_eur, rel=1e-6, abs=1e-4)
