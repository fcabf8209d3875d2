"""One-step allocation: limits kept, minimum power kept, nothing left that somebody could take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.heuristics import Demand, GroupHeadroom, allocate_earliest_deadline, allocate_equal_share

Request = tuple[list[Demand], float, list[GroupHeadroom]]
Allocate = Callable[[list[Demand], float, list[GroupHeadroom]], dict[str, float]]
ALLOCATORS = [allocate_equal_share, allocate_earliest_deadline]


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, 3))


@st.composite
def requests(draw: st.DrawFn) -> tuple[list[Demand], float, list[GroupHeadroom]]:
    count = draw(st.integers(0, 8))
    demands = [
        Demand(
            f"ev-{index}",
            max_kw=draw(powers(0.0, 22.0)),
            min_kw=draw(st.sampled_from([0.0, 1.38, 4.14])),
            deadline=draw(st.integers(0, 96)),
        )
        for index in range(count)
    ]
    names = [demand.id for demand in demands]
    groups = [
        GroupHeadroom(
            tuple(draw(st.lists(st.sampled_from(names), unique=True))),
            draw(powers(0.0, 30.0)),
            {name: draw(st.sampled_from([1.0, 1.0 / 3.0])) for name in names},
        )
        for _ in range(draw(st.integers(0, 3)) if names else 0)
    ]
    return demands, draw(powers(0.0, 80.0)), groups


@pytest.mark.parametrize("allocate", ALLOCATORS)
@given(request=requests())
def test_every_limit_and_every_minimum_is_kept(allocate: Allocate, request: Request) -> None:
    demands, headroom_kw, groups = request
    power = allocate(demands, headroom_kw, groups)
    assert set(power) == {demand.id for demand in demands}
    assert sum(power.values()) <= headroom_kw + 1e-6
    for group in groups:
        assert sum(group.weight(name) * power[name] for name in group.members) <= group.headroom_kw + 1e-6
    for demand in demands:
        assert power[demand.id] == 0.0 or demand.min_kw - 1e-6 <= power[demand.id] <= demand.max_kw + 1e-6


@pytest.mark.parametrize("allocate", ALLOCATORS)
@given(request=requests())
def test_nobody_could_take_more(allocate: Allocate, request: Request) -> None:
    demands, headroom_kw, groups = request
    power = allocate(demands, headroom_kw, groups)
    limits = [GroupHeadroom(tuple(power), headroom_kw), *groups]
    for demand in demands:
        if power[demand.id] == 0.0 or power[demand.id] >= demand.max_kw - 1e-6:
            continue
        spare = [
            (limit.headroom_kw - sum(limit.weight(name) * power[name] for name in limit.members))
            for limit in limits
            if demand.id in limit.members
        ]
        assert min(spare) <= 1e-6


def test_equal_share_is_equal_until_somebody_is_satisfied() -> None:
    demands = [Demand("a", 11.0), Demand("b", 2.0), Demand("c", 11.0)]
    assert allocate_equal_share(demands, 12.0) == pytest.approx({"a": 5.0, "b": 2.0, "c": 5.0})


def test_equal_share_leaves_out_the_last_when_the_least_does_not_fit() -> None:
    demands = [Demand("a", 11.0, 4.14), Demand("b", 11.0, 4.14), Demand("c", 11.0, 4.14)]
    assert allocate_equal_share(demands, 10.0) == pytest.approx({"a": 5.0, "b": 5.0, "c": 0.0})


def test_a_fuse_holds_back_its_members_only() -> None:
    demands = [Demand("a", 11.0), Demand("b", 11.0), Demand("c", 11.0)]
    fuse = GroupHeadroom(("a", "b"), 8.0)
    assert allocate_equal_share(demands, 18.0, [fuse]) == pytest.approx({"a": 4.0, "b": 4.0, "c": 10.0})


def test_a_phase_counts_a_third_of_a_three_phase_car() -> None:
    phase = GroupHeadroom(("one", "three"), 5.75, {"three": 1.0 / 3.0})
    power = allocate_equal_share([Demand("one", 3.68), Demand("three", 11.0)], 100.0, [phase])
    assert power["one"] == pytest.approx(3.68)
    assert power["three"] == pytest.approx(3.0 * (5.75 - 3.68))


def test_the_most_urgent_takes_all_it_can() -> None:
    demands = [
        Demand("late", 11.0, deadline=50),
        Demand("soon", 11.0, deadline=10),
        Demand("least", 11.0, 4.0, 20),
    ]
    power = allocate_earliest_deadline(demands, 13.0)
    assert power == pytest.approx({"soon": 11.0, "least": 0.0, "late": 2.0})
