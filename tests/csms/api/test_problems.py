from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.requests import Request

from csms.api import problems
from csms.api.auth import require_right
from csms.api.bounds import SECURITY_HEADERS, BoundedBody, OwnNames, SecureHeaders
from grid.config import StrictModel

TOKEN = "a-token"


class Wish(StrictModel):
    energy_kwh: Annotated[float, Field(strict=True, gt=0, le=100)]
    until: int = 5


async def nobody(secret: str) -> None:
    """Know no token beside the operator's."""
    del secret


def build_app() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BoundedBody, max_bytes=200)
    app.add_middleware(SecureHeaders)

    @app.put("/wishes/{number}")
    async def put_wish(number: int, wish: Wish, limit: Annotated[int, Query(ge=1)] = 1) -> Wish:
        return wish

    @app.get("/secret", dependencies=[Depends(require_right(TOKEN, nobody, ""))])
    async def secret() -> str:
        return "told"

    @app.get("/broken")
    async def broken() -> str:
        raise RuntimeError("pepper and salt")

    @app.post("/streamed")
    async def streamed(request: Request) -> int:
        return len(await request.body())

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(parts())

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://street") as client:
        yield client


async def test_every_wrong_field_is_named_with_a_remedy(client: httpx.AsyncClient) -> None:
    response = await client.put("/wishes/x?limit=0", json={"energy_kwh": "5", "untill": 3})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert {error["field"] for error in document["errors"]} == {"number", "limit", "energy_kwh", "untill"}
    by_field = {error["field"]: error["message"] for error in document["errors"]}
    assert "did you mean 'until'?" in by_field["untill"]
    assert "greater than or equal to 1" in by_field["limit"]
    assert "energy_kwh" in document["detail"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"", b"null", b"[" * 150])
async def test_what_is_no_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.put("/wishes/1", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["errors"]


async def test_good_requests_pass(client: httpx.AsyncClient) -> None:
    response = await client.put("/wishes/1", json={"energy_kwh": 5.5})
    assert response.status_code == 200
    assert response.json() == {"energy_kwh": 5.5, "until": 5}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é".encode()]
)
async def test_strangers_are_challenged(client: httpx.AsyncClient, header: str | bytes | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = await client.get("/secret", headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="wijkstroom"'
    assert "Authorization" in response.json()["detail"]


async def test_operators_pass(client: httpx.AsyncClient) -> None:
    response = await client.get("/secret", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.json() == "told"


def test_an_empty_operator_token_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        require_right("", nobody, "")


async def test_large_bodies_are_refused_whether_said_or_sent(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 100

    for content in (b"x" * 201, endless()):
        response = await client.post("/streamed", content=content)
        assert response.status_code == 413
        assert "200 bytes" in response.json()["detail"]
    chunked = await client.put("/wishes/1", content=endless(), headers={"content-type": "application/json"})
    assert chunked.status_code == 413
    assert (await client.post("/streamed", content=b"x" * 200)).json() == 200
    assert (await client.post("/streamed", headers={"content-length": "-1"})).status_code == 413


async def test_failures_are_told_without_their_reason(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.get("/broken")
    assert response.status_code == 500
    assert "pepper" not in response.text
    assert "pepper" in caplog.text


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    for response, status in ((await client.get("/nowhere"), 404), (await client.delete("/secret"), 405)):
        assert response.status_code == status
        assert response.json()["status"] == status
        assert "/docs" in response.json()["detail"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 401),
        ("localhost:8080", 401),
        ("127.0.0.1:80", 401),
        ("[::1]:8080", 401),
        ("[::1]", 401),
        ("evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
async def test_a_loopback_service_answers_to_its_own_names(host: str, status: int) -> None:
    app = build_app()
    app.add_middleware(OwnNames)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://street") as client:
        response = await client.get("/secret", headers={"Host": host})
    assert response.status_code == status


async def test_every_answer_keeps_to_itself(client: httpx.AsyncClient) -> None:
    for path in ("/slow", "/nowhere", "/secret"):
        headers = (await client.get(path)).headers
        assert {name: headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
