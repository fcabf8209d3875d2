"""The message log: everything that passed can be found, nothing secret stands in it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.gateway.server import Gateway
from csms.gateway.transport import memory_pair
from csms.ocpp.vocabulary import OcppVersion
from csms.state.journal import Journal, LoggedMessage, MessageKind, Way, list_messages
from csms.state.redaction import HIDDEN, Redactor
from csms.state.service import StateService
from csms.state.store import Store
from grid.clock import ManualClock
from tests.csms.state.street import NOW

V16, V201 = OcppVersion.V16, OcppVersion.V201
REDACTOR = Redactor(b"pepper")


@pytest.fixture
def journal(store: Store, clock: ManualClock) -> Journal:
    return Journal(store, clock, REDACTOR)


async def read(store: Store, **wanted: Any) -> list[LoggedMessage]:
    return await store.read(partial(list_messages, **wanted))


def call(action: str, payload: dict[str, Any], message_id: str = "1") -> str:
    return orjson.dumps([2, message_id, action, payload]).decode()


async def test_calls_results_and_errors_are_found_by_action(store: Store, journal: Journal) -> None:
    journal.note("OLD-1", V16, Way.RECEIVED, call("Heartbeat", {}))
    journal.note("OLD-1", V16, Way.SENT, '[3,"1",{"currentTime":"2024-06-11T06:00:00Z"}]')
    journal.note("OLD-1", V16, Way.SENT, call("Reset", {"type": "Soft"}, "1"))
    journal.note("OLD-2", V16, Way.RECEIVED, call("StatusNotification", {"connectorId": 1}, "2"))
    journal.note("OLD-1", V16, Way.RECEIVED, '[4,"1","InternalError","no",{}]')
    journal.note("OLD-1", V16, Way.RECEIVED, "not json")
    await journal.close()
    told = [(one.station_id, one.way, one.kind, one.action) for one in await read(store)]
    assert told == [
        ("OLD-1", Way.RECEIVED, MessageKind.UNREADABLE, None),
        ("OLD-1", Way.RECEIVED, MessageKind.ERROR, "Reset"),
        ("OLD-2", Way.RECEIVED, MessageKind.CALL, "StatusNotification"),
        ("OLD-1", Way.SENT, MessageKind.CALL, "Reset"),
        ("OLD-1", Way.SENT, MessageKind.RESULT, "Heartbeat"),
        ("OLD-1", Way.RECEIVED, MessageKind.CALL, "Heartbeat"),
    ]
    assert [one.kind for one in await read(store, action="Reset")] == [MessageKind.ERROR, MessageKind.CALL]
    assert len(await read(store, station_id="OLD-2", way=Way.RECEIVED, start=NOW)) == 1
    assert await read(store, end=NOW) == []
    (found,) = await read(store, contains='"Soft"')
    assert found.payload == '{"type":"Soft"}'
    assert await read(store, contains="%") == []
    first, *_ = await read(store, limit=1)
    assert len(await read(store, before=first.id)) == 5


async def test_a_driver_is_found_by_pseudonym_only(store: Store, journal: Journal) -> None:
    journal.note("OLD-1", V16, Way.RECEIVED, call("Authorize", {"idTag": "ANNA"}))
    token = {"idToken": {"idToken": "anna", "type": "ISO14443"}}
    journal.note("NEW-1", V201, Way.RECEIVED, call("Authorize", token))
    await journal.close()
    assert len(await read(store, contains=REDACTOR.pseudonym("Anna"))) == 2
    assert await read(store, contains="anna") == []
    assert await read(store, contains="ANNA") == []


async def test_writing_begins_by_itself_when_a_group_is_full(store: Store, journal: Journal) -> None:
    for number in range(250):
        journal.note("OLD-1", V16, Way.RECEIVED, call("Heartbeat", {}, str(number)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(await read(store, limit=1000)) == 250
    await journal.close()


async def test_a_nul_or_a_long_text_does_not_stop_it(store: Store, journal: Journal) -> None:
    journal.note(
        "OLD-1", V16, Way.RECEIVED, call("DataTransfer", {"vendorId": "a\x00b", "data": "x" * 90_000})
    )
    journal.note("OLD-1", V16, Way.RECEIVED, b"\xff\xfe")
    await journal.close()
    assert len(await read(store)) == 2


async def test_the_gateway_logs_both_ways(
    store: Store, journal: Journal, clock: ManualClock, service: StateService
) -> None:
    gateway = Gateway(service, clock, journal=journal)
    ours, theirs = memory_pair()
    serving = asyncio.create_task(gateway.attach(ours, "OLD-1", V16))
    await theirs.send(call("Heartbeat", {}))
    await theirs.recv()
    await theirs.close()
    await serving
    await journal.close()
    assert [one.kind for one in await read(store)] == [MessageKind.RESULT, MessageKind.CALL]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", {"key": "AuthorizationKey", "value": "S3CRET"}),
        ("GetConfiguration", {"configurationKey": [{"key": "AuthorizationKey", "value": "S3CRET"}]}),
        (
            "SetVariables",
            {"setVariableData": [{"attributeValue": "S3CRET", "variable": {"name": "BasicAuthPassword"}}]},
        ),
        ("Authorize", {"idToken": {"idToken": "S3CRET", "type": "KeyCode"}}),
        ("SetNetworkProfile", {"connectionData": {"basicAuthPassword": "S3CRET"}}),
        ("SetNetworkProfile", {"connectionData": {"vpn": {"key": "S3CRET", "password": "S3CRET"}}}),
        ("GetDiagnostics", {"location": "ftp://user:S3CRET@host/path"}),
        ("NotifyCustomerInformation", {"data": "S3CRET lives here"}),
    ],
)
def test_secrets_are_hidden(action: str, payload: dict[str, Any]) -> None:
    text = orjson.dumps(REDACTOR.redact(action, payload)).decode()
    assert "S3CRET" not in text
    assert HIDDEN in text


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["idTag", "idToken", "key", "value", "type", "variable", "data", "password", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["Authorize", "ChangeConfiguration", None]), json)
def test_any_payload_can_be_redacted_and_twice_is_once_more_hidden(action: str | None, payload: Any) -> None:
    before = repr(payload)
    once = REDACTOR.redact(action, payload)
    assert repr(payload) == before
    assert type(once) is type(payload)
    assert shape(once) == shape(payload)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "text" if isinstance(value, str) else value


@given(st.text(), st.text())
def test_pseudonyms_differ_when_tokens_do(one: str, other: str) -> None:
    same = one.casefold() == other.casefold()
    assert (REDACTOR.pseudonym(one) == REDACTOR.pseudonym(other)) is same
