"""Planning on scenarios: limits in each of them, money in the mean, never worse than without."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import solve
from optimizer.coefficients import compute_coefficients
from optimizer.layout import ABSENT
from optimizer.planner import plan
from optimizer.problem import Problem
from optimizer.solve import Budget, Solver
from optimizer.uncertain.check import check_uncertain
from optimizer.uncertain.dive import JointDiver
from optimizer.uncertain.joint import build_joint
from optimizer.uncertain.model import build_two_stage
from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.planner import evaluate_first_steps, plan_uncertain, read_first_steps
from optimizer.uncertain.problem import Uncertain, parse_uncertain
from tests.optimizer.problems import problems
from tests.optimizer.uncertain.futures import repeat, uncertain
from tests.optimizer.written import optimum_as_written


def slack(value: float) -> float:
    return 2e-4 + 1e-4 * abs(value)


@pytest.mark.parametrize("exact", [False, True], ids=["relaxed", "exact"])
@settings(max_examples=12, deadline=None)
@given(problem=uncertain(most_evs=2, most_steps=4))
def test_arrays_have_the_optimum_of_the_readable_model(problem: Uncertain, exact: bool) -> None:
    data = [compute_coefficients(one.problem) for one in problem.scenarios]
    names = [[ev.id for ev in one.problem.evs] for one in problem.scenarios]
    weights = [one.probability for one in problem.scenarios]
    model = build_two_stage(data, names, weights, problem.shared_steps, exact=exact)
    solution = Solver(build_joint(problem, exact=exact).program).solve(time_limit_s=60.0)
    assert solution.objective_eur == pytest.approx(optimum_as_written(model), rel=1e-6, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(problem=uncertain())
def test_every_scenario_keeps_its_limits_and_the_first_steps_are_shared(problem: Uncertain) -> None:
    answer = plan_uncertain(problem)
    assert check_uncertain(problem, answer) == []
    assert answer.bound_eur is not None
    assert answer.gap is not None
    assert answer.gap <= problem.expected.gap, answer.status


@settings(max_examples=15, deadline=None)
@given(problem=problems(), times=st.integers(1, 3), shared_steps=st.integers(1, 8))
def test_without_doubt_the_plan_costs_what_it_costs_without_scenarios(
    problem: Problem, times: int, shared_steps: int
) -> None:
    shared_steps = min(shared_steps, problem.steps)
    alone, answer = plan(problem), plan_uncertain(repeat(problem, times, shared_steps))
    assert alone.bound_eur is not None
    assert answer.bound_eur is not None
    assert answer.objective_eur == pytest.approx(alone.objective_eur, rel=1e-5, abs=2e-4)


def cost_of_beginning_with(problem: Uncertain, first: dict[tuple[str, int], float]) -> float | None:
    """Return the least expected cost of everything that begins with some first steps, None if one cannot."""
    exact = build_joint(problem, exact=True)
    solver = Solver(exact.program)
    for family, sign in (("charge_kw", 1.0), ("discharge_kw", -1.0)):
        for slot, column in exact.shared[family].items():
            power_kw = max(0.0, sign * first.get(slot, 0.0))
            if column == ABSENT and power_kw > 0.0:
                return None
            if column != ABSENT:
                if power_kw > exact.program.column_upper[column] + 1e-6:
                    return None
                solver.set_bounds(np.array([column]), np.array([power_kw]), np.array([power_kw]))
    solution = solver.solve(time_limit_s=60.0)
    return solution.objective_eur if solution.found else None


@settings(max_examples=15, deadline=None)
@given(problem=uncertain(floors=False))
def test_it_is_never_worse_than_the_first_steps_of_the_plan_without(problem: Uncertain) -> None:
    answer = plan_uncertain(problem)
    first = read_first_steps(plan(problem.expected), problem.shared_steps)
    without_eur = cost_of_beginning_with(problem, first)
    if without_eur is not None:
        assert answer.objective_eur <= without_eur + slack(without_eur)


@settings(max_examples=15, deadline=None)
@given(problem=uncertain())
def test_first_steps_are_chosen_by_what_they_cost_at_the_least(problem: Uncertain) -> None:
    answer = plan_uncertain(problem)
    assert answer.bound_eur is not None
    assert answer.first_steps_eur is not None
    highest_eur = answer.objective_eur + price_of_floors(problem, answer)
    assert answer.first_steps_eur <= highest_eur + slack(highest_eur)
    first = read_first_steps(plan(problem.expected), problem.shared_steps)
    without_eur = evaluate_first_steps(problem, first)
    assert (without_eur is None) == (answer.without_scenarios_eur is None)
    if without_eur is not None:
        assert answer.without_scenarios_eur == pytest.approx(without_eur, rel=1e-6, abs=1e-4)


def price_of_floors(problem: Uncertain, answer: UncertainPlan) -> float:
    price_eur = 20.0 * problem.expected.shortfall_eur_per_kwh * (problem.expected.steps + 1)
    return sum(
        price_eur * one.probability * ev.undelivered_kwh for one in answer.scenarios for ev in one.plan.evs
    )


@settings(max_examples=15, deadline=None)
@given(problem=uncertain(floors=False))
def test_knowing_the_scenario_is_never_worse(problem: Uncertain) -> None:
    """The expectation of plans that know their scenario is a bound: what information would be worth."""
    answer = plan_uncertain(problem)
    knowing_eur = sum(one.probability * plan(one.problem).objective_eur for one in problem.scenarios)
    assert knowing_eur <= answer.objective_eur + slack(knowing_eur)


@settings(max_examples=15, deadline=None)
@given(problem=uncertain(most_evs=6, most_steps=12))
def test_dives_alone_keep_the_rules(problem: Uncertain) -> None:
    joint = build_joint(problem, exact=False)
    diver = JointDiver(joint, Solver(joint.program), Budget(60.0))
    relaxed = diver.relax()
    found = diver.dive(relaxed, 0.0)
    if found.found:
        assert relaxed.objective_eur <= found.objective_eur + slack(found.objective_eur)


def test_equal_questions_get_equal_answers() -> None:
    problem = parse_uncertain(two_skies())
    first, second = (plan_uncertain(problem).model_dump(exclude={"solve_seconds"}) for _ in range(2))
    assert first == second


def test_it_waits_for_the_sun_only_as_far_as_every_sky_allows() -> None:
    """One car, two skies: without scenarios it counts on half the sun, with them on what each brings."""
    answer = plan_uncertain(parse_uncertain(two_skies()))
    assert answer.first_steps[0].power_kw[0] == pytest.approx(0.0)
    bright, dark = (one.plan for one in answer.scenarios)
    assert sum(bright.import_kw) == pytest.approx(0.0, abs=1e-6)
    assert dark.evs[0].shortfall_kwh == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("nothing", [True, False], ids=["finds nothing", "raises"])
def test_a_broken_solver_leaves_plans_that_wait(nothing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> solve.Solution:
        if nothing:
            return solve.no_solution(solve.Outcome.FAILED)
        raise RuntimeError("the solver broke")

    problem = parse_uncertain(two_skies())
    monkeypatch.setattr(solve.Solver, "solve", broken)
    answer = plan_uncertain(problem)
    assert str(answer.status) == "FALLBACK (solver failed)"
    assert answer.bound_eur is None
    assert check_uncertain(problem, answer) == []
    assert all(power == 0.0 for each in answer.first_steps for power in each.power_kw)


def test_no_time_is_said() -> None:
    document = two_skies() | {"time_limit_s": 1e-9}
    assert str(plan_uncertain(parse_uncertain(document)).status) == "FALLBACK (time limit)"


def test_the_answer_survives_its_way_through_json() -> None:
    answer = plan_uncertain(parse_uncertain(two_skies()))
    assert UncertainPlan.model_validate(json.loads(json.dumps(answer.model_dump(mode="json")))) == answer


def two_skies() -> dict[str, Any]:
    return {
        "start": "2024-06-11T04:00:00Z",
        "step_minutes": 60,
        "steps": 3,
        "import_price_eur_per_kwh": [0.2, 0.25, 0.3],
        "export_price_eur_per_kwh": 0.01,
        "pv_kw": [0.0, 4.0, 4.0],
        "import_limit_kw": 20.0,
        "export_limit_kw": 20.0,
        "evs": [
            {
                "id": "a",
                "arrival_step": 0,
                "departure_step": 3,
                "capacity_kwh": 50.0,
                "initial_energy_kwh": 10.0,
                "departure_energy_kwh": 26.0,
                "max_charge_kw": 11.0,
                "charge_efficiency": 1.0,
                "discharge_efficiency": 1.0,
            }
        ],
        "shortfall_eur_per_kwh": 5.0,
        "gap": 1e-6,
        "scenarios": [
            {"id": "bright", "probability": 0.9, "pv_kw": [0.0, 8.0, 8.0]},
            {"id": "dark", "probability": 0.1, "pv_kw": 0.0},
        ],
    }
