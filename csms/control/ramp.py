"""How fast a fleet may move: upward steps are spread, changes of direction are counted.

Ten thousand cars that begin in the same second are a power station's trip. Whoever asks for it, the
dispatcher lets a step of the whole fleet rise no faster than its cap, with start offsets that are part of the
profiles, and lets no more than so much power change its direction in a minute. What lowers never waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from csms.control.curve import PowerCurve
from csms.control.ledger import Ledger, Order
from csms.ocpp.fields import floor_tenth
from csms.ocpp.vocabulary import Period

MINUTE = timedelta(minutes=1)


def step_kw(order: Order, ledger: Ledger, now: datetime) -> float:
    """Return by how much an order raises what its socket draws now; below 0 where it lowers it [kW]."""
    return max(order.curve.at(now), 0.0) - _held_kw(order, ledger, now)


def spread(
    orders: Sequence[Order],
    freed_kw: float,
    ledger: Ledger,
    now: datetime,
    cap_kw_per_min: float,
    urgent: Iterable[str] = (),
) -> tuple[Order, ...]:
    """Return orders of which those that raise begin one after the other, when together they rise too fast.

    Commanded setpoints (tracking of V2G) and urgent sessions (charge now) begin at once.

    Parameters
    ----------
    orders
        What is about to be sent; none of them only lowers.
    freed_kw
        What the reductions of the same round have freed: only the net step counts [kW].
    ledger
        What every socket was told.
    now
        The moment of sending.
    cap_kw_per_min
        The most that the fleet may rise in a minute [kW].
    urgent
        Sessions whose drivers asked for power at once.
    """
    at_once = frozenset(urgent)
    steps = {order: max(step_kw(order, ledger, now), 0.0) for order in orders}
    gross_kw = sum(steps.values())
    net_kw = gross_kw - freed_kw
    if net_kw <= cap_kw_per_min or gross_kw <= 0.0:
        return tuple(orders)
    found, before_kw = [], 0.0
    for order in orders:
        late = MINUTE * (before_kw * net_kw / gross_kw / cap_kw_per_min)
        before_kw += steps[order]
        exempt = order.session_id in at_once or order.profile.periods[0].setpoint is not None
        if exempt or not steps[order] or not late:
            found.append(order)
        else:
            found.append(delay(order, now + late, _held_kw(order, ledger, now)))
    return tuple(found)


def delay(order: Order, at: datetime, held_kw: float) -> Order:
    """Return an order that keeps what its socket draws until a moment, and begins then.

    Parameters
    ----------
    order
        Bounds by limits; its last period is the tail.
    at
        When it begins; what it would have done until then is left away.
    held_kw
        What its socket draws until then at the most [kW].
    """
    since_s = round((at - order.profile.start).total_seconds())
    index = max(i for i, each in enumerate(order.profile.periods) if each.start_s <= since_s)
    period, power_kw = order.profile.periods[index], order.curve.power_kw[index]
    limit = 0.0
    if period.limit and power_kw > 0.0:
        limit = floor_tenth(period.limit * min(held_kw / power_kw, 1.0))
    told_kw = 0.0 if not period.limit else power_kw * limit / period.limit
    periods = [Period(0, limit=limit, phases=period.phases), replace(period, start_s=since_s)]
    powers = [told_kw, power_kw]
    periods += order.profile.periods[index + 1 :]
    powers += order.curve.power_kw[index + 1 :]
    if len(periods) > len(order.profile.periods):
        # Its model may store no more: the last piece before the tail gives way to the tail.
        periods[-2:] = [replace(periods[-1], start_s=periods[-2].start_s)]
        powers[-2:] = [powers[-1]]
    starts = tuple(order.profile.start + timedelta(seconds=each.start_s) for each in periods)
    return replace(
        order,
        profile=replace(order.profile, periods=tuple(periods)),
        curve=PowerCurve(starts, tuple(powers)),
    )


def _held_kw(order: Order, ledger: Ledger, now: datetime) -> float:
    """Return what a socket draws now by the lowest of what may hold there [kW]."""
    return min(max(curve.at(now), 0.0) for curve in ledger.curves(order.key, order.session_id))


@dataclass(slots=True)
class Reversals:
    """Counts power that changes its direction, in the whole fleet.

    Parameters
    ----------
    cap_kw_per_min
        The most in a minute [kW].
    """

    cap_kw_per_min: float
    _left_kw: float = math.inf
    _at: datetime | None = None

    def admit(self, power_kw: float, now: datetime) -> bool:
        """Say whether so much power may change its direction now, and count it if so.

        Something larger than the cap passes when nothing else did for a minute.

        Parameters
        ----------
        power_kw
            From what it was to what it will be, both added [kW].
        now
            The moment.
        """
        passed = 0.0 if self._at is None else max((now - self._at) / MINUTE, 0.0)
        left_kw = min(self._left_kw + self.cap_kw_per_min * passed, self.cap_kw_per_min)
        admitted = power_kw <= left_kw or left_kw >= self.cap_kw_per_min
        self._left_kw, self._at = left_kw - power_kw * admitted, now
        return admitted


@dataclass(frozen=True, eq=False)
class FleetPace:
    """What the dispatcher holds a fleet to.

    Parameters
    ----------
    ramp_kw_per_min
        The most that it may rise in a minute [kW].
    reversals
        Power that changed its direction.
    """

    ramp_kw_per_min: float
    reversals: Reversals
