"""Energy per quarter from registers: what money is reckoned from.

A register is read at moments of the station's choosing; between two readings the energy is taken to flow
evenly. So the quarters of a session add up to what its registers differ, to the last digit that matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from csms.state.registers import Counter, advance, begin
from grid.timegrid import QUARTER, floor_quarter

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """A register at an instant [kWh]."""

    at: datetime
    register_kwh: float


@dataclass(frozen=True, eq=False)
class EnergyCurve:
    """Energy since the first reading, at the instants of readings.

    Parameters
    ----------
    seconds
        Instants, strictly ascending [s since 1970].
    total_kwh
        Energy counted by then, never falling [kWh].
    """

    seconds: FloatArray
    total_kwh: FloatArray

    @property
    def energy_kwh(self) -> float:
        """All of it [kWh]."""
        return float(self.total_kwh[-1]) if self.total_kwh.size else 0.0

    def between(self, edges_s: FloatArray) -> FloatArray:
        """Return the energy between neighbouring edges [kWh], one less than edges [s since 1970]."""
        if not self.total_kwh.size:
            return np.zeros(len(edges_s) - 1)
        return np.diff(np.interp(edges_s, self.seconds, self.total_kwh))


def build_curve(readings: Iterable[RegisterReading], max_power_kw: float) -> EnergyCurve:
    """Count a register's readings, glitches left out.

    Parameters
    ----------
    readings
        Any order; of two at the same instant the one that was given last counts.
    max_power_kw
        What can flow at the most [kW].
    """
    ordered = sorted({reading.at: reading for reading in readings}.values(), key=lambda one: one.at)
    totals: list[float] = []
    counter: Counter | None = None
    for reading in ordered:
        if counter is None:
            counter = begin(reading.at, reading.register_kwh)
        else:
            counter, _ = advance(counter, reading.at, reading.register_kwh, max_power_kw)
        totals.append(counter.total_kwh)
    seconds = np.array([reading.at.timestamp() for reading in ordered], dtype=np.float64)
    # moving the base after a glitch can round a total down by its last digit
    return EnergyCurve(seconds, np.maximum.accumulate(np.array(totals, dtype=np.float64)))


def quarter_edges(start: datetime, end: datetime) -> tuple[tuple[datetime, ...], FloatArray]:
    """Return the quarters that a period touches, and the edges within the period [s since 1970].

    The first and the last quarter are cut off where the period is.
    """
    quarters: list[datetime] = []
    quarter = floor_quarter(start)
    while quarter < end:
        quarters.append(quarter)
        quarter += QUARTER
    inner: Sequence[datetime] = quarters[1:]
    edges = [start, *inner, max(start, end)]
    return tuple(quarters), np.array([edge.timestamp() for edge in edges], dtype=np.float64)
