"""What the day would have been without a plan: uncontrolled, by equal share, by earliest deadline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from grid.street import GridSide
from optimizer.allocation import (
    Demand,
    GroupHeadroom,
    allocate_earliest_deadline,
    allocate_equal_share,
)
from simulator.config import NoiseTable
from simulator.fleet.sessions import Fleet, Session
from simulator.noise import draw_uncontrolled
from simulator.replay import Guest, Policy, Replay
from simulator.result import RunRecord
from simulator.setup import StationSetup
from simulator.world import StreetSetup


class Baseline(StrEnum):
    """Policies without a plan."""

    UNCONTROLLED = "uncontrolled"
    EQUAL_SHARE = "equal_share"
    EARLIEST_DEADLINE = "earliest_deadline"


class UncontrolledCharging:
    """Every car charges as fast as it can, whatever the limits."""

    watches_limits = False

    def divide(self, guests: Sequence[Guest], groups: Sequence[GroupHeadroom], turn: int) -> dict[str, float]:
        """Return the most of each; see `Policy`."""
        del groups, turn
        return {str(guest.row): guest.max_kw for guest in guests}


class EqualShare:
    """Headroom is divided equally; who must wait because it is too little changes every quarter."""

    watches_limits = True

    def divide(self, guests: Sequence[Guest], groups: Sequence[GroupHeadroom], turn: int) -> dict[str, float]:
        """Return the share of each; see `Policy`."""
        first = turn % len(guests) if guests else 0
        in_turn = [*guests[first:], *guests[:first]]
        return allocate_equal_share([_demand(guest, math.inf) for guest in in_turn], math.inf, groups)


class EarliestDeadline:
    """Who has said that it leaves first comes first; those who say nothing come after them, by arrival."""

    watches_limits = True

    def divide(self, guests: Sequence[Guest], groups: Sequence[GroupHeadroom], turn: int) -> dict[str, float]:
        """Return the power of each; see `Policy`."""
        del turn
        urgent = sorted(guests, key=lambda guest: _urgency(guest.session))
        demands = [_demand(guest, float(rank)) for rank, guest in enumerate(urgent)]
        return allocate_earliest_deadline(demands, math.inf, groups)


POLICIES: dict[Baseline, Policy] = {
    Baseline.UNCONTROLLED: UncontrolledCharging(),
    Baseline.EQUAL_SHARE: EqualShare(),
    Baseline.EARLIEST_DEADLINE: EarliestDeadline(),
}


@dataclass(frozen=True)
class BaselineTask:
    """Everything that a worker process needs.

    Parameters
    ----------
    baseline
        Which policy.
    grid, stations, fleet
        The street, its stations, and who comes.
    noise, seconds, seed
        What households and sun do, for how long [s].
    """

    baseline: Baseline
    grid: GridSide
    stations: tuple[StationSetup, ...]
    fleet: Fleet
    noise: NoiseTable
    seconds: int
    seed: int


def run_baseline(task: BaselineTask) -> RunRecord:
    """Run one baseline in virtual time; made to be sent to a worker process."""
    uncontrolled = draw_uncontrolled(task.noise, task.grid, task.fleet.start, task.seconds, task.seed)
    setup = StreetSetup(task.grid, task.stations, task.fleet, uncontrolled)
    return Replay(setup, POLICIES[task.baseline]).run()


def _demand(guest: Guest, deadline: float) -> Demand:
    return Demand(str(guest.row), guest.max_kw, min(guest.min_kw, guest.max_kw), deadline)


def _urgency(session: Session) -> tuple[bool, datetime]:
    told = session.told_departure
    return told is None, session.arrival if told is None else told
