"""A station's request to its answer: schema, vocabulary, handler, and back.

Nothing raises out of here. A request that cannot be served is answered with a CALLERROR. A transaction
message or a security event that could not be recorded gets no answer at all and the connection is closed, so
that the station sends it again: a CALLERROR would make it throw the record away.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from csms.gateway.complaints import Complaints
from csms.gateway.counters import Counters, ErrorKind
from csms.ocpp.codec import codec_of
from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.frames import Call, Send, encode_error, encode_result
from csms.ocpp.reporting import NewsKind, NewsReport
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import (
    Answer,
    MeterReport,
    OcppVersion,
    Payload,
    StationRequest,
    TransactionReport,
)

logger = logging.getLogger(__name__)


class RequestHandler(Protocol):
    """Who knows the stations and records what they say."""

    async def authenticate(self, station_id: str, password: bytes | None) -> bool:
        """Say whether the station may connect; the password is None when it sent none."""
        ...

    async def connected(self, station_id: str, version: OcppVersion) -> None:
        """Learn that a station's connection is open; it may replace an older one without `disconnected`."""
        ...

    async def disconnected(self, station_id: str) -> None:
        """Learn that a station has no connection any more."""
        ...

    async def handle(self, station_id: str, version: OcppVersion, request: StationRequest) -> Answer:
        """Record a request and answer it; return only when it is durably stored.

        A `RequestError` is answered as the CALLERROR that it says. Any other exception means "not recorded".
        """
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What to do after a request: send this text, if any; then close, if ``abandon``."""

    text: str | None = None
    abandon: bool = False


class Dispatcher:
    """Serves the requests of one station.

    Parameters
    ----------
    station_id, version
        Who speaks, and how.
    handler
        Who records and answers.
    counters
        Where errors are counted.
    complaints
        Where refusals are logged.
    """

    def __init__(
        self,
        station_id: str,
        version: OcppVersion,
        handler: RequestHandler,
        counters: Counters,
        complaints: Complaints,
    ) -> None:
        self._station_id = station_id
        self._version = version
        self._handler = handler
        self._counters = counters
        self._codec = codec_of(version)
        self._schemas = schemas_of(version)
        self._complaints = complaints

    async def serve(self, call: Call | Send, received_at: datetime) -> Reply:
        """Serve one request.

        Parameters
        ----------
        call
            As decoded.
        received_at
            The street's time of its arrival.
        """
        try:
            request = self._decode(call, received_at)
        except RequestError as error:
            return self._refuse(call, error)
        except Exception:
            logger.exception("station %s: %s was not understood", self._station_id, call.action)
            return self._refuse(call, RequestError(ErrorCode.INTERNAL_ERROR, "not understood"))
        try:
            answer = await self._handler.handle(self._station_id, self._version, request)
            if isinstance(call, Send):
                return Reply()
            payload = self._encode(call.action, answer)
        except RequestError as error:
            return self._refuse(call, error)
        except Exception:
            logger.exception("station %s: %s was not recorded", self._station_id, call.action)
            return self._fail(call, request)
        return Reply(encode_result(call.id, payload))

    def _decode(self, call: Call | Send, received_at: datetime) -> StationRequest:
        if not self._schemas.knows(call.action):
            raise RequestError(
                ErrorCode.NOT_IMPLEMENTED, f"{self._version} has no action {call.action[:50]!r}"
            )
        if call.action not in self._codec.STATION_ACTIONS:
            raise RequestError(ErrorCode.NOT_SUPPORTED, f"{call.action} is not for a station to ask")
        try:
            self._schemas.check_request(call.action, call.payload)
            request = self._codec.decode_request(call.action, call.payload, received_at)
        except RequestError:
            self._counters.errors[ErrorKind.SCHEMA_FAILURE] += 1
            raise
        if isinstance(request, MeterReport | TransactionReport) and request.rejected_samples:
            self._note_rejected(request)
        return request

    def _encode(self, action: str, answer: Answer) -> Payload:
        payload = self._codec.encode_answer(action, answer)
        if not payload and not self._schemas.allows_empty_answer(action):
            raise RequestError(ErrorCode.NOT_SUPPORTED, f"{action} has no effect here")
        return payload

    def _refuse(self, call: Call | Send, error: RequestError) -> Reply:
        self._complaints.add("%.50r refused: %r", call.action, error.description)
        if isinstance(call, Send):
            return Reply()
        self._counters.errors[ErrorKind.CALL_ERROR_SENT] += 1
        return Reply(encode_error(call.id, error.code, error.description, self._version))

    def _fail(self, call: Call | Send, request: StationRequest) -> Reply:
        self._counters.errors[ErrorKind.HANDLER_FAILURE] += 1
        if _must_be_resent(request):
            return Reply(abandon=True)
        return self._refuse(call, RequestError(ErrorCode.INTERNAL_ERROR, "not recorded: send it again later"))

    def _note_rejected(self, request: MeterReport | TransactionReport) -> None:
        self._counters.errors[ErrorKind.REJECTED_SAMPLE] += len(request.rejected_samples)
        first = request.rejected_samples[0]
        self._complaints.add("sample %.200r rejected: %s", first.raw, first.reason)


def _must_be_resent(request: StationRequest) -> bool:
    match request:
        case TransactionReport():
            return True
        case MeterReport():
            return request.transaction_id is not None
        case NewsReport():
            return any(item.kind is NewsKind.SECURITY for item in request.items)
        case _:
            return False
