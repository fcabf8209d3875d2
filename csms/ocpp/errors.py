"""Error codes of the RPC layer: one spelling inside, each version's own on the wire."""

from __future__ import annotations

from enum import StrEnum

from csms.ocpp.vocabulary import OcppVersion
from grid.errors import WijkstroomError

# errorDescription is a string of at most 255 characters in every version.
MAX_DESCRIPTION = 255


class ErrorCode(StrEnum):
    """Error codes in the spelling of OCPP 2.x."""

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"


# OCPP 1.6 spells two codes its own way (one of them wrongly) and knows no code for a broken frame.
_SPELLING_16 = {
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
    ErrorCode.RPC_FRAMEWORK_ERROR: "FormationViolation",
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "NotSupported",
}
_READ_AS = {
    "FormationViolation": ErrorCode.FORMAT_VIOLATION,
    "OccurenceConstraintViolation": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
}


def spell_code(code: ErrorCode, version: OcppVersion) -> str:
    """Return the code as ``version`` writes it."""
    if version is OcppVersion.V16:
        return _SPELLING_16.get(code, code.value)
    return code.value


def read_code(code: str) -> str:
    """Return a received code in the spelling of 2.x: stations mix them; an unknown code passes as it is."""
    return _READ_AS.get(code, code)


class RequestError(WijkstroomError):
    """A readable request that cannot be served: it is answered with a CALLERROR.

    Parameters
    ----------
    code
        Which rule it breaks.
    description
        The field and what is wrong with it.
    """

    def __init__(self, code: ErrorCode, description: str) -> None:
        self.code = code
        self.description = description[:MAX_DESCRIPTION]
        super().__init__(f"{code}: {self.description}")


class CommandError(WijkstroomError):
    """A command that cannot be said in the station's version or model; it is never sent."""
