"""A message on its way into the tables, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from csms.ocpp.vocabulary import Answer, OcppVersion
from csms.state.events import Event

# A station's clock may run ahead so far.
AHEAD_TOLERANCE = timedelta(minutes=1)
# A message that says it is live is not older than this, unless the station's clock is behind.
BEHIND_TOLERANCE = timedelta(minutes=15)
# Nothing waits longer in a station's queue.
OLDEST_QUEUED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Who said something, when it came, and what may be needed to record it.

    Parameters
    ----------
    station_id, version
        Who, and in which words.
    received_at
        Our time.
    fresh_id
        An id that nobody used, for a session that may begin.
    max_power_kw
        Rated power of its sockets [kW].
    """

    station_id: str
    version: OcppVersion
    received_at: datetime
    fresh_id: str
    max_power_kw: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What to answer and what to publish, once it is committed."""

    answer: Answer
    events: tuple[Event, ...] = ()


def hold_for_true(at: datetime, received_at: datetime, *, live: bool = False) -> datetime:
    """Return the instant that we believe: the station's, unless its clock must be wrong; then ours.

    Parameters
    ----------
    at
        What the station says.
    received_at
        When it came.
    live
        Whether the station says that it did not wait in its queue.
    """
    oldest = received_at - (BEHIND_TOLERANCE if live else OLDEST_QUEUED)
    return at if oldest <= at <= received_at + AHEAD_TOLERANCE else received_at
