"""Preferences decide among plans that cost the same, and cost nothing."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
import pytest
from hypothesis import HealthCheck, given, settings
from pyomo.core.expr.visitor import identify_variables

from optimizer import search
from optimizer.coefficients import compute_coefficients
from optimizer.compiled import compile_preferences, compile_program
from optimizer.model.build import build_model
from optimizer.model.objective import MONEY_TERMS, VALUE_TERMS, WISH_TERMS, objective_terms
from optimizer.model.preference import preference_terms
from optimizer.plan import Plan
from optimizer.planner import plan
from optimizer.problem import Problem
from optimizer.solve import Solver
from tests.optimizer.problems import problems

EV: dict[str, Any] = {
    "arrival_step": 0,
    "departure_step": 8,
    "capacity_kwh": 50.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 14.0,
    "max_charge_kw": 8.0,
    "charge_efficiency": 1.0,
    "discharge_efficiency": 0.9,
}


BAND = {"name": "day", "steps": [0, 1], "price_eur_per_kw": 1.0, "realised_kw": 50.0}


def site(*evs: dict[str, Any], **changes: Any) -> Problem:
    return Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 8,
            "import_price_eur_per_kwh": 0.2,
            "export_price_eur_per_kwh": 0.1,
            "import_limit_kw": 20.0,
            "export_limit_kw": 20.0,
            "evs": [{**EV, **ev} for ev in evs],
            **changes,
        }
    )


def cost_eur(problem: Problem, answer: Plan) -> float:
    floors_kwh = sum(ev.undelivered_kwh for ev in answer.evs)
    return answer.objective_eur + 20.0 * problem.shortfall_eur_per_kwh * floors_kwh


def test_equal_prices_charge_at_once() -> None:
    (ev,) = plan(site({"id": "a", "min_charge_kw": 4.14})).evs
    assert ev.power_kw[:2] == pytest.approx((8.0, 8.0), abs=1e-4)
    assert sum(ev.power_kw[2:]) == pytest.approx(0.0, abs=1e-4)


def test_a_cheaper_quarter_is_worth_waiting_for() -> None:
    prices = [0.2, 0.2, 0.2, 0.2, 0.1999, 0.1999, 0.2, 0.2]
    (ev,) = plan(site({"id": "a"}, import_price_eur_per_kwh=prices)).evs
    assert ev.power_kw[4:6] == pytest.approx((8.0, 8.0), abs=1e-2)


def test_nobody_discharges_for_nothing() -> None:
    car = {"id": "a", "max_discharge_kw": 8.0, "discharge_efficiency": 1.0, "degradation_eur_per_kwh": 0.0}
    (ev,) = plan(site(car, base_load_kw=10.0)).evs
    assert min(ev.power_kw) >= -1e-4


def test_a_shortage_is_shared() -> None:
    cars = [{"id": name, "departure_energy_kwh": 24.0} for name in "ab"]
    answer = plan(site(*cars, import_limit_kw=10.0))
    assert [ev.shortfall_kwh for ev in answer.evs] == pytest.approx([4.0, 4.0], abs=1e-3)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(problem=problems())
def test_preferences_cost_nothing(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    preferred = cost_eur(problem, plan(problem))
    with monkeypatch.context() as single:
        single.setattr(search, "prefer", lambda *_args: None)
        cheapest = cost_eur(problem, plan(problem))
    assert preferred == pytest.approx(cheapest, rel=1e-5, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_a_solver_that_has_preferred_forgets_it(problem: Problem) -> None:
    data = compute_coefficients(problem)
    solver = Solver(compile_program(data, exact=False))
    before = solver.solve(time_limit_s=10.0).objective_eur
    cost = compile_preferences(data, solver.program.layout)
    with solver.preferring(cost, before + 1e-6 * max(1.0, abs(before))):
        assert solver.solve(time_limit_s=10.0).found
    assert solver.solve(time_limit_s=10.0).objective_eur == pytest.approx(before, rel=1e-6, abs=1e-6)


# They carry rules only: what they do shows in the powers, which cost.
HELPERS = {"charging", "discharging", "importing", "curtailed_kw", "delivered_kwh"}


def test_the_split_into_stages_covers_every_term_once() -> None:
    data = compute_coefficients(site({"id": "a"}, peak_bands=[BAND]))
    model = build_model(data, exact=True, preferring=True)
    terms, preferences = objective_terms(model, data), preference_terms(model, data, exact=True)
    groups = (MONEY_TERMS, WISH_TERMS, VALUE_TERMS)
    assert sum(len(group) for group in groups) == len(terms)
    assert frozenset().union(*groups) == terms.keys()
    assert terms.keys().isdisjoint(preferences)
    assert preferences.keys() == {"sooner", "fairer", "fewer_switches", "fewer_reversals"}
    priced = {
        variable.parent_component().local_name
        for term in (*terms.values(), *preferences.values())
        for variable in identify_variables(term)
    }
    assert priced | HELPERS == {family.local_name for family in model.component_objects(pyo.Var)}
    assert priced.isdisjoint(HELPERS)
