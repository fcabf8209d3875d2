"""What the kernel counts, and the log of sessions for those who want every one."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import HOURS_OF_WEEK

Floats = NDArray[np.float64]


@dataclass
class Tally:
    """Sums per neighbourhood and hour of the week, shape (areas, 168), of what was seen since the last reset.

    Parameters
    ----------
    arrivals, blocked, diverted, waited
        Drivers who came; found nothing at all; walked past the nearest pole; got a socket after waiting.
    walk_m
        Metres walked by all who got a socket.
    sampled, sockets
        Hours looked at, and sockets that stood there then.
    occupied, full_idle
        Sockets in use, and in use by a car that does not charge any more.
    cells_free
        Cells with a free socket within reach, out of ``cells``.
    """

    arrivals: Floats
    blocked: Floats
    diverted: Floats
    waited: Floats
    walk_m: Floats
    sampled: Floats
    sockets: Floats
    occupied: Floats
    full_idle: Floats
    cells_free: Floats
    cells: Floats

    @classmethod
    def zero(cls, areas: int) -> Tally:
        """Return a tally of nothing."""
        return cls(*(np.zeros((areas, HOURS_OF_WEEK)) for _ in fields(cls)))

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for item in fields(Tally):
            getattr(self, item.name).__iadd__(getattr(other, item.name))


@dataclass
class Outcome:
    """Sums per neighbourhood over sessions that ended, shape (areas,); energy at the battery by default.

    Parameters
    ----------
    sessions, need_kwh, short_kwh, short_sessions
        Who came and went, what they wanted, what was missing and how often anything was.
    stay_steps
        Quarters plugged.
    metered_kwh, discharged_kwh, lost_kwh, stored_kwh
        At the meter in; at the meter out; losses; net into batteries (of all steps, not of ended sessions).
    lost_demand_kwh
        What drivers who found no socket wanted, at the meter.
    """

    sessions: Floats
    need_kwh: Floats
    short_kwh: Floats
    short_sessions: Floats
    stay_steps: Floats
    metered_kwh: Floats
    discharged_kwh: Floats
    lost_kwh: Floats
    stored_kwh: Floats
    lost_demand_kwh: Floats

    @classmethod
    def zero(cls, areas: int) -> Outcome:
        """Return sums of nothing."""
        return cls(*(np.zeros(areas) for _ in fields(cls)))

    def add(self, other: Outcome) -> None:
        """Add other sums to these."""
        for item in fields(Outcome):
            getattr(self, item.name).__iadd__(getattr(other, item.name))


@dataclass
class SessionLog:
    """Every session that ended, as lists of arrays: pole, request, steps and energies."""

    columns: dict[str, list[NDArray[np.generic]]] = field(default_factory=dict)

    def append(self, **values: NDArray[np.generic]) -> None:
        """Add the sessions that ended in one step."""
        for name, array in values.items():
            self.columns.setdefault(name, []).append(array.copy())

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return one array per column."""
        return {name: np.concatenate(parts) for name, parts in self.columns.items()}
