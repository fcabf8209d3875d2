"""Orders to stations: down before up, and up only when every way down is confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol, assert_never

from csms.control.curve import PowerCurve, worst_export_kw, worst_import_kw
from csms.control.guard import SHORTEST_LEASE, Headroom
from csms.control.ledger import EvseKey, Ledger, Order
from csms.control.ramp import FleetPace, spread, step_kw
from csms.ocpp.vocabulary import (
    Accepted,
    Command,
    Failed,
    Offline,
    Outcome,
    Period,
    Priority,
    Refused,
    SetProfile,
    TimedOut,
)

# Later changes of power are replanned before they come.
LOOK_AHEAD = timedelta(minutes=15)
NOTHING_KW = 1e-6


class CallStation(Protocol):
    """Tells a station something and waits for the outcome (`csms.gateway.server.Gateway.call`)."""

    async def __call__(
        self, station_id: str, command: Command, *, priority: Priority = Priority.CONTROL
    ) -> Outcome:
        """Return what came of it; never raises for what a station does."""
        ...


class Change(Enum):
    """What an order does to the bounds of what its socket may do soon: import and export are two bounds."""

    LOWERS = auto()
    RAISES = auto()
    CROSSES = auto()


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a round of orders.

    Parameters
    ----------
    confirmed, refused, doubtful
        Taken; answered with anything else; perhaps taken.
    withheld
        Increases that were not sent: a reduction was not confirmed, or the guard found no room for them.
    cut
        Sent for as long as the guard found room for them, the fallback after that.
    """

    confirmed: tuple[Order, ...] = ()
    refused: tuple[Order, ...] = ()
    doubtful: tuple[Order, ...] = ()
    withheld: tuple[Order, ...] = ()
    cut: tuple[Order, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every order was taken."""
        return not (self.refused or self.doubtful or self.withheld)


def change_of(order: Order, ledger: Ledger, now: datetime) -> Change:
    """Say whether an order lowers both bounds of its socket, raises them, or does one of each."""
    end = now + LOOK_AHEAD
    before = ledger.curves(order.key, order.session_id)
    import_kw = worst_import_kw([order.curve], now, end) - worst_import_kw(before, now, end)
    export_kw = worst_export_kw([order.curve], now, end) - worst_export_kw(before, now, end)
    if import_kw <= NOTHING_KW and export_kw <= NOTHING_KW:
        return Change.LOWERS
    return Change.RAISES if import_kw >= -NOTHING_KW and export_kw >= -NOTHING_KW else Change.CROSSES


def pause_before(order: Order) -> Order:
    """Return an order for no power at all, with which a socket goes from charging to discharging or back."""
    first = order.profile.periods[0]
    still = (
        Period(0, setpoint=0.0) if first.setpoint is not None else Period(0, limit=0.0, phases=first.phases)
    )
    return replace(
        order,
        profile=replace(order.profile, periods=(still,)),
        curve=PowerCurve((order.profile.start,), (0.0,)),
    )


async def dispatch(
    orders: Sequence[Order],
    ledger: Ledger,
    call: CallStation,
    now: datetime,
    find_headroom: Callable[[], Headroom] | None = None,
    pace: FleetPace | None = None,
    urgent: Collection[str] = (),
) -> Dispatched:
    """Send what lowers, then what raises; nothing is raised unless all that lowers is confirmed.

    Parameters
    ----------
    orders
        At most one per socket.
    ledger
        Kept up to date, also while calls are in flight.
    call
        The way to the stations.
    now
        When the orders begin to hold.
    find_headroom
        What the guard has left at the moment of asking; None lets every order through.
    pace
        How fast the fleet may move; None lets it move at once.
    urgent
        Sessions whose drivers asked for power at once: their start is not put off.
    """
    changes = {order: change_of(order, ledger, now) for order in orders}
    rising = [order for order in orders if changes[order] is not Change.LOWERS]
    lowering = [
        pause_before(order) if changes[order] is Change.CROSSES else order
        for order in orders
        if changes[order] is not Change.RAISES
    ]
    freed_kw = sum(max(-step_kw(order, ledger, now), 0.0) for order in lowering)
    crossing_kw = {
        order.key: abs(order.curve.at(now)) + max(abs(each.at(now)) for each in before)
        for order in rising
        if changes[order] is Change.CROSSES and (before := ledger.curves(order.key, order.session_id))
    }
    passed = _pass(lowering, find_headroom, timedelta())
    first = replace(
        await _send_all(passed.granted, ledger, call, Priority.SAFETY),
        withheld=passed.withheld,
        cut=passed.cut,
    )
    if first.refused or first.doubtful:
        return replace(first, withheld=(*first.withheld, *rising))
    passed = _pass(rising, find_headroom)
    granted, waiting = passed.granted, tuple[Order, ...]()
    if pace is not None:
        granted, waiting = _hold_to(pace, granted, crossing_kw, freed_kw, ledger, now, urgent)
    second = await _send_all(granted, ledger, call, Priority.CONTROL)
    paused = {order.key for order in rising}
    return replace(
        second,
        confirmed=tuple(order for order in first.confirmed if order.key not in paused) + second.confirmed,
        withheld=first.withheld + passed.withheld + waiting,
        cut=first.cut + passed.cut,
    )


def _hold_to(
    pace: FleetPace,
    orders: Sequence[Order],
    crossing_kw: Mapping[EvseKey, float],
    freed_kw: float,
    ledger: Ledger,
    now: datetime,
    urgent: Collection[str],
) -> tuple[tuple[Order, ...], tuple[Order, ...]]:
    """Return what may be sent at this pace, and what has to wait: its sockets stand still meanwhile."""
    waiting = {
        order
        for order in orders
        if order.key in crossing_kw and not pace.reversals.admit(crossing_kw[order.key], now)
    }
    going = [order for order in orders if order not in waiting]
    spread_out = spread(going, freed_kw, ledger, now, pace.ramp_kw_per_min, urgent)
    return spread_out, tuple(order for order in orders if order in waiting)


@dataclass(frozen=True, slots=True)
class _Passed:
    """Orders after the guard."""

    granted: tuple[Order, ...] = ()
    withheld: tuple[Order, ...] = ()
    cut: tuple[Order, ...] = ()


def _pass(
    orders: Sequence[Order],
    find_headroom: Callable[[], Headroom] | None,
    shortest: timedelta = SHORTEST_LEASE,
) -> _Passed:
    if find_headroom is None or not orders:
        return _Passed(tuple(orders))
    headroom = find_headroom()
    asked = [(order, headroom.grant(order, shortest)) for order in orders]
    granted = tuple(answer for _, answer in asked if answer is not None)
    return _Passed(
        granted,
        tuple(order for order, answer in asked if answer is None),
        tuple(answer for order, answer in asked if answer is not None and answer is not order),
    )


async def _send_all(
    orders: Sequence[Order], ledger: Ledger, call: CallStation, priority: Priority
) -> Dispatched:
    outcomes = await asyncio.gather(*(_send(order, ledger, call, priority) for order in orders))
    by_kind: dict[str, list[Order]] = {"confirmed": [], "refused": [], "doubtful": []}
    for order, kind in zip(orders, outcomes, strict=True):
        by_kind[kind].append(order)
    return Dispatched(**{kind: tuple(each) for kind, each in by_kind.items()})


async def _send(order: Order, ledger: Ledger, call: CallStation, priority: Priority) -> str:
    ledger.send(order)
    command = SetProfile(order.key.evse_id, order.profile)
    outcome = await call(order.key.station_id, command, priority=priority)
    match outcome:
        case Accepted():
            ledger.confirm(order)
            return "confirmed"
        case Refused() | Failed():
            ledger.refuse(order)
            return "refused"
        case TimedOut() | Offline():
            return "doubtful"
        case _:
            assert_never(outcome)
