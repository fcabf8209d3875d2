"""Plans made on arrival: cheap, within the transformer's limit, complete where that is possible."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rollout.plans import Battery, Market, charge_and_discharge, cheapest_quarters

STEPS = 32
RATED, SMALLEST = 11.04, 4.14
prices = st.lists(st.floats(-0.2, 0.6), min_size=STEPS, max_size=STEPS)
loads = st.lists(st.floats(-100.0, 180.0), min_size=STEPS, max_size=STEPS)


def market(price: list[float], load: list[float], *, sell: float = 0.0, balancing: float = 0.1) -> Market:
    buy = np.array([price])
    return Market(buy, buy - sell, np.array([load]), np.array([[200.0]]), np.array([[150.0]]), balancing)


@given(price=prices, load=loads, need=st.floats(0.5, 60.0), window=st.integers(1, STEPS))
def test_the_limit_and_the_window_hold_and_all_is_delivered_where_it_fits(
    price: list[float], load: list[float], need: float, window: int
) -> None:
    there = market(price, load)
    power = cheapest_quarters(
        there, np.array([need]), np.array([RATED]), np.array([SMALLEST]), np.array([window])
    )[0]
    assert (power[window:] == 0).all()
    assert (np.array(load) + power <= 200.0 + 1e-9).all()
    assert ((power == 0) | (power >= SMALLEST - 1e-9)).all()
    room = np.minimum(200.0 - np.array(load), RATED)[:window]
    possible = room[room >= SMALLEST].sum() * 0.25
    assert power.sum() * 0.25 >= min(need, possible) - 1e-9


@given(price=prices, need=st.floats(3.0, 40.0))
def test_without_a_peak_the_cheapest_hours_are_taken(price: list[float], need: float) -> None:
    there = market(price, [0.0] * STEPS, balancing=0.0)
    power = cheapest_quarters(
        there, np.array([need]), np.array([RATED]), np.array([SMALLEST]), np.array([STEPS])
    )[0]
    used = power > 0
    if used.any() and not used.all():
        assert max(np.array(price)[used]) <= min(np.array(price)[~used]) + 1e-12


def battery(gap: float) -> Battery:
    return Battery(
        gap_kwh=np.array([gap]),
        stop_kwh=np.array([2.0]),
        floor_kwh=np.array([35.0]),
        charge_kw=np.array([RATED]),
        discharge_kw=10.0,
        smallest_kw=SMALLEST,
        one_way=0.93,
        wear_eur_per_kwh=0.06,
    )


@settings(max_examples=50)
@given(price=prices, gap=st.floats(3.0, 30.0))
def test_discharge_keeps_the_floor_and_the_target(price: list[float], gap: float) -> None:
    plan = charge_and_discharge(market(price, [20.0] * STEPS), battery(gap), np.array([STEPS]))[0]
    content = gap - np.cumsum(np.where(plan > 0, plan * 0.93, plan / 0.93)) * 0.25
    assert content.max() <= 35.0 + 1e-6
    if gap - 2.0 <= RATED * 0.93 * STEPS / 4 * 0.8:
        assert content[-1] <= 2.0 + 35.0 / 20


def test_a_high_spread_is_worth_discharging_for_and_a_flat_price_is_not() -> None:
    spread = charge_and_discharge(
        market([0.8] * 16 + [0.05] * 16, [20.0] * STEPS), battery(5.0), np.array([STEPS])
    )
    flat = charge_and_discharge(market([0.3] * STEPS, [20.0] * STEPS), battery(5.0), np.array([STEPS]))
    assert (spread[0] < 0).any()
    assert (flat[0] >= 0).all()
