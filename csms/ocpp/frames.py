"""Frames of OCPP-J: text to call, result or error and back, with limits checked before anything is decoded.

Nothing here does I/O, and nothing raises but `FrameError`, whatever the street sends. A `FrameError` says
what the version prescribes as reaction: a reply, closing the connection, or nothing at all (OCPP 1.6 ignores
what it cannot read; 2.x answers with message id ``-1``).
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from csms.ocpp.errors import MAX_DESCRIPTION, ErrorCode, read_code, spell_code
from csms.ocpp.vocabulary import OcppVersion, Payload
from grid.errors import WijkstroomError

MAX_FRAME_BYTES: Final = 512 * 1024
MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 40
MAX_ID: Final = 36
# Message id of an answer to a message whose own id could not be read (2.x).
UNREADABLE_ID: Final = "-1"

CALL: Final = 2
CALL_RESULT: Final = 3
CALL_ERROR: Final = 4
CALL_RESULT_ERROR: Final = 5
SEND: Final = 6

_TYPES = {
    OcppVersion.V16: frozenset({CALL, CALL_RESULT, CALL_ERROR}),
    OcppVersion.V201: frozenset({CALL, CALL_RESULT, CALL_ERROR}),
    OcppVersion.V21: frozenset({CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND}),
}

# A string, or the rest of the text when it never ends: possessive, so that no input makes it try twice.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
# One look for all: digits become 0, braces become brackets.
_ALIKE = bytes.maketrans(b"123456789{}", b"000000000[]")
_LONG_NUMBER = b"0" * (MAX_DIGITS + 1)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Call(NamedTuple):
    """A request."""

    id: str
    action: str
    payload: Payload


class CallResult(NamedTuple):
    """The answer to a request."""

    id: str
    payload: Payload


class CallError(NamedTuple):
    """A request was refused; the code is in the spelling of 2.x, or unknown."""

    id: str
    code: str
    description: str
    details: Payload


class CallResultError(NamedTuple):
    """A result was refused (2.1)."""

    id: str
    code: str
    description: str
    details: Payload


class Send(NamedTuple):
    """A message without an answer (2.1)."""

    id: str
    action: str
    payload: Payload


Frame = Call | CallResult | CallError | CallResultError | Send


class FrameError(WijkstroomError):
    """A frame that is no OCPP message.

    Parameters
    ----------
    reason
        What is wrong with it.
    reply
        The frame to answer with, None when the version says to stay silent.
    close_code
        Websocket close code, None when the connection stays.
    """

    def __init__(self, reason: str, *, reply: str | None = None, close_code: int | None = None) -> None:
        self.reason = reason
        self.reply = reply
        self.close_code = close_code
        super().__init__(reason)


def decode_frame(data: str | bytes, version: OcppVersion, *, max_bytes: int = MAX_FRAME_BYTES) -> Frame:
    """Read one message.

    Parameters
    ----------
    data
        The whole message, JSON text.
    version
        The connection's subprotocol: it decides which message types exist and how errors are answered.
    max_bytes
        Longest message [bytes].

    Raises
    ------
    FrameError
        For everything that is no message of this version; says how to react.
    """
    # lone surrogates cannot be encoded: let them through, the decoder refuses them
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    _check_limits(raw, version, max_bytes)
    try:
        message = orjson.loads(raw)
    except ValueError as error:
        _refuse(version, f"not JSON: {error}")
    if type(message) is not list or not message:
        _refuse(version, "not a JSON array with a message type")
    kind = message[0]
    if type(kind) is not int or kind not in _TYPES[version]:
        _refuse_type(version, message)
    if kind in {CALL, SEND}:
        return _read_request(message, version)
    return _read_response(message, version)


def encode_call(message_id: str, action: str, payload: Payload) -> str:
    """Write a CALL."""
    return _dump([CALL, message_id, action, payload])


def encode_result(message_id: str, payload: Payload) -> str:
    """Write a CALLRESULT."""
    return _dump([CALL_RESULT, message_id, payload])


def encode_error(message_id: str, code: ErrorCode, description: str, version: OcppVersion) -> str:
    """Write a CALLERROR in the version's spelling, its description cut to what the standard allows."""
    return _dump([CALL_ERROR, message_id, spell_code(code, version), description[:MAX_DESCRIPTION], {}])


def encode_result_error(message_id: str, code: ErrorCode, description: str) -> str:
    """Write a CALLRESULTERROR (2.1 only)."""
    return _dump([CALL_RESULT_ERROR, message_id, code.value, description[:MAX_DESCRIPTION], {}])


def _dump(message: list[Any]) -> str:
    return orjson.dumps(message).decode()


def _check_limits(raw: bytes, version: OcppVersion, max_bytes: int) -> None:
    """Bound size, depth and digits of a text that nothing has decoded yet.

    Brackets and digits inside of strings are innocent, so a cheap look at the whole text settles nearly every
    message, and only the rest is read without its strings.
    """
    if len(raw) > max_bytes:
        raise FrameError(f"longer than {max_bytes} bytes", close_code=1009)
    alike = raw.translate(_ALIKE)
    if alike.count(b"[") > MAX_DEPTH or _LONG_NUMBER in alike:
        _check_structure(raw, version)


def _check_structure(raw: bytes, version: OcppVersion) -> None:
    bare = _STRING.sub(b"", raw).translate(_ALIKE)
    if _LONG_NUMBER in bare:
        _refuse(version, f"a number has more than {MAX_DIGITS} digits")
    brackets = bare.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")  # takes exactly the innermost level away
        if not peeled or len(peeled) == len(brackets):
            return  # flat enough, or not balanced: the decoder says so
        brackets = peeled
    _refuse(version, f"nested deeper than {MAX_DEPTH} levels")


def _read_request(message: list[Any], version: OcppVersion) -> Call | Send:
    message_id = _read_id(message, version)
    if len(message) != 4:  # noqa: PLR2004 - type, id, action, payload
        _refuse(version, "a request has four elements: type, id, action, payload", message_id)
    action, payload = message[2], message[3]
    if type(action) is not str:
        _refuse(version, "the action is not a string", message_id)
    if payload is None and version is OcppVersion.V16:
        payload = {}
    if type(payload) is not dict:
        reason = "the payload is not an object"
        raise FrameError(reason, reply=encode_error(message_id, ErrorCode.FORMAT_VIOLATION, reason, version))
    return Call(message_id, action, payload) if message[0] == CALL else Send(message_id, action, payload)


def _read_response(message: list[Any], version: OcppVersion) -> CallResult | CallError | CallResultError:
    """Read an answer; a broken one is never answered itself, or two bad peers would never stop."""
    message_id = message[1] if len(message) > 1 else None
    if type(message_id) is not str or not 0 < len(message_id) <= MAX_ID:
        raise FrameError("a response without a readable message id")
    if message[0] == CALL_RESULT:
        payload = message[2] if len(message) == 3 else message  # noqa: PLR2004 - type, id, payload
        if payload is None and version is OcppVersion.V16:
            payload = {}
        if type(payload) is not dict:
            raise FrameError("a result is not type, id and an object")
        return CallResult(message_id, payload)
    if len(message) < 3 or type(message[2]) is not str:  # noqa: PLR2004
        raise FrameError("an error without a code")
    description = message[3] if len(message) > 3 and type(message[3]) is str else ""  # noqa: PLR2004
    details = message[4] if len(message) > 4 and type(message[4]) is dict else {}  # noqa: PLR2004
    kind = CallError if message[0] == CALL_ERROR else CallResultError
    return kind(message_id, read_code(message[2]), description, details)


def _read_id(message: list[Any], version: OcppVersion) -> str:
    message_id = message[1] if len(message) > 1 else None
    if type(message_id) is not str or not 0 < len(message_id) <= MAX_ID:
        _refuse(version, f"the message id is not a string of 1 to {MAX_ID} characters")
    return message_id


def _refuse_type(version: OcppVersion, message: list[Any]) -> NoReturn:
    reason = "unknown message type"
    if version is OcppVersion.V16:
        raise FrameError(reason)
    message_id = message[1] if len(message) > 1 else None
    if type(message_id) is not str or not 0 < len(message_id) <= MAX_ID:
        message_id = UNREADABLE_ID
    code = ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED
    raise FrameError(reason, reply=encode_error(message_id, code, "", version))


def _refuse(version: OcppVersion, reason: str, message_id: str | None = None) -> NoReturn:
    """Refuse a request that breaks the framework: 2.x says so, 1.6 only when the id could be read."""
    if version is OcppVersion.V16 and message_id is None:
        raise FrameError(reason)
    description = "" if message_id is None else reason
    code = ErrorCode.RPC_FRAMEWORK_ERROR
    raise FrameError(reason, reply=encode_error(message_id or UNREADABLE_ID, code, description, version))
