"""A second opinion on plans of scenarios: it knows no solver and no model."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.check import RELATIVE_TOLERANCE, TOLERANCE, Finding, Rule, check_plan
from optimizer.uncertain.plan import UncertainPlan
from optimizer.uncertain.problem import Uncertain


def check_uncertain(problem: Uncertain, plan: UncertainPlan) -> list[Finding]:
    """Return every rule that a plan breaks: those of each scenario's site, equal first steps, expectations.

    Parameters
    ----------
    problem
        What was asked.
    plan
        What is answered.
    """
    asked = [(one.id, one.probability) for one in problem.scenarios]
    if asked != [(one.id, one.probability) for one in plan.scenarios]:
        return [Finding(Rule.SHAPE, "scenarios", "are not those of the problem")]
    findings = [
        Finding(found.rule, f"scenarios[{index}].plan.{found.path}", found.message)
        for index, (scenario, one) in enumerate(zip(problem.scenarios, plan.scenarios, strict=True))
        for found in check_plan(scenario.problem, one.plan)
    ]
    if findings:
        return findings
    return [*_first_steps(problem, plan), *_expectations(plan)]


def _first_steps(problem: Uncertain, plan: UncertainPlan) -> Iterator[Finding]:
    told = {each.id: each.power_kw for each in plan.first_steps}
    for index, (scenario, one) in enumerate(zip(problem.scenarios, plan.scenarios, strict=True)):
        for position, (ev, planned) in enumerate(zip(scenario.problem.evs, one.plan.evs, strict=True)):
            for step in range(ev.arrival_step, min(ev.departure_step, problem.shared_steps)):
                path = f"scenarios[{index}].plan.evs[{position}].power_kw[{step}]"
                power_kw = planned.power_kw[step]
                if ev.id not in told or abs(told[ev.id][step] - power_kw) > TOLERANCE:
                    yield Finding(Rule.FIRST_STEPS, path, f"{power_kw:g} kW is not what first_steps says")


def _expectations(plan: UncertainPlan) -> Iterator[Finding]:
    for name in ("objective_eur", "money_eur"):
        expected = sum(one.probability * getattr(one.plan, name) for one in plan.scenarios)
        given = getattr(plan, name)
        if abs(given - expected) > TOLERANCE + RELATIVE_TOLERANCE * abs(expected):
            yield Finding(Rule.MONEY, name, f"{given:g} EUR, the expectation is {expected:g} EUR")
    if plan.bound_eur is not None and plan.bound_eur > plan.objective_eur + TOLERANCE:
        message = f"{plan.bound_eur:g} EUR is above the plan's own {plan.objective_eur:g} EUR"
        yield Finding(Rule.BOUND, "bound_eur", message)
