from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.groups import build_connection_groups, phase_weights
from csms.control.ledger import EvseKey
from csms.control.observed import CarLimits
from csms.control.sessions import ConnectedCar, list_cars
from csms.settings import PhaseRotation
from optimizer.problem import Group
from tests.csms.control.street import NOW, Plugged, Street, load_catalogue

CATALOGUE = load_catalogue()
FUSE_A = 25.0
phase_sets = st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2}), frozenset({1, 2, 3})])


def cars_on(station: str, *phases: frozenset[int]) -> tuple[ConnectedCar, ...]:
    plugged = tuple(
        Plugged(station, evse + 1, soc_fraction=0.5, token=f"ZOE{evse}") for evse in range(len(phases))
    )
    limits = {car.id: CarLimits(used_phases=used) for car, used in zip(plugged, phases, strict=True)}
    allowed = {EvseKey(station, evse): 11.04 for evse in (1, 2)} if station == "LMB-21" else {}
    return list_cars(NOW, Street(plugged).state(), CATALOGUE, limits, allowed)


def admits(groups: tuple[Group, ...], power_kw: dict[str, float]) -> bool:
    return all(
        sum(max(power_kw[name], 0.0) * group.weights.get(name, 1.0) for name in group.members) <= limit + 1e-9
        for group in groups
        for limit in group.import_limit_kw or ()
    )


@given(phase_sets, phase_sets, st.floats(0.0, 16.0), st.floats(0.0, 16.0))
def test_what_the_groups_admit_keeps_every_conductor(
    first: frozenset[int], second: frozenset[int], first_a: float, second_a: float
) -> None:
    cars = cars_on("LMB-01", first, second)
    groups = build_connection_groups(cars, CATALOGUE, 6.0)
    currents_a = dict(zip((car.session.id for car in cars), (first_a, second_a), strict=True))
    power_kw = {car.session.id: currents_a[car.session.id] * car.kw_per_a() for car in cars}
    conductor_a = [0.0, 0.0, 0.0]
    for car in cars:
        rotation = car.evse.phase_rotation.conductors
        assert rotation is not None
        for phase in car.used_phases:
            conductor_a[rotation[phase - 1]] += currents_a[car.session.id]
    # The groups admit exactly what the conductors carry: no more, and no less.
    assert admits(groups, power_kw) == (max(conductor_a) <= FUSE_A + 1e-9)


@given(phase_sets, st.floats(0.0, 32.0))
def test_a_free_socket_may_begin_at_any_time(used: frozenset[int], current_a: float) -> None:
    (car,) = cars_on("LMB-01", used)
    groups = build_connection_groups([car], CATALOGUE, 6.0)
    assert admits(groups, {car.session.id: current_a * car.kw_per_a()}) == (current_a + 6.0 <= FUSE_A + 1e-9)


def test_a_session_that_is_not_planned_keeps_its_current() -> None:
    first, second = cars_on("LMB-01", frozenset(), frozenset())
    groups = build_connection_groups([first, second], CATALOGUE, 6.0, {second.session.id: 11.04})
    assert {group.members for group in groups} == {(first.session.id,)}
    assert [limit for group in groups for limit in group.import_limit_kw or ()] == pytest.approx(
        [9.0 * 0.23] * 3
    )
    standing = build_connection_groups([first, second], CATALOGUE, 6.0, {second.session.id: 0.0})
    assert list(standing[0].import_limit_kw or ()) == pytest.approx([19.0 * 0.23])


def test_feed_in_is_bounded_by_the_registration() -> None:
    cars = cars_on("LMB-21", frozenset(), frozenset())
    (export,) = [group for group in build_connection_groups(cars, CATALOGUE, 6.0) if "feed-in" in group.id]
    assert export.export_limit_kw == (17.25,)
    assert not export.weights
    assert len(export.members) == 2
    assert not any(
        "feed-in" in group.id
        for group in build_connection_groups(cars_on("LMB-01", frozenset()), CATALOGUE, 6.0)
    )


@given(st.sampled_from(list(PhaseRotation)), phase_sets)
def test_every_watt_lies_on_some_conductor(rotation: PhaseRotation, used: frozenset[int]) -> None:
    (car,) = cars_on("LMB-01", used)
    object.__setattr__(car, "evse", car.evse.model_copy(update={"phase_rotation": rotation}))
    weights = phase_weights(car)
    if rotation is PhaseRotation.UNKNOWN:
        # Nobody knows where it lies: it counts in full everywhere.
        assert weights == (1.0 / car.phases,) * 3
    else:
        assert sum(weights) == pytest.approx(1.0)
        assert sum(weight > 0.0 for weight in weights) == car.phases
