from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from csms.ocpp.operations import Unlock
from csms.web.control import StationDesk
from csms.web.door import COOKIE, PageDoor
from csms.web.feed import LiveFeed, LiveSource
from csms.web.network import GridDesk
from csms.web.pages import build_pages
from csms.web.uploads import UploadDesk
from csms.web.view import PlanView
from grid.timegrid import QUARTER
from tests.csms.api.world import NOW, STATION, TOKEN, World
from wijkstroom.street import load_street

FACTS = f"/control/stations/{STATION}"
UNLOCK = {"action": "unlock", "evse_id": 1}


async def no_plan(known: PlanView | None) -> PlanView | None:
    return known


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(load_street())
    await world.service.start()
    yield world
    await world.store.close()


def visit(
    world: World, *, open_to_all: bool, plan: Callable[[], PlanView | None] = lambda: None
) -> httpx.AsyncClient:
    catalogue = world.service.catalogue
    source = LiveSource(
        lambda: world.service.state,
        catalogue.stations,
        catalogue.service,
        world.street.grid,
        world.clock,
        no_plan,
    )
    desk = StationDesk(world.context, source, plan)
    world.app.include_router(
        build_pages(
            LiveFeed(source),
            PageDoor(TOKEN, open_to_all=open_to_all),
            desk,
            GridDesk(world.context),
            UploadDesk(world.context, plan),
        )
    )
    return world.client(token=None)


async def enter(client: httpx.AsyncClient) -> None:
    await client.post("/enter", data={"token": TOKEN})


async def test_a_station_shows_measured_and_planned_power(world: World) -> None:
    await world.connect()
    session_id = await world.plug_in()
    plan = PlanView(NOW, "", 0.0, NOW, QUARTER, (), {session_id: (3.0, 4.0, 5.0)})
    async with visit(world, open_to_all=True, plan=lambda: plan) as client:
        await world.charge(to_kwh=12.0, minutes=30)
        facts: dict[str, Any] = (await client.get(FACTS)).json()
    socket = facts["day"]["sockets"][0]
    assert socket["measured_kw"][-2:] == [4.0, 4.0]
    assert [value for value in socket["planned_kw"] if value is not None] == [5.0]
    assert facts["sessions"][0]["imported_kwh"] == pytest.approx(2.0)
    assert facts["live"]["sockets"][0]["session"]["power_kw"] == 4.0
    assert "CARD" not in str(facts)


async def test_a_station_never_seen_has_a_page_and_an_unknown_one_has_not(world: World) -> None:
    async with visit(world, open_to_all=True) as client:
        facts = (await client.get(FACTS)).json()
        assert [socket["measured_kw"] for socket in facts["day"]["sockets"]] == [[], []]
        assert (await client.get("/control/stations/nothing")).status_code == 404


async def test_looking_is_free_on_an_open_page_but_acting_takes_the_token(world: World) -> None:
    async with visit(world, open_to_all=True) as client:
        assert not (await client.get(FACTS)).json()["may_act"]
        refused = await client.post(f"{FACTS}/actions", json=UNLOCK)
        assert refused.status_code == 403
        assert world.told == []
        await enter(client)
        assert (await client.get(FACTS)).json()["may_act"]
        done = await client.post(f"{FACTS}/actions", json=UNLOCK)
        assert done.json()["outcome"] == "accepted"
        assert world.told == [(STATION, Unlock(1))]
        assert (await client.get(FACTS)).json()["deeds"][0]["deed"] == "unlock"


async def test_another_site_cannot_act_through_an_operators_browser(world: World) -> None:
    async with visit(world, open_to_all=True) as client:
        await enter(client)
        for site in ("cross-site", "same-site", "none"):
            response = await client.post(f"{FACTS}/actions", json=UNLOCK, headers={"Sec-Fetch-Site": site})
            assert response.status_code == 403
        assert world.told == []


async def test_strangers_see_nothing_behind_a_door(world: World) -> None:
    async with visit(world, open_to_all=False) as client:
        assert (await client.get(f"/stations/{STATION}")).status_code == 303
        assert (await client.get(FACTS)).status_code == 403
        client.cookies.set(COOKIE, "f" * 64)
        assert (await client.post(f"{FACTS}/actions", json=UNLOCK)).status_code == 403
