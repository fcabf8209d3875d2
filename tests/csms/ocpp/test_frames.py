"""Frames: nothing that the street sends raises anything but a typed error with the version's reaction."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.errors import ErrorCode, read_code, spell_code
from csms.ocpp.frames import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_FRAME_BYTES,
    Call,
    CallError,
    CallResult,
    CallResultError,
    Frame,
    FrameError,
    Send,
    decode_frame,
    encode_call,
    encode_error,
    encode_result,
    encode_result_error,
)
from csms.ocpp.vocabulary import OcppVersion

VERSIONS = st.sampled_from(list(OcppVersion))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
PAYLOADS = st.dictionaries(
    st.text(max_size=5),
    st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.booleans(),
    max_size=4,
)
IDS = st.text(min_size=1, max_size=36)
# Frames that are nearly right: a message type, then anything.
NEARLY = st.tuples(
    st.sampled_from([2, 3, 4, 5, 6, 7, "2", 2.0, True]),
    IDS | SCALARS,
    st.text(max_size=9) | JSON,
    JSON | PAYLOADS,
).map(lambda parts: json.dumps(list(parts)))


def try_decode(data: str | bytes, version: OcppVersion) -> Frame | FrameError:
    try:
        return decode_frame(data, version)
    except FrameError as error:
        return error


@given(st.text() | st.binary() | NEARLY | JSON.map(json.dumps), VERSIONS)
def test_anything_is_a_frame_or_a_frame_error(data: str | bytes, version: OcppVersion) -> None:
    outcome = try_decode(data, version)
    if isinstance(outcome, FrameError) and outcome.reply is not None:
        kind, message_id, code, description, details = orjson.loads(outcome.reply)
        assert kind == 4
        assert len(message_id) <= 36
        assert code
        assert len(description) <= 255
        assert details == {}


@given(NEARLY, st.data(), VERSIONS)
def test_a_cut_or_mutated_frame_never_gets_through_the_net(
    text: str, data: st.DataObject, version: OcppVersion
) -> None:
    at = data.draw(st.integers(0, len(text)))
    try_decode(
        text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 5)) :], version
    )


@given(IDS, st.text(min_size=1, max_size=20), PAYLOADS, VERSIONS)
def test_calls_and_results_come_back(
    message_id: str, action: str, payload: dict[str, Any], version: OcppVersion
) -> None:
    assert decode_frame(encode_call(message_id, action, payload), version) == Call(
        message_id, action, payload
    )
    assert decode_frame(encode_result(message_id, payload), version) == CallResult(message_id, payload)


@given(IDS, st.sampled_from(list(ErrorCode)), st.text(max_size=400), VERSIONS)
def test_error_codes_come_back_in_one_spelling(
    message_id: str, code: ErrorCode, text: str, version: OcppVersion
) -> None:
    frame = decode_frame(encode_error(message_id, code, text, version), version)
    assert isinstance(frame, CallError)
    assert frame.id == message_id
    assert frame.description == text[:255]
    if version is not OcppVersion.V16:
        assert frame.code == code


def test_16_spells_two_codes_its_own_way_and_both_are_read() -> None:
    assert spell_code(ErrorCode.FORMAT_VIOLATION, OcppVersion.V16) == "FormationViolation"
    assert spell_code(ErrorCode.FORMAT_VIOLATION, OcppVersion.V21) == "FormatViolation"
    assert (
        spell_code(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, OcppVersion.V16)
        == "OccurenceConstraintViolation"
    )
    assert read_code("OccurenceConstraintViolation") == read_code("OccurrenceConstraintViolation")
    assert read_code("VendorSpecificTrouble") == "VendorSpecificTrouble"


def test_version_21_has_two_more_message_types() -> None:
    assert decode_frame('[6,"a","NotifyPeriodicEventStream",{}]', OcppVersion.V21) == Send(
        "a", "NotifyPeriodicEventStream", {}
    )
    error = decode_frame(encode_result_error("a", ErrorCode.FORMAT_VIOLATION, "x"), OcppVersion.V21)
    assert error == CallResultError("a", "FormatViolation", "x", {})


def test_a_short_error_of_a_careless_station_is_read() -> None:
    assert decode_frame('[4,"a","InternalError"]', OcppVersion.V16) == CallError("a", "InternalError", "", {})
    assert decode_frame('[4,"a","X",null,"y"]', OcppVersion.V201) == CallError("a", "X", "", {})


def test_result_null_is_empty_in_16_only() -> None:
    assert decode_frame('[3,"a",null]', OcppVersion.V16) == CallResult("a", {})
    assert isinstance(try_decode('[3,"a",null]', OcppVersion.V201), FrameError)


@pytest.mark.parametrize("version", OcppVersion)
def test_a_frame_over_the_limit_closes_the_connection(version: OcppVersion) -> None:
    outcome = try_decode('[2,"a","Heartbeat",{"x":"' + "x" * MAX_FRAME_BYTES + '"}]', version)
    assert isinstance(outcome, FrameError)
    assert (outcome.close_code, outcome.reply) == (1009, None)


def nested(depth: int, width: int) -> str:
    """Return a call that is ``depth`` levels deep, with ``width`` empty lists beside the deep value."""
    inner = "1"
    for level in range(depth - 2):
        inner = f"[{inner}]" if level % 2 else f'{{"a":{inner}}}'
    return f'[2,"a","DataTransfer",{{"wide":[{",".join(["[]"] * width)}],"deep":{inner}}}]'


@given(st.integers(MAX_DEPTH - 4, MAX_DEPTH + 4), st.sampled_from([0, 500]))
def test_the_depth_limit_is_exact_whatever_stands_beside(depth: int, width: int) -> None:
    outcome = try_decode(nested(depth, width), OcppVersion.V16)
    too_deep = isinstance(outcome, FrameError) and "deeper" in outcome.reason
    assert too_deep == (depth > MAX_DEPTH)


def test_wide_is_not_deep() -> None:
    payload = {"data": [[{"a": 1}] for _ in range(200)]}
    assert decode_frame(encode_call("a", "X", payload), OcppVersion.V16) == Call("a", "X", payload)


def test_brackets_and_digits_in_strings_are_innocent() -> None:
    payload = {"data": "[" * 500 + '"' + "{" * 500 + "\\" + "9" * 500}
    assert decode_frame(encode_call("a", "X", payload), OcppVersion.V16) == Call("a", "X", payload)


def test_closing_brackets_in_strings_hide_no_depth() -> None:
    text = '["]",' * 200 + "1" + "]" * 200
    outcome = try_decode(f'[2,"a","X",{{"a":{text}}}]', OcppVersion.V201)
    assert isinstance(outcome, FrameError)
    assert "deeper" in outcome.reason


@pytest.mark.parametrize("number", ["9" * (MAX_DIGITS + 1), "0." + "1" * 5000, "-" + "8" * 100_000])
def test_long_numbers_are_refused_before_decoding(number: str) -> None:
    outcome = try_decode(f'[2,"a","X",{{"a":{number}}}]', OcppVersion.V201)
    assert isinstance(outcome, FrameError)
    assert "digits" in outcome.reason


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_FRAME_BYTES,
        '"' + '\\"' * (MAX_FRAME_BYTES // 2 - 1),
        "[{}" + ",{}" * (MAX_FRAME_BYTES // 3 - 2),
        '"' * MAX_FRAME_BYTES,
        "[" + "9" * (MAX_FRAME_BYTES - 1),
        "[\\" * (MAX_FRAME_BYTES // 2),
        "[]" * (MAX_FRAME_BYTES // 2),
    ],
    ids=["open", "escapes", "wide", "quotes", "digits", "backslashes", "pairs"],
)
def test_no_text_of_legal_size_takes_long(text: str) -> None:
    began = time.process_time()
    assert isinstance(try_decode(text, OcppVersion.V21), FrameError)
    assert time.process_time() - began < 0.5


def test_a_text_with_lone_surrogates_is_not_json() -> None:
    assert isinstance(try_decode('[2,"a","X",{"a":"\ud800"}]', OcppVersion.V16), FrameError)
    assert isinstance(try_decode(b'[2,"a","X",{"a":"\xff"}]', OcppVersion.V16), FrameError)
