"""Simple controllers do what they are named after."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer.check import Rule, check_plan
from optimizer.heuristics import plan_earliest_deadline, plan_equal_share, plan_idle, plan_uncontrolled
from optimizer.problem import Problem

EV = {
    "arrival_step": 0,
    "departure_step": 4,
    "capacity_kwh": 50.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 16.0,
    "max_charge_kw": 11.0,
    "min_charge_kw": 4.14,
    "charge_efficiency": 1.0,
    "discharge_efficiency": 1.0,
}


def site(evs: list[dict[str, Any]], **changes: Any) -> Problem:
    return Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 4,
            "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 12.0,
            "export_limit_kw": 10.0,
            "evs": [{**EV, **ev} for ev in evs],
            **changes,
        }
    )


def test_uncontrolled_charges_at_once_and_breaks_limits() -> None:
    problem = site([{"id": "a"}, {"id": "b"}])
    answer = plan_uncontrolled(problem)
    assert answer.evs[0].power_kw == pytest.approx((11.0, 11.0, 4.14, 0.0))
    assert Rule.CONNECTION_LIMIT in {finding.rule for finding in check_plan(problem, answer)}


def test_equal_share_divides_the_limit() -> None:
    problem = site([{"id": "a"}, {"id": "b"}])
    answer = plan_equal_share(problem)
    assert [ev.power_kw[0] for ev in answer.evs] == [6.0, 6.0]
    assert check_plan(problem, answer) == []


def test_equal_share_takes_turns_where_one_minimum_fits() -> None:
    answer = plan_equal_share(site([{"id": "a"}, {"id": "b"}], import_limit_kw=5.0))
    assert [[power > 0.0 for power in ev.power_kw] for ev in answer.evs] == [
        [True, False, True, False],
        [False, True, False, True],
    ]


def test_earliest_deadline_serves_who_leaves_first() -> None:
    problem = site([{"id": "late"}, {"id": "early", "departure_step": 2}])
    answer = plan_earliest_deadline(problem)
    assert answer.evs[1].power_kw == pytest.approx((11.0, 11.0, 0.0, 0.0))
    assert answer.evs[0].power_kw[:2] == (0.0, 0.0)
    assert check_plan(problem, answer) == []


def test_a_fuse_holds_within_the_site() -> None:
    problem = site(
        [{"id": "a"}, {"id": "b"}],
        import_limit_kw=40.0,
        groups=[{"id": "pole", "members": ["a", "b"], "import_limit_kw": [10.0, 3.0, 10.0, 10.0]}],
    )
    for make in (plan_equal_share, plan_earliest_deadline, plan_idle):
        answer = make(problem)
        assert check_plan(problem, answer) == []
        assert sum(ev.power_kw[1] for ev in answer.evs) == 0.0


def test_sun_over_the_export_limit_is_turned_down() -> None:
    problem = site([{"id": "a"}], pv_kw=25.0, pv_curtailable=True)
    answer = plan_idle(problem)
    assert answer.curtailed_kw == (15.0,) * 4
    assert check_plan(problem, answer) == []


def test_a_rest_below_the_minimum_is_charged_at_the_minimum() -> None:
    answer = plan_uncontrolled(site([{"id": "a", "departure_energy_kwh": 10.5}]))
    assert answer.evs[0].power_kw == pytest.approx((4.14, 0.0, 0.0, 0.0))


def test_nobody_charges_past_a_full_battery() -> None:
    answer = plan_uncontrolled(site([{"id": "a", "capacity_kwh": 10.5, "departure_energy_kwh": 10.5}]))
    assert answer.evs[0].power_kw == (0.0,) * 4
    assert answer.evs[0].shortfall_kwh == 0.5


def test_a_floor_of_delivery_is_asked_for_like_a_wish() -> None:
    floor = [0.0, 1.0, 2.0, 2.0, 2.0]
    answer = plan_equal_share(site([{"id": "a", "departure_energy_kwh": 0.0, "min_delivered_kwh": floor}]))
    assert answer.evs[0].energy_kwh[-1] >= 12.0
    assert answer.evs[0].undelivered_kwh == 0.0
