"""Every request gets a checked plan, whatever the problem and whatever breaks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import planner, search, solve
from optimizer.check import check_plan
from optimizer.evaluate import Powers
from optimizer.heuristics import plan_earliest_deadline, plan_equal_share, plan_idle, plan_uncontrolled
from optimizer.plan import Plan, Proof, Stop
from optimizer.planner import plan
from optimizer.problem import Problem
from tests.optimizer.problems import problems

SIMPLE = (plan_uncontrolled, plan_equal_share, plan_earliest_deadline, plan_idle)


def close(first: float, second: float) -> bool:
    return abs(first - second) <= 1e-5 * max(1.0, abs(first), abs(second))


def without_time(answer: Plan) -> dict[str, Any]:
    return answer.model_dump(exclude={"solve_seconds"})


@settings(max_examples=300, deadline=None)
@given(problem=problems())
def test_a_plan_passes_the_checker_and_proves_its_status(problem: Problem) -> None:
    answer = plan(problem)
    assert check_plan(problem, answer) == []
    assert answer.status.proof in {Proof.OPTIMAL, Proof.CERTIFIED}, answer.status
    assert answer.bound_eur is not None
    assert answer.gap is not None
    assert answer.bound_eur <= answer.objective_eur
    assert answer.gap <= problem.gap


@settings(max_examples=200, deadline=None)
@given(problem=problems())
def test_objective_is_money_plus_priced_slack(problem: Problem) -> None:
    answer = plan(problem)
    slack_kwh = (
        sum(ev.shortfall_kwh for ev in answer.evs)
        + 100.0 * problem.step_h * sum(answer.limit_excess_kw)
        + 10.0 * answer.min_energy_shortfall_kwh
    )
    expected = answer.money_eur + problem.shortfall_eur_per_kwh * slack_kwh - answer.final_energy_value_eur
    assert close(answer.objective_eur, expected)


@settings(max_examples=200, deadline=None)
@given(problem=problems())
def test_no_simple_plan_that_keeps_the_rules_is_cheaper(problem: Problem) -> None:
    answer = plan(problem)
    for make in SIMPLE:
        simple = make(problem)
        if check_plan(problem, simple):
            continue
        if any(ev.undelivered_kwh for ev in simple.evs):
            continue
        assert sum(ev.undelivered_kwh for ev in answer.evs) <= 1e-4, make.__name__
        slack_eur = 1e-4 * max(1.0, abs(simple.objective_eur))
        assert answer.objective_eur <= simple.objective_eur + slack_eur, make.__name__


@settings(max_examples=100, deadline=None)
@given(problem=problems(most_evs=6, most_steps=12))
def test_equal_requests_get_equal_plans(problem: Problem) -> None:
    assert without_time(plan(problem)) == without_time(plan(problem.model_copy(deep=True)))


@settings(max_examples=100, deadline=None)
@given(problem=problems())
def test_more_limit_never_costs_more(problem: Problem) -> None:
    # A floor of delivered energy that comes into reach is kept, and costs.
    evs = tuple(ev.model_copy(update={"min_delivered_kwh": None}) for ev in problem.evs)
    narrow = problem.model_copy(update={"evs": evs})
    limit_kw = tuple(limit + 10.0 for limit in problem.import_limit_kw)
    wide = narrow.model_copy(update={"import_limit_kw": limit_kw})
    narrow_eur = plan(narrow).objective_eur
    assert plan(wide).objective_eur <= narrow_eur + 1e-4 + 1e-5 * abs(narrow_eur)


@settings(max_examples=50, deadline=None)
@given(problem=problems())
def test_simple_plans_keep_the_rules_but_for_uncontrolled(problem: Problem) -> None:
    for make in SIMPLE[1:]:
        assert check_plan(problem, make(problem)) == [], make.__name__


def no_solution(*_args: Any, **_kwargs: Any) -> solve.Solution:
    return solve.no_solution(solve.Outcome.FAILED)


def crash(*_args: Any, **_kwargs: Any) -> solve.Solution:
    raise RuntimeError("the solver broke")


def nonsense(*_args: Any, **_kwargs: Any) -> search.Result:
    shape = (2, 4)
    powers = Powers(np.full(shape, 99.0), np.zeros(shape), np.zeros(4))
    return search.Result((search.Choice(powers, 0.0),), -100.0, Stop.SEARCH_ENDED)


@pytest.fixture
def problem() -> Problem:
    ev = {
        "arrival_step": 0,
        "departure_step": 4,
        "capacity_kwh": 50.0,
        "initial_energy_kwh": 10.0,
        "departure_energy_kwh": 14.0,
        "max_charge_kw": 11.0,
        "min_charge_kw": 4.14,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.9,
    }
    return Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 4,
            "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 15.0,
            "export_limit_kw": 10.0,
            "evs": [{"id": "a", **ev}, {"id": "b", **ev}],
        }
    )


@pytest.mark.parametrize("broken", [no_solution, crash])
def test_a_broken_solver_costs_optimality_only(
    problem: Problem, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solve.Solver, "solve", broken)
    answer = plan(problem)
    assert str(answer.status) == "FALLBACK (solver failed)"
    assert answer.bound_eur is None
    assert check_plan(problem, answer) == []
    assert sum(ev.shortfall_kwh for ev in answer.evs) < 2.0


def test_a_plan_that_breaks_a_rule_does_not_leave(
    problem: Problem, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(search, "search", nonsense)
    answer = plan(problem)
    assert str(answer.status) == "FALLBACK (solver failed)"
    assert check_plan(problem, answer) == []
    assert any("was refused" in sentence for sentence in answer.explanation)
    assert "breaks" in caplog.text


def test_no_time_is_said(problem: Problem) -> None:
    answer = plan(problem.model_copy(update={"time_limit_s": 1e-9}))
    assert str(answer.status) == "FALLBACK (time limit)"
    assert check_plan(problem, answer) == []


def test_a_plan_survives_the_way_to_a_worker_and_back(problem: Problem) -> None:
    function, question = pickle.loads(pickle.dumps((plan, problem)))
    answer = function(question)
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert Plan.model_validate(answer.model_dump(mode="json")) == answer


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_bigger_sites_stay_near_their_bound(data: st.DataObject) -> None:
    drawn = data.draw(problems(most_evs=15, most_steps=24))
    # The search counts the price of floors that are out of reach, the gap of a plan does not.
    evs = tuple(ev.model_copy(update={"min_delivered_kwh": None}) for ev in drawn.evs)
    site = drawn.model_copy(update={"gap": 0.005, "evs": evs})
    answer = plan(site)
    assert check_plan(site, answer) == []
    assert answer.gap is not None
    assert answer.gap <= 0.005


def test_warming_up_needs_no_problem() -> None:
    planner.warm_up()
