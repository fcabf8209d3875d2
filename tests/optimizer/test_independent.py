"""A program written by other hands, solved by scipy, finds the same optimum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from optimizer.planner import plan
from optimizer.problem import Problem
from tests.optimizer.independent import optimum_eur
from tests.optimizer.problems import problems


@settings(max_examples=120, deadline=None)
@given(problem=problems(most_evs=3, most_steps=6))
def test_the_plan_is_the_optimum_of_an_independent_program(problem: Problem) -> None:
    free = problem.model_copy(
        update={
            "evs": tuple(ev.model_copy(update={"min_delivered_kwh": None}) for ev in problem.evs),
            "gap": 0.0,
        }
    )
    assert plan(free).objective_eur == pytest.approx(optimum_eur(free), rel=1e-5, abs=2e-4)
