"""What a station keeps besides charging: cards, reservations, and work that takes its time. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from simulator.station.messages import UpkeepKind, UpkeepReport

LONGEST_LIST = 1000


@dataclass(frozen=True, slots=True)
class Reservation:
    """A socket that is kept for a card.

    Parameters
    ----------
    id
        The central system's number for it.
    evse_id
        Which socket.
    token
        The card.
    until
        When it ends.
    """

    id: int
    evse_id: int
    token: str
    until: datetime


@dataclass
class LocalList:
    """Cards that a station knows without asking.

    Parameters
    ----------
    version
        Of the central system; 0 for an empty list.
    statuses
        Status by card.
    """

    version: int = 0
    statuses: dict[str, str] = field(default_factory=dict)

    def update(self, version: int, entries: Iterable[tuple[str, str | None]], *, full: bool) -> str:
        """Replace or change the list; return the standard's word for how it went.

        Parameters
        ----------
        version
            Of the list afterwards.
        entries
            Card and status; without a status a card is removed.
        full
            Whether the list is replaced.
        """
        if version <= 0:
            return "Failed"
        if not full and version <= self.version:
            return "VersionMismatch"
        changed = {} if full else dict(self.statuses)
        for token, status in entries:
            if status is None:
                changed.pop(token, None)
            else:
                changed[token] = status
        if len(changed) > LONGEST_LIST:
            return "Failed"
        self.version, self.statuses = version, changed
        return "Accepted"

    def accepts_offline(self, token: str) -> bool:
        """Say whether a card is taken without asking: unless the list says otherwise, on trust."""
        return self.statuses.get(token, "Accepted") == "Accepted"


class Agenda:
    """Things that become due, in order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, object]] = []
        self._order = count()

    def put(self, due: datetime, what: object) -> None:
        """Add something."""
        heapq.heappush(self._waiting, (due, next(self._order), what))

    def take(self, now: datetime) -> Iterator[object]:
        """Yield and forget what is due."""
        while self._waiting and self._waiting[0][0] <= now:
            yield heapq.heappop(self._waiting)[2]

    @property
    def next_due(self) -> datetime | None:
        """When the next thing is due."""
        return self._waiting[0][0] if self._waiting else None


# What an update and the sending of a log go through, and how long each step takes [s].
UPDATE_STEPS = ("Downloading", "Downloaded", "Installing", "Installed")
LOG_STEPS = ("Uploading", "Uploaded")
STEP_S = 30.0


@dataclass
class Upkeep:
    """All of that of one station.

    Parameters
    ----------
    cards
        Its local list.
    agenda
        What it has to say later.
    reservations
        By socket.
    """

    cards: LocalList = field(default_factory=LocalList)
    agenda: Agenda = field(default_factory=Agenda)
    reservations: dict[int, Reservation] = field(default_factory=dict)

    def plan_update(self, begin: datetime, request_id: int | None) -> None:
        """Begin an update at an instant: nothing is loaded, every step is told."""
        self._plan(UpkeepKind.FIRMWARE, UPDATE_STEPS, begin, request_id)

    def plan_log(self, begin: datetime, request_id: int | None) -> None:
        """Send a log: nothing is sent, every step is told."""
        self._plan(UpkeepKind.LOG, LOG_STEPS, begin, request_id)

    def _plan(
        self, kind: UpkeepKind, steps: tuple[str, ...], begin: datetime, request_id: int | None
    ) -> None:
        for number, status in enumerate(steps):
            due = begin + timedelta(seconds=number * STEP_S)
            self.agenda.put(due, UpkeepReport(kind, status, request_id))

    def reserve(self, reservation: Reservation) -> None:
        """Keep a socket for a card."""
        self.reservations[reservation.evse_id] = reservation
        self.agenda.put(reservation.until, reservation)

    def cancel(self, reservation_id: int) -> int | None:
        """Give a reserved socket free; return which, None when there is no such reservation."""
        for evse_id, one in self.reservations.items():
            if one.id == reservation_id:
                del self.reservations[evse_id]
                return evse_id
        return None

    def admits(self, evse_id: int, token: str) -> bool:
        """Say whether a card may use a socket: it is not kept for another one."""
        kept = self.reservations.get(evse_id)
        return kept is None or kept.token == token
