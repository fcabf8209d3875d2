"""Any message to a station, and what comes of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from csms.ocpp.vocabulary import (
    Accepted,
    Failed,
    OcppVersion,
    Offline,
    Outcome,
    RawCommand,
    Refused,
    TimedOut,
)
from tests.csms.api.world import STATION, World

PATH = f"/api/v1/stations/{STATION}/commands"
ASK = {
    "action": "GetVariables",
    "payload": {
        "getVariableData": [
            {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
        ]
    },
}


async def test_the_answer_comes_back_as_it_was(world: World, operator: httpx.AsyncClient) -> None:
    await world.connect()
    world.outcome = Accepted({"getVariableResult": []})
    response = await operator.post(PATH, json=ASK)
    assert response.status_code == HTTPStatus.OK
    assert response.json() == {"action": "GetVariables", "payload": {"getVariableResult": []}}
    assert world.told == [(STATION, RawCommand("GetVariables", ASK["payload"]))]  # type: ignore[arg-type]
    (deed,) = (await operator.get("/api/v1/audit")).json()
    assert (deed["deed"], deed["outcome"]) == ("GetVariables", "accepted")


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        (Refused("Rejected", {"status": "Rejected"}), HTTPStatus.OK, "Rejected"),
        (Failed("InternalError", "out of memory"), HTTPStatus.BAD_GATEWAY, "out of memory"),
        (TimedOut(30.0), HTTPStatus.GATEWAY_TIMEOUT, "30 s"),
        (Offline(), HTTPStatus.CONFLICT, "not connected"),
    ],
)
async def test_every_other_end_has_its_status(
    world: World, operator: httpx.AsyncClient, outcome: Outcome, status: HTTPStatus, told: str
) -> None:
    await world.connect()
    world.outcome = outcome
    response = await operator.post(PATH, json=ASK)
    assert response.status_code == status
    assert told in response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "GetVariables", "payload": {}}, "payload"),
        ({"action": "GetVariables", "payload": {"getVariableData": [{}]}}, "payload.getVariableData[0]"),
        ({"action": "ChangeConfiguration", "payload": {"key": "a", "value": "b"}}, "action"),
        ({"action": "BootNotification", "payload": {}}, "action"),
        ({"action": "no such", "payload": {}}, "action"),
        ({"action": "GetVariables"}, "payload"),
    ],
)
async def test_bad_messages_are_refused_and_never_sent(
    world: World, operator: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    await world.connect()
    response = await operator.post(PATH, json=body)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert world.told == []


async def test_stations_that_are_not_there(world: World, operator: httpx.AsyncClient) -> None:
    assert (await operator.post(PATH, json=ASK)).status_code == HTTPStatus.CONFLICT
    unknown = await operator.post("/api/v1/stations/nobody/commands", json=ASK)
    assert unknown.status_code == HTTPStatus.NOT_FOUND


async def test_the_guard_refuses_and_the_audit_knows(world: World, operator: httpx.AsyncClient) -> None:
    await world.connect()
    body = {"action": "ClearChargingProfile", "payload": {}}
    response = await operator.post(PATH, json=body)
    assert response.status_code == HTTPStatus.CONFLICT
    assert "guard" in response.json()["detail"]
    assert world.told == []
    (deed,) = (await operator.get("/api/v1/audit")).json()
    assert deed["outcome"].startswith("refused by the guard")


async def test_each_version_in_its_own_words(world: World, operator: httpx.AsyncClient) -> None:
    await world.connect("LMB-01", OcppVersion.V16)
    body = {"action": "GetConfiguration", "payload": {"key": ["HeartbeatInterval"]}}
    response = await operator.post("/api/v1/stations/LMB-01/commands", json=body)
    assert response.status_code == HTTPStatus.OK, response.text
    assert world.told == [("LMB-01", RawCommand("GetConfiguration", {"key": ["HeartbeatInterval"]}))]
