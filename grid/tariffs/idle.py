"""The idle clock: minutes for which a full car that stays may be charged a fee.

It runs only after the car refused offered power at or above its minimum long enough and the fee was
announced, and never while the plan, a limit or two-way use holds the car, inside a declared stay, or at
night. Whatever was not seen is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from grid.tariffs.driver import IdleFeeConfig, price_idle
from grid.timegrid import local_midnight

# Two observations that are further apart say nothing of the time between them.
LONGEST_GAP: Final = timedelta(minutes=5)
# A car that draws less draws nothing: what a charger keeps for itself [kW].
NOTHING_KW: Final = 0.1
_ROUNDING_KW = 1e-6
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Observation:
    """A session at a moment.

    Parameters
    ----------
    at
        When (aware).
    offered_kw
        The least that it was offered since the observation before; None when nobody knows [kW].
    offered_since
        Since when that offer stands; what was offered before it is not known for sure.
    minimum_kw
        The least that its car can charge with [kW].
    drawn_kw
        What it takes, or gives when negative; None when nobody knows [kW].
    two_way
        Whether it may be discharged: then a pause may be the plan's.
    stay_until
        Until when its driver said that it stays.
    """

    at: datetime
    offered_kw: float | None
    offered_since: datetime
    minimum_kw: float
    drawn_kw: float | None
    two_way: bool = False
    stay_until: datetime | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the car surely leaves what it is offered."""
        if self.two_way or self.offered_kw is None or self.drawn_kw is None:
            return False
        return self.offered_kw >= self.minimum_kw - _ROUNDING_KW and abs(self.drawn_kw) < NOTHING_KW


@dataclass(frozen=True, slots=True)
class IdleClock:
    """What is known of a session's idling.

    Parameters
    ----------
    at, refused_since
        The last observation, and since when the car refuses without a break; None while it does not.
    announced_at
        When the fee was announced; None before, and when the car charged or was held again.
    stay_until
        Until when its driver said that it stays.
    counted
        Time that the fee ran, by local day.
    """

    at: datetime | None = None
    refused_since: datetime | None = None
    announced_at: datetime | None = None
    stay_until: datetime | None = None
    counted: Mapping[date, timedelta] = field(default_factory=dict)

    def fee_eur(self, fee: IdleFeeConfig) -> dict[date, Decimal]:
        """Return the fee of every local day, the cap kept [EUR]."""
        return {day: price_idle(Decimal(span // _MINUTE), fee) for day, span in self.counted.items()}


def observe(clock: IdleClock, seen: Observation, fee: IdleFeeConfig, tz: ZoneInfo) -> IdleClock:
    """Return the clock after an observation; one that is not newer than the last changes nothing."""
    if clock.at is not None and seen.at <= clock.at:
        return clock
    if not seen.is_refused:
        return IdleClock(at=seen.at, stay_until=seen.stay_until, counted=clock.counted)
    unbroken = clock.at is not None and seen.at - clock.at <= LONGEST_GAP
    since = clock.refused_since if unbroken else None
    announced_at = clock.announced_at if unbroken else None
    counted = clock.counted
    if announced_at is not None and clock.at is not None and seen.offered_since <= clock.at:
        begin = max(clock.at, runs_from(announced_at, fee))
        stay_until = max(
            (one for one in (clock.stay_until, seen.stay_until) if one is not None), default=None
        )
        counted = _count(counted, begin, seen.at, stay_until, fee, tz)
    refused_since = seen.at if since is None else since
    if announced_at is None and seen.at - refused_since >= timedelta(minutes=fee.refused_minutes):
        announced_at = None if is_excused(seen.at, seen.stay_until, fee, tz) else seen.at
    return replace(
        clock,
        at=seen.at,
        refused_since=refused_since,
        announced_at=announced_at,
        stay_until=seen.stay_until,
        counted=counted,
    )


def runs_from(announced_at: datetime, fee: IdleFeeConfig) -> datetime:
    """Return from when an announced fee runs."""
    return announced_at + timedelta(minutes=fee.notice_minutes)


def is_excused(at: datetime, stay_until: datetime | None, fee: IdleFeeConfig, tz: ZoneInfo) -> bool:
    """Say whether a moment lies inside a declared stay or the night."""
    if stay_until is not None and at < stay_until:
        return True
    local = at.astimezone(tz).time()
    if fee.night_from <= fee.night_to:
        return fee.night_from <= local < fee.night_to
    return local >= fee.night_from or local < fee.night_to


def _count(
    counted: Mapping[date, timedelta],
    begin: datetime,
    end: datetime,
    stay_until: datetime | None,
    fee: IdleFeeConfig,
    tz: ZoneInfo,
) -> Mapping[date, timedelta]:
    """Add what is not excused between two instants."""
    if begin >= end:
        return counted
    cuts = sorted({begin, end, *(cut for cut in _cuts(begin, stay_until, fee, tz) if begin < cut < end)})
    added = dict(counted)
    for first, last in pairwise(cuts):
        if not is_excused(first, stay_until, fee, tz):
            day = first.astimezone(tz).date()
            added[day] = added.get(day, timedelta()) + (last - first)
    return added


def _cuts(
    begin: datetime, stay_until: datetime | None, fee: IdleFeeConfig, tz: ZoneInfo
) -> Iterator[datetime]:
    """Yield the instants near ``begin`` at which something changes: stay, night, local day."""
    if stay_until is not None:
        yield stay_until
    today = begin.astimezone(tz).date()
    yield local_midnight(today + timedelta(days=1), tz)
    for edge in (fee.night_from, fee.night_to):
        yield from (_local(today + timedelta(days=days), edge, tz) for days in (0, 1))


def _local(day: date, moment: time, tz: ZoneInfo) -> datetime:
    return datetime.combine(day, moment, tzinfo=tz).astimezone(local_midnight(day, tz).tzinfo)
