"""Energy from a meter's register: increments that the socket can have made.

A register that goes back was reset or rolled over: counting goes on from where it stands, without energy for
that step. One that rises faster than the socket's power allows is a glitch, and counts nothing either. So a
single wrong reading never makes energy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# What a register may rise more than the rated power says: a wrong model entry must not cost anybody energy,
# nor a sample that is a few seconds late. What glitches make is far beyond [fraction, kWh].
_TOLERANCE_FRACTION = 1.0
_TOLERANCE_KWH = 0.25


class Step(StrEnum):
    """What a register did since its last reading."""

    COUNTED = "counted"
    OLD = "old"
    DECREASED = "decreased"
    TOO_FAST = "too fast"


@dataclass(frozen=True, slots=True)
class Counter:
    """A register as read so far.

    Parameters
    ----------
    at, register_kwh
        Last reading.
    base_kwh
        Register at which ``total_kwh`` was 0, moved by what did not count.
    """

    at: datetime
    register_kwh: float
    base_kwh: float

    @property
    def total_kwh(self) -> float:
        """Energy counted so far."""
        return self.register_kwh - self.base_kwh


def begin(at: datetime, register_kwh: float) -> Counter:
    """Start counting from a reading."""
    return Counter(at, register_kwh, register_kwh)


def advance(counter: Counter, at: datetime, register_kwh: float, max_power_kw: float) -> tuple[Counter, Step]:
    """Count one reading.

    Parameters
    ----------
    counter
        What was read before.
    at, register_kwh
        The reading; one that is older than the last counts nothing, since the last contains it.
    max_power_kw
        Rated power of the socket [kW].
    """
    if at < counter.at:
        return counter, Step.OLD
    step = _judge(counter, at, register_kwh, max_power_kw)
    base_kwh = counter.base_kwh if step is Step.COUNTED else register_kwh - counter.total_kwh
    return replace(counter, at=at, register_kwh=register_kwh, base_kwh=base_kwh), step


def _judge(counter: Counter, at: datetime, register_kwh: float, max_power_kw: float) -> Step:
    rise_kwh = register_kwh - counter.register_kwh
    if rise_kwh < 0:
        return Step.DECREASED
    hours = (at - counter.at) / timedelta(hours=1)
    bound_kwh = max_power_kw * (1 + _TOLERANCE_FRACTION) * hours + _TOLERANCE_KWH
    return Step.COUNTED if rise_kwh <= bound_kwh else Step.TOO_FAST
