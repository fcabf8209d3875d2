"""Leases: leave to discharge is given for a quarter of an hour, and given again while it is meant.

A station that falls silent goes on with its schedule. Charging ends in the fallback that every street was
built to carry; discharge must not go on for hours because of a plan that nobody can take back. So a profile
discharges until its lease ends, and stands still from then on. Its clock decides when that is: who is wrong
about the time gets no lease.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from csms.ocpp.vocabulary import ChargingProfile, Period
from csms.state.events import SamplesRecorded

LEASE = timedelta(minutes=15)
# With less than this left it is given again.
RENEWAL = LEASE / 2
# Less discharge than this at the end of a lease is not begun: the renewal brings it.
_LEAST_S = 60
# A station's clock may be wrong by so much.
TRUSTED_OFFSET = timedelta(seconds=30)
# Messages wait in queues: of so many, the one that waited least tells the time.
_MESSAGES = 5


def lease_discharge(
    profile: ChargingProfile, now: datetime, max_periods: int
) -> tuple[ChargingProfile, datetime | None]:
    """Return a profile that discharges until the end of a lease at the most, and that end.

    Parameters
    ----------
    profile
        What is planned; only setpoints below 0 discharge.
    now
        When it is sent: the lease begins.
    max_periods
        Most periods that the model stores.

    Returns
    -------
    tuple
        The profile, and the end of its lease (UTC); None when nothing in it discharges before that.
    """
    if not any(_discharges(period) for period in profile.periods):
        return profile, None
    until = now + LEASE
    until_s = int((until - profile.start).total_seconds())
    periods: list[Period] = []
    ends = [period.start_s for period in profile.periods[1:]]
    for period, end_s in zip(profile.periods, [*ends, until_s + 1], strict=True):
        if not _discharges(period):
            _append(periods, period)
        elif period.start_s > until_s - _LEAST_S:
            _append(periods, replace(period, setpoint=0.0))
        else:
            _append(periods, period)
            if end_s > until_s:
                _append(periods, Period(until_s, setpoint=0.0))
    while len(periods) > max_periods:
        # The stop is one more: what follows it stands still a little longer.
        del periods[next(index for index, each in enumerate(periods) if each.start_s == until_s) + 1]
    leased = replace(profile, periods=tuple(periods))
    return leased, until if any(_discharges(period) for period in periods) else None


def _discharges(period: Period) -> bool:
    return period.setpoint is not None and period.setpoint < 0.0


def _append(periods: list[Period], period: Period) -> None:
    if not periods or replace(periods[-1], start_s=0) != replace(period, start_s=0):
        periods.append(period)


@dataclass(slots=True)
class ClockOffsets:
    """How far stations' clocks are off, by what their samples say of when they were taken."""

    _offsets: defaultdict[str, deque[timedelta]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=_MESSAGES))
    )

    def see(self, event: SamplesRecorded) -> None:
        """Take in the samples of a message."""
        if event.samples:
            newest = max(sample.timestamp for sample in event.samples)
            self._offsets[event.station_id].append(newest - event.at)

    def is_trusted(self, station_id: str) -> bool:
        """Say whether a station's clock may decide when a lease ends."""
        offsets = self._offsets.get(station_id)
        return not offsets or abs(max(offsets)) <= TRUSTED_OFFSET

    @property
    def untrusted(self) -> frozenset[str]:
        """Stations that are wrong about the time."""
        return frozenset(name for name in self._offsets if not self.is_trusted(name))
