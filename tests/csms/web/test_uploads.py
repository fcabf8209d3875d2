from __future__ import annotations

from typing import Any

import httpx
import pytest

from csms.web.view import PlanView
from grid.timegrid import QUARTER
from tests.csms.api.world import NOW, World
from tests.csms.web.test_control import enter, visit
from wijkstroom.street import load_street

HEAD = "group,direction,start,end,limit_kw,phase\n"
FILE = HEAD + "lombok-transformer,import,2024-06-11T19:00:00+02:00,2024-06-11T20:00:00+02:00,40,ALL\n"
PLAN = PlanView(NOW, "", 0.0, NOW, QUARTER, (60.0,) * 40)


def make_body(**changes: Any) -> dict[str, Any]:
    return {"sender": "stedin", "text": FILE, "dry_run": True} | changes


async def make_client() -> tuple[World, httpx.AsyncClient]:
    world = World(load_street())
    await world.service.start()
    return world, visit(world, open_to_all=True, plan=lambda: PLAN)


async def test_a_file_is_checked_with_its_effect_and_then_taken() -> None:
    world, client = await make_client()
    async with client:
        await enter(client)
        said = (await client.post("/control/grid/signals", json=make_body())).json()
        assert said["effect"] == {"lowered_quarters": 4, "lowest_kw": 40.0, "planned_above_kwh": 20.0}
        assert not world.service.state.signals.signals
        said = (await client.post("/control/grid/signals", json=make_body(dry_run=False))).json()
        assert said["taken"] == 1
        (signal,) = world.service.state.signals.signals
        assert (signal.sender, signal.blocks[0].limit_kw) == ("stedin", 40.0)
        (told,) = (await client.get("/control/grid")).json()["signals"]
        assert told["status"] == "received"
    await world.store.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"text": HEAD + "nowhere,import,2024-06-11T19:00:00+02:00,2024-06-11T20:00:00+02:00,40,ALL\n"},
        {"text": "nonsense"},
        {"sender": "<b>"},
        {"sender": ""},
        {"dry_run": "yes"},
    ],
)
async def test_mistakes_are_named_and_nothing_is_taken(changes: dict[str, Any]) -> None:
    world, client = await make_client()
    async with client:
        await enter(client)
        response = await client.post("/control/grid/signals", json=make_body(dry_run=False) | changes)
        assert response.status_code == 422
        assert response.json()["errors"]
    assert not world.service.state.signals.signals
    await world.store.close()


async def test_only_operators_send() -> None:
    world, client = await make_client()
    async with client:
        response = await client.post("/control/grid/signals", json=make_body(dry_run=False))
        assert response.status_code == 403
    assert not world.service.state.signals.signals
    await world.store.close()
