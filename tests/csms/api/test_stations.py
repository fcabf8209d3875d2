from __future__ import annotations

import httpx
import pytest

from csms.ocpp.vocabulary import OcppVersion
from tests.csms.api.world import STATION, World
from wijkstroom.street import Street


async def test_every_configured_station_is_listed_before_it_was_ever_seen(
    operator: httpx.AsyncClient, street: Street
) -> None:
    stations = (await operator.get("/api/v1/stations")).json()
    assert [station["id"] for station in stations] == [station.id for station in street.stations]
    assert not any(station["connected"] for station in stations)
    assert [evse["status"] for evse in stations[0]["evses"]] == [None, None]
    assert stations[0]["evses"][1]["emi3"] == street.stations[0].evses[1].emi3


async def test_a_station_shows_what_it_said(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    session_id = await world.plug_in()
    station = (await operator.get(f"/api/v1/stations/{STATION}")).json()
    assert station["connected"]
    assert station["version"] == OcppVersion.V201
    assert station["booted_at"] == "2024-06-11T15:30:00Z"
    assert station["evses"][0]["status"] == "Occupied"
    assert station["evses"][0]["session_id"] == session_id
    assert "CARD" not in str(station)


@pytest.mark.parametrize("name", ["nothing", "<script>", "é"])
async def test_an_unknown_station_is_told_where_to_look(operator: httpx.AsyncClient, name: str) -> None:
    for response in (
        await operator.get(f"/api/v1/stations/{name}"),
        await operator.post(f"/api/v1/stations/{name}/key"),
    ):
        assert response.status_code == 404
        assert "/api/v1/stations lists" in response.json()["detail"]


async def test_a_new_key_opens_the_door_and_shuts_it_for_the_old_one(
    operator: httpx.AsyncClient, world: World
) -> None:
    assert await world.service.authenticate(STATION, None)
    keys = []
    for _ in range(2):
        response = await operator.post(f"/api/v1/stations/{STATION}/key")
        assert response.headers["cache-control"] == "no-store"
        assert response.json()["station_id"] == STATION
        keys.append(response.json()["key"])
    assert await world.service.authenticate(STATION, keys[1].encode())
    audit = await operator.get("/api/v1/audit")
    assert [deed["deed"] for deed in audit.json()] == ["new password"] * 2
    assert not any(key in audit.text for key in keys)
    assert not await world.service.authenticate(STATION, keys[0].encode())
    assert not await world.service.authenticate(STATION, None)


async def test_guests_are_shown_behind_an_open_door(street: Street) -> None:
    world = World(street, open_door=True)
    await world.service.start()
    await world.connect("guest")
    async with world.client() as operator:
        station = (await operator.get("/api/v1/stations/guest")).json()
        listed = (await operator.get("/api/v1/stations")).json()
    assert (station["configured"], station["model"]) == (False, "unknown")
    assert listed[-1] == station
    await world.store.close()
