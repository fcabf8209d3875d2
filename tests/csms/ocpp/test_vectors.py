"""Golden vectors: what stands on the wire against what it means, by version."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from csms.gateway.complaints import Complaints
from csms.gateway.connection import Connection, Received, Transmit
from csms.gateway.counters import Counters
from csms.gateway.dispatch import Dispatcher
from csms.ocpp import vocabulary
from csms.ocpp.codec import codec_of
from csms.ocpp.frames import Call, CallResult, Send, decode_frame, encode_call, encode_result
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import Answer, EmptyAnswer, OcppVersion, StationRequest

FOLDER = Path(__file__).parents[2] / "vectors" / "ocpp"
RECEIVED_AT = datetime(2024, 6, 11, 12, tzinfo=UTC)
DOCUMENTS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("v*.json"))]


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(OcppVersion(document["version"]), case, id=f"{document['version']}: {case['name']}")
        for document in DOCUMENTS
        for case in document[kind]
    ]


@cache
def adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(vocabulary, name))


def build(description: dict[str, Any]) -> Any:
    fields = {key: value for key, value in description.items() if key != "type"}
    return adapter(description["type"]).validate_json(json.dumps(fields))


class Recorder:
    """Answers everything with nothing."""

    async def authenticate(self, station_id: str, password: bytes | None) -> bool:
        return True

    async def connected(self, station_id: str, version: OcppVersion) -> None: ...

    async def disconnected(self, station_id: str) -> None: ...

    async def handle(self, station_id: str, version: OcppVersion, request: StationRequest) -> Answer:
        return EmptyAnswer()


def test_every_version_has_vectors() -> None:
    assert {document["version"] for document in DOCUMENTS} == set(OcppVersion)


@pytest.mark.parametrize(("version", "case"), cases("requests"))
def test_request_means(version: OcppVersion, case: dict[str, Any]) -> None:
    frame = decode_frame(case["frame"], version)
    assert isinstance(frame, Call | Send)
    schemas_of(version).check_request(frame.action, frame.payload)
    assert codec_of(version).decode_request(frame.action, frame.payload, RECEIVED_AT) == build(
        case["request"]
    )


@pytest.mark.parametrize(("version", "case"), cases("answers"))
def test_answer_is_written(version: OcppVersion, case: dict[str, Any]) -> None:
    payload = codec_of(version).encode_answer(case["action"], build(case["answer"]))
    schemas_of(version).check_answer(case["action"], payload)
    assert encode_result("1", payload) == case["frame"]


@pytest.mark.parametrize(("version", "case"), cases("commands"))
def test_command_is_written(version: OcppVersion, case: dict[str, Any]) -> None:
    action, payload = codec_of(version).encode_command(build(case["command"]))
    schemas_of(version).check_request(action, payload)
    assert encode_call("1", action, payload) == case["frame"]


@pytest.mark.parametrize(("version", "case"), cases("results"))
def test_result_means(version: OcppVersion, case: dict[str, Any]) -> None:
    frame = decode_frame(case["frame"], version)
    assert isinstance(frame, CallResult)
    schemas_of(version).check_answer(case["action"], frame.payload)
    assert codec_of(version).decode_outcome(build(case["command"]), frame.payload) == build(case["outcome"])


@pytest.mark.parametrize(("version", "case"), cases("refusals"))
async def test_refusal_is_written(version: OcppVersion, case: dict[str, Any]) -> None:
    """A frame is refused by the connection, or by the dispatcher when it was readable."""
    counters = Counters()
    events = Connection(version, counters, lambda: "x").receive(case["frame"])
    replies: list[str | None] = [event.text for event in events if isinstance(event, Transmit)]
    for event in events:
        if isinstance(event, Received):
            dispatcher = Dispatcher("S", version, Recorder(), counters, Complaints("S"))
            replies.append((await dispatcher.serve(event.request, RECEIVED_AT)).text)
    spoken = [reply for reply in replies if reply is not None]
    assert spoken == ([] if case["reply"] is None else [case["reply"]])
    assert sum(counters.errors.values()) > 0
