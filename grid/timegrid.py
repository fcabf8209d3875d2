"""Steps of time: UTC quarters, local days of 92, 96 or 100 of them, daily windows in local time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

QUARTER = timedelta(minutes=15)
QUARTER_HOURS = 0.25
QUARTERS_PER_DAY = 96
MINUTES_PER_DAY = 1440
_QUARTER_S = 900


@dataclass(frozen=True)
class TimeGrid:
    """Equal steps from an instant on.

    Parameters
    ----------
    start
        First edge (aware; kept in UTC).
    step
        Length of a step, > 0.
    steps
        Number of steps, >= 0.
    """

    start: datetime
    step: timedelta
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", to_utc(self.start))
        if self.step <= timedelta(0):
            raise ValueError(f"step must be longer than zero, not {self.step}")
        if self.steps < 0:
            raise ValueError(f"steps must not be negative, not {self.steps}")

    @cached_property
    def edges(self) -> tuple[datetime, ...]:
        """The time points, one more than steps (UTC)."""
        return tuple(self.start + index * self.step for index in range(self.steps + 1))

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Where each step begins (UTC)."""
        return self.edges[:-1]

    @property
    def end(self) -> datetime:
        """The last edge (UTC)."""
        return self.start + self.steps * self.step

    @property
    def step_hours(self) -> float:
        """Length of a step [h]."""
        return self.step / timedelta(hours=1)

    def index_of(self, instant: datetime) -> int:
        """Return the step that contains an instant.

        Raises
        ------
        ValueError
            When the instant is before the first or at or after the last edge.
        """
        index = (to_utc(instant) - self.start) // self.step
        if not 0 <= index < self.steps:
            raise ValueError(
                f"{instant.isoformat()} is outside {self.start.isoformat()} to {self.end.isoformat()}"
            )
        return index


def to_utc(instant: datetime) -> datetime:
    """Return an aware instant in UTC.

    Raises
    ------
    ValueError
        When it carries no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone: give an aware instant")
    return instant.astimezone(UTC)


def floor_quarter(instant: datetime) -> datetime:
    """Return the start of the UTC quarter that contains an instant."""
    utc = to_utc(instant)
    return utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)


def ceil_quarter(instant: datetime) -> datetime:
    """Return the first quarter's start that is not before an instant."""
    floor = floor_quarter(instant)
    return floor if floor == instant else floor + QUARTER


def quarter_number(instant: datetime) -> int:
    """Count quarters since 1970-01-01 UTC: a key for lookups in arrays."""
    return int(to_utc(instant).timestamp()) // _QUARTER_S


def local_midnight(day: date, tz: ZoneInfo) -> datetime:
    """Return the instant at which a local day begins (UTC)."""
    return datetime.combine(day, time(), tzinfo=tz).astimezone(UTC)


def quarters_of_local_day(day: date, tz: ZoneInfo) -> TimeGrid:
    """Return the quarters of a local day: 92, 96 or 100."""
    start, end = local_midnight(day, tz), local_midnight(day + timedelta(days=1), tz)
    return TimeGrid(start, QUARTER, (end - start) // QUARTER)


def quarters_of_local_month(first: date, tz: ZoneInfo) -> TimeGrid:
    """Return the quarters of the local month that a day is in."""
    begin = first.replace(day=1)
    following = (begin + timedelta(days=31)).replace(day=1)
    start, end = local_midnight(begin, tz), local_midnight(following, tz)
    return TimeGrid(start, QUARTER, (end - start) // QUARTER)


def local_minutes(starts: Sequence[datetime], tz: ZoneInfo) -> NDArray[np.int64]:
    """Return the local wall-clock minute of the day of each instant [min since 00:00]."""
    local = [start.astimezone(tz) for start in starts]
    return np.array([moment.hour * 60 + moment.minute for moment in local], dtype=np.int64)


def overlaps_daily_window(
    minutes: NDArray[np.int64], daily_from: time | None, daily_to: time | None, step: timedelta = QUARTER
) -> NDArray[np.bool_]:
    """Say which steps touch a daily window of local time.

    A window whose end is not after its start runs over midnight; without bounds it is the whole day. A step
    that is only partly inside counts, since a limit holds for all of it.

    Parameters
    ----------
    minutes
        Local minute of the day at which each step begins [min].
    daily_from, daily_to
        Begin (inclusive) and end (exclusive) of the window.
    step
        Length of a step.
    """
    if daily_from is None and daily_to is None:
        return np.ones(len(minutes), dtype=np.bool_)
    begin = _minute(daily_from)
    length = (_minute(daily_to) - begin) % MINUTES_PER_DAY or MINUTES_PER_DAY
    span = step / timedelta(minutes=1)
    since = (minutes - begin) % MINUTES_PER_DAY
    return np.asarray((since < length) | (since + span > MINUTES_PER_DAY))


def _minute(moment: time | None) -> int:
    return 0 if moment is None else moment.hour * 60 + moment.minute
