"""Accepted or refused: the statuses of results that mean the station did as it was told."""

from __future__ import annotations

from csms.ocpp.vocabulary import Accepted, Outcome, Payload, Refused

# A change that waits for a transaction's end or for a reboot is taken; the payload says so.
_ACCEPTING = frozenset({"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked"})


def read_outcome(payload: Payload, status: object) -> Outcome:
    """Return `Accepted` unless the status says otherwise; a result without one is data that was asked for."""
    if isinstance(status, str) and status not in _ACCEPTING:
        return Refused(status, payload)
    return Accepted(payload)
