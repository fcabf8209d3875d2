"""From a plan to orders: only those that a station has to hear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from csms.control.curve import curve_of, worst_import_kw
from csms.control.dispatch import LOOK_AHEAD, Change, change_of
from csms.control.lease import RENEWAL, lease_discharge
from csms.control.ledger import Ledger, Order
from csms.control.profiles import LOOK_AHEAD as NEWS_AHEAD
from csms.control.profiles import compile_profile, needs_sending, steering_of, tx_profile_id
from csms.control.sessions import ConnectedCar
from csms.control.snapshot import PlanningCase
from csms.control.writes import WriteBudget
from csms.state.catalogue import Catalogue
from optimizer.plan import Plan


def build_orders(
    case: PlanningCase, plan: Plan, ledger: Ledger, catalogue: Catalogue, now: datetime
) -> tuple[Order, ...]:
    """Return the orders that carry out a plan, without those that their sockets have confirmed already.

    Parameters
    ----------
    case
        What was planned.
    plan
        Its checked plan.
    ledger
        What every socket was told.
    catalogue
        Models and fallback.
    now
        The moment of sending.
    """
    problem = case.problem
    step = timedelta(minutes=problem.step_minutes)
    planned = [_order(case.cars[ev.id], ev.power_kw, problem.start, step, catalogue, now) for ev in plan.evs]
    return tuple(
        order
        for order in (*planned, *_hold(case.standby, case, catalogue, now))
        if _is_news(order, ledger, now)
    )


def build_fallback_orders(
    case: PlanningCase, ledger: Ledger, catalogue: Catalogue, now: datetime
) -> tuple[Order, ...]:
    """Return the orders that hold every session at the fallback rate, without those that are confirmed.

    Parameters
    ----------
    case
        Who is there.
    ledger
        What every socket was told.
    catalogue
        Models and fallback.
    now
        The moment of sending.
    """
    held = _hold((*case.cars.values(), *case.standby), case, catalogue, now)
    return tuple(order for order in held if _is_news(order, ledger, now))


def choose_within_budget(
    orders: Sequence[Order], ledger: Ledger, budget: WriteBudget, now: datetime
) -> tuple[Order, ...]:
    """Leave away increases that are not worth a write to their station's memory: what it holds stays.

    Parameters
    ----------
    orders
        What a plan asks for.
    ledger
        What every socket was told.
    budget
        What every station was written.
    now
        The moment of sending.
    """
    return tuple(order for order in orders if _is_worth_it(order, ledger, budget, now))


def _is_worth_it(order: Order, ledger: Ledger, budget: WriteBudget, now: datetime) -> bool:
    confirmed = ledger.confirmed(order.key)
    if confirmed is None or confirmed.session_id != order.session_id:
        return True
    if change_of(order, ledger, now) is not Change.RAISES:
        # Including orders that only lower later: the sooner they are known the better.
        return True
    soon = needs_sending(confirmed.profile, order.profile, now, LOOK_AHEAD)
    end = now + LOOK_AHEAD
    increase_kw = worst_import_kw([order.curve], now, end) - worst_import_kw([confirmed.curve], now, end)
    return budget.permits(order.key.station_id, now, soon=soon, increase_kw=increase_kw)


def _hold(
    cars: Sequence[ConnectedCar], case: PlanningCase, catalogue: Catalogue, now: datetime
) -> Iterator[Order]:
    """A car that has stopped asking, among others, keeps the fallback rate, so that it can ask again."""
    for car in cars:
        fallback_kw = catalogue.service.fallback_current_a * car.kw_per_a()
        yield _order(
            car,
            (fallback_kw,),
            case.problem.start,
            timedelta(minutes=case.problem.step_minutes),
            catalogue,
            now,
        )


def _order(
    car: ConnectedCar,
    power_kw: tuple[float, ...],
    start: datetime,
    step: timedelta,
    catalogue: Catalogue,
    now: datetime,
) -> Order:
    steering = steering_of(
        car.model,
        car.phases,
        may_discharge=car.allowed_discharge_kw > 0.0,
        voltage_v=catalogue.topology.voltage_v,
    )
    profile = compile_profile(
        power_kw,
        start,
        step,
        steering=steering,
        max_periods=car.model.max_periods,
        profile_id=tx_profile_id(car.key.evse_id),
        transaction_id=car.session.transaction_id,
        tail_current_a=catalogue.service.fallback_current_a,
    )
    profile, until = lease_discharge(profile, now, car.model.max_periods)
    hardware_kw = car.model.max_current_a * steering.kw_per_a
    return Order(now, car.key, car.session.id, profile, curve_of(profile, steering, hardware_kw), until)


def _is_news(order: Order, ledger: Ledger, now: datetime) -> bool:
    confirmed = ledger.confirmed(order.key)
    if confirmed is None or confirmed.session_id != order.session_id:
        return True
    # A lease ends later in every new order: that alone is news when it is time to renew it.
    leased = confirmed.until - now if confirmed.until is not None else timedelta()
    look_ahead = leased if leased > RENEWAL else NEWS_AHEAD
    return needs_sending(confirmed.profile, order.profile, now, look_ahead)
