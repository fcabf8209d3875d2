"""The wire as a station's RPC layer sees it: every frame of either direction checked and counted.

Stands between the transport and the package's `ChargePoint`, which then needs no validation of its own. What
the package would answer wrongly or not at all (unknown and unsupported actions, broken frames) is answered
here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from simulator.client.counters import WireCounters
from simulator.client.schemas import find_violation, knows_action
from simulator.client.transport import Transport
from simulator.setup import Protocol

CALL, RESULT, ERROR = 2, 3, 4
_DESCRIPTION_LENGTH = 255


@dataclass(frozen=True, slots=True)
class _Words:
    """Spellings of one version."""

    format_violation: str
    answers_unreadable: bool


_WORDS = {
    Protocol.V16: _Words("FormationViolation", answers_unreadable=False),
    Protocol.V201: _Words("FormatViolation", answers_unreadable=True),
    Protocol.V21: _Words("FormatViolation", answers_unreadable=True),
}


class Wire:
    """A checked transport.

    Parameters
    ----------
    transport
        Carries the text.
    protocol
        Version of the standard.
    handled
        Actions that the station knows how to serve.
    counters
        Where everything is counted.
    """

    def __init__(
        self, transport: Transport, protocol: Protocol, handled: Collection[str], counters: WireCounters
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._handled = handled
        self._counters = counters
        self._words = _WORDS[protocol]
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    async def send(self, text: str) -> None:
        """Send a frame that the station's RPC layer wrote."""
        frame = orjson.loads(text)
        match frame:
            case [int(kind), str(message_id), str(action), payload] if kind == CALL:
                self._ours = {message_id: action}  # one call at a time: an older one is given up
                self._counters.sent[action] += 1
                self._check(action, payload, answer=False)
            case [int(kind), str(message_id), payload] if kind == RESULT:
                action = self._theirs.pop(message_id, "")
                self._counters.sent[action] += 1
                self._check(action, payload, answer=True)
            case [_, str(message_id), *rest]:
                self._counters.sent[self._theirs.pop(message_id, "")] += 1
                self._count_call_error("sent", rest)
        await self._transport.send(text)

    async def recv(self) -> str:
        """Return the next frame that the RPC layer can understand."""
        while True:
            text = await self._transport.recv()
            passed = await self._admit(text)
            if passed is not None:
                return passed

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()

    async def _admit(self, text: str | bytes) -> str | None:
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            frame = None
        match frame:
            case [int(kind), str(message_id), str(action), dict(payload)] if kind == CALL:
                return await self._admit_call(frame, message_id, action, payload)
            case [int(kind), str(message_id), payload] if kind == RESULT:
                return self._admit_result(frame, message_id, {} if payload is None else payload)
            case [int(kind), str(message_id), str(code), *rest] if kind == ERROR:
                self._counters.received[self._ours.pop(message_id, "")] += 1
                self._count_call_error("received", [code, *rest])
                description = rest[0] if rest else ""
                return orjson.dumps([ERROR, message_id, code, description, {}]).decode()
        self._note_failure("frame", f"not an OCPP frame: {text[:80]!r}")
        if self._words.answers_unreadable:
            await self._refuse("-1", "RpcFrameworkError", "")
        return None

    async def _admit_call(self, frame: Any, message_id: str, action: str, payload: Any) -> str | None:
        self._counters.received[action] += 1
        self._theirs[message_id] = action
        if not knows_action(self._protocol, action):
            await self._refuse(message_id, "NotImplemented", f"no action {action:.40}")
            return None
        if action not in self._handled:
            await self._refuse(message_id, "NotSupported", f"{action} is not supported")
            return None
        violation = self._check(action, payload, answer=False)
        if violation is not None:
            await self._refuse(message_id, self._words.format_violation, violation)
            return None
        return orjson.dumps(frame).decode()

    def _admit_result(self, frame: Any, message_id: str, payload: Any) -> str | None:
        action = self._ours.pop(message_id, None)
        if action is None:
            self._counters.received["late"] += 1
            return None
        self._counters.received[action] += 1
        violation = self._check(action, payload, answer=True)
        if violation is not None:
            # The call failed as far as the station is concerned: its RPC layer learns that as an error.
            return orjson.dumps(
                [ERROR, message_id, "FormatViolation", violation[:_DESCRIPTION_LENGTH], {}]
            ).decode()
        return orjson.dumps([RESULT, message_id, payload, *frame[3:]]).decode()

    async def _refuse(self, message_id: str, code: str, description: str) -> None:
        frame = [ERROR, message_id, code, description[:_DESCRIPTION_LENGTH], {}]
        await self.send(orjson.dumps(frame).decode())

    def _check(self, action: str, payload: Any, *, answer: bool) -> str | None:
        violation = find_violation(self._protocol, action, payload, answer=answer)
        if violation is not None:
            self._note_failure(action, violation)
        return violation

    def _note_failure(self, kind: str, text: str) -> None:
        self._counters.schema_failures += 1
        self._counters.note_fault(f"schema {kind}", text)

    def _count_call_error(self, direction: str, rest: list[Any]) -> None:
        self._counters.call_errors += 1
        self._counters.note_fault(f"CALLERROR {direction}", " ".join(str(part) for part in rest)[:200])
