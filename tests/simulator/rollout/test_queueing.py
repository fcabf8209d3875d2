"""The kernel against queueing theory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rollout.demand import Library
from simulator.rollout.queueing import QueueCheck, check_queue, erlang_b, highest_occupancy
from simulator.rollout.validation import REFERENCE_BLOCKED, REFERENCE_EVENING, distances
from tests.simulator.rollout.conftest import DATA


@given(offered=st.floats(0.01, 30.0), sockets=st.integers(0, 30))
def test_recursion_is_erlangs_formula(offered: float, sockets: int) -> None:
    terms = [offered**k / math.factorial(k) for k in range(sockets + 1)]
    assert erlang_b(offered, sockets) == pytest.approx(terms[-1] / sum(terms), rel=1e-9)


@pytest.mark.parametrize(("sockets", "blocked"), REFERENCE_BLOCKED.items())
def test_the_published_table(sockets: int, blocked: float) -> None:
    assert erlang_b(1.2 * sockets * 7.87 / 24, sockets) == pytest.approx(blocked, abs=0.0006)


@pytest.mark.parametrize(("sockets", "occupancy"), [(2, 0.18), (4, 0.36), (8, 0.54), (12, 0.63)])
def test_highest_occupancy_at_five_per_cent_blocked(sockets: int, occupancy: float) -> None:
    assert highest_occupancy(sockets, 0.05) == pytest.approx(occupancy, abs=0.006)


# Groups and days of the experiment by sockets in reach.
SIZES = {2: (100, 28), 4: (150, 42), 8: (60, 28), 12: (60, 28)}


@pytest.fixture(scope="module", params=SIZES)
def stationary(request: pytest.FixtureRequest, library: Library) -> QueueCheck:
    groups, days = SIZES[request.param]
    return check_queue(library, request.param, groups=groups, days=days, seed=11)


def test_stationary_arrivals_meet_erlang_within_their_interval(stationary: QueueCheck) -> None:
    expected = stationary.expected_fraction
    assert expected == pytest.approx(REFERENCE_BLOCKED[stationary.sockets], rel=0.1)
    assert stationary.interval < max(0.1 * expected, 0.003)
    assert abs(stationary.blocked_fraction - expected) <= stationary.interval


def test_sessions_have_the_published_distributions(library: Library) -> None:
    for distance in distances(library, DATA).values():
        assert distance < 0.025


def test_littles_law(stationary: QueueCheck) -> None:
    assert stationary.mean_occupied == pytest.approx(stationary.little_occupied, rel=0.02)


@pytest.mark.parametrize(("sockets", "published"), REFERENCE_EVENING.items())
def test_evening_arrivals_are_turned_away_more_often(
    library: Library, sockets: int, published: float
) -> None:
    groups, days = SIZES[sockets]
    evening = check_queue(library, sockets, groups=groups, days=days, seed=11, stationary=False)
    assert evening.evening_blocked_fraction == pytest.approx(published, abs=0.01)
    assert evening.evening_blocked_fraction > 1.2 * REFERENCE_BLOCKED[sockets]
