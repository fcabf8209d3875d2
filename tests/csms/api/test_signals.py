"""Signals by REST and by file: refused whole, kept for ever, in force at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from csms.state.service import StateService
from grid.capacity.signalfile import TEMPLATE
from tests.csms.api.world import World

NODE = "lombok-transformer"


def body(world: World, **changes: Any) -> dict[str, Any]:
    now = world.clock.now()
    block = {"start": now.isoformat(), "end": (now + timedelta(hours=2)).isoformat(), "limit_kw": 70.0}
    document = {"id": "s-1", "sender": "Stedin", "group": NODE, "direction": "import", "blocks": [block]}
    return document | changes


async def test_a_signal_is_taken_once_and_binds(world: World, operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/api/v1/signals", json=body(world))
    assert answer.status_code == 201
    assert answer.json() == {"taken": ["s-1"], "known": [], "dry_run": False}
    again = await operator.post("/api/v1/signals", json=body(world))
    assert again.json()["known"] == ["s-1"]
    limits = {each["place"]: each for each in (await operator.get("/api/v1/limits")).json()}
    assert limits[NODE]["import_limit_kw"] == 70.0
    assert limits[NODE]["import_source"] == "Stedin signal s-1"
    (listed,) = (await operator.get("/api/v1/signals", params={"status": "active"})).json()
    assert listed["group"] == NODE


async def test_a_dry_run_takes_nothing(world: World, operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/api/v1/signals", params={"dry_run": True}, json=body(world))
    assert answer.json() == {"taken": ["s-1"], "known": [], "dry_run": True}
    assert (await operator.get("/api/v1/signals")).json() == []


async def test_a_signal_can_be_taken_back(world: World, operator: httpx.AsyncClient) -> None:
    await operator.post("/api/v1/signals", json=body(world))
    assert (await operator.delete("/api/v1/signals/Stedin/s-1")).status_code == 204
    assert (await operator.delete("/api/v1/signals/Stedin/s-1")).status_code == 404
    (listed,) = (await operator.get("/api/v1/signals")).json()
    assert listed["status"] == "withdrawn"


async def test_every_mistake_is_named(world: World, operator: httpx.AsyncClient) -> None:
    now = world.clock.now()
    blocks = [
        {"start": now.isoformat(), "end": (now - timedelta(hours=1)).isoformat(), "limit_kw": 5.0},
        {"start": now.isoformat(), "end": (now + timedelta(hours=1)).isoformat(), "limit_kw": -5.0},
    ]
    answer = await operator.post("/api/v1/signals", json=body(world, blocks=blocks))
    assert answer.status_code == 422
    assert any("limit_kw" in error["field"] for error in answer.json()["errors"])
    answer = await operator.post("/api/v1/signals", json=body(world, blocks=blocks[:1], group="moon"))
    assert {error["field"] for error in answer.json()["errors"]} == {"group", "blocks[0].end"}


async def test_a_file_is_taken_whole(world: World, operator: httpx.AsyncClient) -> None:
    later = world.clock.now() + timedelta(hours=1)
    text = (
        "group,direction,start,end,limit_kw\n"
        f"{NODE},import,{later.isoformat()},{(later + timedelta(hours=1)).isoformat()},90\n"
        f"{NODE},export,{later.isoformat()},{(later + timedelta(hours=1)).isoformat()},50\n"
    )
    query = {"sender": "Stedin", "upload_id": "u7"}
    headers = {"Content-Type": "text/csv"}
    answer = await operator.post("/api/v1/signals/csv", params=query, content=text, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["taken"] == ["u7-1", "u7-2"]
    wrong = text.replace("90", "much")
    answer = await operator.post("/api/v1/signals/csv", params=query, content=wrong, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "line 2"


async def test_the_template_is_a_file_that_can_be_read(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/api/v1/signals/template.csv")
    assert answer.text == TEMPLATE


async def test_signals_survive_a_restart(world: World, operator: httpx.AsyncClient) -> None:
    await operator.post("/api/v1/signals", json=body(world))
    await operator.post("/api/v1/signals", json=body(world, id="s-2", kind="fallback"))
    await world.service.hear_sender("Stedin", world.clock.now() + timedelta(minutes=5))
    again = StateService(world.store, world.clock, world.service.catalogue, new_id=lambda: "unused")
    await again.start()
    assert again.state.signals == world.service.state.signals
