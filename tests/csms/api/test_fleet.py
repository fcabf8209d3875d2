"""One person holds the fleet, two let it go; one person acts on some stations, two on many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from csms.api.application import build_application
from csms.control.fleet import NEEDS_SECOND, WINDOW, FleetDesk, FleetGate, FleetSwitch
from csms.ocpp.operations import Refresh, Reset
from csms.ocpp.vocabulary import Accepted, Priority, Refused
from csms.state.access import Role
from tests.csms.api.world import World

API = "/api/v1/fleet"


@pytest.fixture
async def desk(world: World) -> FleetDesk:
    switch = FleetSwitch(world.store, world.clock)
    desk = FleetDesk(switch, FleetGate(world.call, world.clock, stations_alone=2))
    world.app = build_application(replace(world.context, fleet=desk))
    return desk


@pytest.fixture
async def second(world: World, desk: FleetDesk) -> AsyncIterator[httpx.AsyncClient]:
    del desk
    secret = await world.service.new_access_token("Noor", Role.OPERATOR, None)
    async with world.client(secret) as client:
        yield client


@pytest.fixture
async def first(world: World, desk: FleetDesk) -> AsyncIterator[httpx.AsyncClient]:
    del desk
    async with world.client() as client:
        yield client


async def test_one_person_holds_the_fleet_and_two_release_it_over_a_restart(
    world: World, desk: FleetDesk, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    told: list[bool] = []
    desk.switch.watch(lambda: told.append(desk.switch.state.is_on))
    assert (await first.get(API)).json()["held_by"] is None
    assert (await second.post(f"{API}/fallback")).json()["held_by"] == "Noor"
    assert "held at its fallback by Noor" in desk.switch.concerns()[0]
    for _ in range(2):
        assert (await first.post(f"{API}/release")).json()["released_by"] == ["operator"]
    restarted = FleetSwitch(world.store, world.clock)
    await restarted.load()
    assert restarted.state == desk.switch.state
    assert (await second.post(f"{API}/release")).json()["held_by"] is None
    await restarted.load()
    assert not restarted.state.is_on
    assert told == [True, True, True, False]
    deeds = (await first.get("/api/v1/audit")).json()
    assert [(each["deed"], each["actor"]) for each in deeds if "fleet" in each["deed"]] == [
        ("fleet released", "Noor"),
        ("fleet released", "operator"),
        ("fleet released", "operator"),
        ("fleet to fallback", "Noor"),
    ]


async def test_holding_it_again_begins_the_release_anew(world: World, desk: FleetDesk) -> None:
    del world
    await desk.switch.turn_on("Ada")
    await desk.switch.release("Ada")
    await desk.switch.turn_on("Noor")
    assert (desk.switch.state.by, desk.switch.state.released_by) == ("Ada", frozenset())


async def test_acts_on_many_stations_need_two_persons(
    world: World, desk: FleetDesk, first: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    async def act(station_id: str, priority: Priority = Priority.OPERATOR) -> bool:
        outcome = await desk.gate.call(station_id, Reset(immediate=False), priority=priority)
        assert isinstance(outcome, Accepted) or outcome == Refused(NEEDS_SECOND, {"status": NEEDS_SECOND})
        return isinstance(outcome, Accepted)

    assert await act("A")
    assert await act("B")
    assert await act("A"), "the same stations again"
    assert not await act("C")
    assert await act("C", Priority.SAFETY), "the control loop is no person"
    assert isinstance(await desk.gate.call("D", Refresh(1), priority=Priority.OPERATOR), Accepted)
    await first.post(f"{API}/agreement")
    await first.post(f"{API}/agreement")
    assert not await act("C"), "one person twice is one person"
    assert (await second.post(f"{API}/agreement")).json()["agreed_by"] == ["Noor", "operator"]
    assert await act("C")
    await world.clock.advance(WINDOW.total_seconds())
    assert (await first.get(API)).json() == {
        "held_by": None,
        "released_by": [],
        "agreed_by": [],
        "acted_on": 0,
        "stations_alone": 2,
    }
    assert [await act(name) for name in "EFG"] == [True, True, False]


async def test_only_operators_act_on_the_fleet(world: World, desk: FleetDesk) -> None:
    del desk
    secret = await world.service.new_access_token("Sam", Role.PLANNER, None)
    async with world.client(secret) as planner:
        for path in ("fallback", "release", "agreement"):
            assert (await planner.post(f"{API}/{path}")).status_code == 403
