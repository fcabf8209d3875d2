from __future__ import annotations

from typing import Any

import httpx
import pytest

from csms.ocpp.operations import Operation, Refresh, RemoteStart, RemoteStop, Reset, SetAvailability, Unlock
from csms.ocpp.vocabulary import Failed, Offline, Outcome, Refused, TimedOut
from tests.csms.api.world import STATION, World

PATH = f"/api/v1/stations/{STATION}/actions"


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        ({"action": "reset"}, Reset(immediate=False)),
        ({"action": "reset", "immediate": True}, Reset(immediate=True)),
        ({"action": "unlock", "evse_id": 2}, Unlock(2)),
        ({"action": "disable"}, SetAvailability(0, operative=False)),
        ({"action": "enable", "evse_id": 1}, SetAvailability(1, operative=True)),
        ({"action": "refresh", "evse_id": 1}, Refresh(1)),
    ],
)
async def test_a_station_is_told(
    operator: httpx.AsyncClient, world: World, body: dict[str, Any], operation: Operation
) -> None:
    response = await operator.post(PATH, json=body)
    assert response.json() == {"outcome": "accepted", "detail": "Accepted"}
    assert world.told == [(STATION, operation)]
    (deed,) = (await operator.get("/api/v1/audit")).json()
    assert (deed["deed"], deed["station_id"], deed["outcome"]) == (
        body["action"],
        STATION,
        "accepted: Accepted",
    )


async def test_a_session_is_started_and_stopped(operator: httpx.AsyncClient, world: World) -> None:
    await operator.post(PATH, json={"action": "start", "evse_id": 1, "token": "CARD-9"})
    (_, start), *_ = world.told
    assert isinstance(start, RemoteStart)
    assert (start.evse_id, start.token) == (1, "CARD-9")
    refused = await operator.post(PATH, json={"action": "stop", "evse_id": 1})
    assert refused.status_code == 422
    await world.connect()
    await world.plug_in("t-77")
    await operator.post(PATH, json={"action": "stop", "evse_id": 1})
    assert world.told[-1] == (STATION, RemoteStop("t-77"))
    assert "CARD-9" not in (await operator.get("/api/v1/audit")).text, "an audit keeps no card numbers"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Refused("Rejected", {}), "refused"),
        (Failed("NotSupported", "no"), "failed"),
        (TimedOut(30.0), "timed out"),
        (Offline(), "offline"),
    ],
)
async def test_what_did_not_work_is_told_and_kept(
    operator: httpx.AsyncClient, world: World, outcome: Outcome, said: str
) -> None:
    world.outcome = outcome
    assert (await operator.post(PATH, json={"action": "reset"})).json()["outcome"] == said
    (deed,) = (await operator.get(f"/api/v1/audit?station_id={STATION}")).json()
    assert deed["outcome"].startswith(said)
    assert (await operator.get("/api/v1/audit?station_id=LMB-01")).json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "explode"}, "action"),
        ({}, "action"),
        ({"action": "unlock"}, "evse_id"),
        ({"action": "unlock", "evse_id": 0}, "evse_id"),
        ({"action": "start", "evse_id": 1}, "token"),
        ({"action": "reset", "immediate": "yes"}, "immediate"),
    ],
)
async def test_what_cannot_be_is_named_and_not_sent(
    operator: httpx.AsyncClient, world: World, body: dict[str, Any], field: str
) -> None:
    response = await operator.post(PATH, json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert world.told == []


async def test_unknown_stations_are_told_nothing(operator: httpx.AsyncClient, world: World) -> None:
    response = await operator.post("/api/v1/stations/nothing/actions", json={"action": "reset"})
    assert response.status_code == 404
    assert world.told == []
