"""The websocket side of the gateway: who is let in, and what a connection looks like from inside."""

from __future__ import annotations

import http
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHeader
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from csms.gateway.auth import PATH_PREFIX, choose_version, read_basic_credentials, read_station_id
from csms.gateway.counters import Counters, ErrorKind
from csms.gateway.transport import EndClosedError, MessageEnd
from csms.ocpp.frames import MAX_FRAME_BYTES
from csms.ocpp.vocabulary import OcppVersion

logger = logging.getLogger(__name__)

# A storm of stations after an outage must find room in the listen queue: the default of 100 loses most.
BACKLOG = 4096
OPEN_TIMEOUT_S = 10.0

# 1.6 never asked for compression, 2.x does. Small windows: a station costs memory as long as it is connected.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=10,
    client_max_window_bits=10,
    compress_settings={"memLevel": 3},
)
_EXTENSIONS: dict[OcppVersion, list[ServerPerMessageDeflateFactory]] = {
    OcppVersion.V16: [],
    OcppVersion.V201: [_DEFLATE],
    OcppVersion.V21: [_DEFLATE],
}

Authenticate = Callable[[str, bytes | None], Awaitable[bool]]
Attach = Callable[[MessageEnd, str, OcppVersion], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listener:
    """An open port."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What stations are configured with, less their id."""
        return f"ws://{self.host}:{self.port}{PATH_PREFIX}"


class WebsocketEnd:
    """The end of a websocket.

    Parameters
    ----------
    socket
        After its handshake.
    """

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket

    async def recv(self) -> str | bytes:
        """Wait for the next message."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise _as_end_closed(error) from error

    async def send(self, text: str) -> None:
        """Send a text message; wait while the station reads too slowly."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise _as_end_closed(error) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake."""
        await self._socket.close(code, reason)


class StationDoor:
    """Lets stations in: path, credentials and subprotocol.

    Parameters
    ----------
    authenticate
        Says whether a station with this password may connect.
    attach
        Serves a connection until it is closed.
    counters
        Where connections and refusals are counted.
    """

    def __init__(self, authenticate: Authenticate, attach: Attach, counters: Counters) -> None:
        self._authenticate = authenticate
        self._attach = attach
        self._counters = counters

    @asynccontextmanager
    async def open(self, host: str, port: int) -> AsyncIterator[Listener]:
        """Accept stations for the length of the block; then close their connections and wait for the last."""
        async with serve(
            self._welcome,
            host,
            port,
            process_request=self._admit,
            select_subprotocol=_select_subprotocol,
            compression=None,  # decided by version in _admit
            open_timeout=OPEN_TIMEOUT_S,
            max_size=MAX_FRAME_BYTES,
            server_header=None,
            backlog=BACKLOG,
        ) as server:
            yield Listener(host, next(iter(server.sockets)).getsockname()[1])

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Check path and credentials before the handshake: a stranger disturbs no standing connection."""
        station_id = read_station_id(request.path)
        if station_id is None:
            text = f"connect to {PATH_PREFIX} and the station's id"
            return self._turn_away(socket, http.HTTPStatus.NOT_FOUND, text)
        headers = request.headers.get_all("Authorization")
        password: bytes | None = None
        if headers:
            credentials = read_basic_credentials(headers[0]) if len(headers) == 1 else None
            if credentials is None or credentials[0] != station_id.encode():
                return self._demand_credentials(socket, "the user name is the station's id")
            password = credentials[1]
        if not await self._authenticate(station_id, password):
            text = "this station is not configured, or its password is wrong"
            return self._demand_credentials(socket, text)
        socket.protocol.available_extensions = _extensions_for(request)
        return None

    def _demand_credentials(self, socket: ServerConnection, text: str) -> Response:
        response = self._turn_away(socket, http.HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = 'Basic realm="ocpp", charset="UTF-8"'
        return response

    def _turn_away(self, socket: ServerConnection, status: http.HTTPStatus, text: str) -> Response:
        self._counters.errors[ErrorKind.REFUSED_CONNECTION] += 1
        path = "" if socket.request is None else socket.request.path
        logger.warning("connection to %.100r refused with %d: %s", path, status, text)
        return socket.respond(status, f"{text}\n")

    async def _welcome(self, socket: ServerConnection) -> None:
        station_id = None if socket.request is None else read_station_id(socket.request.path)
        version = choose_version([socket.subprotocol or ""])
        if station_id is None or version is None:
            self._counters.errors[ErrorKind.REFUSED_CONNECTION] += 1
            await socket.close(1002, f"offer one of {', '.join(OcppVersion)}")
            return
        self._counters.connections += 1
        await self._attach(WebsocketEnd(socket), station_id, version)


def _as_end_closed(error: ConnectionClosed) -> EndClosedError:
    frame = error.rcvd or error.sent
    return EndClosedError() if frame is None else EndClosedError(frame.code, frame.reason)


def _select_subprotocol(socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    del socket
    version = choose_version(offered)
    return None if version is None else Subprotocol(version.value)


def _extensions_for(request: Request) -> list[ServerPerMessageDeflateFactory]:
    """Compression is negotiated before the subprotocol: look ahead."""
    try:
        values = request.headers.get_all("Sec-WebSocket-Protocol")
        offered = [name for value in values for name in parse_subprotocol(value)]
    except InvalidHeader:
        return []  # the handshake refuses it
    version = choose_version(offered)
    return [] if version is None else _EXTENSIONS[version]
