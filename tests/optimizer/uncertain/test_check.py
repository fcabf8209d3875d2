"""The checker is tested by lies: each rule of scenarios has an answer that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from optimizer.check import Rule
from optimizer.uncertain.check import check_uncertain
from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.planner import plan_uncertain
from optimizer.uncertain.problem import parse_uncertain
from tests.optimizer.uncertain.test_problem import document, scenario

PROBLEM = parse_uncertain(
    document(
        scenario(id="bright", probability=0.5, pv_kw=[9.0, 9.0, 9.0]),
        scenario(id="dark", probability=0.5, pv_kw=0.0),
        shared_steps=2,
    )
)


def with_first_step(plan: UncertainPlan, power_kw: float) -> UncertainPlan:
    first = plan.first_steps[0].model_copy(update={"power_kw": (power_kw, *plan.first_steps[0].power_kw[1:])})
    return plan.model_copy(update={"first_steps": (first,)})


def with_over_limit(plan: UncertainPlan) -> UncertainPlan:
    dark = plan.scenarios[1]
    ev = dark.plan.evs[0].model_copy(update={"power_kw": (11.0, 11.0, 30.0)})
    changed = dark.model_copy(update={"plan": dark.plan.model_copy(update={"evs": (ev,)})})
    return plan.model_copy(update={"scenarios": (plan.scenarios[0], changed)})


LIES: list[tuple[str, Rule, Callable[[UncertainPlan], UncertainPlan]]] = [
    ("a scenario is missing", Rule.SHAPE, lambda p: p.model_copy(update={"scenarios": p.scenarios[:1]})),
    ("something else is done first", Rule.FIRST_STEPS, lambda p: with_first_step(p, 1.0)),
    ("nothing is said of a car", Rule.FIRST_STEPS, lambda p: p.model_copy(update={"first_steps": ()})),
    ("a better mean", Rule.MONEY, lambda p: p.model_copy(update={"objective_eur": p.objective_eur - 1.0})),
    ("less money", Rule.MONEY, lambda p: p.model_copy(update={"money_eur": p.money_eur - 1.0})),
    ("a bound above", Rule.BOUND, lambda p: p.model_copy(update={"bound_eur": p.objective_eur + 1.0})),
    ("over a limit in one scenario", Rule.POWER, with_over_limit),
]


def test_the_truth_passes() -> None:
    assert check_uncertain(PROBLEM, plan_uncertain(PROBLEM)) == []


@pytest.mark.parametrize(("rule", "lie"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_is_found(rule: Rule, lie: Callable[[UncertainPlan], UncertainPlan]) -> None:
    findings = check_uncertain(PROBLEM, lie(plan_uncertain(PROBLEM)))
    assert rule in {finding.rule for finding in findings}
