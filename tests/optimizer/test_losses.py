"""Part load: what a charger loses while it is on, in the model, the checker, the simple plans and the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.errors import DocumentError
from optimizer.check import Rule, check_plan
from optimizer.heuristics import plan_earliest_deadline, plan_uncontrolled
from optimizer.plan import Plan
from optimizer.planner import plan
from optimizer.problem import Problem, parse_problem
from optimizer.replan import Replanner
from simulator.vehicle.model import VehicleModel, load_vehicle
from tests.optimizer.test_replan import assert_as_good_as_cold
from tests.optimizer.test_worth import site

VEHICLES = sorted((Path(__file__).parents[2] / "configs" / "vehicles").glob("*.toml"))
LOSSY: dict[str, Any] = {"min_charge_kw": 4.14, "charge_loss_kw": 0.3, "charge_efficiency": 0.92}


def as_ev(model: VehicleModel) -> dict[str, Any]:
    """Return a simulated car as the planner knows it."""
    return {
        "id": "a",
        "arrival_step": 0,
        "departure_step": 8,
        "capacity_kwh": model.capacity_kwh,
        "initial_energy_kwh": 0.4 * model.capacity_kwh,
        "departure_energy_kwh": 0.4 * model.capacity_kwh + 3.0,
        "final_energy_value_eur_per_kwh": 0.15,
        "max_charge_kw": model.power_kw(model.max_current_a, model.phases),
        "min_charge_kw": model.power_kw(model.min_current_a, model.phases),
        "charge_efficiency": 1.0 - model.loss_fraction,
        "charge_loss_kw": model.loss_fixed_kw,
        "max_discharge_kw": model.power_kw(model.max_discharge_current_a, model.phases),
        "min_discharge_kw": model.power_kw(model.min_current_a, model.phases),
        "discharge_efficiency": 1.0 / (1.0 + model.discharge_loss_fraction),
        "discharge_loss_kw": model.loss_fixed_kw,
    }


def simulated(path: Path) -> tuple[VehicleModel, Problem]:
    model = load_vehicle(path)
    prices = [0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.2, 0.2]
    problem = site(steps=8, evs=[as_ev(model)], import_price_eur_per_kwh=prices, base_load_kw=9.0)
    return model, problem


@pytest.mark.parametrize("path", VEHICLES, ids=lambda path: path.stem)
def test_the_battery_of_a_plan_is_that_of_the_simulated_car(path: Path) -> None:
    model, problem = simulated(path)
    answer = plan(problem)
    assert check_plan(problem, answer) == []
    (ev,) = answer.evs
    assert max(ev.power_kw) > 0.0
    assert (min(ev.power_kw) < 0.0) == model.bidirectional
    gained_kwh = [problem.step_h * model.battery_power_kw(power) for power in ev.power_kw]
    assert np.diff(ev.energy_kwh) == pytest.approx(gained_kwh, abs=1e-6)


@pytest.mark.parametrize("make", [plan_uncontrolled, plan_earliest_deadline])
def test_simple_plans_know_the_loss_too(make: Any) -> None:
    problem = site({**LOSSY, "departure_energy_kwh": 15.0})
    answer: Plan = make(problem)
    assert check_plan(problem, answer) == []
    assert answer.evs[0].shortfall_kwh == pytest.approx(0.0, abs=1e-6)


def test_a_plan_that_forgets_the_loss_is_refused() -> None:
    problem = site(LOSSY)
    answer = plan(site({**LOSSY, "charge_loss_kw": 0.0}))
    assert Rule.ENERGY in {finding.rule for finding in check_plan(problem, answer)}


def test_a_loss_makes_a_plan_dearer_and_never_lets_it_trickle() -> None:
    free, lossy = (plan(site({**LOSSY, "charge_loss_kw": loss_kw})) for loss_kw in (0.0, 0.3))
    assert lossy.objective_eur > free.objective_eur
    assert sum(power > 0.0 for power in lossy.evs[0].power_kw) <= 2


def test_planning_again_keeps_the_loss() -> None:
    problem = site(LOSSY, {**LOSSY, "departure_energy_kwh": 16.0}, import_limit_kw=14.0)
    replanner = Replanner()
    assert_as_good_as_cold(problem, replanner.plan(problem))
    later = problem.model_copy(update={"base_load_kw": (1.0, 0.0, 2.0, 0.0)})
    assert_as_good_as_cold(later, replanner.plan(later))


@pytest.mark.parametrize(
    ("ev", "field"),
    [
        ({"charge_loss_kw": 0.2}, "charge_loss_kw"),
        ({"charge_loss_kw": 4.0, "min_charge_kw": 4.14, "charge_efficiency": 0.9}, "charge_loss_kw"),
        ({"discharge_loss_kw": 0.2, "max_discharge_kw": 5.0}, "discharge_loss_kw"),
    ],
)
def test_a_loss_needs_a_smallest_power_that_is_more(ev: dict[str, Any], field: str) -> None:
    document = site({}).model_dump(mode="json")
    document["evs"][0] |= ev
    with pytest.raises(DocumentError) as error:
        parse_problem(document)
    assert [problem.path for problem in error.value.problems] == [f"evs[0].{field}"]
