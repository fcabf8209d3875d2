"""Hot spot and ageing by IEC 60076-7."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rollout.ageing import ageing_rate, hot_spot


def test_rated_load_at_twenty_degrees_settles_at_98() -> None:
    heat, _ = hot_spot(np.ones((400, 1)), np.full(400, 20.0))
    assert heat[-1, 0] == pytest.approx(98.0, abs=0.01)
    assert ageing_rate(heat)[-1, 0] == pytest.approx(1.0, abs=0.01)


def test_six_degrees_double_the_rate() -> None:
    assert ageing_rate(np.array([104.0]))[0] == pytest.approx(2.0)
    assert ageing_rate(np.array([92.0]))[0] == pytest.approx(0.5)


@given(load=st.lists(st.floats(0.0, 1.5), min_size=8, max_size=40), cut=st.integers(1, 7))
def test_a_block_goes_on_where_the_one_before_ended(load: list[float], cut: int) -> None:
    loading = np.array(load)[:, None]
    ambient = np.zeros(len(load))
    whole, _ = hot_spot(loading, ambient)
    first, state = hot_spot(loading[:cut], ambient[:cut])
    second, _ = hot_spot(loading[cut:], ambient[cut:], state)
    assert np.concatenate([first, second]) == pytest.approx(whole)


def test_oil_is_slower_than_an_hour_of_overload() -> None:
    loading = np.concatenate([np.full((200, 1), 0.5), np.full((4, 1), 1.3)])
    heat, _ = hot_spot(loading, np.full(204, 20.0))
    steady, _ = hot_spot(np.full((400, 1), 1.3), np.full(400, 20.0))
    assert heat[-1, 0] < steady[-1, 0] - 10
