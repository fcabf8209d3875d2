from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from csms.web.connect import ConnectDesk, add_guide, list_checks
from csms.web.door import PageDoor
from tests.csms.api.world import STATION, TOKEN, World
from wijkstroom.street import load_street


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(load_street())
    await world.service.start()
    yield world
    await world.store.close()


def visit(world: World, *, token_shown: bool) -> httpx.AsyncClient:
    router, door = APIRouter(), PageDoor(TOKEN, open_to_all=True)
    add_guide(router, door, ConnectDesk(world.context, lambda: 9000))
    world.app.include_router(router)
    client = world.client(token=None)
    if token_shown:
        client.cookies.set("wijkstroom-viewer", door._pass)
    return client


async def test_checks_are_met_one_after_the_other(world: World) -> None:
    def met() -> list[bool]:
        return [check.done for check in list_checks(world.service.state.stations.get(STATION))]

    assert not any(check.done for check in list_checks(None))
    assert met() == [False] * 5
    await world.connect()
    assert met() == [True, True, True, False, False]
    await world.plug_in()
    await world.charge(minutes=5)
    assert met() == [True] * 5
    await world.service.disconnected(STATION)
    assert not met()[0]
    assert all(check.hint for check in list_checks(None))


@pytest.mark.parametrize(
    ("name", "valid", "configured"),
    [(STATION, True, True), ("LMB-99", True, False), ("a b", False, False), ("<b>", False, False)],
)
async def test_a_name_is_looked_up(world: World, name: str, valid: bool, configured: bool) -> None:
    async with visit(world, token_shown=False) as client:
        said = (await client.get(f"/control/connect/{name}")).json()
    assert (said["valid"], said["configured"], said["welcome"]) == (valid, configured, configured)
    assert said["address"] == "ws://street:9000/ocpp/"
    assert "<b>" not in said["table"]


async def test_a_password_is_made_for_operators_only(world: World) -> None:
    async with visit(world, token_shown=False) as client:
        assert (await client.post(f"/control/connect/{STATION}/key")).status_code == 403
    async with visit(world, token_shown=True) as client:
        made = await client.post(f"/control/connect/{STATION}/key")
        assert made.headers["cache-control"] == "no-store"
        assert await world.service.authenticate(STATION, made.json()["key"].encode())
        assert (await client.post("/control/connect/LMB-99/key")).status_code == 404
