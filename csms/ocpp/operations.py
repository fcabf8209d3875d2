"""What an operator tells a station to do, whatever OCPP version it speaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """Start anew: at once, or when no transaction runs any more (1.6: after ending them in good order)."""

    immediate: bool


@dataclass(frozen=True, slots=True)
class Unlock:
    """Let go of a cable."""

    evse_id: int
    connector_id: int = 1


@dataclass(frozen=True, slots=True)
class SetAvailability:
    """Take into service or out of it; EVSE 0 is the whole station."""

    evse_id: int
    operative: bool


@dataclass(frozen=True, slots=True)
class RemoteStart:
    """Begin a transaction as if a token had been shown."""

    evse_id: int
    token: str
    token_kind: str
    remote_start_id: int


@dataclass(frozen=True, slots=True)
class RemoteStop:
    """End a transaction."""

    transaction_id: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Say again what the status of a socket is."""

    evse_id: int
    connector_id: int = 1


Operation = Reset | Unlock | SetAvailability | RemoteStart | RemoteStop | Refresh
