"""What was measured over the day, in buckets short enough for a line on a page."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

BUCKET_MINUTES: Final = 5
# One day and one bucket.
MOST_BUCKETS: Final = 24 * 60 // BUCKET_MINUTES + 1
_BUCKET_S: Final = BUCKET_MINUTES * 60


class Curve(StrEnum):
    """What is drawn."""

    NODE = "node_kw"
    PV = "pv_kw"
    CHARGING = "charging_kw"
    DISCHARGING = "discharging_kw"


@dataclass(slots=True)
class _Bucket:
    number: int
    sums: dict[Curve, float] = field(default_factory=dict)
    counts: dict[Curve, int] = field(default_factory=dict)

    def add(self, curve: Curve, value_kw: float) -> None:
        self.sums[curve] = self.sums.get(curve, 0.0) + value_kw
        self.counts[curve] = self.counts.get(curve, 0) + 1

    def document(self) -> dict[str, object]:
        """Return instant [ms since 1970] and mean of each curve [kW], None where nothing was measured."""
        means = {
            curve.value: round(self.sums[curve] / self.counts[curve], 2) if curve in self.counts else None
            for curve in Curve
        }
        return {"at_ms": self.number * _BUCKET_S * 1000, **means}


class Trace:
    """Means per bucket of the last day."""

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque(maxlen=MOST_BUCKETS)
        self.changes = 0

    def add(self, curve: Curve, at: datetime, value_kw: float) -> None:
        """Take a measured value; a late one counts in its own bucket, if that is kept."""
        number = int(at.timestamp()) // _BUCKET_S
        bucket = self._find(number)
        if bucket is not None:
            bucket.add(curve, value_kw)
            self.changes += 1

    def document(self) -> list[dict[str, object]]:
        """Return the buckets, oldest first."""
        return [bucket.document() for bucket in self._buckets]

    def tail(self, buckets: int) -> list[dict[str, object]]:
        """Return the newest buckets, oldest first."""
        first = max(len(self._buckets) - buckets, 0)
        return [self._buckets[index].document() for index in range(first, len(self._buckets))]

    def _find(self, number: int) -> _Bucket | None:
        if not self._buckets or number > self._buckets[-1].number:
            self._buckets.append(_Bucket(number))
            return self._buckets[-1]
        return next((bucket for bucket in reversed(self._buckets) if bucket.number == number), None)
