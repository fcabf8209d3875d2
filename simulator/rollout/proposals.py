"""Where the next poles go, from what real sessions show, and whether a concession keeps its promise.

Around every station the sockets within walking distance are one group. From the mean number in use in each
hour, workdays and weekends apart, follows the load that was offered (Erlang B, backwards), and from that how
many drivers a week found nothing. Poles are proposed one at a time where they help most; each says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import HOURS_OF_WEEK
from simulator.rollout.queueing import erlang_b
from simulator.rollout.sessions import Observed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Json = dict[str, Any]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORKDAY_HOURS = 120
# A pole that spares fewer drivers a week than this is not worth proposing.
WORTHWHILE_PER_WEEK = 0.05
# Occupancy is carried load: it never reaches the sockets, but a mean over few weeks can.
FULLEST_FRACTION = 0.995


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Parameters
    ----------
    poles
        How many at the most.
    sockets_per_pole
        What each adds.
    reach_m
        How far drivers walk.
    largest_poles
        New poles at one place at the most.
    promised_fraction
        Free share that the concession guarantees in the busiest hour.
    """

    poles: int = 10
    sockets_per_pole: int = 2
    reach_m: float = 250.0
    largest_poles: int = 2
    promised_fraction: float = 0.95


def propose(observed: Observed, wish: Wish) -> Json:
    """Return proposals in order, and what ended them.

    Parameters
    ----------
    observed
        Sessions.
    wish
        Limits.
    """
    groups = _Groups(observed, wish)
    proposals: list[Json] = []
    new = np.zeros(len(observed.stations), dtype=np.int64)
    while len(proposals) < wish.poles:
        spared = np.where(new < wish.largest_poles, groups.spared_per_week(), -1.0)
        best = int(spared.argmax())
        if spared[best] < WORTHWHILE_PER_WEEK:
            break
        proposals.append({"rank": len(proposals) + 1, **groups.describe(best, float(spared[best]))})
        new[best] += 1
        groups.add(best)
    return {"proposals": proposals, "ended_by": _ended_by(wish, proposals, groups, new)}


def _ended_by(wish: Wish, proposals: list[Json], groups: _Groups, new: Ints) -> str:
    if len(proposals) == wish.poles:
        return f"--poles: all {wish.poles} are placed"
    full = new >= wish.largest_poles
    if full.any() and groups.spared_per_week()[full].max() >= WORTHWHILE_PER_WEEK:
        return f"--largest: {wish.largest_poles} new poles stand at places where more would help"
    return "demand: nowhere would a further pole spare a driver in twenty weeks"


class _Groups:
    """Sockets within reach of every station, and what they are offered in each hour of the week."""

    def __init__(self, observed: Observed, wish: Wish) -> None:
        self.observed = observed
        self.wish = wish
        apart = np.linalg.norm(observed.xy_m[:, None, :] - observed.xy_m[None, :, :], axis=2)
        self.within = apart <= wish.reach_m
        self.sockets = self.within @ observed.sockets
        self.taken = self._taken_fraction()
        mean = _pooled(_by_hour(observed.occupied, observed.hour_of_week))
        carried = self.within @ mean
        self.offered = np.array(
            [
                [_offered(load, int(count)) for load in loads]
                for loads, count in zip(carried, self.sockets, strict=True)
            ]
        )
        # A station's drivers are counted once, at their own place.
        self.arrivals = observed.arrivals

    def _taken_fraction(self) -> Floats:
        """Return how often all sockets of a group were taken, by hour of the week, shape (stations, 168)."""
        shares = []
        for row, count in zip(self.within, self.sockets, strict=True):
            full = self.observed.occupied[row].sum(axis=0) >= count
            shares.append(_by_hour(full[None, :], self.observed.hour_of_week)[0])
        return _pooled(np.array(shares))

    def turned_away_per_week(self, more: int = 0) -> Floats:
        """Return drivers a week who find nothing at each station, with more sockets in every group."""
        away = np.zeros(len(self.sockets))
        for station, count in enumerate(self.sockets):
            loads = self.offered[station]
            blocked = np.array([erlang_b(load, int(count) + more) for load in loads])
            before = int(self.within[station] @ self.observed.sockets)
            observed = np.array([erlang_b(load, before) for load in loads])
            # Who came is who was let in; who was not let in came on top of them.
            wanted = self.arrivals[station] / np.maximum(1 - observed, 1e-3)
            away[station] = (wanted * blocked).sum()
        return away

    def spared_per_week(self) -> Floats:
        """Return how many drivers a week a pole at each station would spare there and around."""
        saved = self.turned_away_per_week() - self.turned_away_per_week(self.wish.sockets_per_pole)
        return np.asarray(self.within @ saved)

    def add(self, station: int) -> None:
        """Put a pole beside a station."""
        self.sockets = self.sockets + self.within[station] * self.wish.sockets_per_pole

    def describe(self, station: int, spared: float) -> Json:
        """Return a proposal with its reason."""
        observed = self.observed
        hour = int(self.offered[station].argmax())
        count, away = int(self.sockets[station]), float(self.turned_away_per_week()[station])
        when = f"{'workdays' if hour < WORKDAY_HOURS else 'weekends'} {hour % 24:02d}:00"
        taken = float(self.taken[station, hour])
        return {
            "beside": observed.stations[station],
            "lot": observed.lots[station],
            "latitude": float(observed.latitude[station]),
            "longitude": float(observed.longitude[station]),
            "sockets_in_reach": count,
            "turned_away_per_week": round(away, 2),
            "spared_per_week": round(spared, 2),
            "reason": (
                f"{count} sockets within {self.wish.reach_m:g} m; {when} is the busiest hour: all observed "
                f"ones were taken {taken:.0%} of it; about {away:.1f} drivers a week find nothing here, "
                f"a pole spares {spared:.1f} here and around"
            ),
        }


def track_concession(observed: Observed, wish: Wish) -> list[Json]:
    """Return a concession's indicators by lot and month.

    The guaranteed free share is that of (station, quarter) pairs with a free socket within reach in the
    month's busiest hour of the week; a station stands for the drivers around it.
    """
    apart = np.linalg.norm(observed.xy_m[:, None, :] - observed.xy_m[None, :, :], axis=2)
    within = apart <= wish.reach_m
    free = (within @ observed.occupied) < (within @ observed.sockets)[:, None]
    rows = []
    for lot in sorted(set(observed.lots)):
        mine = np.array([each == lot for each in observed.lots])
        for month in np.unique(observed.month):
            now = observed.month == month
            rows.append(_indicators(observed, wish, lot, mine, int(month), now, free[mine][:, now]))
    return rows


def _indicators(
    observed: Observed,
    wish: Wish,
    lot: str,
    mine: NDArray[np.bool_],
    month: int,
    now: NDArray[np.bool_],
    free: Any,
) -> Json:
    hours = observed.hour_of_week[now]
    use = _by_hour(observed.occupied[mine][:, now], hours).sum(axis=0)
    busiest = int(use.argmax())
    sockets = int(observed.sockets[mine].sum())
    share = float(free[:, hours == busiest].mean())
    return {
        "lot": lot,
        "month": f"{month // 12}-{month % 12 + 1:02d}",
        "stations": int(mine.sum()),
        "sockets": sockets,
        "energy_kwh": round(float(observed.energy_kwh[mine, month - observed.first_month].sum()), 1),
        "occupancy_fraction": round(float(observed.occupied[mine][:, now].mean(axis=1).sum()) / sockets, 4),
        "busiest_hour": f"{DAYS[busiest // 24]} {busiest % 24:02d}:00",
        "free_fraction": round(float(free.mean()), 4),
        "free_busiest_fraction": round(share, 4),
        "met": share >= wish.promised_fraction,
    }


def _by_hour(values: NDArray[Any], hour_of_week: Ints) -> Floats:
    """Return means by hour of the week, shape (rows, 168); hours that were not seen are zero."""
    count = np.maximum(np.bincount(hour_of_week, minlength=HOURS_OF_WEEK), 1)
    return np.array(
        [np.bincount(hour_of_week, weights=row, minlength=HOURS_OF_WEEK) / count for row in values]
    )


def _pooled(values: Floats) -> Floats:
    """Give workdays, and the weekend's days, their mean: single hours of few weeks are mostly chance."""
    pooled = values.copy()
    for days in (slice(0, WORKDAY_HOURS), slice(WORKDAY_HOURS, HOURS_OF_WEEK)):
        by_day = values[:, days].reshape(len(values), -1, 24)
        pooled[:, days] = np.tile(by_day.mean(axis=1), by_day.shape[1])
    return pooled


def _offered(carried: float, sockets: int) -> float:
    """Return the offered load whose carried part is this: A (1 - B(A, c)), by bisection [erlang]."""
    carried = min(carried, FULLEST_FRACTION * sockets)
    low, high = carried, carried + 1.0
    while high * (1 - erlang_b(high, sockets)) < carried:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * (1 - erlang_b(middle, sockets)) < carried else (low, middle)
    return high
