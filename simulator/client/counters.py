"""What went over the wires of simulated stations, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class WireCounters:
    """Counts of one station or, shared, of many.

    Parameters
    ----------
    sent, received
        Calls and answers, by action, either way: what this side wrote and read.
    call_errors
        CALLERRORs, either way.
    schema_failures
        Messages, either way, that break the standard's schema or cannot be read at all.
    timeouts
        Calls of a station that were not answered in time.
    connections, refusals
        Connections that stood, and attempts that failed.
    faults
        What the errors said, the first of each kind.
    """

    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    call_errors: int = 0
    schema_failures: int = 0
    timeouts: int = 0
    connections: int = 0
    refusals: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """Calls and answers, either way."""
        return self.sent.total() + self.received.total()

    @property
    def errors(self) -> int:
        """Everything that should not have happened."""
        return self.call_errors + self.schema_failures + self.timeouts

    def note_fault(self, kind: str, text: str) -> None:
        """Keep the first text of a kind of error."""
        self.faults.setdefault(kind, text)
