"""A grid operator that speaks OSCP 2.0 as capacity provider: for tests and demonstrations.

It reads and writes the protocol by itself, so that two independent readings of the standard must agree.
"""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/oscp/cp/2.0"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that came.

    Parameters
    ----------
    name
        Last part of its path.
    body
        As it came.
    request_id, correlation_id
        Of its headers.
    """

    name: str
    body: dict[str, Any]
    request_id: str | None
    correlation_id: str | None


@dataclass
class CapacityProvider:
    """The grid operator.

    Parameters
    ----------
    token
        What the other side must show.
    """

    token: str = "capacity-provider-token"  # noqa: S105 - of a simulation
    heard: list[Heard] = field(default_factory=list)
    their_token: str | None = None
    their_url: str | None = None
    own_url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on loopback for the block."""
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.own_url = f"http://127.0.0.1:{door.getsockname()[1]}{PATH}"
            names = (
                "register",
                "handshake",
                "handshake_acknowledge",
                "heartbeat",
                "update_group_measurements",
                "adjust_group_capacity_forecast",
                "group_capacity_compliance_error",
            )
            routes = [Route(f"{PATH}/{name}", self._serve, methods=["POST"]) for name in names]
            server = _Server(uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off"))
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [door])
                try:
                    yield
                finally:
                    server.should_exit = True

    async def register_at(self, url: str, invitation: str) -> None:
        """Register with a flexibility provider that invited us."""
        self.their_url, self.their_token = url, invitation
        body = {"token": self.token, "version_url": [{"version": "2.0", "base_url": self.own_url}]}
        await self.send("register", body)

    async def shake_hands(self, heartbeat_interval_s: int = 60, measurements: str = "CONTINUOUS") -> None:
        """Tell what we require."""
        behaviour = {"heartbeat_interval": heartbeat_interval_s, "measurement_configuration": [measurements]}
        await self.send("handshake", {"required_behaviour": behaviour})

    async def beat(self, offline_at: datetime) -> None:
        """Give a sign of life."""
        await self.send("heartbeat", {"offline_mode_at": offline_at.isoformat()})

    async def forecast(
        self, group_id: str, kind: str, blocks: list[dict[str, Any]], **headers: str
    ) -> httpx.Response:
        """Send a forecast of capacity; return the answer, whatever it is."""
        body = {"group_id": group_id, "type": kind, "forecasted_blocks": blocks}
        return await self.send("update_group_capacity_forecast", body, check=False, **headers)

    async def send(
        self, name: str, body: dict[str, Any], *, check: bool = True, **headers: str
    ) -> httpx.Response:
        """Send a message."""
        own = {"Authorization": f"Token {self.their_token}", "X-Request-ID": str(uuid.uuid4())}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self.their_url}/{name}", json=body, headers=own | headers)
        if check:
            answer.raise_for_status()
        return answer

    def named(self, name: str) -> list[Heard]:
        """Return the messages of a name that came."""
        return [each for each in self.heard if each.name == name]

    async def _serve(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Token {self.token}":
            return JSONResponse({"message": "unknown token"}, status_code=401)
        name, headers = request.url.path.rsplit("/", 1)[-1], request.headers
        body = await request.json()
        if name == "register":
            self.their_token = body["token"]
            self.their_url = next(
                each["base_url"] for each in body["version_url"] if each["version"] == "2.0"
            )
        self.heard.append(Heard(name, body, headers.get("x-request-id"), headers.get("x-correlation-id")))
        return Response(status_code=204)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
