"""The latest plan is looked up by the street's clock."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from csms.control.latest import LatestPlan
from optimizer.planner import plan_simply
from optimizer.problem import Problem

CASE = Path(__file__).parents[2] / "cases" / "equal-prices.json"


def test_the_step_that_runs_says_what_the_street_draws() -> None:
    problem = Problem.model_validate_json(json.dumps(json.loads(CASE.read_text())["problem"]))
    step = timedelta(minutes=problem.step_minutes)
    plan = plan_simply(problem)
    latest = LatestPlan(problem.start, step, plan)
    for index, (taken, given) in enumerate(zip(plan.import_kw, plan.export_kw, strict=True)):
        assert latest.net_kw(problem.start + index * step) == taken - given
        assert latest.net_kw(problem.start + (index + 1) * step - timedelta(seconds=1)) == taken - given
    assert latest.net_kw(problem.start - timedelta(seconds=1)) is None
    assert latest.net_kw(problem.start + len(plan.import_kw) * step) is None


def test_what_base_load_alone_draws_too_much_is_listed() -> None:
    problem = Problem.model_validate_json(json.dumps(json.loads(CASE.read_text())["problem"]))
    plan = plan_simply(problem).model_copy(update={"limit_excess_kw": (0.0, 0.01, 2.0, 0.0)})
    step = timedelta(minutes=problem.step_minutes)
    assert LatestPlan(problem.start, step, plan).excess() == [(problem.start + 2 * step, 2.0)]
