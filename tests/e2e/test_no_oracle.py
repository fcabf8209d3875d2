"""The service knows nothing that nobody told it: other undisclosed departures, the same plans until the first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from csms.state.records import PlanRecord
from simulator.fleet.sessions import Fleet, InformationClass, Session
from tests.e2e.inline import run_inline
from wijkstroom.scene import Scene, draw_scene
from wijkstroom.street import Street

HOURS = 3.0
# Until then everybody stays.
STAY = timedelta(hours=2)
BETWEEN = timedelta(minutes=4)


def permuted(scene: Scene, order: Callable[[list[datetime]], list[datetime]]) -> Scene:
    """Return the scene with one car a socket; those whose departure nobody told leave in this order."""
    first: dict[tuple[str, int], Session] = {}
    for one in scene.fleet.sessions:
        if one.arrival < scene.start + STAY / 2:
            first.setdefault((one.station_id, one.evse_id), one)
    kept = list(first.values())
    silent = [one for one in kept if one.information is InformationClass.NONE]
    leaves = order([scene.start + STAY + BETWEEN * (number + 1) for number in range(len(silent))])
    departures = dict(zip([one.id for one in silent], leaves, strict=True))
    sessions = tuple(replace(one, departure=departures.get(one.id, one.departure)) for one in kept)
    fleet: Fleet = replace(scene.fleet, sessions=sessions)
    return replace(scene, fleet=fleet)


def comparable(plan: PlanRecord) -> dict[str, Any]:
    """Return a plan without what the wall clock says of it."""
    document = json.loads(plan.plan_json)
    document.pop("solve_seconds")
    return {**vars_of(plan), "plan_json": document, "solve_seconds": None}


def vars_of(plan: PlanRecord) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}


@pytest.fixture(scope="module")
def scene(street: Street) -> Scene:
    wanted = ("public-duo-16", "public-duo-201", "bidirectional-duo-21")
    ids = [one.id for model in wanted for one in [s for s in street.stations if s.model == model][:3]]
    few = street.limited_to(ids)
    assert few.simulation is not None
    shares = few.simulation.class_shares.model_copy(update={"none": 0.7, "driver": 0.2, "car": 0.1})
    busy = few.simulation.model_copy(update={"sessions_per_day": 250.0, "class_shares": shares})
    # Nothing may depend on how fast this machine is.
    service = few.service.model_copy(update={"plan_budget_s": 300.0})
    return draw_scene(replace(few, simulation=busy, service=service), date(2024, 6, 11), HOURS, 5)


async def test_undisclosed_departures_change_no_plan_before_the_first(scene: Scene) -> None:
    one = await run_inline(permuted(scene, list))
    other = await run_inline(permuted(scene, lambda leaves: leaves[::-1]))
    assert one.errors == other.errors == 0
    silent = [
        each for each in permuted(scene, list).fleet.sessions if each.information is InformationClass.NONE
    ]
    assert len(silent) >= 4
    assert one.charged_kwh > 5.0

    first = scene.start + STAY + BETWEEN
    before = [[comparable(plan) for plan in run.plans if plan.at <= first] for run in (one, other)]
    assert len(before[0]) >= 8, "a plan every quarter at the least"
    assert any(json.loads(plan.problem_json)["evs"] for plan in one.plans)
    assert before[0] == before[1]

    after = [[comparable(plan) for plan in run.plans if plan.at > first] for run in (one, other)]
    assert after[0] != after[1], "a test that cannot see a difference proves nothing"
