"""A grid operator's VTN of OpenADR 3.1, as far as the Grid Aware Charging profile needs one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PROGRAM = {
    "id": "gac-1",
    "programName": "GAC",
    "attributes": [
        {"type": "RETAILER_NAME", "values": ["Stedin"]},
        {"type": "PROGRAM_TYPE", "values": ["DSO_CPO_INTERFACE-2.1.1"]},
        {"type": "BINDING_EVENTS", "values": [True]},
    ],
}


@dataclass
class Vtn:
    """The VTN.

    Parameters
    ----------
    client_id, secret
        Who may ask.
    """

    client_id: str = "NL-LMB"
    secret: str = "vtn-secret"  # noqa: S105 - of a simulation
    programs: list[dict[str, Any]] = field(default_factory=lambda: [dict(PROGRAM)])
    events: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    polls: int = 0
    silent: bool = False
    token: str = "token-1"  # noqa: S105 - of a simulation
    url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on loopback for the block."""
        routes = [
            Route("/auth/token", self._give_token, methods=["POST"]),
            Route("/programs", self._list_programs),
            Route("/events", self._list_events),
            Route("/reports", self._take_report, methods=["POST"]),
        ]
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
            server = _Server(uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off"))
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [door])
                try:
                    yield
                finally:
                    server.should_exit = True

    async def _give_token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.secret):
            return JSONResponse({"title": "unauthorized"}, status_code=401)
        return JSONResponse({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})

    async def _list_programs(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(_page(self.programs, request))

    async def _list_events(self, request: Request) -> Response:
        self.polls += 1
        program_id = request.query_params.get("programID")
        events = [each for each in self.events if each.get("programID") == program_id]
        return self._refusal(request) or JSONResponse(_page(events, request))

    async def _take_report(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self.reports.append(await request.json())
        return JSONResponse(self.reports[-1], status_code=201)

    def _refusal(self, request: Request) -> Response | None:
        if self.silent:
            return JSONResponse({"title": "out of order"}, status_code=503)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"title": "unauthorized"}, status_code=401)
        return None


def _page(items: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    skip = int(request.query_params.get("skip", "0"))
    return items[skip : skip + int(request.query_params.get("limit", "50"))]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
