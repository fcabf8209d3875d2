"""What sessions of class ``none`` are entitled to: an equal share of the headroom, by the service's records.

A driver who said nothing must not pay for the flexibility of others. In every quarter the headroom is divided
equally over all connected cars; what a session of class ``none`` would have got that way is its floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.timegrid import QUARTER_HOURS
from optimizer.allocation import Demand, GroupHeadroom, allocate_equal_share

# How much of the equal share is planned for. The promise is four fifths less a quarter of an hour at least
# power; planning all of it leaves those who say nothing as well served as under equal sharing.
PLANNED_FRACTION = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sharer:
    """A connected car as equal sharing sees it.

    Parameters
    ----------
    id
        Its session.
    max_kw, min_kw
        The most that it takes, and the least other than a pause [kW].
    needed_kwh
        What it still takes, at its socket [kWh].
    departure_step
        First step without it.
    """

    id: str
    max_kw: float
    min_kw: float
    needed_kwh: float
    departure_step: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What a session of class ``none`` got so far.

    Parameters
    ----------
    delivered_kwh
        Since it began, at its socket [kWh].
    power_kw
        What it draws now [kW].
    took_all
        Whether it draws all that it is offered.
    """

    delivered_kwh: float
    power_kw: float
    took_all: bool


@dataclass(frozen=True, slots=True)
class Fairness:
    """Entitlements, carried from plan to plan.

    Parameters
    ----------
    at
        Until when they are counted; None before the first plan.
    entitled_kwh
        What each session should have got by then, at its socket [kWh].
    share_kw
        What each is entitled to from then on, until the next plan [kW].
    """

    at: datetime | None = None
    entitled_kwh: Mapping[str, float] = field(default_factory=dict)
    share_kw: Mapping[str, float] = field(default_factory=dict)

    def advance(self, now: datetime, taken: Mapping[str, Taken]) -> Fairness:
        """Count up to a moment and forget who has left.

        A session that did not draw all that it was offered is entitled to what it drew, no more: what a car
        refuses is not owed to it later. One that is new begins with what it got.

        Parameters
        ----------
        now
            The moment of planning.
        taken
            By session, those that are connected.
        """
        since_h = 0.0 if self.at is None else max((now - self.at) / timedelta(hours=1), 0.0)
        entitled_kwh = {}
        for name, got in taken.items():
            if name not in self.entitled_kwh:
                entitled_kwh[name] = got.delivered_kwh
                continue
            share_kw = self.share_kw.get(name, 0.0)
            due_kwh = self.entitled_kwh[name] + share_kw * since_h
            entitled_kwh[name] = due_kwh if got.took_all else min(due_kwh, got.delivered_kwh)
        return Fairness(now, entitled_kwh, {})

    def sharing(self, share_kw: Mapping[str, float]) -> Fairness:
        """Return the same with what each session is entitled to from now on [kW]."""
        return replace(self, share_kw={name: share_kw.get(name, 0.0) for name in self.entitled_kwh})


def divide_headroom(
    sharers: Sequence[Sharer], headroom_kw: Sequence[float], groups: Iterable[GroupHeadroom], turn: int
) -> dict[str, Floats]:
    """Divide the headroom of coming steps equally over the connected cars.

    Parameters
    ----------
    sharers
        All cars, whatever is known of them.
    headroom_kw
        Power for all of them in each step [kW].
    groups
        Limits inside the street.
    turn
        Who is first where the headroom does not give everyone the least: it moves on by one a step.

    Returns
    -------
    dict
        Power of every session in each step [kW], shape (steps,).
    """
    steps = min(len(headroom_kw), max((each.departure_step for each in sharers), default=0))
    power = {each.id: np.zeros(len(headroom_kw)) for each in sharers}
    needed_kwh = {each.id: each.needed_kwh for each in sharers}
    binding = [group for group in groups if _can_bind(group, sharers)]
    for step in range(steps):
        demands = [
            Demand(each.id, min(each.max_kw, needed_kwh[each.id] / QUARTER_HOURS), each.min_kw)
            for each in sharers
            if step < each.departure_step
        ]
        first = (turn + step) % max(len(demands), 1)
        shares = allocate_equal_share(demands[first:] + demands[:first], max(headroom_kw[step], 0.0), binding)
        for name, share_kw in shares.items():
            power[name][step] = share_kw
            needed_kwh[name] -= share_kw * QUARTER_HOURS
    return power


def build_floor_kwh(
    entitled_kwh: float, delivered_kwh: float, share_kw: Floats, rest_fraction: float
) -> Floats:
    """Return the least energy from the start of the running quarter on, at each time point [kWh].

    Parameters
    ----------
    entitled_kwh
        What the session should have got by now [kWh].
    delivered_kwh
        What it had got when the running quarter began, had it drawn all along what it draws now [kWh].
    share_kw
        Its equal share in each step [kW].
    rest_fraction
        Share of the running quarter that is still to come.

    Returns
    -------
    NDArray
        Ascending from 0, shape (steps + 1,).
    """
    gained_kwh = share_kw * QUARTER_HOURS
    if len(gained_kwh):
        gained_kwh = np.concatenate([gained_kwh[:1] * rest_fraction, gained_kwh[1:]])
    due_kwh = PLANNED_FRACTION * (entitled_kwh + np.cumsum(gained_kwh))
    floor = np.concatenate([[0.0], due_kwh - delivered_kwh])
    return np.maximum.accumulate(np.maximum(floor, 0.0))


def _can_bind(group: GroupHeadroom, sharers: Sequence[Sharer]) -> bool:
    most_kw = sum(group.weight(each.id) * each.max_kw for each in sharers if each.id in group.members)
    return most_kw > group.headroom_kw
