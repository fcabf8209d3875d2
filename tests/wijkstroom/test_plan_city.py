"""`wijkstroom plan` of a city: the sites' plans, the nodes' flows, bound and gap; every error with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from optimizer.city.check import check_city
from optimizer.city.plan import CityPlan
from optimizer.city.problem import parse_city
from wijkstroom.cli import app

EV = {
    "id": "ev-1",
    "arrival_step": 0,
    "departure_step": 4,
    "capacity_kwh": 50.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 13.6,
    "max_charge_kw": 8.0,
    "min_charge_kw": 4.0,
    "charge_efficiency": 0.9,
    "discharge_efficiency": 0.9,
}
SITE: dict[str, Any] = {
    "start": "2024-06-11T04:00:00Z",
    "step_minutes": 15,
    "steps": 4,
    "import_price_eur_per_kwh": [0.1, 0.2, 0.3, 0.4],
    "export_price_eur_per_kwh": 0.05,
    "import_limit_kw": 17.25,
    "export_limit_kw": 17.25,
    "evs": [EV],
}
TRANSFORMER = {"id": "transformer", "members": ["left", "right"], "import_limit_kw": 8.0}
CITY: dict[str, Any] = {
    "sites": [{"id": "left", **SITE}, {"id": "right", **SITE}],
    "nodes": [
        TRANSFORMER,
        {
            "id": "city",
            "members": ["transformer"],
            "netting": "confirmed",
            "peak_bands": [{"name": "day", "steps": [0, 1, 2, 3], "price_eur_per_kw": 0.01}],
        },
    ],
}


def run(document: Any, *options: str) -> Result:
    return CliRunner().invoke(app, ["plan", "-", *options], input=json.dumps(document))


def test_two_cars_share_a_transformer_quarter_by_quarter() -> None:
    result = run(CITY, "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    plan = CityPlan.model_validate(answer)
    assert check_city(parse_city(CITY), plan) == []
    assert answer.keys() >= {"status", "sites", "nodes", "bound_eur", "gap", "objective_eur", "money_eur"}
    # Each needs two quarters at 8 kW; the transformer has 8 kW in each of four quarters.
    assert answer["nodes"][0]["import_kw"] == pytest.approx([8.0] * 4)
    assert plan.money_eur == pytest.approx(0.25 * 8.0 * (0.1 + 0.2 + 0.3 + 0.4) + 0.01 * 8.0)
    assert plan.bound_eur == pytest.approx(plan.objective_eur, rel=1e-4)


def test_people_get_tables_of_nodes_and_sites() -> None:
    result = run(CITY)
    assert result.exit_code == 0
    for word in ("transformer", "left", "right", "gap"):
        assert word in result.stdout


def test_every_error_is_listed_with_its_path_and_exit_code_2() -> None:
    broken = {
        "sites": [
            {"id": "left", **SITE, "steps": 3},
            {"id": "left", **SITE, "surprise": 1},
            {"id": "", **SITE},
            7,
        ],
        "nodes": [
            {**TRANSFORMER, "import_limit_kw": -1},
            {"id": "loop", "members": ["loop"]},
            {
                "id": "again",
                "members": ["left"],
                "peak_bands": [{"name": "x", "steps": [9], "price_eur_per_kw": 1}],
            },
        ],
        "gap": 2,
        "colour": "red",
    }
    result = run(broken, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    for place in (
        "sites[0].import_price_eur_per_kwh",
        "sites[1].surprise",
        "sites[2].id",
        "sites[3]",
        "sites[1].id",
        "nodes[0].import_limit_kw:",
        "nodes[1].members",
        "gap",
        "colour",
    ):
        assert place in result.stderr, place


@pytest.mark.parametrize("document", [{"sites": []}, {"sites": 3}, {"nodes": []}, {"sites": [SITE]}])
def test_what_is_no_city_is_refused(document: Any) -> None:
    assert run(document).exit_code == 2
