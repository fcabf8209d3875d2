"""The guard: what stations may do together at worst, against every limit, whatever the plan says. Pure.

For every bound and every step: ``sum_i w_i worst_i <= room``, import and export as two separate bounds. The
worst that a socket may do is the highest (import) and the lowest (export) power of every curve that may hold
there: confirmed, in flight, or the fallback where nothing is confirmed. An order is let through as it is
while it fits, cut back to the fallback from where it no longer fits, or withheld.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from csms.control.curve import PowerCurve
from csms.control.ledger import EvseKey, Order
from grid.topology import Direction, Netting

# What rounding and a solver's tolerance make of a power that stands exactly at its limit [kW].
TOLERANCE_KW = 0.02
# An order that fits for less than this is not worth a station's memory.
SHORTEST_LEASE = timedelta(minutes=5)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bound:
    """One limit of one place, in one direction, per step.

    Parameters
    ----------
    place, source
        Where, and who says so.
    direction
        Import or export.
    room_kw
        What is left for the sockets after everything that cannot be steered, shape (steps,) [kW].
    weights
        Part of a socket's power that counts here, by socket [fraction].
    netting
        Whether discharge that a meter confirmed makes room.
    """

    place: str
    source: str
    direction: Direction
    room_kw: Floats
    weights: Mapping[EvseKey, float]
    netting: Netting = Netting.NONE


@dataclass(frozen=True, eq=False)
class Worst:
    """The most that a socket may draw and give back, per step.

    Parameters
    ----------
    import_kw, export_kw
        Both >= 0, shape (steps,) [kW].
    confirmed_export_kw
        What a meter says it gives back for certain, shape (steps,) [kW].
    """

    import_kw: Floats
    export_kw: Floats
    confirmed_export_kw: Floats

    def towards(self, bound: Bound) -> Floats:
        """Return what counts against a bound, before its weight [kW]."""
        if bound.direction is Direction.EXPORT:
            return self.export_kw
        if bound.netting is Netting.CONFIRMED:
            return self.import_kw - np.where(self.import_kw > 0.0, 0.0, self.confirmed_export_kw)
        return self.import_kw


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that cannot be guaranteed now.

    Parameters
    ----------
    place, source, direction
        Which.
    at
        Start of the first step in which it may be exceeded.
    excess_kw
        By how much at the worst [kW].
    """

    place: str
    source: str
    direction: Direction
    at: datetime
    excess_kw: float

    def __str__(self) -> str:
        return (
            f"{self.place}: {self.direction} not guaranteeable from {self.at:%Y-%m-%d %H:%M} UTC, at worst "
            f"{self.excess_kw:.1f} kW above {self.source}"
        )


def compute_worst(
    curves: Iterable[PowerCurve], edges: Sequence[datetime], confirmed_export_kw: float = 0.0
) -> Worst:
    """Compute the worst that a socket may do in every step when any of some curves may hold.

    Parameters
    ----------
    curves
        At least one.
    edges
        Begin of every step and the end of the last one, ascending.
    confirmed_export_kw
        What a meter says it gives back now; it counts in the first step only [kW].
    """
    spans = [_span(curve, edges) for curve in curves]
    highest = np.max([high for high, _ in spans], axis=0)
    lowest = np.min([low for _, low in spans], axis=0)
    confirmed = np.zeros(len(edges) - 1)
    confirmed[0] = min(max(-float(highest[0]), 0.0), confirmed_export_kw)
    return Worst(np.maximum(highest, 0.0), np.maximum(-lowest, 0.0), confirmed)


def _span(curve: PowerCurve, edges: Sequence[datetime]) -> tuple[Floats, Floats]:
    """Return the highest and the lowest power of a curve in every step [kW]."""
    origin = edges[0]
    starts_s = np.array([(start - origin).total_seconds() for start in curve.starts])
    edges_s = np.array([(edge - origin).total_seconds() for edge in edges])
    power_kw = np.array(curve.power_kw)
    at = np.maximum(np.searchsorted(starts_s, edges_s[:-1], side="right") - 1, 0)
    high, low = power_kw[at].copy(), power_kw[at].copy()
    step = np.searchsorted(edges_s, starts_s, side="right") - 1
    inside = (starts_s > edges_s[0]) & (starts_s < edges_s[-1])
    np.maximum.at(high, step[inside], power_kw[inside])
    np.minimum.at(low, step[inside], power_kw[inside])
    return high, low


@dataclass(eq=False)
class Headroom:
    """What every bound has left, while a round of orders is granted.

    Parameters
    ----------
    bounds
        Every limit.
    edges
        Begin of every step and the end of the last one.
    worst
        By socket, everything that may draw.
    """

    bounds: Sequence[Bound]
    edges: Sequence[datetime]
    worst: dict[EvseKey, Worst]
    _used: list[Floats] = field(init=False)

    def __post_init__(self) -> None:
        self._used = [self._sum(bound) for bound in self.bounds]

    def excesses(self, steps: int) -> tuple[Excess, ...]:
        """Return the limits that may be exceeded within some steps from now.

        Parameters
        ----------
        steps
            How many of them are looked at.
        """
        found = []
        for bound, used in zip(self.bounds, self._used, strict=True):
            over = (used - bound.room_kw)[:steps]
            if over.max() > TOLERANCE_KW:
                first = self.edges[int(np.argmax(over > TOLERANCE_KW))]
                found.append(Excess(bound.place, bound.source, bound.direction, first, float(over.max())))
        return tuple(found)

    def grant(self, order: Order, shortest: timedelta = SHORTEST_LEASE) -> Order | None:
        """Let an order through as far as it fits, and count it from now on.

        Parameters
        ----------
        order
            What is to be sent.
        shortest
            An order that fits for less is withheld.

        Returns
        -------
        Order or None
            The order, one that is cut back to its own tail from the first step that does not fit, or None
            when that would be too short: then it may not be sent.
        """
        step = self._first_misfit(order)
        if step is not None:
            if step == 0 or self.edges[step] - self.edges[0] < shortest:
                return None
            order = cut_back(order, self.edges[step])
            # The tail itself is the fallback: the street was built to carry it, or is told not to.
        self._count(order)
        return order

    def _sum(self, bound: Bound) -> Floats:
        total = np.zeros(len(self.edges) - 1)
        for key, weight in bound.weights.items():
            if key in self.worst:
                total += weight * self.worst[key].towards(bound)
        return total

    def _first_misfit(self, order: Order) -> int | None:
        """Return the first step in which an order makes a bound worse that has no room for it."""
        wanted = compute_worst([order.curve], self.edges)
        steps = []
        for bound, used in zip(self.bounds, self._used, strict=True):
            weight = bound.weights.get(order.key)
            if not weight:
                continue
            before = self.worst[order.key].towards(bound) if order.key in self.worst else 0.0
            added = weight * (wanted.towards(bound) - before)
            misfit = (added > TOLERANCE_KW) & (used + added > bound.room_kw + TOLERANCE_KW)
            if misfit.any():
                steps.append(int(np.argmax(misfit)))
        return min(steps, default=None)

    def _count(self, order: Order) -> None:
        """Count an order that is on its way: until it is confirmed the old one may hold as well."""
        new, old = compute_worst([order.curve], self.edges), self.worst.get(order.key)
        if old is not None:
            new = Worst(
                np.maximum(new.import_kw, old.import_kw),
                np.maximum(new.export_kw, old.export_kw),
                np.minimum(new.confirmed_export_kw, old.confirmed_export_kw),
            )
        for index, bound in enumerate(self.bounds):
            weight = bound.weights.get(order.key)
            if weight:
                before = 0.0 if old is None else old.towards(bound)
                self._used[index] = self._used[index] + weight * (new.towards(bound) - before)
        self.worst[order.key] = new


def cut_back(order: Order, at: datetime) -> Order:
    """Return an order whose profile falls back to its own tail from a moment on.

    Parameters
    ----------
    order
        Its last period is the tail.
    at
        From when on; later than the begin of its profile.
    """
    if len(order.profile.periods) == 1:
        return order  # it is its tail from the begin
    since_s = round((at - order.profile.start).total_seconds())
    kept = tuple(period for period in order.profile.periods[:-1] if period.start_s < since_s)
    tail = replace(order.profile.periods[-1], start_s=since_s)
    pieces = [
        (start, power)
        for start, power in zip(order.curve.starts[:-1], order.curve.power_kw[:-1], strict=True)
        if start < at
    ]
    starts, powers = [start for start, _ in pieces], [power for _, power in pieces]
    return replace(
        order,
        profile=replace(order.profile, periods=(*kept, tail)),
        curve=PowerCurve((*starts, at), (*powers, order.curve.power_kw[-1])),
    )
