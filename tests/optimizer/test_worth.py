"""Marginal values are slopes: they agree with planning again under a limit that is a little looser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.coefficients import compute_coefficients
from optimizer.plan import LimitValue, Plan, Values
from optimizer.planner import plan, plan_simply
from optimizer.problem import Problem
from optimizer.search import search
from optimizer.solve import Budget
from optimizer.worth import compute_worth
from tests.optimizer.problems import documents

EV: dict[str, Any] = {
    "arrival_step": 0,
    "departure_step": 4,
    "capacity_kwh": 50.0,
    "initial_energy_kwh": 10.0,
    "departure_energy_kwh": 13.0,
    "max_charge_kw": 11.0,
    "charge_efficiency": 1.0,
    "discharge_efficiency": 1.0,
}
LITTLE_KW = 0.01


def site(*evs: dict[str, Any], **changes: Any) -> Problem:
    return Problem.model_validate(
        {
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 15,
            "steps": 4,
            "import_price_eur_per_kwh": [0.3, 0.1, 0.2, 0.4],
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 30.0,
            "export_limit_kw": 30.0,
            "shortfall_eur_per_kwh": 5.0,
            "gap": 1e-6,
            "evs": [{**EV, "id": name, **ev} for name, ev in zip("abc", evs, strict=False)],
            **changes,
        }
    )


def values_of(answer: Plan) -> Values:
    assert answer.values is not None
    return answer.values


def looser(limits: tuple[float, ...], step: int, by_kw: float, steps: int) -> tuple[float, ...]:
    every = limits if len(limits) == steps else limits * steps
    return (*every[:step], max(0.0, every[step] + by_kw), *every[step + 1 :])


def with_connection(problem: Problem, side: str, step: int, by_kw: float) -> Problem:
    name = f"{side}_limit_kw"
    return problem.model_copy(update={name: looser(getattr(problem, name), step, by_kw, problem.steps)})


def with_group(problem: Problem, index: int, side: str, step: int, by_kw: float) -> Problem:
    name, group = f"{side}_limit_kw", problem.groups[index]
    changed = group.model_copy(update={name: looser(getattr(group, name), step, by_kw, problem.steps)})
    groups = (*problem.groups[:index], changed, *problem.groups[index + 1 :])
    return problem.model_copy(update={"groups": groups})


@pytest.mark.parametrize("limit_kw", [8.0, 5.0, 3.0, 1.0])
@pytest.mark.parametrize("cars", [1, 2, 3])
def test_one_more_kw_at_the_connection_saves_what_is_said(limit_kw: float, cars: int) -> None:
    problem = site(*[{}] * cars, import_limit_kw=limit_kw + 0.1)
    answer = plan(problem)
    for step, value in enumerate(values_of(answer).connection.import_eur_per_kw):
        again = plan(with_connection(problem, "import", step, LITTLE_KW))
        assert (answer.objective_eur - again.objective_eur) / LITTLE_KW == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("weights", [{}, {"a": 1 / 3}])
@pytest.mark.parametrize("members", [["a"], ["a", "b"]])
def test_one_more_kw_of_a_group_saves_what_is_said(members: list[str], weights: dict[str, float]) -> None:
    group = {"id": "pole", "members": members, "import_limit_kw": 3.3, "weights": weights}
    problem = site({"departure_energy_kwh": 15.0}, {}, groups=[group])
    answer = plan(problem)
    (found,) = values_of(answer).groups
    assert found.id == "pole"
    assert found.export_eur_per_kw == ()
    assert sum(found.import_eur_per_kw) > 0.0
    for step, value in enumerate(found.import_eur_per_kw):
        again = plan(with_group(problem, 0, "import", step, LITTLE_KW))
        assert (answer.objective_eur - again.objective_eur) / LITTLE_KW == pytest.approx(value, abs=1e-4)


def test_a_whole_kw_is_worth_its_slope_where_nothing_else_begins_to_bind() -> None:
    problem = site({}, {}, import_limit_kw=[30.0, 10.0, 30.0, 30.0])
    answer, again = (plan(with_connection(problem, "import", 1, by_kw)) for by_kw in (0.0, 1.0))
    # A kW for a quarter of an hour at 0.1 instead of 0.2 EUR/kWh.
    assert values_of(answer).connection.import_eur_per_kw == pytest.approx((0.0, 0.025, 0.0, 0.0), abs=1e-6)
    assert answer.objective_eur - again.objective_eur == pytest.approx(0.025)


def test_energy_costs_its_price_and_the_peak_that_it_makes() -> None:
    band = {"name": "day", "steps": [1], "price_eur_per_kw": 0.01, "realised_kw": 0.0}
    answer = plan(site({"departure_energy_kwh": 12.0}, peak_bands=[band], pv_kw=[0, 0, 0, 20]))
    costs = values_of(answer).energy_eur_per_kwh
    assert costs == pytest.approx((0.3, 0.14, 0.2, 0.05), abs=1e-6)


def relaxed(document: dict[str, Any]) -> Problem:
    """Return a generated problem without what needs binaries, and without floors, which are not in its cost."""
    document["import_price_eur_per_kwh"] = [
        abs(price) + 0.1 for price in document["import_price_eur_per_kwh"]
    ]
    document["export_price_eur_per_kwh"] = [0.02] * document["steps"]
    for ev in document["evs"]:
        ev |= {"min_charge_kw": 0.0, "min_discharge_kw": 0.0, "min_delivered_kwh": None}
        ev |= {"charge_loss_kw": 0.0, "discharge_loss_kw": 0.0}
    return Problem.model_validate(document)


@settings(max_examples=40, deadline=None)
@given(document=documents(most_evs=3, most_steps=4), data=st.data())
def test_no_looser_limit_saves_more_than_is_said_and_no_tighter_one_costs_less(
    document: dict[str, Any], data: st.DataObject
) -> None:
    problem = relaxed(document)
    answer = plan(problem)
    values, step = values_of(answer), data.draw(st.integers(0, problem.steps - 1))
    asked: list[tuple[LimitValue, str, int | None]] = []
    asked += [(values.connection, side, None) for side in ("import", "export")]
    asked += [
        (values.groups[index], side, index)
        for index, group in enumerate(problem.groups)
        for side in ("import", "export")
        if getattr(group, f"{side}_limit_kw") is not None
    ]
    found, side, index = data.draw(st.sampled_from(asked))
    value = getattr(found, f"{side}_eur_per_kw")[step]
    again = (
        plan(with_connection(problem, side, step, LITTLE_KW))
        if index is None
        else plan(with_group(problem, index, side, step, LITTLE_KW))
    )
    assert value >= 0.0
    assert answer.objective_eur - again.objective_eur <= value * LITTLE_KW + 2e-5


@settings(max_examples=40, deadline=None)
@given(document=documents(most_evs=4, most_steps=6))
def test_a_limit_with_room_is_worth_nothing(document: dict[str, Any]) -> None:
    """Complementary slackness: what has a value is used up."""
    problem = Problem.model_validate(document)
    data = compute_coefficients(problem)
    found = search(data, problem.gap, Budget(60.0))
    assert found.final is not None
    worth, values = compute_worth(problem, found.final, plan(problem)), found.final.solution.values
    read = found.final.program.read
    charge, discharge = read("charge_kw", values), read("discharge_kw", values)
    curtailed = read("curtailed_kw", values)[0]
    inward = charge.sum(axis=0) - data.relief * discharge.sum(axis=0) + curtailed
    outward = discharge.sum(axis=0) - data.relief * charge.sum(axis=0) - curtailed
    for value, flow, room in (
        (worth.import_eur_per_kw, inward, data.import_room_kw),
        (worth.export_eur_per_kw, outward, data.export_room_kw),
    ):
        assert (flow[value > 1e-6] >= room[value > 1e-6] - 1e-4).all()
    group = data.group_weight @ charge - data.group_relief @ discharge
    used = worth.group_import_eur_per_kw > 1e-6
    # A limit that one session meets alone is used up by that session.
    alone = (data.group_weight[:, :, None] * charge[None]).max(axis=1, initial=0.0)
    full = (group >= data.group_import_kw - 1e-4) | (alone >= data.group_import_kw - 1e-4)
    assert full[used].all()


def test_a_plan_without_solver_has_no_values() -> None:
    answer = plan_simply(site({}))
    assert answer.values is None
    assert answer.waits == ()
    assert answer.uncontrolled is not None
