"""Cars start less often where that costs nothing, and no plan of the same cost is preferred by much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import HealthCheck, assume, given, settings

from optimizer import search
from optimizer.check import check_plan
from optimizer.coefficients import Coefficients, compute_coefficients
from optimizer.dive import PAUSE_KW
from optimizer.evaluate import Powers, build_plan
from optimizer.model.build import build_model
from optimizer.model.objective import objective_terms
from optimizer.plan import Plan
from optimizer.planner import UNKNOWN, plan
from optimizer.problem import Problem
from optimizer.switches import count_starts, join_runs
from tests.optimizer.problems import problems
from tests.optimizer.test_prefer import cost_eur, site
from tests.optimizer.written import optimum_as_written

FULL_ON: dict[str, Any] = {"id": "a", "min_charge_kw": 8.0}


def powers_of(answer: Plan) -> Powers:
    power = np.array([ev.power_kw for ev in answer.evs]).reshape(len(answer.evs), len(answer.import_kw))
    return Powers(np.maximum(power, 0.0), np.maximum(-power, 0.0), np.array(answer.curtailed_kw))


def preference(data: Coefficients, powers: Powers) -> float:
    """Return what preferences say of the slots: later, reversed, started; shortfalls are left out."""
    starts = count_starts(powers.charge_kw > PAUSE_KW)
    reversals = float(data.reversal_per_kw @ powers.discharge_kw.sum(axis=1))
    return float((data.delay_per_kw * powers.charge_kw).sum()) + reversals + data.start_weight * starts


def spread_out(problem: Problem, *slots: int) -> Powers:
    """Return a plan in which the only car charges at its most in some slots."""
    charge = np.zeros((1, problem.steps))
    charge[0, list(slots)] = 8.0
    return Powers(charge, np.zeros_like(charge), np.zeros(problem.steps))


@pytest.mark.parametrize(
    ("changes", "slots", "joined"),
    [
        ({}, (1, 4), (0, 1)),
        ({}, (0, 4, 5), (0, 1, 2)),
        ({"import_price_eur_per_kwh": [0.2, 0.1, 0.3, 0.1, 0.1, 0.3, 0.1, 0.2]}, (1, 3, 6), (1, 3, 4)),
        ({"import_limit_kw": [20, 20, 3, 20, 20, 3, 20, 20]}, (1, 3, 7), (0, 1, 3)),
        ({"import_price_eur_per_kwh": [0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2]}, (0, 4), (0, 2)),
    ],
)
def test_slots_of_equal_price_are_joined(
    changes: dict[str, Any], slots: tuple[int, ...], joined: tuple[int, ...]
) -> None:
    problem = site(FULL_ON, **changes)
    answer = join_runs(compute_coefficients(problem), spread_out(problem, *slots))
    assert tuple(np.flatnonzero(answer.charge_kw[0] > PAUSE_KW)) == joined


def test_a_peak_that_would_rise_keeps_slots_apart() -> None:
    band = {"name": "first", "steps": [0, 1, 2], "price_eur_per_kw": 1.0, "realised_kw": 8.0}
    problem = site(FULL_ON, peak_bands=[band], base_load_kw=[0, 1, 0, 0, 0, 0, 0, 0])
    answer = join_runs(compute_coefficients(problem), spread_out(problem, 0, 3))
    # Sooner: the second slot would raise the peak.
    assert np.flatnonzero(answer.charge_kw[0]).tolist() == [0, 2]


def test_a_floor_of_delivery_keeps_a_slot_where_it_is() -> None:
    floor = [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0]
    problem = site({**FULL_ON, "min_delivered_kwh": floor})
    powers = spread_out(problem, 0, 6)
    answer = join_runs(compute_coefficients(problem), powers)
    assert np.flatnonzero(answer.charge_kw[0]).tolist() == [0, 1]
    late = {"import_price_eur_per_kwh": [0.2, *[0.3] * 5, 0.2, 0.2]}
    priced = site({**FULL_ON, "min_delivered_kwh": floor}, **late)
    assert join_runs(compute_coefficients(priced), powers) is powers


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(problem=problems(most_steps=8))
def test_joining_costs_nothing_breaks_nothing_and_is_preferred(
    monkeypatch: pytest.MonkeyPatch, problem: Problem
) -> None:
    with monkeypatch.context() as without:
        without.setattr(search, "join_runs", lambda _data, powers: powers)
        before = plan(problem)
    data = compute_coefficients(problem)
    joined = join_runs(data, powers_of(before))
    after = build_plan(problem, joined, UNKNOWN)
    assert check_plan(problem, after) == []
    assert cost_eur(problem, after) <= cost_eur(problem, before) + 1e-6
    assert preference(data, joined) <= preference(data, powers_of(before)) + 1e-6


def preferred_optimum(problem: Problem, cost: float) -> float:
    """Return the least sum of preferences of any plan that costs no more, from the readable model alone."""
    data = compute_coefficients(problem)
    model = build_model(data, exact=True, preferring=True)
    model.held = pyo.Constraint(expr=sum(objective_terms(model, data).values()) <= cost + 1e-6)
    return optimum_as_written(model)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"import_price_eur_per_kwh": [0.3, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2]},
        {"import_limit_kw": [20, 3, 20, 20, 20, 20, 20, 20]},
        {"base_load_kw": [5, 0, 5, 0, 0, 0, 5, 5], "pv_kw": [0, 0, 0, 9, 9, 9, 0, 0]},
    ],
)
def test_the_preferred_plan_is_the_readable_models(changes: dict[str, Any]) -> None:
    problem = site({"id": "a", "min_charge_kw": 4.14}, gap=1e-6, **changes)
    answer = plan(problem)
    found = preference(compute_coefficients(problem), powers_of(answer))
    assert found == pytest.approx(preferred_optimum(problem, answer.objective_eur), abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(problem=problems(most_evs=2, most_steps=5))
def test_no_plan_of_that_cost_is_preferred_beyond_the_readable_models(problem: Problem) -> None:
    assume(all(ev.min_delivered_kwh is None for ev in problem.evs))
    answer = plan(problem)
    short_kwh = [max(0.0, ev.shortfall_kwh) for ev in answer.evs]
    data = compute_coefficients(problem)
    found = preference(data, powers_of(answer)) + data.unfairness_per_kwh * max(short_kwh, default=0.0)
    assert found >= preferred_optimum(problem, answer.objective_eur) - 1e-3
