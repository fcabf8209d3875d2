"""The message log: every frame from and to every station, searchable, without secrets.

Frames are collected and written a moment later, many at a time: the log is no part of what is acknowledged
to a station, so nobody waits for it, and a sudden death may cost its last second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import insert, select
from sqlmodel import Session

from csms.ocpp.frames import Call, CallError, CallResult, CallResultError, FrameError, Send, decode_frame
from csms.ocpp.vocabulary import OcppVersion
from csms.state.columns import table_of
from csms.state.models import MessageRow
from csms.state.redaction import Redactor
from csms.state.store import Store
from grid.clock import Clock

logger = logging.getLogger(__name__)

_MESSAGE = table_of(MessageRow)
# Real seconds that a frame waits for company.
FLUSH_S: Final = 1.0
GROUP: Final = 200
# Frames that may wait while the database is busy; the oldest are dropped beyond, and counted.
CAPACITY: Final = 20_000
# Calls whose results have not come, over all stations.
_MAX_CALLS = 50_000
_MAX_TEXT = 64_000


class Way(StrEnum):
    """Which way a message went, seen from us."""

    RECEIVED = "received"
    SENT = "sent"


class MessageKind(StrEnum):
    """Kinds of messages on the wire."""

    CALL = "call"
    RESULT = "result"
    ERROR = "error"
    SEND = "send"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One frame.

    Parameters
    ----------
    id
        Ascending in the order of writing: a cursor.
    action
        Of the call, on its result too; None when nobody knows.
    payload
        JSON without secrets; of an error its code, description and details.
    """

    id: int
    station_id: str
    at: datetime
    way: Way
    kind: MessageKind
    action: str | None
    message_id: str | None
    payload: str


@dataclass(frozen=True, slots=True)
class _Frame:
    station_id: str
    version: OcppVersion
    at: datetime
    way: Way
    data: str | bytes


class Journal:
    """Writes the message log.

    Parameters
    ----------
    store
        Where it is kept.
    clock
        Says when a frame passed.
    redactor
        Hides secrets.
    """

    def __init__(self, store: Store, clock: Clock, redactor: Redactor) -> None:
        self.dropped = 0
        self._store = store
        self._clock = clock
        self._redactor = redactor
        self._frames: deque[_Frame] = deque(maxlen=CAPACITY)
        self._actions: OrderedDict[tuple[str, Way, str], str] = OrderedDict()
        self._flushing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def note(self, station_id: str, version: OcppVersion, way: Way, data: str | bytes) -> None:
        """Take in a frame; never waits."""
        if len(self._frames) == CAPACITY:
            self.dropped += 1
        self._frames.append(_Frame(station_id, version, self._clock.now(), way, data))
        if self._flushing is not None:
            return
        if len(self._frames) >= GROUP:
            self._start_flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._start_flush)

    async def close(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self._flush()

    def _start_flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self._flush(), name="message log")

    async def _flush(self) -> None:
        try:
            while self._frames:
                count = min(GROUP, len(self._frames))
                rows = [self._describe(self._frames.popleft()) for _ in range(count)]
                await self._store.write(partial(_write, rows=rows))
        except Exception:
            logger.exception("the message log could not be written")
        finally:
            self._flushing = None

    def _describe(self, frame: _Frame) -> dict[str, Any]:
        row: dict[str, Any] = {"station_id": frame.station_id, "at": frame.at, "way": frame.way.value}
        try:
            message = decode_frame(frame.data, frame.version)
        except FrameError as error:
            text = f"{len(frame.data)} characters: {error.reason}"
            return row | _fields(MessageKind.UNREADABLE, None, None, text)
        match message:
            case Call():
                self._remember((frame.station_id, frame.way, message.id), message.action)
                return row | self._build(MessageKind.CALL, message.action, message.id, message.payload)
            case Send():
                return row | self._build(MessageKind.SEND, message.action, message.id, message.payload)
            case CallResult():
                action = self._recall(frame, message.id)
                return row | self._build(MessageKind.RESULT, action, message.id, message.payload)
            case CallError() | CallResultError():
                action = self._recall(frame, message.id)
                said = {"code": message.code, "description": message.description}
                return row | self._build(MessageKind.ERROR, action, message.id, said)

    def _build(self, kind: MessageKind, action: str | None, message_id: str, payload: Any) -> dict[str, Any]:
        text = orjson.dumps(self._redactor.redact(action, payload)).decode()
        return _fields(kind, action, message_id, text)

    def _remember(self, key: tuple[str, Way, str], action: str) -> None:
        self._actions[key] = action
        if len(self._actions) > _MAX_CALLS:
            self._actions.popitem(last=False)

    def _recall(self, frame: _Frame, message_id: str) -> str | None:
        asked = Way.SENT if frame.way is Way.RECEIVED else Way.RECEIVED
        return self._actions.pop((frame.station_id, asked, message_id), None)


def _fields(kind: MessageKind, action: str | None, message_id: str | None, text: str) -> dict[str, Any]:
    # PostgreSQL takes no NUL in text
    text = text.replace("\x00", "\N{SYMBOL FOR NULL}")[:_MAX_TEXT]
    return {"kind": kind.value, "action": action, "message_id": message_id, "payload": text}


def _write(session: Session, *, rows: list[dict[str, Any]]) -> None:
    session.connection().execute(insert(_MESSAGE), rows)


def list_messages(
    session: Session,
    *,
    station_id: str | None = None,
    action: str | None = None,
    way: Way | None = None,
    contains: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LoggedMessage]:
    """Return logged messages, the last first.

    Parameters
    ----------
    station_id, action, way
        Only these.
    contains
        Only those whose payload has this text; for a token, its pseudonym (`Redactor.pseudonym`).
    start, end
        Only of this period.
    before
        Only those with a lower id: the cursor of the page before.
    limit
        How many at the most.
    """
    query = select(_MESSAGE).order_by(_MESSAGE.c.id.desc()).limit(limit)
    for column, wanted in (("station_id", station_id), ("action", action), ("way", way)):
        if wanted is not None:
            query = query.where(_MESSAGE.c[column] == wanted)
    if contains is not None:
        query = query.where(_MESSAGE.c.payload.contains(contains, autoescape=True))
    if start is not None:
        query = query.where(_MESSAGE.c.at >= start)
    if end is not None:
        query = query.where(_MESSAGE.c.at < end)
    if before is not None:
        query = query.where(_MESSAGE.c.id < before)
    return [
        LoggedMessage(
            row.id,
            row.station_id,
            row.at,
            Way(row.way),
            MessageKind(row.kind),
            row.action,
            row.message_id,
            row.payload,
        )
        for row in session.connection().execute(query)
    ]
