"""What the writer remembers of rows, to ask the database less.

There is one writer, so what it wrote or read last is what stands. A rollback makes it forget everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlmodel import Session

from csms.state.columns import AnyRow
from csms.state.registers import Counter

_KEY: Final = "memory"
_MAX_SESSIONS = 50_000


@dataclass(slots=True)
class Memory:
    """Rows by their business keys.

    Parameters
    ----------
    sessions
        By station and transaction id.
    transactions
        Their keys, by session number.
    evse_keys
        By station and EVSE number.
    counters
        Registers as read last, by session number, then by EVSE key and register.
    shapes
        Sample shapes that are stored.
    """

    sessions: dict[tuple[str, str], AnyRow] = field(default_factory=dict)
    transactions: dict[int, tuple[str, str]] = field(default_factory=dict)
    evse_keys: dict[tuple[str, int], int] = field(default_factory=dict)
    counters: dict[int, dict[tuple[int, str], Counter]] = field(default_factory=dict)
    shapes: set[int] = field(default_factory=set)

    def forget(self) -> None:
        """Forget everything: what was written last may not stand."""
        for each in (self.sessions, self.transactions, self.evse_keys, self.counters, self.shapes):
            each.clear()

    def remember_session(self, row: AnyRow) -> None:
        """Remember the row of a session."""
        if max(len(self.sessions), len(self.counters)) >= _MAX_SESSIONS:
            self.forget()
        key = (row.station_id, row.transaction_id)
        self.sessions[key] = row
        self.transactions[row.number] = key

    def forget_session(self, number: int) -> None:
        """Forget a session, which is about to change."""
        self.counters.pop(number, None)
        key = self.transactions.pop(number, None)
        if key is not None:
            self.sessions.pop(key, None)

    def attach(self, session: Session) -> None:
        """Let a writing session use it."""
        session.info[_KEY] = self


def memory_of(session: Session) -> Memory:
    """Return what the writer of this session remembers; nothing where nobody does."""
    memory: Memory | None = session.info.get(_KEY)
    if memory is None:
        memory = session.info[_KEY] = Memory()
    return memory
