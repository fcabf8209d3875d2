"""The composite schedule of a socket as the standard has it, and whether a station's own says more. Pure.

Per purpose the valid profile of the highest stack level counts. A transaction's own profile replaces the
default; the result is the lowest of it and the station's maximum. This is our own reading of the standard:
what a station answers to GetCompositeSchedule is held against it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from csms.control.curve import PowerCurve
from csms.ocpp.vocabulary import ChargingProfile, CompositeSchedule, Period, ProfilePurpose, RateUnit
from grid.units import W_PER_KW

# Stations say tenths of an ampere and whole watts.
TOLERANCE_A = 0.15
TOLERANCE_KW = 0.05
# Where a schedule changes, clocks and whole seconds may differ by so much.
EDGE = timedelta(seconds=3)
_PHASES = 3


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a socket may do at a time.

    Parameters
    ----------
    current_a
        Upper bound per phase, infinite where nothing bounds it [A].
    setpoint_kw
        Commanded power, > 0 charges; None where nothing is commanded [kW].
    """

    current_a: float = math.inf
    setpoint_kw: float | None = None


@dataclass(frozen=True, slots=True)
class Composite:
    """A step function of time.

    Parameters
    ----------
    starts
        Where the steps begin, ascending.
    allowances
        Of each step; the last holds until the end.
    end
        Nothing is said of what comes then.
    """

    starts: tuple[datetime, ...]
    allowances: tuple[Allowance, ...]
    end: datetime

    def at(self, moment: datetime) -> Allowance:
        """Return what holds at a moment within the window."""
        return self.allowances[max(bisect.bisect_right(self.starts, moment) - 1, 0)]


def compute_composite(
    profiles: Sequence[ChargingProfile],
    begin: datetime,
    duration_s: int,
    *,
    voltage_v: float,
    needs_period: bool,
) -> Composite:
    """Compute the composite schedule of a socket.

    Parameters
    ----------
    profiles
        Everything that holds there: the station's maximum, the socket's default, its transaction's own.
    begin, duration_s
        The window (UTC) [s].
    voltage_v
        Voltage between phase and neutral [V].
    needs_period
        Whether a profile without a period at a time is passed over (2.x) or hides those below it (1.6).
    """
    end = begin + timedelta(seconds=duration_s)
    changes = {moment for one in profiles for moment in _changes(one) if begin < moment < end}
    starts = (begin, *sorted(changes))
    allowances = tuple(_allowance_at(profiles, each, voltage_v, needs_period=needs_period) for each in starts)
    return Composite(starts, allowances, end)


def read_composite(said: CompositeSchedule, voltage_v: float) -> Composite:
    """Read what a station says, currents per phase.

    Parameters
    ----------
    said
        Its answer.
    voltage_v
        Voltage between phase and neutral [V].
    """
    starts = tuple(said.start + timedelta(seconds=period.start_s) for period in said.periods)
    allowances = tuple(_to_allowance(period, said.unit, voltage_v) for period in said.periods)
    return Composite(starts, allowances, said.start + timedelta(seconds=said.duration_s))


def find_excess(
    expected: Composite, said: Composite, kw_per_a: float, hardware_a: float = math.inf
) -> datetime | None:
    """Return the first moment from which a station says that it allows more than it was told, if any.

    Parameters
    ----------
    expected, said
        Our own composite and the station's; compared where both say something.
    kw_per_a
        Power of one ampere on every phase of the socket [kW].
    hardware_a
        What the socket carries: more is never allowed, whatever is said [A].
    """
    begin, end = max(expected.starts[0], said.starts[0]), min(expected.end, said.end)
    inside = {each for each in (*expected.starts, *said.starts) if begin < each < end}
    edges = [begin, *sorted(inside), end]
    for start, stop in pairwise(edges):
        if stop - start > EDGE and _exceeds(expected.at(start), said.at(start), kw_per_a, hardware_a):
            return start
    return None


def curve_of_composite(said: Composite, kw_per_a: float, hardware_kw: float) -> PowerCurve:
    """Return the power that a station says it holds; its hardware after the end of what it says.

    Parameters
    ----------
    said
        Its composite.
    kw_per_a
        Power of one ampere on every phase of the socket [kW].
    hardware_kw
        The most that the socket can draw [kW].
    """
    powers = [
        min(each.current_a * kw_per_a, hardware_kw) if each.setpoint_kw is None else each.setpoint_kw
        for each in said.allowances
    ]
    return PowerCurve((*said.starts, said.end), (*powers, hardware_kw))


def _exceeds(expected: Allowance, said: Allowance, kw_per_a: float, hardware_a: float) -> bool:
    if expected.setpoint_kw is not None:
        low_kw, high_kw = min(expected.setpoint_kw, 0.0), max(expected.setpoint_kw, 0.0)
    else:
        low_kw, high_kw = 0.0, min(expected.current_a, hardware_a) * kw_per_a
    if said.setpoint_kw is not None:
        return not low_kw - TOLERANCE_KW <= said.setpoint_kw <= high_kw + TOLERANCE_KW
    return said.current_a * kw_per_a > high_kw + max(TOLERANCE_KW, TOLERANCE_A * kw_per_a)


def _changes(profile: ChargingProfile) -> Iterable[datetime]:
    yield profile.start
    yield from (profile.start + timedelta(seconds=period.start_s) for period in profile.periods)
    if profile.duration_s is not None:
        yield profile.start + timedelta(seconds=profile.duration_s)
    if profile.valid_to is not None:
        yield profile.valid_to


def _allowance_at(
    profiles: Sequence[ChargingProfile], moment: datetime, voltage_v: float, *, needs_period: bool
) -> Allowance:
    def leading(purpose: ProfilePurpose) -> Allowance | None:
        valid = [one for one in profiles if one.purpose is purpose and _is_valid(one, moment)]
        for profile in sorted(valid, key=lambda one: one.stack_level, reverse=True):
            period = _period_at(profile, moment)
            if period is not None:
                return _to_allowance(period, profile.unit, voltage_v)
            if not needs_period:
                return None
        return None

    own = leading(ProfilePurpose.TX) or leading(ProfilePurpose.TX_DEFAULT) or Allowance()
    station = leading(ProfilePurpose.STATION_MAX) or Allowance()
    return Allowance(min(own.current_a, station.current_a), own.setpoint_kw)


def _is_valid(profile: ChargingProfile, moment: datetime) -> bool:
    return profile.valid_to is None or moment < profile.valid_to


def _period_at(profile: ChargingProfile, moment: datetime) -> Period | None:
    since_s = (moment - profile.start).total_seconds()
    if since_s < 0.0 or (profile.duration_s is not None and since_s >= profile.duration_s):
        return None
    index = bisect.bisect_right(profile.periods, since_s, key=lambda period: period.start_s)
    return profile.periods[index - 1]


def _to_allowance(period: Period, unit: RateUnit, voltage_v: float) -> Allowance:
    setpoint_kw = None if period.setpoint is None else period.setpoint / W_PER_KW
    if period.limit is None:
        return Allowance(setpoint_kw=setpoint_kw)
    if unit is RateUnit.AMPERE:
        return Allowance(period.limit, setpoint_kw)
    return Allowance(period.limit / (voltage_v * (period.phases or _PHASES)), setpoint_kw)
