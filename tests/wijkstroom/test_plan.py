"""`wijkstroom plan`: JSON and nothing else on stdout, every error with its place and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from optimizer.check import check_plan
from optimizer.plan import Plan
from optimizer.problem import parse_problem
from wijkstroom.cli import app

EV = {
    "id": "ev-1",
    "arrival_step": 0,
    "departure_step": 4,
    "capacity_kwh": 50.0,
    "min_energy_kwh": 5.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 12.0,
    "max_charge_kw": 11.0,
    "max_discharge_kw": 0.0,
    "min_charge_kw": 4.14,
    "min_discharge_kw": 0.0,
    "charge_efficiency": 0.9,
    "discharge_efficiency": 0.9,
    "degradation_eur_per_kwh": 0.06,
}
DOCUMENT: dict[str, Any] = {
    "start": "2024-06-11T04:00:00Z",
    "step_minutes": 15,
    "steps": 4,
    "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
    "export_price_eur_per_kwh": 0.05,
    "base_load_kw": 1,
    "pv_kw": 0,
    "import_limit_kw": 17.25,
    "export_limit_kw": 17.25,
    "pv_curtailable": False,
    "netting": "none",
    "peak_bands": [{"name": "evening", "steps": [2, 3], "price_eur_per_kw": 0.1, "realised_kw": 2}],
    "evs": [EV],
}
PUBLISHED = {
    "status",
    "bound_eur",
    "objective_eur",
    "money_eur",
    "gap",
    "solve_seconds",
    "import_kw",
    "export_kw",
    "curtailed_kw",
    "peak_bands",
    "evs",
    "explanation",
    "limit_excess_kw",
    "min_energy_shortfall_kwh",
}


@pytest.fixture
def problem_file(tmp_path: Path) -> Path:
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_json_is_all_that_stands_on_stdout(problem_file: Path) -> None:
    command = [sys.executable, "-c", "from wijkstroom.cli import main; main()"]
    command += ["plan", str(problem_file), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(result.stdout)
    assert answer.keys() >= PUBLISHED
    assert check_plan(parse_problem(DOCUMENT), Plan.model_validate(answer)) == []
    assert answer["status"] == "OPTIMAL (solved)"
    # 2 kWh at 0.9: 8.889 kW for one quarter, in the cheapest.
    assert answer["evs"][0]["power_kw"] == pytest.approx([0.0, 2.0 / 0.9 / 0.25, 0.0, 0.0])


def test_the_document_may_come_from_stdin() -> None:
    result = CliRunner().invoke(app, ["plan", "-", "--json"], input=json.dumps(DOCUMENT))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["evs"][0]["shortfall_kwh"] == pytest.approx(0.0, abs=1e-6)


def test_people_get_a_table_with_the_reasons(problem_file: Path) -> None:
    result = CliRunner().invoke(app, ["plan", str(problem_file)])
    assert result.exit_code == 0
    assert "ev-1" in result.stdout
    assert "OPTIMAL (solved)" in result.stdout
    assert "evening" in result.stdout


def test_a_car_that_a_peak_price_keeps_short_is_reported(tmp_path: Path) -> None:
    document = {
        **DOCUMENT,
        "peak_bands": [{"name": "day", "steps": [0, 1, 2, 3], "price_eur_per_kw": 50.0, "realised_kw": 1}],
    }
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(document))
    result = CliRunner().invoke(app, ["plan", str(path), "--json"])
    answer = json.loads(result.stdout)
    assert answer["evs"][0]["shortfall_kwh"] == pytest.approx(2.0)
    warning = answer["explanation"][0]
    assert warning.startswith("Warning: ev-1")
    assert "peak price of day" in warning


def test_every_error_is_listed_with_its_path_and_exit_code_2(tmp_path: Path) -> None:
    document = {
        **DOCUMENT,
        "steps": 3,
        "surprise": 1,
        "evs": [{**EV, "capacity_kwh": -1, "departure_step": 9}],
    }
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(document))
    result = CliRunner().invoke(app, ["plan", str(path), "--json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    for place in ("import_price_eur_per_kwh", "surprise", "evs[0].capacity_kwh", "evs[0].departure_step"):
        assert place in result.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_problem_is_refused(text: str) -> None:
    result = CliRunner().invoke(app, ["plan", "-", "--json"], input=text)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_missing_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "nowhere.json")])
    assert result.exit_code == 2
    assert "nowhere.json" in result.stderr
    assert "stdin" in result.stderr
