"""Documents with scenarios: what may differ, and every mistake with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from grid.errors import DocumentError
from optimizer.problem import parse_problem
from optimizer.uncertain.problem import is_uncertain, parse_uncertain
from tests.optimizer.uncertain.futures import documents_with_scenarios

EV = {
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


def document(*scenarios: Any, **changes: Any) -> dict[str, Any]:
    return {
        "start": "2024-06-11T04:00:00Z",
        "step_minutes": 60,
        "steps": 3,
        "import_price_eur_per_kwh": [0.2, 0.25, 0.3],
        "export_price_eur_per_kwh": 0.01,
        "pv_kw": [0.0, 4.0, 4.0],
        "import_limit_kw": 20.0,
        "export_limit_kw": 20.0,
        "evs": [EV],
        "groups": [{"id": "pole", "members": ["a"], "import_limit_kw": 17.25}],
        "scenarios": list(scenarios),
        **changes,
    }


def scenario(**changes: Any) -> dict[str, Any]:
    return {"id": "one", "probability": 1.0, **changes}


def faults(asked: Any) -> dict[str, str]:
    with pytest.raises(DocumentError) as caught:
        parse_uncertain(asked)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_scenario_is_the_problem_with_what_it_says_otherwise() -> None:
    late = EV | {"id": "late", "arrival_step": 2}
    asked = document(
        scenario(id="dark", probability=0.4, pv_kw=0.0),
        scenario(
            id="busy",
            probability=0.6,
            evs=[{"id": "a", "departure_step": 2}, late],
            groups=[{"id": "pole", "members": ["a", "late"]}],
        ),
        shared_steps=2,
    )
    problem = parse_uncertain(asked)
    dark, busy = problem.scenarios
    assert problem.shared_steps == 2
    assert (dark.id, dark.probability) == ("dark", 0.4)
    assert dark.problem.pv_kw == (0.0, 0.0, 0.0)
    assert dark.problem.evs == problem.expected.evs
    assert [(ev.id, ev.departure_step) for ev in busy.problem.evs] == [("a", 2), ("late", 3)]
    assert busy.problem.groups[0].members == ("a", "late")
    assert busy.problem.groups[0].import_limit_kw == (17.25,)
    assert busy.problem.pv_kw == problem.expected.pv_kw


@settings(max_examples=30, deadline=None)
@given(asked=documents_with_scenarios())
def test_without_its_scenarios_it_is_a_problem(asked: dict[str, Any]) -> None:
    assert is_uncertain(asked)
    base = {name: value for name, value in asked.items() if name not in {"scenarios", "shared_steps"}}
    assert not is_uncertain(base)
    assert parse_uncertain(asked).expected == parse_problem(base)


@pytest.mark.parametrize(
    ("asked", "paths"),
    [
        (document(), {"scenarios"}),
        (document(scenarios=3), {"scenarios"}),
        (document(3, scenario()), {"scenarios[0]"}),
        (document(scenario(probability=0.5)), {"scenarios"}),
        (document({"id": "one"}), {"scenarios[0].probability"}),
        (document({"probability": 1.0}), {"scenarios[0].id"}),
        (document(scenario(probability=0.5), scenario(probability=0.5)), {"scenarios[1].id"}),
        (document(scenario(netting="confirmed")), {"scenarios[0].netting"}),
        (document(scenario(), shared_steps=0), {"shared_steps"}),
        (document(scenario(), shared_steps=4), {"shared_steps"}),
        (document(scenario(pv_kw=[1.0])), {"scenarios[0].pv_kw"}),
        (document(scenario(pv_kw=[1.0, -1.0, 0.0])), {"scenarios[0].pv_kw[1]"}),
        (document(scenario(pv_upper_kw=1.0)), {"scenarios[0].pv_upper_kw[1]", "scenarios[0].pv_upper_kw[2]"}),
        (document(scenario(evs={})), {"scenarios[0].evs"}),
        (document(scenario(evs=[{}])), {"scenarios[0].evs[0]"}),
        (document(scenario(evs=[{"id": "a"}, {"id": "a"}])), {"scenarios[0].evs[1].id"}),
        (document(scenario(evs=[{"id": "a", "departure_step": 9}])), {"scenarios[0].evs[0].departure_step"}),
        (
            document(scenario(evs=[EV | {"id": "late", "capacity_kwh": "much"}])),
            {"scenarios[0].evs[0].capacity_kwh"},
        ),
        (
            document(scenario(groups=[{"id": "pole", "members": ["a", "b"]}])),
            {"scenarios[0].groups[0].members[1]"},
        ),
        (document(scenario(pv_kw=[1.0]), steps=0), {"steps"}),
        ([], {""}),
        ("{", {""}),
    ],
)
def test_every_mistake_is_told_with_its_place(asked: Any, paths: set[str]) -> None:
    assert set(faults(asked)) == paths


def test_several_mistakes_are_told_at_once() -> None:
    wrong = document(
        scenario(id="", pv_kw=[1.0]),
        scenario(surprise=1, evs=[{"id": "a", "arrival_step": 5}]),
        export_limit_kw=-1.0,
        shared_steps="two",
    )
    assert set(faults(wrong)) == {
        "export_limit_kw",
        "shared_steps",
        "scenarios[0].id",
        "scenarios[0].pv_kw",
        "scenarios[1].surprise",
        "scenarios[1].evs[0].arrival_step",
    }
