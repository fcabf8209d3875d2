"""A grid operator's VTN of OpenADR 3.1, as far as the Grid Aware Charging profile needs one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio
import httpx
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
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: int = 0
    subscribed: int = 0
    silent: bool = False
    token: str = "token-1"  # noqa: S105 - of a simulation
    url: str = ""
    _http: httpx.AsyncClient = field(init=False, repr=False)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on loopback for the block."""
        routes = [
            Route("/auth/token", self._give_token, methods=["POST"]),
            Route("/programs", self._list_programs),
            Route("/events", self._list_events),
            Route("/reports", self._take_report, methods=["POST"]),
            Route("/subscriptions", self._list_subscriptions),
            Route("/subscriptions", self._subscribe, methods=["POST"]),
            Route("/subscriptions/{id}", self._unsubscribe, methods=["DELETE"]),
        ]
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
            server = _Server(uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off"))
            async with httpx.AsyncClient() as self._http, anyio.create_task_group() as group:
                group.start_soon(server.serve, [door])
                try:
                    yield
                finally:
                    server.should_exit = True

    async def publish(self, event: dict[str, Any]) -> list[httpx.Response]:
        """Make an event, or change it, and tell whoever subscribed; return their answers."""
        others = [each for each in self.events if each["id"] != event["id"]]
        operation = "CREATE" if len(others) == len(self.events) else "UPDATE"
        self.events = [*others, event]
        return await self.notify(operation, event)

    async def cancel(self, event_id: str) -> list[httpx.Response]:
        """Delete an event and tell whoever subscribed; return their answers."""
        (event,) = (each for each in self.events if each["id"] == event_id)
        self.events.remove(event)
        return await self.notify("DELETE", event)

    async def notify(
        self, operation: str, event: dict[str, Any], kind: str = "EVENT", token: str | None = None
    ) -> list[httpx.Response]:
        """Tell something of an event to whoever subscribed to it, true or not; return their answers."""
        body = {"objectType": kind, "operation": operation, "object": event}
        answers = []
        for wish in self._wishes(operation, event):
            headers = {"Authorization": f"Bearer {token or wish['bearerToken']}"}
            answers.append(await self._http.post(wish["callbackUrl"], json=body, headers=headers))
        return answers

    def _wishes(self, operation: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what of the subscriptions asks for an operation on an event."""
        targets = set(event.get("targets") or ())
        return [
            wish
            for each in self.subscriptions.values()
            if each["programID"] == event["programID"]
            and ("targets" not in each or targets & set(each["targets"]))
            for wish in each["objectOperations"]
            if "EVENT" in wish["objects"] and operation in wish["operations"]
        ]

    async def _list_subscriptions(self, request: Request) -> Response:
        program_id = request.query_params.get("programID")
        found = [each for each in self.subscriptions.values() if each["programID"] == program_id]
        return self._refusal(request) or JSONResponse(_page(found, request))

    async def _subscribe(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self.subscribed += 1
        subscription = {**await request.json(), "id": f"subscription-{self.subscribed}"}
        self.subscriptions[subscription["id"]] = subscription
        return JSONResponse(subscription, status_code=201)

    async def _unsubscribe(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        subscription = self.subscriptions.pop(request.path_params["id"], None)
        if subscription is None:
            return JSONResponse({"title": "not found"}, status_code=404)
        return JSONResponse(subscription)

    async def _give_token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
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
