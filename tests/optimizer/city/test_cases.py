"""Golden cities: situations worth remembering, with their optimum worked out by hand.

A case in tests/cases/cities is ``{"what", "city", "expected": {"objective_eur", "node_import_kw"?}}``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.city.check import check_city
from optimizer.city.planner import plan_city
from optimizer.city.problem import parse_city
from optimizer.plan import Proof
from tests.optimizer.city.cities import optimum_eur

FOLDER = Path(__file__).parents[2] / "cases" / "cities"
CASES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("name", CASES)
def test_the_city_is_planned_at_its_optimum(name: str) -> None:
    case = CASES[name]
    city, expected = parse_city(case["city"]), case["expected"]
    plan = plan_city(city)
    assert check_city(city, plan) == []
    assert plan.objective_eur == pytest.approx(expected["objective_eur"], abs=1e-4)
    assert plan.status.proof is Proof.OPTIMAL
    planned = {node.id: node.import_kw for node in plan.nodes}
    for node, imports in expected.get("node_import_kw", {}).items():
        assert planned[node] == pytest.approx(imports, abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_one_program_over_everything_agrees(name: str) -> None:
    case = CASES[name]
    assert optimum_eur(parse_city(case["city"]), exact=True) == pytest.approx(
        case["expected"]["objective_eur"], abs=1e-4
    )
