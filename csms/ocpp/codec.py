"""What every version's codec module offers, and which module speaks which version."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from csms.ocpp import v16, v21, v201
from csms.ocpp.vocabulary import Answer, Command, OcppVersion, Outcome, Payload, StationRequest


class Codec(Protocol):
    """Translates one version to the vocabulary and back; modules satisfy it."""

    @property
    def STATION_ACTIONS(self) -> frozenset[str]:  # noqa: N802
        """Messages that a station may send."""
        ...

    def decode_request(self, action: str, payload: Payload, received_at: datetime) -> StationRequest:
        """Translate a request whose payload passed its schema; `RequestError` when a field is unusable."""
        ...

    def encode_answer(self, action: str, answer: Answer) -> Payload:
        """Translate an answer; `RequestError` when the answer is that the action is not supported."""
        ...

    def encode_command(self, command: Command) -> tuple[str, Payload]:
        """Translate a command to action and payload; `CommandError` when the version has no words for it."""
        ...

    def decode_outcome(self, command: Command, payload: Payload) -> Outcome:
        """Translate a station's result whose payload passed its schema."""
        ...


_CODECS: dict[OcppVersion, Codec] = {
    OcppVersion.V16: v16,
    OcppVersion.V201: v201,
    OcppVersion.V21: v21,
}


def codec_of(version: OcppVersion) -> Codec:
    """Return the codec of a version."""
    return _CODECS[version]
