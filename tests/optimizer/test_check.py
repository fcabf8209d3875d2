"""The checker finds every kind of lie, and nothing in an honest plan."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import optimizer.check
from optimizer.check import Rule, check_plan
from optimizer.plan import Plan
from optimizer.planner import plan
from optimizer.problem import Problem

EV: dict[str, Any] = {
    "id": "a",
    "arrival_step": 1,
    "departure_step": 5,
    "capacity_kwh": 50.0,
    "min_energy_kwh": 8.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 14.0,
    "max_charge_kw": 11.0,
    "max_discharge_kw": 11.0,
    "min_charge_kw": 4.14,
    "min_discharge_kw": 4.14,
    "charge_efficiency": 0.9,
    "discharge_efficiency": 0.9,
    "min_delivered_kwh": [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
}
PROBLEM = Problem.model_validate(
    {
        "start": "2024-06-11T04:00:00Z",
        "step_minutes": 15,
        "steps": 6,
        "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4, 0.2, 0.3],
        "export_price_eur_per_kwh": 0.05,
        "base_load_kw": 2.0,
        "pv_kw": 1.0,
        "pv_curtailable": True,
        "import_limit_kw": 18.0,
        "export_limit_kw": 10.0,
        "peak_bands": [{"name": "evening", "steps": [3, 4], "price_eur_per_kw": 0.5, "realised_kw": 1.0}],
        "evs": [EV, {**EV, "id": "b", "min_delivered_kwh": None}],
        "groups": [{"id": "pole", "members": ["a", "b"], "import_limit_kw": 16.0, "export_limit_kw": 4.0}],
    }
)


@pytest.fixture(scope="module")
def honest() -> Plan:
    return plan(PROBLEM)


def with_power(answer: Plan, step: int, power_kw: float) -> Plan:
    powers = list(answer.evs[0].power_kw)
    powers[step] = power_kw
    return with_ev(answer, power_kw=tuple(powers))


def with_ev(answer: Plan, **changes: Any) -> Plan:
    return answer.model_copy(update={"evs": (answer.evs[0].model_copy(update=changes), *answer.evs[1:])})


def with_step(answer: Plan, name: str, step: int, value: float) -> Plan:
    values = list(getattr(answer, name))
    values[step] = value
    return answer.model_copy(update={name: tuple(values)})


def with_band(answer: Plan, **changes: Any) -> Plan:
    return answer.model_copy(update={"peak_bands": (answer.peak_bands[0].model_copy(update=changes),)})


LIES: list[tuple[str, Rule, Callable[[Plan], Plan]]] = [
    ("a car is missing", Rule.SHAPE, lambda p: p.model_copy(update={"evs": p.evs[:1]})),
    ("a band is missing", Rule.SHAPE, lambda p: p.model_copy(update={"peak_bands": ()})),
    ("a step is missing", Rule.SHAPE, lambda p: p.model_copy(update={"import_kw": p.import_kw[:-1]})),
    ("no number", Rule.SHAPE, lambda p: with_power(p, 2, float("nan"))),
    ("no cost", Rule.SHAPE, lambda p: p.model_copy(update={"objective_eur": float("inf")})),
    ("before arrival", Rule.WINDOW, lambda p: with_power(p, 0, 5.0)),
    ("after departure", Rule.WINDOW, lambda p: with_power(p, 5, 5.0)),
    ("too strong", Rule.POWER, lambda p: with_power(p, 2, 11.1)),
    ("discharge too strong", Rule.POWER, lambda p: with_power(p, 2, -11.1)),
    ("too weak", Rule.MINIMUM_POWER, lambda p: with_power(p, 2, 4.0)),
    ("discharge too weak", Rule.MINIMUM_POWER, lambda p: with_power(p, 2, -4.0)),
    ("energy from nowhere", Rule.ENERGY, lambda p: with_ev(p, energy_kwh=(10.0, 10.0, *[14.0] * 5))),
    ("too empty", Rule.ENERGY, lambda p: with_power(with_power(p, 1, -11.0), 2, -11.0)),
    ("hidden shortfall", Rule.ENERGY, lambda p: with_ev(p, shortfall_kwh=1.0)),
    ("hidden low energy", Rule.ENERGY, lambda p: with_ev(p, min_energy_shortfall_kwh=1.0)),
    ("hidden floor", Rule.DELIVERY_FLOOR, lambda p: with_ev(p, undelivered_kwh=0.5)),
    ("too little import", Rule.BALANCE, lambda p: with_step(p, "import_kw", 0, 0.5)),
    (
        "both ways",
        Rule.ONE_DIRECTION,
        lambda p: with_step(with_step(p, "import_kw", 0, 2.0), "export_kw", 0, 1.0),
    ),
    ("negative flow", Rule.ONE_DIRECTION, lambda p: with_step(p, "export_kw", 0, -1.0)),
    ("more than the sun", Rule.CURTAILMENT, lambda p: with_step(p, "curtailed_kw", 0, 1.5)),
    ("over the import limit", Rule.CONNECTION_LIMIT, lambda p: with_power(with_power(p, 2, 30.0), 3, 30.0)),
    ("invented excess", Rule.CONNECTION_LIMIT, lambda p: with_step(p, "limit_excess_kw", 0, 1.0)),
    ("over the fuse", Rule.GROUP_LIMIT, lambda p: with_power(p, 1, 16.5)),
    ("over the fuse outward", Rule.GROUP_LIMIT, lambda p: with_power(p, 1, -4.5)),
    ("small peak", Rule.PEAK, lambda p: with_band(p, peak_kw=0.5)),
    ("cheap peak", Rule.PEAK, lambda p: with_band(p, cost_eur=0.1)),
    ("cheap money", Rule.MONEY, lambda p: p.model_copy(update={"money_eur": p.money_eur - 0.1})),
    ("cheap objective", Rule.MONEY, lambda p: p.model_copy(update={"objective_eur": p.objective_eur - 0.1})),
    ("bound above cost", Rule.BOUND, lambda p: p.model_copy(update={"bound_eur": p.objective_eur + 0.1})),
]


def test_an_honest_plan_has_no_findings(honest: Plan) -> None:
    assert check_plan(PROBLEM, honest) == []


@pytest.mark.parametrize(
    ("rule", "lie"), [(rule, lie) for _, rule, lie in LIES], ids=[name for name, *_ in LIES]
)
def test_a_lie_is_found(honest: Plan, rule: Rule, lie: Callable[[Plan], Plan]) -> None:
    findings = check_plan(PROBLEM, lie(honest))
    assert rule in {finding.rule for finding in findings}
    assert all(finding.path and finding.message for finding in findings)


def test_every_rule_has_a_lie() -> None:
    # Lies about first steps need scenarios.
    assert {rule for _, rule, _ in LIES} == set(Rule) - {Rule.FIRST_STEPS}


def test_the_checker_shares_no_arithmetic_with_the_optimizer() -> None:
    tree = ast.parse(Path(optimizer.check.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith("optimizer")}
    assert ours == {"optimizer.plan", "optimizer.problem"}
