"""A bare central system that says yes to everything: to measure and to rehearse against. Run as a module.

It checks nothing and remembers nothing but how much came in, so that what is measured is the stations.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from simulator.client.transport import MemoryTransport, Transport, TransportClosedError, memory_pair
from simulator.setup import Protocol, StationSetup

HEARTBEAT_S = 300
_SUBPROTOCOLS = [Subprotocol(protocol.value) for protocol in Protocol]


class AcceptAll:
    """Answers frames.

    Parameters
    ----------
    now
        Its time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self.counts: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()

    def answer(self, text: str | bytes) -> str | None:
        """Return the answer to a frame, None when it is none that asks."""
        frame = orjson.loads(text)
        if frame[0] != 2:  # noqa: PLR2004 - CALL
            return None
        _, message_id, action, payload = frame
        self.counts[action] += 1
        return orjson.dumps([3, message_id, self._payload(action, payload)]).decode()

    def _payload(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        match action:
            case "BootNotification":
                return {"currentTime": self._text(), "interval": HEARTBEAT_S, "status": "Accepted"}
            case "Heartbeat":
                return {"currentTime": self._text()}
            case "Authorize":
                name = "idTagInfo" if "idTag" in payload else "idTokenInfo"
                return {name: {"status": "Accepted"}}
            case "StartTransaction":
                return {"transactionId": next(self._numbers), "idTagInfo": {"status": "Accepted"}}
            case "NotifyEVChargingNeeds":
                return {"status": "Accepted"}
            case _:
                return {}

    def _text(self) -> str:
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def connect(self, setup: StationSetup) -> Transport:
        """Open a connection in memory."""
        del setup
        ours, theirs = memory_pair()
        task = asyncio.ensure_future(self._serve_memory(theirs))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return ours

    async def _serve_memory(self, end: MemoryTransport) -> None:
        try:
            while True:
                said = self.answer(await end.recv())
                if said is not None:
                    await end.send(said)
        except TransportClosedError:
            return

    async def serve_socket(self, socket: ServerConnection) -> None:
        """Answer what comes over a websocket until it ends."""
        try:
            async for text in socket:
                said = self.answer(text)
                if said is not None:
                    await socket.send(said)
        except ConnectionClosed:
            return


async def _main() -> None:
    central = AcceptAll(lambda: datetime.now(UTC))
    async with serve(
        central.serve_socket,
        "127.0.0.1",
        0,
        subprotocols=_SUBPROTOCOLS,
        compression=None,
        ping_interval=None,
        backlog=4096,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_main())
