"""The standards' JSON schemas, compiled once per action when it is first seen.

Two decisions make the check bear real stations. Instants are not checked by ``format: date-time``: the
codecs read them, so that one bad clock reading costs one sample and not the message. And the inside of meter
values is left to `csms.ocpp.samples`, which rejects bad samples one by one and keeps the rest.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson

from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.vocabulary import OcppVersion, Payload

_FOLDERS = {OcppVersion.V16: "v16", OcppVersion.V201: "v201", OcppVersion.V21: "v21"}
# Lists of samples, checked one by one elsewhere.
_LENIENT = frozenset({"meterValue", "transactionData"})
_CODES: dict[type, ErrorCode] = {
    jsonschema_rs.ValidationErrorKind.Required: ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    jsonschema_rs.ValidationErrorKind.MinItems: ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    jsonschema_rs.ValidationErrorKind.MaxItems: ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    jsonschema_rs.ValidationErrorKind.Type: ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    jsonschema_rs.ValidationErrorKind.AdditionalProperties: ErrorCode.FORMAT_VIOLATION,
}


class Schemas:
    """Compiled schemas of one version.

    Parameters
    ----------
    version
        Which standard.
    """

    def __init__(self, version: OcppVersion) -> None:
        self._folder = files("ocpp").joinpath(_FOLDERS[version], "schemas")
        self._names = frozenset(entry.name.removesuffix(".json") for entry in self._folder.iterdir())
        self._version = version
        self._requests: dict[str, jsonschema_rs.Validator] = {}
        self._answers: dict[str, jsonschema_rs.Validator] = {}

    def knows(self, action: str) -> bool:
        """Say whether the standard has a message of this name."""
        return action in self._requests or self._request_name(action) in self._names

    def check_request(self, action: str, payload: Payload) -> None:
        """Check a request.

        Raises
        ------
        RequestError
            With the code and the field; NotImplemented when the standard knows no such action.
        """
        validator = self._requests.get(action)
        if validator is None:
            validator = self._requests[action] = self._compile(self._request_name(action))
        if not validator.is_valid(payload):
            raise _describe(validator, payload)

    def check_answer(self, action: str, payload: Payload) -> None:
        """Check the answer to a request.

        Raises
        ------
        RequestError
            With the code and the field.
        """
        validator = self._answers.get(action)
        if validator is None:
            validator = self._answers[action] = self._compile(f"{action}Response")
        if not validator.is_valid(payload):
            raise _describe(validator, payload)

    def allows_empty_answer(self, action: str) -> bool:
        """Say whether ``{}`` is a legal answer."""
        try:
            self.check_answer(action, {})
        except RequestError:
            return False
        return True

    def _request_name(self, action: str) -> str:
        # 1.6 has no suffix, and 2.x none for the messages that have no answer (SEND)
        name = f"{action}Request"
        return name if name in self._names or action.endswith(("Request", "Response")) else action

    def _compile(self, name: str) -> jsonschema_rs.Validator:
        if name not in self._names:
            raise RequestError(ErrorCode.NOT_IMPLEMENTED, f"{self._version} has no such action")
        text = self._folder.joinpath(f"{name}.json").read_text(encoding="utf-8-sig")
        return jsonschema_rs.validator_for(_relax(orjson.loads(text)), validate_formats=False)


@cache
def schemas_of(version: OcppVersion) -> Schemas:
    """Return the schemas of a version, the same object each time."""
    return Schemas(version)


def _relax(schema: Any) -> Any:
    """Leave the inside of meter values unchecked."""
    if isinstance(schema, list):
        return [_relax(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {"type": "array"} if key in _LENIENT and isinstance(part, dict) else _relax(part)
        for key, part in schema.items()
    }


def _describe(validator: jsonschema_rs.Validator, payload: Payload) -> RequestError:
    error = next(iter(validator.iter_errors(payload)))
    code = _CODES.get(type(error.kind), ErrorCode.PROPERTY_CONSTRAINT_VIOLATION)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    # the offending value is hostile and may be huge: its head is enough to find it
    return RequestError(code, f"{path.lstrip('.') or 'payload'}: {_shorten(error.message)}")


def _shorten(message: str, length: int = 160) -> str:
    return message if len(message) <= length else f"{message[: length // 2]} ... {message[-length // 2 :]}"
