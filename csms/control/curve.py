"""Power over time that a socket was told, and what it may be doing while nobody knows which of two."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from csms.ocpp.dialects import Steering, read_power_kw
from csms.ocpp.vocabulary import ChargingProfile


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """Piecewise constant power; the last piece lasts for ever, before the first the first holds.

    Parameters
    ----------
    starts
        Where the pieces begin, ascending.
    power_kw
        Power of each piece, > 0 charges [kW].
    """

    starts: tuple[datetime, ...]
    power_kw: tuple[float, ...]

    def at(self, moment: datetime) -> float:
        """Return the power at a moment [kW]."""
        return self.power_kw[max(bisect.bisect_right(self.starts, moment) - 1, 0)]

    def since(self, moment: datetime) -> datetime:
        """Return when the piece that holds at a moment began."""
        return self.starts[max(bisect.bisect_right(self.starts, moment) - 1, 0)]

    def between(self, begin: datetime, end: datetime) -> tuple[float, ...]:
        """Return every power that holds somewhere in ``begin <= t < end`` [kW]."""
        inside = [
            power for start, power in zip(self.starts, self.power_kw, strict=True) if begin < start < end
        ]
        return (self.at(begin), *inside)


def curve_of(profile: ChargingProfile, steering: Steering, unbounded_kw: float) -> PowerCurve:
    """Return the power that a profile stands for.

    Parameters
    ----------
    profile
        As sent.
    steering
        Of the EVSE.
    unbounded_kw
        What a period means that bounds nothing, and what holds when the profile has ended [kW].
    """
    starts = [profile.start + timedelta(seconds=period.start_s) for period in profile.periods]
    powers = [_or(read_power_kw(period, profile.unit, steering), unbounded_kw) for period in profile.periods]
    if profile.duration_s is not None:
        starts.append(profile.start + timedelta(seconds=profile.duration_s))
        powers.append(unbounded_kw)
    return PowerCurve(tuple(starts), tuple(powers))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def worst_import_kw(curves: Iterable[PowerCurve], begin: datetime, end: datetime) -> float:
    """Return the most that may be drawn in a span when any of the curves may hold [kW, >= 0]."""
    return max((max(0.0, *curve.between(begin, end)) for curve in curves), default=0.0)


def worst_export_kw(curves: Iterable[PowerCurve], begin: datetime, end: datetime) -> float:
    """Return the most that may be given back in a span when any of the curves may hold [kW, >= 0]."""
    return max((max(0.0, *(-power for power in curve.between(begin, end))) for curve in curves), default=0.0)
