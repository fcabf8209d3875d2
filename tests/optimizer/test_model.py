"""The readable model and the fast path are the same program."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings

from optimizer.coefficients import Coefficients, compute_coefficients
from optimizer.compiled import compile_program
from optimizer.model.build import build_model
from optimizer.model.objective import objective_terms
from optimizer.problem import Problem
from optimizer.solve import Outcome, Solver
from tests.optimizer.problems import problems
from tests.optimizer.written import optimum_as_written


def optimum_of_arrays(data: Coefficients, *, exact: bool) -> float:
    solution = Solver(compile_program(data, exact=exact)).solve(time_limit_s=60.0)
    assert solution.outcome is Outcome.OPTIMAL
    return solution.objective_eur


@pytest.mark.parametrize("exact", [False, True], ids=["relaxed", "exact"])
@settings(max_examples=60, deadline=None)
@given(problem=problems(most_evs=3, most_steps=6))
def test_arrays_have_the_optimum_of_the_readable_model(problem: Problem, exact: bool) -> None:
    data = compute_coefficients(problem)
    expected = optimum_as_written(build_model(data, exact=exact))
    assert optimum_of_arrays(data, exact=exact) == pytest.approx(expected, rel=1e-6, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(problem=problems(most_evs=4, most_steps=8))
def test_the_relaxation_bounds_the_exact_form(problem: Problem) -> None:
    data = compute_coefficients(problem)
    relaxed, exact = optimum_of_arrays(data, exact=False), optimum_of_arrays(data, exact=True)
    assert relaxed <= exact + 1e-6 * max(1.0, abs(exact))


@settings(max_examples=20, deadline=None)
@given(problem=problems(most_evs=2, most_steps=4))
def test_the_terms_of_the_objective_are_all_of_it(problem: Problem) -> None:
    data = compute_coefficients(problem)
    model = build_model(data, exact=True)
    rng = np.random.default_rng(0)
    for variable in model.component_data_objects(pyo.Var):
        variable.set_value(float(rng.random()), skip_validation=True)
    total = sum(pyo.value(term) for term in objective_terms(model, data).values())
    assert pyo.value(model.total_cost) == pytest.approx(total)
