from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.csms.api.world import STATION, World, later

WISH = {"energy_kwh": 20.0, "departure": later(10.0)}


async def test_a_session_shows_energy_from_the_meter(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    session_id = await world.plug_in()
    await world.charge(to_kwh=12.0)
    session = (await operator.get(f"/api/v1/sessions/{session_id}")).json()
    assert session["active"]
    assert session["imported_kwh"] == pytest.approx(2.0)
    assert session["running"]["power_kw"] == 4.0
    assert session["running"]["information"] == "none"
    assert "CARD" not in str(session)
    await world.clock.advance(600)
    await world.unplug(at_kwh=12.5)
    session = (await operator.get(f"/api/v1/sessions/{session_id}")).json()
    assert not session["active"]
    assert session["imported_kwh"] == pytest.approx(2.5)
    assert session["running"] is None


async def test_sessions_are_listed_in_pages_newest_first(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    ids = []
    for number in range(5):
        ids.append(await world.plug_in(f"t-{number}"))
        await world.charge(f"t-{number}", minutes=5)
        await world.unplug(f"t-{number}")
        await world.clock.advance(60)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await operator.get(f"/api/v1/sessions?limit=2{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]


async def test_sessions_are_filtered(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    ended = await world.plug_in("t-1", evse_id=1)
    await world.unplug("t-1")
    running = await world.plug_in("t-2", evse_id=2)

    async def listed(query: str) -> list[str]:
        page = (await operator.get(f"/api/v1/sessions?{query}")).json()
        return [item["id"] for item in page["items"]]

    assert await listed("active=true") == [running]
    assert await listed("active=false") == [ended]
    assert await listed(f"station_id={STATION}") == [running, ended]
    assert await listed(f"station_id={STATION}&evse_id=1") == [ended]
    assert await listed("station_id=LMB-01") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("active=perhaps", "active"),
        ("evse_id=1", "station_id"),
        ("cursor=!!", "cursor"),
        ("cursor=YWJj", "cursor"),
        ("colour=red", "colour"),
    ],
)
async def test_a_wrong_query_is_named(operator: httpx.AsyncClient, query: str, field: str) -> None:
    response = await operator.get(f"/api/v1/sessions?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_driver_declares_and_changes_a_wish(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    session_id = await world.plug_in()
    path = f"/api/v1/sessions/{session_id}"
    response = await operator.put(f"{path}/declaration", json=WISH)
    assert response.status_code == 200
    assert response.json()["energy_kwh"] == 20.0
    session = (await operator.get(path)).json()
    assert session["running"]["information"] == "driver"
    wish = {
        "target_soc_fraction": 0.8,
        "departure": later(8.0),
        "discharge_opt_in": True,
        "floor_soc_fraction": 0.4,
    }
    await operator.put(f"{path}/declaration", json=wish)
    declared = (await operator.get(path)).json()["running"]["declaration"]
    assert (declared["energy_kwh"], declared["target_soc_fraction"], declared["discharge_opt_in"]) == (
        None,
        0.8,
        True,
    )


async def test_consent_is_taken_back_while_the_wish_stands(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    session_id = await world.plug_in()
    path = f"/api/v1/sessions/{session_id}/declaration"
    assert (await operator.delete(path)).status_code == 409
    await operator.put(path, json=WISH | {"discharge_opt_in": True, "floor_soc_fraction": 0.4})
    response = await operator.delete(path)
    assert response.status_code == 200
    assert (response.json()["discharge_opt_in"], response.json()["energy_kwh"]) == (False, 20.0)
    assert (await operator.delete("/api/v1/sessions/nothing/declaration")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target_soc_fraction": 0.5}, "target_soc_fraction"),
        ({"energy_kwh": None}, "target_soc_fraction"),
        ({"energy_kwh": -1}, "energy_kwh"),
        ({"energy_kwh": 1e9}, "energy_kwh"),
        ({"energy_kwh": None, "target_soc_fraction": 80.0}, "target_soc_fraction"),
        ({"departure": "tomorrow"}, "departure"),
        ({"departure": "2024-06-12T07:00:00"}, "departure"),
        ({"departure": later(-1.0)}, "departure"),
        ({"departure": later(24 * 60)}, "departure"),
        ({"discharge_opt_in": True}, "floor_soc_fraction"),
        ({"discharge_opt_in": "yes", "floor_soc_fraction": 0.4}, "discharge_opt_in"),
        ({"floor_soc_fraction": 40}, "floor_soc_fraction"),
        ({"energy_kwh": None, "target_soc_fraction": 0.3, "floor_soc_fraction": 0.4}, "floor_soc_fraction"),
        ({"deprature": later(5.0)}, "deprature"),
    ],
)
async def test_what_cannot_be_is_named(
    operator: httpx.AsyncClient, world: World, changes: dict[str, Any], field: str
) -> None:
    await world.connect()
    session_id = await world.plug_in()
    response = await operator.put(f"/api/v1/sessions/{session_id}/declaration", json=WISH | changes)
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [error["field"] for error in errors] == [field]
    assert len(errors[0]["message"]) > 10
    assert world.service.state.stations[STATION].evses[1].session.declaration is None  # type: ignore[union-attr]


async def test_unknown_and_ended_sessions_take_no_wish(operator: httpx.AsyncClient, world: World) -> None:
    response = await operator.put("/api/v1/sessions/nothing/declaration", json=WISH)
    assert response.status_code == 404
    assert "/api/v1/sessions lists" in response.json()["detail"]
    await world.connect()
    session_id = await world.plug_in()
    await world.unplug()
    response = await operator.put(f"/api/v1/sessions/{session_id}/declaration", json=WISH)
    assert response.status_code == 409
    assert "ended" in response.json()["detail"]
    assert (await operator.get("/api/v1/sessions/nothing")).status_code == 404
