"""What the samples of a session tell of its car: phases, its own limit, whether it has stopped asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from csms.control.nowcast import SETTLING, Told
from csms.state.station_state import SessionState

# A car that draws less than this share of what it is offered follows a limit of its own.
OWN_LIMIT_FRACTION = 0.9
# Less than this is a car that draws nothing [kW].
IDLE_KW = 0.1
# So many samples must agree before a car is believed to have a limit of its own.
AGREEING_SAMPLES = 2
# Currents tell phases apart only from here on [A]; a phase that carries less than the share is not used.
_TELLING_CURRENT_A = 4.0
_UNUSED_FRACTION = 0.25
_PHASE_NAMES = {"L1": 1, "L2": 2, "L3": 3}


@dataclass(frozen=True, slots=True)
class CarLimits:
    """What was observed of a car in one session.

    Parameters
    ----------
    sampled_at
        The last sample that was looked at.
    used_phases
        Phases of the socket, from 1, that carried current; empty until currents told.
    below_count, idle_count
        Samples in a row in which it drew clearly less than offered, and nothing at all.
    drawn_kw
        The most that it drew in those samples [kW].
    took_all
        Whether it drew what it was offered in the last sample that can say so.
    """

    sampled_at: datetime | None = None
    used_phases: frozenset[int] = frozenset()
    below_count: int = 0
    idle_count: int = 0
    drawn_kw: float = 0.0
    took_all: bool = True

    @property
    def phases(self) -> int | None:
        """Number of phases it uses, None when currents have not told."""
        return len(self.used_phases) or None

    @property
    def own_limit_kw(self) -> float | None:
        """What it draws at the most by itself [kW], None when it takes what it gets."""
        return self.drawn_kw if self.below_count >= AGREEING_SAMPLES else None

    @property
    def is_idle(self) -> bool:
        """Whether it has stopped asking for power."""
        return self.idle_count >= AGREEING_SAMPLES


def observe(known: CarLimits, session: SessionState, told: Told | None, least_kw: float) -> CarLimits:
    """Take in the last sample of a session.

    Parameters
    ----------
    known
        What was observed before.
    session
        With its last sample.
    told
        What it was last told; None while the fallback rate holds.
    least_kw
        Smallest power of its socket other than a pause, which is also the fallback rate [kW].
    """
    if session.sampled_at is None or session.sampled_at == known.sampled_at:
        return known
    used = _used_phases(session.phase_currents_a) or known.used_phases
    known = replace(known, sampled_at=session.sampled_at)
    if used != known.used_phases:
        # What it was offered was meant for other phases: begin anew.
        return CarLimits(session.sampled_at, used)
    offered_kw = least_kw if told is None else told.power_kw
    begun_at = session.started_at if told is None else told.at
    if offered_kw < least_kw - IDLE_KW or session.sampled_at < begun_at + SETTLING:
        return known
    if session.power_kw >= OWN_LIMIT_FRACTION * offered_kw:
        return replace(known, below_count=0, idle_count=0, drawn_kw=0.0, took_all=True)
    idle = session.power_kw < IDLE_KW
    return replace(
        known,
        below_count=known.below_count + 1,
        idle_count=known.idle_count + 1 if idle else 0,
        drawn_kw=max(known.drawn_kw if known.below_count else 0.0, session.power_kw),
        took_all=False,
    )


def _used_phases(currents_a: Mapping[str, float]) -> frozenset[int]:
    """Return the phases that carry current; none when it is too little to tell."""
    known = {_PHASE_NAMES[name]: abs(each) for name, each in currents_a.items() if name in _PHASE_NAMES}
    largest_a = max(known.values(), default=0.0)
    if largest_a < _TELLING_CURRENT_A:
        return frozenset()
    return frozenset(phase for phase, each in known.items() if each > _UNUSED_FRACTION * largest_a)
