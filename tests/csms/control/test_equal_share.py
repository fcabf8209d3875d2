from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.equal_share import Fairness, Sharer, Taken, build_floor_kwh, divide_headroom
from optimizer.allocation import GroupHeadroom
from tests.csms.control.street import HOUR, NOW

sharers = st.builds(
    Sharer,
    id=st.uuids().map(str),
    max_kw=st.sampled_from([3.68, 11.04]),
    min_kw=st.sampled_from([1.38]),
    needed_kwh=st.floats(0.0, 60.0),
    departure_step=st.integers(0, 20),
)
streets = st.lists(sharers, min_size=1, max_size=8, unique_by=lambda each: each.id)
headrooms = st.lists(st.floats(-10.0, 60.0), min_size=1, max_size=16)


@given(streets, headrooms, st.integers(0, 100))
def test_shares_keep_the_headroom_and_what_each_can_take(
    cars: list[Sharer], headroom_kw: list[float], turn: int
) -> None:
    shares = divide_headroom(cars, headroom_kw, (), turn)
    total = sum(shares.values())
    assert np.all(total <= np.maximum(headroom_kw, 0.0) + 1e-6)
    for car in cars:
        share = shares[car.id]
        assert np.all(share <= car.max_kw + 1e-9)
        assert np.all((share < 1e-9) | (share >= car.min_kw - 1e-9))
        assert np.all(share[car.departure_step :] == 0.0)
        assert share.sum() * 0.25 <= car.needed_kwh + 1e-6


@given(st.integers(1, 6), st.floats(0.0, 80.0))
def test_equal_cars_get_equal_shares(count: int, headroom_kw: float) -> None:
    cars = [Sharer(str(index), 11.0, 0.0, 100.0, 1) for index in range(count)]
    shares = divide_headroom(cars, [headroom_kw], (), 0)
    assert [float(shares[car.id][0]) for car in cars] == pytest.approx(
        [min(headroom_kw / count, 11.0)] * count
    )


def test_where_there_is_not_enough_for_all_they_take_turns() -> None:
    cars = [Sharer(str(index), 11.0, 4.14, 100.0, 12) for index in range(3)]
    shares = divide_headroom(cars, [4.2] * 12, (), 0)
    assert [float(share.sum()) for share in shares.values()] == pytest.approx([4 * 4.2] * 3)


def test_a_fuse_is_shared_by_those_behind_it() -> None:
    cars = [Sharer(name, 11.04, 4.14, 100.0, 1) for name in "abc"]
    pole = GroupHeadroom(("a", "b"), 5.75, {"a": 1 / 3, "b": 1 / 3})
    shares = divide_headroom(cars, [100.0], [pole], 0)
    assert [float(shares[name][0]) for name in "abc"] == pytest.approx([8.625, 8.625, 11.04])


def test_entitlement_grows_by_the_share() -> None:
    fairness = (
        Fairness().advance(NOW, {"a": Taken(1.0, 0.0, took_all=True)}).sharing({"a": 8.0, "stranger": 3.0})
    )
    later = fairness.advance(NOW + HOUR, {"a": Taken(2.0, 4.0, took_all=True)})
    assert later.entitled_kwh == {"a": 9.0}


def test_what_a_car_refuses_is_not_owed_to_it() -> None:
    fairness = Fairness().advance(NOW, {"a": Taken(1.0, 0.0, took_all=True)}).sharing({"a": 8.0})
    later = fairness.advance(NOW + HOUR, {"a": Taken(4.0, 3.0, took_all=False)})
    assert later.entitled_kwh == {"a": 4.0}


def test_who_left_is_forgotten_and_who_is_new_begins_with_what_it_got() -> None:
    fairness = Fairness().advance(NOW, {"a": Taken(1.0, 0.0, took_all=True)})
    later = fairness.advance(NOW + HOUR, {"b": Taken(0.5, 4.0, took_all=True)})
    assert later.entitled_kwh == {"b": 0.5}


@given(st.lists(st.tuples(st.floats(0.0, 11.0), st.integers(1, 3600)), max_size=10))
def test_counting_often_or_seldom_is_the_same(spans: list[tuple[float, int]]) -> None:
    fairness = Fairness().advance(NOW, {"a": Taken(0.0, 0.0, took_all=True)})
    at, due_kwh = NOW, 0.0
    for share_kw, seconds in spans:
        fairness = fairness.sharing({"a": share_kw})
        at += timedelta(seconds=seconds)
        due_kwh += share_kw * seconds / 3600
        fairness = fairness.advance(at, {"a": Taken(0.0, 11.0, took_all=True)})
    assert fairness.entitled_kwh["a"] == pytest.approx(due_kwh)


shares = st.lists(st.floats(0.0, 11.0), min_size=1, max_size=20).map(np.array)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), shares, st.floats(0.0, 1.0))
def test_a_floor_ascends_from_nothing(
    entitled: float, delivered: float, share: np.ndarray, rest: float
) -> None:
    floor = build_floor_kwh(entitled, delivered, share, rest)
    assert floor[0] == 0.0
    assert np.all(np.diff(floor) >= 0.0)
    # The promise of the issue: four fifths of the equal share, less a quarter of an hour at least power.
    gained = np.cumsum(share) * 0.25 - (1.0 - rest) * 0.25 * share[0]
    assert np.all(delivered + floor[1:] >= 0.8 * (entitled + gained) - 4.14 * 0.25 - 1e-9)


def test_what_was_got_ahead_of_the_share_counts() -> None:
    floor = build_floor_kwh(2.0, 5.0, np.full(4, 8.0), 0.5)
    assert floor.tolist() == [0.0, 0.0, 0.0, 2.0, 4.0]
