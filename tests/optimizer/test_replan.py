"""Planning again is as good as planning afresh, whatever changed in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.check import check_plan
from optimizer.plan import Plan, Proof
from optimizer.planner import plan
from optimizer.problem import Problem
from optimizer.replan import Replanner
from optimizer.solve import Solver
from tests.optimizer.problems import problems


def cost_eur(problem: Problem, answer: Plan) -> float:
    floors_kwh = sum(ev.undelivered_kwh for ev in answer.evs)
    return answer.objective_eur + 20.0 * problem.shortfall_eur_per_kwh * floors_kwh


def assert_as_good_as_cold(problem: Problem, answer: Plan) -> None:
    assert check_plan(problem, answer) == []
    assert answer.status.proof in {Proof.OPTIMAL, Proof.CERTIFIED}
    cold = plan(problem)
    assert cost_eur(problem, answer) == pytest.approx(cost_eur(problem, cold), rel=1e-4, abs=1e-3)


def moved(problem: Problem, steps: int) -> Problem:
    """Return the problem some steps later, its far end repeated from the start."""
    changes: dict[str, Any] = {"start": problem.start + steps * timedelta(minutes=problem.step_minutes)}
    for name, values in problem:
        if name.endswith(("_kw", "_eur_per_kwh")) and isinstance(values, tuple):
            changes[name] = values[steps:] + values[:steps]
    changes["evs"] = tuple(
        ev.model_copy(
            update={
                "arrival_step": max(0, ev.arrival_step - steps),
                "departure_step": ev.departure_step - steps,
                "min_delivered_kwh": None,
            }
        )
        for ev in problem.evs
        if ev.departure_step >= steps
    )
    names = {ev.id for ev in changes["evs"]}
    changes["groups"] = tuple(
        group.model_copy(
            update={
                "members": tuple(member for member in group.members if member in names),
                "weights": {member: share for member, share in group.weights.items() if member in names},
            }
        )
        for group in problem.groups
    )
    return Problem.model_validate(dict(problem) | changes)


@settings(max_examples=60, deadline=None)
@given(first=problems(), second=problems())
def test_any_problem_may_follow_any_other(first: Problem, second: Problem) -> None:
    replanner = Replanner()
    assert_as_good_as_cold(first, replanner.plan(first))
    assert_as_good_as_cold(second, replanner.plan(second))


@settings(max_examples=60, deadline=None)
@given(problem=problems(most_steps=10), data=st.data())
def test_the_horizon_may_move(problem: Problem, data: st.DataObject) -> None:
    later = moved(problem, data.draw(st.integers(0, problem.steps)))
    replanner = Replanner()
    replanner.plan(problem)
    assert_as_good_as_cold(later, replanner.plan(later))


@settings(max_examples=30, deadline=None)
@given(problem=problems(most_evs=6), data=st.data())
def test_cars_may_come_and_go(problem: Problem, data: st.DataObject) -> None:
    staying = tuple(ev for ev in problem.evs if data.draw(st.booleans()))
    fewer = Problem.model_validate(dict(problem) | {"evs": staying, "groups": ()})
    replanner = Replanner()
    for each in (fewer, problem, fewer):
        assert_as_good_as_cold(each, replanner.plan(each))


def test_after_a_broken_solve_it_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    ev = {
        "id": "a",
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
    problem = Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 4,
            "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 15.0,
            "export_limit_kw": 10.0,
            "evs": [ev],
        }
    )
    replanner = Replanner()

    def crash(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the solver broke")

    with monkeypatch.context() as broken:
        broken.setattr(Solver, "solve", crash)
        answer = replanner.plan(problem)
    assert answer.status.proof is Proof.FALLBACK
    assert check_plan(problem, answer) == []
    assert_as_good_as_cold(problem, replanner.plan(problem))
