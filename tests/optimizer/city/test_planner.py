"""Cities: never over a limit, never below the bound, near the optimum of one program over everything."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from optimizer.city.check import check_city
from optimizer.city.plan import CityPlan
from optimizer.city.planner import plan_city
from optimizer.city.problem import City
from tests.optimizer.city.cities import cities, optimum_eur

SMALLEST_EUR = 1e-4
# Shrinking cities takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=80, deadline=None, phases=PHASES)
@given(city=cities())
def test_every_plan_passes_the_checker_and_stays_above_its_bound(city: City) -> None:
    plan = plan_city(city)
    assert check_city(city, plan) == []
    assert plan.bound_eur is not None
    assert plan.bound_eur <= plan.objective_eur + SMALLEST_EUR


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(city=cities(most_sites=3, most_steps=4))
def test_the_optimum_of_one_program_lies_between_bound_and_plan(city: City) -> None:
    plan = plan_city(city)
    assert plan.bound_eur is not None
    best = optimum_eur(city, exact=True)
    slack = SMALLEST_EUR * max(1.0, abs(best))
    assert plan.bound_eur <= best + slack
    assert plan.objective_eur >= best - slack


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(city=cities(most_sites=3, most_steps=4))
def test_the_bound_of_a_city_that_is_its_own_sample_is_at_least_its_relaxation(city: City) -> None:
    plan = plan_city(city)
    relaxed = optimum_eur(city, exact=False)
    assert plan.bound_eur is not None
    assert plan.bound_eur >= relaxed - 1e-5 * max(1.0, abs(relaxed))


LITTLE_KW = 0.01


@settings(max_examples=30, deadline=None, phases=PHASES)
@given(city=cities(most_sites=3, most_steps=3), data=st.data())
def test_no_looser_limit_of_a_node_saves_more_than_its_value(city: City, data: st.DataObject) -> None:
    limited = [
        (index, side)
        for index, node in enumerate(city.nodes)
        for side in ("import", "export")
        if getattr(node, f"{side}_limit_kw") is not None
    ]
    assume(limited)
    index, side = data.draw(st.sampled_from(limited))
    step = data.draw(st.integers(0, city.steps - 1))
    node = city.nodes[index]
    limits = np.broadcast_to(getattr(node, f"{side}_limit_kw"), city.steps).tolist()
    limits[step] += LITTLE_KW
    changed = node.model_copy(update={f"{side}_limit_kw": tuple(limits)})
    looser = dataclasses.replace(city, nodes=(*city.nodes[:index], changed, *city.nodes[index + 1 :]))
    value = getattr(plan_city(city).nodes[index], f"{side}_value_eur_per_kwh")[step] * city.step_h
    saved = optimum_eur(city, exact=False) - optimum_eur(looser, exact=False)
    assert value >= 0.0
    assert saved <= value * LITTLE_KW + 1e-5 * max(1.0, abs(optimum_eur(city, exact=False)))


@settings(max_examples=20, deadline=None, phases=PHASES)
@given(city=cities())
def test_equal_requests_get_equal_plans(city: City) -> None:
    assert _without_time(plan_city(city)) == _without_time(plan_city(dataclasses.replace(city)))


def _without_time(plan: CityPlan) -> CityPlan:
    return plan.model_copy(update={"solve_seconds": 0.0})
