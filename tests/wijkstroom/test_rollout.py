"""`wijkstroom rollout` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.rollout import validation
from wijkstroom.cli import app
from wijkstroom.rollout_tables import held_back, queue_lines

pytest.importorskip("pyarrow")
pytest.importorskip("plotly")

SCENARIO = """
[study]
name = "one street"
years = [2025]
replicates = 1
months = 1
policies = ["uncontrolled", "static_limit"]

[adoption]
years = [2025, 2030]
electric_fraction = [0.21, 0.44]

[[neighbourhoods]]
id = "A"
households = 200
poles = 3
area_km2 = 0.2
"""

runner = CliRunner()


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(validation, "DAYS", 7)
    path = tmp_path / "street.toml"
    path.write_text(SCENARIO)
    return path


def test_a_scenario_without_subcommand_is_run(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = runner.invoke(app, ["rollout", str(scenario), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "one street, 2025" in result.stdout
    assert (out / "report.html").is_file()
    assert json.loads((out / "summary.json").read_text())["policies"] == ["uncontrolled", "static_limit"]


def test_json_is_the_summary_and_nothing_else(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = runner.invoke(
        app, ["rollout", str(scenario), "--out", str(out), "--policy", "uncontrolled", "--json"]
    )
    assert json.loads(result.stdout) == json.loads((out / "summary.json").read_text())


def test_a_sweep_has_a_folder_per_value(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [
        "rollout",
        str(scenario),
        "--out",
        str(out),
        "--policy",
        "uncontrolled",
        "--sweep",
        "poles.reach_m=50,400",
    ]
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads((out / "sweep.json").read_text())["sweep"]
    near, far = (document[f"poles.reach_m={reach}"]["figures"]["2025"]["uncontrolled"] for reach in (50, 400))
    assert far["blocked_fraction"]["mean"] < near["blocked_fraction"]["mean"]
    compared = runner.invoke(
        app, ["rollout", "compare", str(out / "poles.reach_m=50"), str(out / "poles.reach_m=400"), "--json"]
    )
    assert json.loads(compared.stdout)["paired"]


def test_mistakes_end_with_code_two_and_all_of_them(scenario: Path, tmp_path: Path) -> None:
    scenario.write_text(
        SCENARIO.replace("poles = 3", "poles = 3000\nlatitude = 52.0").replace("[2025, 2030]", "[2025]")
    )
    result = runner.invoke(app, ["rollout", str(scenario), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    for place in ("adoption.electric_fraction", "neighbourhoods[0].poles", "neighbourhoods[0].latitude"):
        assert place in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_impossible_placement_says_which_constraint_binds(scenario: Path, tmp_path: Path) -> None:
    rule = '[placement]\nrule = "occupancy"\noccupancy_trigger = 0.05\nlead_months = 0\n'
    scenario.write_text(f"{SCENARIO}\n{rule}connections_per_month = 0\n")
    arguments = ["rollout", str(scenario), "--out", str(tmp_path / "out"), "--policy", "uncontrolled"]
    said = " ".join(runner.invoke(app, arguments).stdout.split())
    assert "poles that were asked for have not come, held by connections_per_month" in said


def test_each_neighbourhood_says_what_holds_its_poles_back() -> None:
    places = {
        "A": {"waiting_for": {"connectable_from": 3.5, "largest_poles_per_cell": 1.0}},
        "B": {"waiting_for": {}},
    }
    (said,) = held_back({"placement": {"neighbourhoods": places}})
    assert said.startswith("A: 4.5 poles that were asked for have not come")
    assert said.endswith("held by connectable_from (3.5), largest_poles_per_cell (1)")


def test_each_node_says_what_it_held_back_and_which_was_first() -> None:
    queue = {"connectable_from": 2028.5, "delayed_by_connections": 3, "waiting": 1.5, "moved_elsewhere": 2}
    first = {"node": "transformer 4", "from_year": 2026.25}
    places = {"A": {"nodes": {"transformer 4": queue}, "first_held_by": first}, "B": {}}
    said = queue_lines({"placement": {"neighbourhoods": places}})
    assert said == [
        ("A, transformer 4 (connectable from 2028.5): 3 poles came late, 1.5 still wait, 2 went elsewhere"),
        "A: first held back by transformer 4, in 2026.2",
    ]


def test_an_unknown_scenario_names_the_shipped_ones(tmp_path: Path) -> None:
    result = runner.invoke(app, ["rollout", "nowhere", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "utrecht-growth" in result.stderr
