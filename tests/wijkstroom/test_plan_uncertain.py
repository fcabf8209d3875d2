"""`wijkstroom plan` with scenarios."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from optimizer.uncertain.check import check_uncertain
from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.problem import parse_uncertain
from tests.optimizer.uncertain.test_problem import document, scenario
from wijkstroom.cli import app

ASKED = document(
    scenario(id="bright", probability=0.25, pv_kw=9.0), scenario(id="dark", probability=0.75, pv_kw=0.0)
)


def test_a_document_with_scenarios_gets_a_plan_for_each() -> None:
    result = CliRunner().invoke(app, ["plan", "-", "--json"], input=json.dumps(ASKED))
    assert result.exit_code == 0, result.stderr
    answer = UncertainPlan.model_validate(json.loads(result.stdout))
    assert check_uncertain(parse_uncertain(ASKED), answer) == []
    assert answer.without_scenarios_eur is not None


def test_people_get_the_first_steps_and_the_scenarios() -> None:
    result = CliRunner().invoke(app, ["plan", "-"], input=json.dumps(ASKED))
    assert result.exit_code == 0
    for text in ("First steps", "bright", "dark", "expected objective"):
        assert text in result.stdout


def test_mistakes_are_listed_with_their_paths() -> None:
    wrong = document(scenario(id="bright", probability=0.5, pv_kw=[1.0]), shared_steps=9)
    result = CliRunner().invoke(app, ["plan", "-"], input=json.dumps(wrong))
    assert result.exit_code == 2
    for path in ("scenarios[0].pv_kw:", "shared_steps:"):
        assert path in result.stderr
