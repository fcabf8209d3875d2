"""What the rollout benchmark compares: the same sessions everywhere, a feeder as unbalanced as it says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from grid.powerflow import check_tree, solve, unbalance_fraction
from simulator.rollout.flow import straight_feeder
from simulator.rollout.scenario import load_scenario
from wijkstroom.bench.rollout import PEER_POLES, measured_sessions
from wijkstroom.bench.rollout_powerflow import FEEDER_A, HOUSEHOLDS, UNBALANCE, unbalanced_loads
from wijkstroom.resources import configs_directory


def test_the_tree_is_within_two_per_cent_at_thirty_per_cent_unbalance() -> None:
    pytest.importorskip("power_grid_model")
    feeder = straight_feeder(HOUSEHOLDS, FEEDER_A)
    load = unbalanced_loads(feeder, 2 * 96)
    assert unbalance_fraction(load) == pytest.approx(UNBALANCE)
    check = check_tree(feeder, load, solve(feeder, load))
    assert check.mean <= check.worst <= 0.02
    assert check.margin_fraction(0.02) == 0.02


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    city = load_scenario(configs_directory() / "rollout" / "utrecht-2030.toml")
    return measured_sessions(city, configs_directory() / "data")


def test_no_socket_has_two_sessions_at_once(document: dict[str, Any]) -> None:
    by_socket: dict[int, list[dict[str, Any]]] = {}
    for session in document["sessions"]:
        by_socket.setdefault(session["socket"], []).append(session)
    assert set(by_socket) <= set(range(2 * PEER_POLES))
    for sessions in by_socket.values():
        ordered = sorted(sessions, key=lambda each: (each["arrival"], each["departure"]))
        assert all(first["departure"] <= second["arrival"] for first, second in pairwise(ordered))


def test_the_sessions_can_be_simulated_by_others(document: dict[str, Any]) -> None:
    sessions = document["sessions"]
    assert len(sessions) > 2000
    for each in sessions:
        assert 0 <= each["arrival"] < each["departure"] <= document["steps"]
        assert 0 < each["gap_kwh"] <= each["battery_kwh"]
    assert 0.9 < document["energy_kwh"] / np.sum([each["gap_kwh"] for each in sessions]) <= 1.0
