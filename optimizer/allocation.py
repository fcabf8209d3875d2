"""One step of power divided among sessions, without a solver and without looking ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Below this a rest of headroom is nothing [kW].
NEGLIGIBLE_KW = 1e-9


@dataclass(frozen=True, slots=True)
class Demand:
    """What one session asks for in one step.

    Parameters
    ----------
    id
        Its name in the answer and in the groups.
    max_kw
        The most that it takes; what it still needs divided by the step's length when that is less [kW].
    min_kw
        The least other than a pause [kW].
    deadline
        When it wants to be ready, in any unit that can be compared; later is less urgent.
    """

    id: str
    max_kw: float
    min_kw: float = 0.0
    deadline: float = math.inf


@dataclass(frozen=True, slots=True)
class GroupHeadroom:
    """Power left for the sessions behind one fuse or cable.

    Parameters
    ----------
    members
        Ids of sessions.
    headroom_kw
        Limit on the weighted sum of their power [kW].
    weights
        Share of a member's power that counts, 1 where it is not named [fraction].
    """

    members: tuple[str, ...]
    headroom_kw: float
    weights: Mapping[str, float] = field(default_factory=dict)

    def weight(self, member: str) -> float:
        """Return the share of a member's power that counts [fraction]."""
        return self.weights.get(member, 1.0)


def allocate_equal_share(
    demands: Sequence[Demand], headroom_kw: float, groups: Iterable[GroupHeadroom] = ()
) -> dict[str, float]:
    """Divide headroom equally: the lowest is raised first, until its own most or a limit.

    Where the headroom does not give everyone the least, those that stand first in ``demands`` get it and the
    others pause: rotate the order from step to step to take turns.

    Parameters
    ----------
    demands
        Who asks, first come first.
    headroom_kw
        Power for all of them [kW].
    groups
        Limits inside the site.

    Returns
    -------
    dict
        Power of every demand [kW], 0 for a pause.
    """
    limits = [GroupHeadroom(tuple(demand.id for demand in demands), headroom_kw), *groups]
    admitted = _admit(demands, limits)
    power = dict.fromkeys((demand.id for demand in demands), 0.0)
    power.update({demand.id: demand.min_kw for demand in admitted})
    rising = {demand.id: demand for demand in admitted}
    while rising:
        levels = [_level(limit, rising, power) for limit in limits]
        level = min(levels)
        tight = {
            member
            for limit, own in zip(limits, levels, strict=True)
            if own <= level
            for member in limit.members
        }
        for name, demand in rising.items():
            power[name] = min(max(demand.min_kw, level), demand.max_kw)
        rising = {
            name: demand
            for name, demand in rising.items()
            if name not in tight and power[name] < demand.max_kw
        }
    return power


def allocate_earliest_deadline(
    demands: Sequence[Demand], headroom_kw: float, groups: Iterable[GroupHeadroom] = ()
) -> dict[str, float]:
    """Give the most urgent all that it takes, then the next.

    Parameters
    ----------
    demands
        Who asks; among equal deadlines the first in order goes first.
    headroom_kw
        Power for all of them [kW].
    groups
        Limits inside the site.

    Returns
    -------
    dict
        Power of every demand [kW], 0 for a pause.
    """
    limits = [GroupHeadroom(tuple(demand.id for demand in demands), headroom_kw), *groups]
    left = [limit.headroom_kw for limit in limits]
    power = dict.fromkeys((demand.id for demand in demands), 0.0)
    for demand in sorted(demands, key=lambda demand: demand.deadline):
        shares = [limit.weight(demand.id) if demand.id in limit.members else 0.0 for limit in limits]
        room_kw = min(
            (rest / share for rest, share in zip(left, shares, strict=True) if share > 0.0), default=0.0
        )
        granted_kw = min(demand.max_kw, room_kw)
        if granted_kw <= NEGLIGIBLE_KW or granted_kw < demand.min_kw - NEGLIGIBLE_KW:
            continue
        power[demand.id] = granted_kw
        left = [rest - share * granted_kw for rest, share in zip(left, shares, strict=True)]
    return power


def _admit(demands: Sequence[Demand], limits: Sequence[GroupHeadroom]) -> list[Demand]:
    """Return those that get at least their least, in order."""
    left = [limit.headroom_kw for limit in limits]
    admitted = []
    for demand in demands:
        if demand.max_kw <= NEGLIGIBLE_KW or demand.max_kw < demand.min_kw - NEGLIGIBLE_KW:
            continue
        after = [
            rest - limit.weight(demand.id) * demand.min_kw if demand.id in limit.members else rest
            for rest, limit in zip(left, limits, strict=True)
        ]
        if min(after) >= -NEGLIGIBLE_KW:
            admitted.append(demand)
            left = after
    return admitted


def _level(limit: GroupHeadroom, rising: Mapping[str, Demand], power: Mapping[str, float]) -> float:
    """Return the common power of the rising members, within their own bounds, that fills a limit [kW]."""
    fixed_kw = sum(limit.weight(name) * power.get(name, 0.0) for name in limit.members if name not in rising)
    members = [(limit.weight(name), rising[name]) for name in limit.members if name in rising]
    room_kw = limit.headroom_kw - fixed_kw - sum(weight * demand.min_kw for weight, demand in members)
    corners = sorted(
        [(demand.min_kw, weight) for weight, demand in members]
        + [(demand.max_kw, -weight) for weight, demand in members]
    )
    reached_kw, slope = 0.0, 0.0
    for corner_kw, change in corners:
        if slope * (corner_kw - reached_kw) > room_kw:
            break
        room_kw -= slope * (corner_kw - reached_kw)
        reached_kw, slope = corner_kw, slope + change
    else:
        return math.inf
    return reached_kw + max(room_kw, 0.0) / slope
