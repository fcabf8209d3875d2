"""Whatever may hold at sockets and whatever is asked: what the guard lets through fits every bound."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.curve import PowerCurve, curve_of
from csms.control.guard import TOLERANCE_KW, Bound, Headroom, compute_worst, cut_back
from csms.control.ledger import EvseKey, Order
from csms.ocpp.dialects import DischargeDialect, Steering
from csms.ocpp.vocabulary import ChargingProfile, Period, ProfilePurpose, RateUnit
from grid.topology import Direction, Netting

QUARTER = timedelta(minutes=15)
START = datetime(2024, 6, 11, 16, tzinfo=UTC)
NOW = START + timedelta(minutes=4)
STEPS = 6
EDGES = [NOW, *(START + (step + 1) * QUARTER for step in range(STEPS))]
STEERING = Steering(RateUnit.WATT, dialect=DischargeDialect.OCPP21_SETPOINT)
KEYS = [EvseKey("S", number) for number in range(1, 5)]
POWERS = st.lists(st.integers(-11, 11).map(float), min_size=STEPS, max_size=STEPS)


def order_for(key: EvseKey, power_kw: list[float], tail_kw: float = 4.0) -> Order:
    periods = tuple(
        Period(step * 900, setpoint=power * 1000) for step, power in enumerate([*power_kw, tail_kw])
    )
    profile = ChargingProfile(key.evse_id, 1, ProfilePurpose.TX, RateUnit.WATT, START, periods)
    return Order(NOW, key, f"s{key.evse_id}", profile, curve_of(profile, STEERING, 0.0))


def headroom_for(
    held: list[list[float]], room_kw: float, direction: Direction = Direction.IMPORT
) -> Headroom:
    bound = Bound("pole", "fuse", direction, np.full(STEPS, room_kw), dict.fromkeys(KEYS, 1.0))
    worst = {
        key: compute_worst([order_for(key, power).curve], EDGES)
        for key, power in zip(KEYS, held, strict=False)
    }
    return Headroom([bound], EDGES, worst)


@given(st.lists(st.tuples(POWERS, POWERS), min_size=1, max_size=4), st.floats(0.0, 45.0))
def test_no_step_becomes_worse_that_has_no_room(
    pairs: list[tuple[list[float], list[float]]], room_kw: float
) -> None:
    for direction in Direction:
        headroom = headroom_for([held for held, _ in pairs], room_kw, direction)
        sign = 1.0 if direction is Direction.IMPORT else -1.0
        curves = [[order_for(key, held).curve] for key, (held, _) in zip(KEYS, pairs, strict=False)]
        before = total_kw(curves, sign)
        for index, (key, (_, wanted)) in enumerate(zip(KEYS, pairs, strict=False)):
            granted = headroom.grant(order_for(key, wanted, tail_kw=0.0))
            if granted is not None:
                curves[index].append(granted.curve)
        after = total_kw(curves, sign)
        allowed = np.maximum(before, room_kw) + len(pairs) * 2 * TOLERANCE_KW
        assert (after <= allowed).all()


def total_kw(curves: list[list[PowerCurve]], sign: float) -> np.ndarray:
    """Return what several sockets may do together, second by second."""
    moments = [NOW + timedelta(seconds=30 * n) for n in range(int((EDGES[-1] - NOW).total_seconds() // 30))]
    return np.array(
        [sum(max(0.0, *(sign * curve.at(moment) for curve in each)) for each in curves) for moment in moments]
    )


@given(POWERS, st.integers(1, STEPS - 1))
def test_what_is_cut_back_is_the_order_and_then_its_tail(power_kw: list[float], step: int) -> None:
    order, at = order_for(KEYS[0], power_kw), EDGES[step]
    cut = cut_back(order, at)
    assert cut.curve == curve_of(cut.profile, STEERING, 0.0)
    assert len(cut.profile.periods) <= len(order.profile.periods)
    for minute in range(0, 15 * STEPS + 30, 5):
        moment = START + timedelta(minutes=minute)
        assert cut.curve.at(moment) == (order.curve.at(moment) if moment < at else 4.0)


def test_an_order_is_cut_where_later_room_is_taken_and_withheld_where_there_is_none_now() -> None:
    held = [[4.0] * STEPS, [4.0, 4.0, 10.0, 10.0, 10.0, 10.0]]
    granted = headroom_for(held, 15.0).grant(order_for(KEYS[0], [9.0] * STEPS))
    assert granted is not None
    assert granted.curve.at(NOW) == 9.0
    assert granted.curve.at(EDGES[2]) == 4.0
    assert (
        headroom_for([[4.0] * STEPS, [10.0] * STEPS], 15.0).grant(order_for(KEYS[0], [9.0] * STEPS)) is None
    )


def test_two_increases_share_what_is_left() -> None:
    headroom = headroom_for([[4.0] * STEPS, [4.0] * STEPS], 15.0)
    assert headroom.grant(order_for(KEYS[0], [9.0] * STEPS)) is not None
    assert headroom.grant(order_for(KEYS[1], [9.0] * STEPS)) is None


def test_a_reduction_always_passes_however_little_room_there_is() -> None:
    order = order_for(KEYS[0], [5.0] * STEPS, tail_kw=0.0)
    assert headroom_for([[10.0] * STEPS, [10.0] * STEPS], 1.0).grant(order) is order


def test_confirmed_discharge_makes_room_only_where_netting_says_so_and_only_now() -> None:
    curve = order_for(KEYS[0], [-8.0] * STEPS).curve
    worst = compute_worst([curve], EDGES, confirmed_export_kw=5.0)
    room = np.zeros(STEPS)
    for netting, expected in ((Netting.NONE, 0.0), (Netting.CONFIRMED, -5.0)):
        bound = Bound("t", "x", Direction.IMPORT, room, {KEYS[0]: 1.0}, netting)
        assert worst.towards(bound)[0] == expected
        assert (worst.towards(bound)[1:] == 0.0).all()
    assert (worst.export_kw == 8.0).all()


def test_an_excess_names_place_time_and_amount() -> None:
    held = [[4.0, 4.0, 9.0, 4.0, 4.0, 4.0], [4.0] * STEPS]
    (excess,) = headroom_for(held, 10.0).excesses(STEPS)
    assert (excess.place, excess.at) == ("pole", EDGES[2])
    assert excess.excess_kw == pytest.approx(3.0)
    assert "pole: import not guaranteeable" in str(excess)
    assert headroom_for(held, 10.0).excesses(2) == ()


def test_a_change_within_a_step_counts_for_the_whole_step() -> None:
    inside = PowerCurve((START, NOW + timedelta(minutes=5)), (2.0, 7.0))
    worst = compute_worst([inside], EDGES)
    assert worst.import_kw.tolist() == [7.0] * STEPS


def test_an_order_that_is_its_tail_from_the_begin_stays_a_schedule() -> None:
    order = order_for(KEYS[0], [6.0] * STEPS)
    flat = replace(
        order, profile=replace(order.profile, periods=(replace(order.profile.periods[-1], start_s=0),))
    )
    assert cut_back(flat, EDGES[1]).profile.periods[0].start_s == 0
