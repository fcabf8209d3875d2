"""Roles: every route for every role, tokens that are made, run out and are taken back."""

from __future__ import annotations

import re
from http import HTTPStatus

import httpx
import pytest

from csms.api.context import PREFIX
from csms.api.rights import RIGHTS, may
from csms.state.access import Role
from tests.csms.api.world import TOKEN, World


def routes_of(world: World) -> list[tuple[str, str]]:
    """Return method and path of every route that needs a token, as the API describes itself."""
    paths = world.app.openapi()["paths"].items()
    found = [(method.upper(), path) for path, methods in paths for method in methods]
    return [(method, path.removeprefix(PREFIX)) for method, path in found if path.startswith(PREFIX)]


async def make_token(operator: httpx.AsyncClient, role: Role, name: str = "", **more: int) -> str:
    body = {"name": name or f"a {role}", "role": role, **more}
    response = await operator.post("/api/v1/tokens", json=body)
    assert response.status_code == HTTPStatus.CREATED, response.text
    return str(response.json()["token"])


def test_every_right_is_one_of_a_route(world: World) -> None:
    assert len(routes_of(world)) > 20
    assert set(RIGHTS) <= set(routes_of(world))


@pytest.mark.parametrize("role", Role)
async def test_every_route_for_every_role(world: World, operator: httpx.AsyncClient, role: Role) -> None:
    token = await make_token(operator, role)
    async with world.client(token) as client:
        for method, path in routes_of(world):
            if (method, path) == ("DELETE", "/tokens/{name}"):
                continue  # tried below: it would take this very token
            response = await client.request(method, PREFIX + re.sub(r"\{.*?\}", "x", path))
            allowed = response.status_code not in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}
            assert allowed == may(role, method, path), (method, path, response.text)
            if not allowed:
                assert str(role) in response.json()["detail"]


async def test_without_a_token_nothing_opens(world: World) -> None:
    for token in (None, "", "guessed", TOKEN + "x"):
        async with world.client(token) as client:
            for method, path in routes_of(world):
                response = await client.request(method, PREFIX + re.sub(r"\{.*?\}", "x", path))
                assert response.status_code == HTTPStatus.UNAUTHORIZED


def test_what_is_not_listed_is_for_operators() -> None:
    assert may(Role.OPERATOR, "POST", "/new")
    assert not any(may(role, "POST", "/new") for role in Role if role is not Role.OPERATOR)


async def test_a_token_says_who_it_is_and_the_audit_keeps_the_name(
    world: World, operator: httpx.AsyncClient
) -> None:
    token = await make_token(operator, Role.OPERATOR, "J. Bakker")
    async with world.client(token) as client:
        assert (await client.get("/api/v1/me")).json() == {"name": "J. Bakker", "role": "operator"}
        await client.post("/api/v1/stations/LMB-17/actions", json={"action": "reset"})
        deeds = (await client.get("/api/v1/audit")).json()
    assert [deed["actor"] for deed in deeds] == ["J. Bakker", "operator"]
    assert token not in str(deeds)


async def test_a_token_runs_out(world: World, operator: httpx.AsyncClient) -> None:
    token = await make_token(operator, Role.VIEWER, days=1)
    async with world.client(token) as client:
        await world.clock.advance(86_399)
        assert (await client.get("/api/v1/limits")).status_code == HTTPStatus.OK
        await world.clock.advance(1)
        assert (await client.get("/api/v1/limits")).status_code == HTTPStatus.UNAUTHORIZED


async def test_a_token_is_taken_back_at_once(world: World, operator: httpx.AsyncClient) -> None:
    token = await make_token(operator, Role.GRID, "Stedin")
    async with world.client(token) as client:
        assert (await client.get("/api/v1/signals")).status_code == HTTPStatus.OK
        for _ in range(2):
            gone = await operator.delete("/api/v1/tokens/Stedin")
            assert gone.status_code == HTTPStatus.NO_CONTENT
        assert (await client.get("/api/v1/signals")).status_code == HTTPStatus.UNAUTHORIZED
    (told,) = (await operator.get("/api/v1/tokens")).json()
    assert told["revoked_at"] is not None
    assert "token" not in told


async def test_a_name_is_given_once(operator: httpx.AsyncClient) -> None:
    await make_token(operator, Role.GRID, "Stedin")
    again = await operator.post("/api/v1/tokens", json={"name": "Stedin", "role": "viewer"})
    assert again.status_code == HTTPStatus.CONFLICT
    assert again.json()["errors"][0]["field"] == "name"
    assert (await operator.delete("/api/v1/tokens/nobody")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "role": "grid"}, "name"),
        ({"name": "a\nb", "role": "grid"}, "name"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x", "role": "grid", "days": 0}, "days"),
    ],
)
async def test_bad_tokens_are_refused(
    operator: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    response = await operator.post("/api/v1/tokens", json=body)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_only_the_hash_is_kept(world: World, operator: httpx.AsyncClient) -> None:
    token = await make_token(operator, Role.CITY)

    def dump(session) -> str:  # type: ignore[no-untyped-def]
        return str(session.connection().exec_driver_sql("select * from access_token").all())

    kept = await world.store.read(dump)
    assert token not in kept
    assert "a city" in kept
