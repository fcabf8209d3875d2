"""What the gateway counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class ErrorKind(StrEnum):
    """Everything that can go wrong on the wire."""

    CALL_ERROR_RECEIVED = "call_error_received"
    CALL_ERROR_SENT = "call_error_sent"
    SCHEMA_FAILURE = "schema_failure"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    UNSOLICITED = "unsolicited"
    REJECTED_SAMPLE = "rejected_sample"
    HANDLER_FAILURE = "handler_failure"
    REFUSED_CONNECTION = "refused_connection"


# What a street's report calls ocpp_errors: CALLERRORs either way, schema failures, timeouts.
_PROTOCOL_ERRORS = (
    ErrorKind.CALL_ERROR_RECEIVED,
    ErrorKind.CALL_ERROR_SENT,
    ErrorKind.SCHEMA_FAILURE,
    ErrorKind.TIMEOUT,
)


@dataclass(slots=True)
class Counters:
    """Counts since the start.

    Parameters
    ----------
    messages_in, messages_out
        Frames of any kind, also refused ones.
    errors
        By kind. One bad request may count twice: as a schema failure and as the CALLERROR that answers it.
    """

    messages_in: int = 0
    messages_out: int = 0
    connections: int = 0
    errors: Counter[ErrorKind] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        """Frames both ways."""
        return self.messages_in + self.messages_out

    @property
    def ocpp_errors(self) -> int:
        """CALLERRORs either way, schema failures and timeouts."""
        return sum(self.errors[kind] for kind in _PROTOCOL_ERRORS)
