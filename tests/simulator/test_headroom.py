"""An operator without a plan knows forecast and meters, takes the worse, and saves in the rest of a quarter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.headroom import OperatorView, list_bounds, list_fuse_groups
from simulator.noise import StreetForecast, forecast_street
from simulator.truth import SocketPlace, Truth, list_places
from wijkstroom.hardware import list_setups
from wijkstroom.street import Street

# An hour in the evening, under the signal of 110 kW.
START = datetime(2024, 6, 11, 16, tzinfo=UTC)
SECONDS = 3600
SIGNAL_KW = 110.0
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def places(street: Street) -> tuple[SocketPlace, ...]:
    return list_places(list_setups(street))


@pytest.fixture(scope="module")
def forecast(street: Street) -> StreetForecast:
    return forecast_street(street.grid, START, SECONDS)


def build(places: tuple[SocketPlace, ...], base_kw: float, pv_kw: float, charging_kw: float = 0.0) -> Truth:
    truth = Truth(
        START,
        SECONDS,
        places,
        np.full(SECONDS, base_kw, dtype=np.float32),
        np.full(SECONDS, pv_kw, dtype=np.float32),
    )
    truth.write(0, 0, np.full(SECONDS, charging_kw))
    return truth


def headroom_kw(street: Street, truth: Truth, second: int) -> float:
    return OperatorView(street.grid, truth).groups(second, {0: 3})[0].headroom_kw


def test_at_first_only_the_forecast_is_known(
    street: Street, places: tuple[SocketPlace, ...], forecast: StreetForecast
) -> None:
    expected_kw = SIGNAL_KW - forecast.base_kw.upper[0] + forecast.pv_kw.lower[0]
    assert headroom_kw(street, build(places, 300.0, 0.0), 0) == pytest.approx(expected_kw)


@relaxed
@given(base_kw=st.floats(0.0, 200.0), pv_kw=st.floats(0.0, 120.0), quarter=st.integers(0, 3))
def test_forecast_and_reading_never_promise_more_than_either(
    street: Street,
    places: tuple[SocketPlace, ...],
    forecast: StreetForecast,
    base_kw: float,
    pv_kw: float,
    quarter: int,
) -> None:
    second = quarter * 900 + 300
    room_kw = headroom_kw(street, build(places, base_kw, pv_kw), second)
    by_forecast_kw = SIGNAL_KW - forecast.base_kw.upper[quarter] + forecast.pv_kw.lower[quarter]
    by_meter_kw = SIGNAL_KW - base_kw + pv_kw
    assert 0.0 <= room_kw <= max(0.0, min(by_forecast_kw, by_meter_kw)) + 1e-3


def test_a_reading_moves_on_with_the_forecast(
    street: Street, places: tuple[SocketPlace, ...], forecast: StreetForecast
) -> None:
    truth = build(places, 90.0, 0.0)
    step_kw = forecast.base_kw.median[1] - forecast.base_kw.median[0]
    step_kw -= forecast.pv_kw.median[1] - forecast.pv_kw.median[0]
    assert step_kw > 0.0
    assert headroom_kw(street, truth, 900) == pytest.approx(SIGNAL_KW - 90.0 - step_kw, abs=1e-3)


def test_what_a_quarter_drew_too_much_is_saved_in_its_rest(
    street: Street, places: tuple[SocketPlace, ...]
) -> None:
    quiet = headroom_kw(street, build(places, 80.0, 0.0), 600)
    greedy = headroom_kw(street, build(places, 80.0, 0.0, charging_kw=40.0), 600)
    # 10 kW too much in ten minutes is 20 kW less in the last five.
    assert quiet - greedy == pytest.approx(20.0, abs=1e-3)
    # What it left is not spent on top of the limit.
    assert headroom_kw(street, build(places, 80.0, 0.0), 600) <= SIGNAL_KW - 80.0 + 1e-3


def test_the_future_is_not_read(street: Street, places: tuple[SocketPlace, ...]) -> None:
    calm, storm = build(places, 50.0, 0.0), build(places, 50.0, 0.0)
    storm.base_kw[1000:] = 1e4
    assert headroom_kw(street, calm, 1000) == headroom_kw(street, storm, 1000)


def test_limits_hold_in_their_windows(street: Street, places: tuple[SocketPlace, ...]) -> None:
    starts = [datetime(2024, 6, 11, hour, tzinfo=UTC) for hour in (14, 15, 18, 19)]
    (bound,) = list_bounds(street.grid, places, starts)
    assert bound.limit_kw.tolist() == [380.0, 110.0, 110.0, 380.0]
    (judged,) = list_bounds(street.grid, places, starts, power_factor=1.0)
    assert judged.limit_kw.tolist() == [400.0, 110.0, 110.0, 400.0]
    assert bound.rows == tuple(range(len(places)))
    nodes = tuple(replace(node, limits=()) for node in street.grid.topology.nodes)
    free = replace(street.grid, topology=replace(street.grid.topology, nodes=nodes))
    assert list_bounds(free, places, starts) == []


@pytest.mark.parametrize(
    ("cars", "expected"),
    [
        ({"a": (0, 3)}, [{"a": 1 / 3}] * 3),
        ({"a": (0, 1)}, [{"a": 1.0}]),
        # The second socket is turned by one phase, so two one-phase cars do not meet.
        ({"a": (0, 1), "b": (1, 1)}, [{"a": 1.0}, {"b": 1.0}]),
        ({"a": (0, 1), "b": (1, 3)}, [{"a": 1.0, "b": 1 / 3}, {"b": 1 / 3}, {"b": 1 / 3}]),
        ({}, []),
    ],
)
def test_every_phase_is_a_limit_of_its_own(
    street: Street,
    places: tuple[SocketPlace, ...],
    cars: dict[str, tuple[int, int]],
    expected: list[dict[str, float]],
) -> None:
    groups = list_fuse_groups(street.grid, places, cars)
    assert {one.headroom_kw for one in groups} <= {25.0 * 0.23}
    found = sorted((sorted(one.weights.items()) for one in groups), key=str)
    assert found == sorted((sorted(one.items()) for one in expected), key=str)
