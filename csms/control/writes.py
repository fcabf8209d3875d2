"""How often stations are written to: each profile wears their memory, and mobile data is metered.

A bucket per station fills evenly over the day. What lowers a bound is always written. A large increase may
overdraw the bucket, since a car would wait for it; a small one waits for a token, and when few are left only
what matters within a quarter of an hour is worth one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

DAY = timedelta(days=1)
# A station that was quiet may be written to so often in a row.
BURST_FRACTION = 0.3
# Below this part of a full bucket only what matters soon is written.
SCARCE_FRACTION = 0.3
# An increase by so much is worth an overdraft: half a kilowatt-hour in a quarter [kW].
LARGE_KW = 2.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: datetime


@dataclass(slots=True)
class WriteBudget:
    """Counts profiles written, by station.

    Parameters
    ----------
    per_day
        Profiles that a station may be written in a day.
    """

    per_day: float
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    @property
    def burst(self) -> float:
        """Most tokens that a station can have."""
        return max(1.0, BURST_FRACTION * self.per_day)

    def tokens(self, station_id: str, now: datetime) -> float:
        """Return how many profiles a station may be written now; below 0 when reductions overdrew it."""
        bucket = self._buckets.get(station_id)
        if bucket is None:
            return self.burst
        saved = self.per_day * ((now - bucket.at) / DAY)
        return min(self.burst, bucket.tokens + saved)

    def permits(self, station_id: str, now: datetime, *, soon: bool, increase_kw: float = 0.0) -> bool:
        """Say whether an increase is worth a write.

        Parameters
        ----------
        station_id, now
            Where and when.
        soon
            Whether it changes anything within a quarter of an hour.
        increase_kw
            By how much it raises then [kW].
        """
        tokens = self.tokens(station_id, now)
        if increase_kw >= LARGE_KW:
            return tokens > -self.burst
        return tokens >= 1.0 and (soon or tokens >= SCARCE_FRACTION * self.burst)

    def spend(self, station_id: str, now: datetime) -> None:
        """Note that a profile was written."""
        self._buckets[station_id] = _Bucket(self.tokens(station_id, now) - 1.0, now)
