"""Power flow phase by phase, and the tree of kW limits beside it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.powerflow import Cable, Feeder, Transformer, check_tree, solve, tree_loading, unbalance_fraction

pytest.importorskip("power_grid_model")

STRONG = Transformer(
    kva=10_000.0, secondary_v=400.0, load_loss_kw=1.0, no_load_loss_kw=0.0, no_load_current_fraction=0.0
)


def street(nodes: int, ohm_r: float = 0.0025, transformer: Transformer | None = None) -> Feeder:
    names = ["root", *(f"n{number}" for number in range(nodes))]
    cables = tuple(Cable(start, end, ohm_r, ohm_r * 0.4, 235.0) for start, end in itertools.pairwise(names))
    return Feeder("root", cables, tuple(names[1:]), transformer or Transformer())


def load(feeder: Feeder, kw: Any, steps: int = 1) -> Any:
    return np.broadcast_to(np.asarray(kw, dtype=float), (steps, len(feeder.connections), 3)).copy()


def test_a_balanced_load_drops_as_ohms_law_says() -> None:
    feeder = street(1, ohm_r=0.05, transformer=STRONG)
    flow = solve(feeder, load(feeder, 5.0), power_factor=1.0)
    ampere = 5000 / (flow.voltage_pu[0, 1, 0] * 400 / np.sqrt(3))
    assert flow.cable_loading[0, 0] * 235 == pytest.approx(ampere, rel=1e-3)
    drop = (flow.voltage_pu[0, 0, 0] - flow.voltage_pu[0, 1, 0]) * 400 / np.sqrt(3)
    assert drop == pytest.approx(ampere * 0.05, rel=0.01)


def test_one_phase_falls_and_the_others_do_not() -> None:
    feeder = street(3, ohm_r=0.05)
    loads = load(feeder, 0.0)
    loads[:, -1, 1] = 7.0
    flow = solve(feeder, loads)
    last = flow.voltage_pu[0, -1]
    assert last[1] < min(last[0], last[2]) - 0.02
    assert flow.cable_loading[0, 0, 1] > 0.1
    assert flow.cable_loading[0, 0, 0] == pytest.approx(0.0, abs=1e-3)


def test_voltages_outside_the_band_are_counted() -> None:
    feeder = street(10, ohm_r=0.02)
    loads = np.concatenate([load(feeder, 0.3), load(feeder, 8.0), load(feeder, 0.3)])
    flow = solve(feeder, loads)
    assert flow.outside_band_steps() == 1
    assert flow.voltage_pu[1].min() < 0.9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), nodes=st.integers(2, 30))
def test_the_tree_is_within_two_per_cent_per_phase(seed: int, nodes: int) -> None:
    rng = np.random.default_rng(seed)
    feeder = street(nodes)
    loads = np.zeros((8, nodes, 3))
    loads[:, np.arange(nodes), np.arange(nodes) % 3] = rng.gamma(2.0, 0.4, (8, nodes))
    loads[:, rng.integers(nodes), rng.integers(3)] += 3.68
    check = check_tree(feeder, loads, solve(feeder, loads))
    assert check.mean <= check.worst <= 0.02


def test_where_the_tree_is_too_kind_the_margin_is_raised() -> None:
    feeder = street(30, ohm_r=0.006)
    loads = load(feeder, 1.3)
    check = check_tree(feeder, loads, solve(feeder, loads))
    assert check.too_kind > 0.02
    assert check.margin_fraction(0.02) == check.too_kind
    assert check.margin_fraction(0.5) == 0.5


def test_the_tree_adds_up_what_is_downstream() -> None:
    feeder = street(3)
    cables, transformer = tree_loading(feeder, load(feeder, 1.0), power_factor=1.0)
    assert cables[0, :, 0] * 235 == pytest.approx(np.array([3, 2, 1]) * 1000 / 230)
    assert transformer[0, 0] == pytest.approx(3 / (400 / 3), rel=0.01)


def test_unbalance_is_the_fullest_phase_over_the_mean() -> None:
    feeder = street(1)
    assert unbalance_fraction(load(feeder, [1.3, 1.0, 0.7]))[0] == pytest.approx(0.3)


def test_a_network_that_is_no_tree_is_refused_with_its_place() -> None:
    ring = Feeder(
        "a",
        (
            Cable("a", "b", 0.1, 0.1, 100.0),
            Cable("b", "c", 0.1, 0.1, 100.0),
            Cable("c", "a", 0.1, 0.1, 100.0),
        ),
        ("b",),
    )
    with pytest.raises(DocumentError, match="loop"):
        _ = ring.nodes
    island = Feeder("a", (Cable("a", "b", 0.1, 0.1, 100.0), Cable("x", "y", 0.1, 0.1, 100.0)), ("z",))
    with pytest.raises(DocumentError) as caught:
        _ = island.nodes
    assert [problem.path for problem in caught.value.problems] == ["cables[1]", "connections[0]"]


def test_a_load_beyond_the_network_has_no_power_flow() -> None:
    feeder = street(20, ohm_r=0.05)
    with pytest.raises(DocumentError, match="beyond the network"):
        solve(feeder, load(feeder, 50.0))
