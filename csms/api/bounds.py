"""What holds for every request before any route sees it: its size, and headers of every answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from csms.api.problems import problem_response

MAX_BODY_BYTES: Final = 65_536
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORT: Final = re.compile(r":\d+$")
CONTENT_SECURITY_POLICY: Final = "Content-Security-Policy"
# Nothing from elsewhere, nothing inline. Pages that need more say so themselves.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    CONTENT_SECURITY_POLICY: (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class BoundedBody:
    """Refuses bodies that are too large, said or sent.

    Parameters
    ----------
    app
        The application behind.
    max_bytes
        The largest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._detail = f"the body is larger than {max_bytes} bytes: send less"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "0")
        if not stated.isdecimal() or int(stated) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        counted = 0

        async def receive_bounded() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail)
            return message

        await self._app(scope, receive_bounded, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        response = problem_response(status, self._detail, headers={"Connection": "close"})
        await response(scope, receive, send)


class OwnNames:
    """Answers only requests that name this machine, so that no foreign name can be made to lead here.

    A page that anybody on the machine may see could otherwise be read by any website whose name is suddenly
    resolved to the loopback address.

    Parameters
    ----------
    app
        The application behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            name = host.rpartition(":")[0] if _PORT.search(host) else host
            if name not in LOOPBACK_NAMES:
                detail = "use http://localhost: this service answers to its own machine only"
                await problem_response(HTTPStatus.MISDIRECTED_REQUEST, detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SecureHeaders:
    """Adds the headers that keep pages to themselves; a header that a route sets stands.

    Parameters
    ----------
    app
        The application behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
