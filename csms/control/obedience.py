"""Who does not do what it confirmed: found by what sockets measure, within two samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from csms.control.ledger import EvseKey

# A car follows an order within some seconds; what is measured earlier says nothing.
SETTLING = timedelta(seconds=30)
# Orders are in ampere at nominal voltage: at 253 V the same current is a tenth more power.
TOLERANCE_FRACTION = 0.12
TOLERANCE_KW = 0.3
# A socket that draws at least this part of what it is told shows that it follows.
FOLLOWING_FRACTION = 0.5
SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """What a socket measured, beside what it was told.

    Parameters
    ----------
    key
        The socket.
    at
        When it measured.
    power_kw
        What, > 0 charges [kW].
    told_since, told_kw
        Since when it is told what, > 0 charges [kW].
    hardware_kw
        The most that it can draw [kW].
    """

    key: EvseKey
    at: datetime
    power_kw: float
    told_since: datetime
    told_kw: float
    hardware_kw: float

    @property
    def is_settled(self) -> bool:
        """Whether it had time to follow."""
        return self.at >= self.told_since + SETTLING

    @property
    def is_above(self) -> bool:
        """Whether it draws or gives back more than it is told."""
        slack_kw = TOLERANCE_FRACTION * abs(self.told_kw) + TOLERANCE_KW
        return (
            self.power_kw > max(self.told_kw, 0.0) + slack_kw
            or self.power_kw < min(self.told_kw, 0.0) - slack_kw
        )

    @property
    def is_following(self) -> bool:
        """Whether what it draws can only be explained by what it is told."""
        bounded = 0.0 < self.told_kw < self.hardware_kw * (1.0 - TOLERANCE_FRACTION)
        return bounded and FOLLOWING_FRACTION * self.told_kw <= self.power_kw and not self.is_above


@dataclass(slots=True)
class Obedience:
    """Counts, by socket, samples that are against what was told."""

    ignoring: set[EvseKey] = field(default_factory=set)
    _against: Counter[EvseKey] = field(default_factory=Counter)
    _following: Counter[EvseKey] = field(default_factory=Counter)

    def judge(self, seen: Observation) -> bool:
        """Take in an observation; say whether the socket was caught or cleared by it."""
        if not seen.is_settled:
            return False
        self._against[seen.key] = self._against[seen.key] + 1 if seen.is_above else 0
        self._following[seen.key] = self._following[seen.key] + 1 if seen.is_following else 0
        if seen.key not in self.ignoring and self._against[seen.key] >= SAMPLES:
            self.ignoring.add(seen.key)
            return True
        if seen.key in self.ignoring and self._following[seen.key] >= SAMPLES:
            self.ignoring.discard(seen.key)
            return True
        return False

    def forget(self, key: EvseKey) -> None:
        """Begin to count anew for a socket: its session ended. Who was caught stays caught."""
        self._against.pop(key, None)
        self._following.pop(key, None)
