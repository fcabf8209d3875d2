"""The standards' JSON schemas on the station's side, compiled once: the package's own check is slow."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson

from simulator.setup import Protocol

_FOLDERS = {Protocol.V16: "v16", Protocol.V201: "v201", Protocol.V21: "v21"}


@cache
def _validator(protocol: Protocol, action: str, *, answer: bool) -> jsonschema_rs.Validator | None:
    """Return the compiled schema, None where the standard has no such message."""
    folder = files("ocpp").joinpath(_FOLDERS[protocol], "schemas")
    request = action if protocol is Protocol.V16 else f"{action}Request"
    name = f"{action}Response" if answer else request
    path = folder.joinpath(f"{name}.json")
    if not action.isalnum() or not path.is_file():
        return None
    return jsonschema_rs.validator_for(orjson.loads(path.read_text(encoding="utf-8-sig")))


def knows_action(protocol: Protocol, action: str) -> bool:
    """Say whether a version of the standard has a message of this name."""
    return _validator(protocol, action, answer=True) is not None


def find_violation(protocol: Protocol, action: str, payload: Any, *, answer: bool = False) -> str | None:
    """Check a payload; return what breaks its schema, None when nothing does.

    Parameters
    ----------
    protocol
        Version of the standard.
    action
        Name of the message.
    payload
        As decoded from JSON.
    answer
        Whether it is the answer to that message.
    """
    validator = _validator(protocol, action, answer=answer)
    if validator is None:
        return f"{protocol.value} has no message {action!r:.60}"
    if validator.is_valid(payload):
        return None
    error = next(iter(validator.iter_errors(payload)))
    path = ".".join(str(part) for part in error.instance_path) or "payload"
    return f"{action}: {path}: {error.message[:160]}"
