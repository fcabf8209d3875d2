"""A fleet rises no faster than its cap, only as much later as it must, and turns around no faster either."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.curve import curve_of
from csms.control.dispatch import dispatch
from csms.control.ledger import EvseKey, Ledger, Order
from csms.control.ramp import FleetPace, Reversals, delay, spread
from csms.ocpp.dialects import DischargeDialect, Steering, power_period
from csms.ocpp.vocabulary import (
    Accepted,
    ChargingProfile,
    Command,
    Outcome,
    Priority,
    ProfilePurpose,
    RateUnit,
)

NOW = datetime(2024, 6, 11, 16, 3, 20, tzinfo=UTC)
START = NOW - timedelta(seconds=200)
AMPERES = Steering(RateUnit.AMPERE)
SETPOINTS = Steering(RateUnit.WATT, dialect=DischargeDialect.OCPP21_SETPOINT)
POWERS = st.sampled_from([0.0, 4.14, 6.9, 11.04])


def order_for(number: int, powers_kw: list[float], steering: Steering = AMPERES) -> Order:
    periods = tuple(
        power_period(900 * index, power, steering) for index, power in enumerate([*powers_kw, 4.14])
    )
    profile = ChargingProfile(201, 1, ProfilePurpose.TX, steering.unit, START, periods)
    return Order(NOW, EvseKey("S", number), f"s{number}", profile, curve_of(profile, steering, 11.04))


def ledger_for(held_kw: list[float], steering: Steering = AMPERES) -> Ledger:
    ledger = Ledger({EvseKey("S", number): 11.04 for number in range(len(held_kw))})
    for number, power in enumerate(held_kw):
        ledger.send(order := order_for(number, [power], steering))
        ledger.confirm(order)
    return ledger


def drawn_kw(orders: tuple[Order, ...], second: int) -> float:
    return sum(max(order.curve.at(NOW + timedelta(seconds=second)), 0.0) for order in orders)


@given(st.lists(st.tuples(POWERS, POWERS, POWERS), min_size=1, max_size=12), st.floats(5.0, 60.0))
def test_no_minute_rises_by_more_than_the_cap_and_one_socket(
    sockets: list[tuple[float, float, float]], cap_kw: float
) -> None:
    ledger = ledger_for([held for held, *_ in sockets])
    orders = tuple(order_for(number, [first, later]) for number, (_, first, later) in enumerate(sockets))
    freed_kw = sum(max(held - first, 0.0) for held, first, _ in sockets)
    moved = spread(orders, freed_kw, ledger, NOW, cap_kw)
    end_s = 690  # then the schedules themselves go on
    for order, original in zip(moved, orders, strict=True):
        assert len(order.profile.periods) <= len(original.profile.periods)
        told = curve_of(order.profile, AMPERES, 11.04)
        assert order.curve.starts == told.starts
        assert order.curve.power_kw == pytest.approx(told.power_kw)
        for second in range(0, end_s, 7):
            moment = NOW + timedelta(seconds=second)
            held = sockets[order.key.evse_id][0]
            assert order.curve.at(moment) <= max(original.curve.at(moment), held) + 1e-9
    net_kw = drawn_kw(orders, 0) - sum(held for held, *_ in sockets)
    if net_kw <= cap_kw:
        assert moved == orders
    rising = tuple(o for o in moved if o.curve.at(NOW + timedelta(seconds=end_s)) > sockets[o.key.evse_id][0])
    if cap_kw < net_kw < cap_kw * end_s / 60:
        gross_kw = net_kw + freed_kw
        for second in range(0, end_s - 60, 5):
            risen_kw = drawn_kw(rising, second + 60) - drawn_kw(rising, second)
            assert risen_kw <= cap_kw * gross_kw / max(net_kw, 1e-9) + 11.04 + 0.2


def test_reductions_of_the_same_round_and_urgent_sessions_and_tracking_need_no_spread() -> None:
    ledger = ledger_for([0.0, 0.0, 0.0])
    orders = tuple(order_for(number, [11.04, 11.04]) for number in range(3))
    assert spread(orders, 30.0, ledger, NOW, 5.0) == orders
    moved = spread(orders, 0.0, ledger, NOW, 5.0, urgent={"s1"})
    assert [one is other for one, other in zip(moved, orders, strict=True)] == [True, True, False]
    tracking = tuple(order_for(number, [11.04], SETPOINTS) for number in range(3))
    assert spread(tracking, 0.0, ledger, NOW, 5.0) == tracking


def test_an_order_that_waits_keeps_what_its_socket_draws() -> None:
    moved = delay(order_for(0, [11.04, 6.9, 0.0]), NOW + timedelta(seconds=90), 4.14)
    assert [(each.start_s, each.limit) for each in moved.profile.periods] == [
        (0, 6.0),
        (290, 16.0),
        (900, 10.0),
        (1800, 6.0),
    ]


def test_reversals_are_counted_by_the_minute() -> None:
    reversals = Reversals(20.0)
    assert reversals.admit(15.0, NOW)
    assert not reversals.admit(15.0, NOW)
    assert not reversals.admit(15.0, NOW + timedelta(seconds=15))
    assert reversals.admit(15.0, NOW + timedelta(seconds=31))
    assert reversals.admit(50.0, NOW + timedelta(minutes=5)), "one that is larger than the cap, alone"
    assert not reversals.admit(1.0, NOW + timedelta(minutes=6))


@pytest.mark.parametrize(("cap_kw", "turned"), [(1000.0, 3), (20.0, 1)])
def test_sockets_that_may_not_turn_yet_stand_still(cap_kw: float, turned: int) -> None:
    async def take(station_id: str, command: Command, *, priority: Priority = Priority.CONTROL) -> Outcome:
        del station_id, command, priority
        return Accepted({})

    ledger = ledger_for([7.0] * 3, SETPOINTS)
    orders = [order_for(number, [-7.0], SETPOINTS) for number in range(3)]
    pace = FleetPace(1e6, Reversals(cap_kw))
    done = asyncio.run(dispatch(orders, ledger, take, NOW, pace=pace))
    now_kw = sorted(ledger.curves(order.key, order.session_id)[0].at(NOW) for order in orders)
    assert now_kw == [-7.0] * turned + [0.0] * (3 - turned)
    assert len(done.withheld) == 3 - turned
