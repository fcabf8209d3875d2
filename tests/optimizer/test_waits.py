"""Every pause has its reason, with the name of what binds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from optimizer.plan import Plan, Reason, Wait
from optimizer.planner import plan
from optimizer.problem import Problem
from tests.optimizer.problems import problems
from tests.optimizer.test_worth import site


def waits(answer: Plan, step: int) -> Wait:
    """Return what car a waits for in a step."""
    (found,) = [each for each in answer.waits if each.ev == "a" and each.first_step <= step < each.end_step]
    return found


POLE = {"id": "pole-7", "members": ["a", "b"], "import_limit_kw": 8.0}
BAND = {"name": "evening", "steps": [0, 1], "price_eur_per_kw": 1.0, "realised_kw": 2.0}
LATE_SUN = {"pv_kw": [0.0, 0.0, 0.0, 20.0]}
TWO_WAY = {"max_discharge_kw": 8.0, "degradation_eur_per_kwh": 0.0, "departure_energy_kwh": 10.0}


@pytest.mark.parametrize(
    ("cars", "changes", "step", "reason", "of"),
    [
        ([{}], {}, 0, Reason.PRICE, None),
        ([{"departure_energy_kwh": 11.0}], LATE_SUN, 1, Reason.SUN, None),
        ([{}, {}], {"groups": [POLE]}, 1, Reason.LIMIT, "pole-7"),
        ([{}, {}], {"import_limit_kw": 9.0}, 1, Reason.LIMIT, "connection"),
        ([{}, {}], {"import_limit_kw": 9.0, "import_limit_source": "street: signal"}, 1, Reason.LIMIT, "street: signal"),
        ([{"min_charge_kw": 4.14}], {"import_limit_kw": [30, 4, 30, 30]}, 1, Reason.LIMIT, "connection"),
        ([{}], {"peak_bands": [BAND]}, 1, Reason.PEAK, "evening"),
        ([{"departure_energy_kwh": 11.0}], {}, 2, Reason.SERVED, None),
        ([{"capacity_kwh": 11.0}], {}, 2, Reason.FULL, None),
        ([TWO_WAY], {"base_load_kw": 9.0}, 3, Reason.GIVES, None),
        ([{"departure_energy_kwh": 11.0}], {"import_price_eur_per_kwh": [0.2, 0.2, 0.1, 0.1]}, 3, Reason.SERVED, None),
    ],
)  # fmt: skip
def test_the_reason_is_named(
    cars: list[dict[str, Any]], changes: dict[str, Any], step: int, reason: Reason, of: str | None
) -> None:
    found = waits(plan(site(*cars, **changes)), step)
    assert (found.reason, found.of) == (reason, of)
    assert found.words.startswith("a ")
    assert of is None or of in found.words


def test_a_wait_for_a_lower_price_says_both_prices_and_until_when() -> None:
    found = waits(plan(site({})), 0)
    assert (found.first_step, found.end_step, found.until_step) == (0, 1, 1)
    assert found.cost_eur_per_kwh == pytest.approx(0.3)
    assert found.worth_eur_per_kwh == pytest.approx(0.2)
    assert found.words == (
        "a waits until 04:15 UTC for a lower price: a kWh costs 0.300 EUR now and is worth 0.200 EUR"
    )


@settings(max_examples=40, deadline=None)
@given(problem=problems())
def test_every_step_below_the_most_has_one_reason_and_no_other_step_has(problem: Problem) -> None:
    answer = plan(problem)
    assert answer.values is not None
    told = {ev.id: np.zeros(problem.steps, dtype=np.int64) for ev in problem.evs}
    for wait in answer.waits:
        told[wait.ev][wait.first_step : wait.end_step] += 1
    for ev, planned in zip(problem.evs, answer.evs, strict=True):
        expected = np.zeros(problem.steps, dtype=np.int64)
        power = np.asarray(planned.power_kw)[ev.arrival_step : ev.departure_step]
        expected[ev.arrival_step : ev.departure_step] = power < ev.max_charge_kw - 1e-3
        assert told[ev.id].tolist() == expected.tolist()


def test_what_the_plan_saves_is_told() -> None:
    answer = plan(site({}))
    assert answer.uncontrolled is not None
    # 11 kW for a quarter at 0.3, the remaining kW at 0.1 EUR/kWh; the plan takes 0.1 and 0.2.
    assert answer.uncontrolled.money_eur == pytest.approx(0.25 * (11.0 * 0.3 + 1.0 * 0.1))
    assert answer.uncontrolled.saving_eur == pytest.approx(0.25 * (11.0 * 0.2 - 1.0 * 0.1))
    assert answer.uncontrolled.peak_import_kw == pytest.approx(11.0)
    assert any("the plan saves 0.5" in sentence for sentence in answer.explanation)
