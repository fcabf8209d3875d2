"""How a station reaches its central system: over a websocket, or by an end in memory that a test hands in."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from grid.errors import WijkstroomError
from simulator.setup import StationSetup

OPEN_TIMEOUT_S = 15.0
# As often as stations in the street do; a busy machine is given as long to answer.
PING_S = 60.0
MAX_FRAME_BYTES = 4 * 1024 * 1024


class Transport(Protocol):
    """An ordered pipe of text messages."""

    async def recv(self) -> str | bytes:
        """Wait for the next message."""
        ...

    async def send(self, text: str, /) -> None:
        """Send a message."""
        ...

    async def close(self) -> None:
        """Close both ways."""
        ...


class TransportClosedError(ConnectionError):
    """Nothing can be read or written any more, or the central system could not be reached."""


# What says that a transport is gone: ours, the system's, and the ends in memory of other packages.
GONE = (OSError, EOFError, WijkstroomError)
Connect = Callable[[StationSetup], Awaitable[Transport]]


class WebsocketTransport:
    """A station's side of a websocket.

    Parameters
    ----------
    socket
        After its handshake.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def recv(self) -> str | bytes:
        """Wait for the next message."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise TransportClosedError(str(error)) from error

    async def send(self, text: str, /) -> None:
        """Send a text message."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise TransportClosedError(str(error)) from error

    async def close(self) -> None:
        """Close with the closing handshake."""
        await self._socket.close()


def connect_websocket(url: str, *, tls: ssl.SSLContext | None = None) -> Connect:
    """Return what opens a websocket for a station.

    Parameters
    ----------
    url
        Address of the central system; the station's id is added to it.
    tls
        For ``wss``; None takes the system's certificate authorities.
    """
    logger = logging.getLogger("simulator.websocket")
    secured: dict[str, Any] = {} if tls is None else {"ssl": tls}

    async def open_socket(setup: StationSetup) -> Transport:
        try:
            socket = await connect(
                f"{url.rstrip('/')}/{quote(setup.id, safe='')}",
                subprotocols=[Subprotocol(setup.protocol.value)],
                additional_headers=_credentials(setup),
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                max_size=MAX_FRAME_BYTES,
                proxy=None,
                logger=logger,
                **secured,
            )
        except (ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError) as error:
            raise TransportClosedError(f"{setup.id}: {error}") from error
        if socket.subprotocol != setup.protocol.value:
            await socket.close()
            raise TransportClosedError(f"{setup.id}: the central system does not speak {setup.protocol}")
        return WebsocketTransport(socket)

    return open_socket


def _credentials(setup: StationSetup) -> dict[str, str]:
    if setup.password is None:
        return {}
    secret = base64.b64encode(setup.id.encode() + b":" + setup.password).decode()
    return {"Authorization": f"Basic {secret}"}


class MemoryTransport:
    """One end of a pair in memory, made by `memory_pair`."""

    def __init__(self) -> None:
        self._inbox: deque[str] = deque()
        self._news = asyncio.Event()
        self._open = True
        self._peer = self

    async def recv(self) -> str:
        """Wait for the next message; what was sent before the closing is still read."""
        while not self._inbox:
            if not self._open:
                raise TransportClosedError("the other side closed")
            self._news.clear()
            await self._news.wait()
        return self._inbox.popleft()

    async def send(self, text: str, /) -> None:
        """Put a message into the other side's inbox."""
        if not self._open:
            raise TransportClosedError("the other side closed")
        self._peer.put(text)

    async def close(self) -> None:
        """Close both ends."""
        for end in (self, self._peer):
            end.shut()

    def put(self, text: str) -> None:
        """Receive from the other side."""
        self._inbox.append(text)
        self._news.set()

    def shut(self) -> None:
        """Learn that the pair is closed."""
        self._open = False
        self._news.set()

    def join(self, peer: MemoryTransport) -> None:
        """Send to ``peer`` from now on."""
        self._peer = peer


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return two joined ends: what one sends the other receives, in order."""
    one, other = MemoryTransport(), MemoryTransport()
    one.join(other)
    other.join(one)
    return one, other
