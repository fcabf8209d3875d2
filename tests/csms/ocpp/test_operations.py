from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.codec import codec_of
from csms.ocpp.errors import CommandError
from csms.ocpp.operations import Operation, Refresh, RemoteStart, RemoteStop, Reset, SetAvailability, Unlock
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import Accepted, OcppVersion, Refused

tokens = st.text("ABCDEF0123456789", min_size=1, max_size=20)
evses = st.integers(min_value=1, max_value=9)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Reset, st.booleans()),
    st.builds(Unlock, evses, evses),
    st.builds(SetAvailability, st.integers(min_value=0, max_value=9), st.booleans()),
    st.builds(RemoteStart, evses, tokens, st.just("ISO14443"), st.integers(min_value=0, max_value=2**31 - 1)),
    st.builds(RemoteStop, st.integers(min_value=1, max_value=2**31 - 1).map(str)),
    st.builds(Refresh, evses, evses),
)


@given(st.sampled_from(OcppVersion), operations)
def test_every_operation_is_valid_in_every_version(version: OcppVersion, operation: Operation) -> None:
    action, payload = codec_of(version).encode_command(operation)
    schemas_of(version).check_request(action, payload)


@given(tokens)
def test_a_start_carries_the_token(token: str) -> None:
    start = RemoteStart(2, token, "ISO14443", 7)
    assert codec_of(OcppVersion.V16).encode_command(start)[1] == {"connectorId": 2, "idTag": token}
    payload = codec_of(OcppVersion.V21).encode_command(start)[1]
    assert payload["idToken"]["idToken"] == token


@pytest.mark.parametrize(
    "operation", [RemoteStart(1, "X" * 21, "ISO14443", 1), RemoteStop("5b7e-uuid"), RemoteStop("")]
)
def test_what_1_6_has_no_room_for_is_refused(operation: Operation) -> None:
    with pytest.raises(CommandError):
        codec_of(OcppVersion.V16).encode_command(operation)


@pytest.mark.parametrize(
    ("status", "taken"),
    [("Accepted", True), ("Scheduled", True), ("Unlocked", True), ("UnlockFailed", False)],
)
def test_a_scheduled_change_is_taken(status: str, taken: bool) -> None:
    outcome = codec_of(OcppVersion.V201).decode_outcome(Unlock(1), {"status": status})
    assert isinstance(outcome, Accepted if taken else Refused)
