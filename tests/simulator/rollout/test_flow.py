"""Power flow of a scenario's fullest feeders."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.errors import DocumentError
from simulator.rollout.flow import check_feeders, straight_feeder, with_margin
from simulator.rollout.scenario import Grid
from tests.simulator.rollout.conftest import DATA, area, scenario

pytest.importorskip("power_grid_model")

HEADER = "from,to,length_m,r_ohm_per_km,x_ohm_per_km,rated_a,connections\n"


def test_the_fullest_feeders_are_checked_and_the_margin_follows() -> None:
    world = scenario(area(households=400), grid=Grid(flow_feeders=2))
    flow = check_feeders(world, DATA, Path())
    assert len(flow["feeders"]) == 2
    for row in flow["feeders"]:
        assert 0.85 < row["voltage_low_pu"] < row["voltage_high_pu"] < 1.1
        assert row["tree_mean_difference"] < 0.02
        assert 0 < row["mean_unbalance_fraction"] < 1
    raised = with_margin(world, flow)
    assert raised.grid.margin_fraction >= world.grid.margin_fraction
    assert raised.grid.model_copy(update={"margin_fraction": 0.02}) == world.grid


def test_a_feeder_of_the_users_own_is_used(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(HEADER + "bus,a,250,0.3,0.08,140,12\n")
    plain = check_feeders(scenario(grid=Grid(flow_feeders=1)), DATA, tmp_path)
    own = check_feeders(scenario(grid=Grid(flow_feeders=1, flow_network="own.csv")), DATA, tmp_path)
    assert own["feeders"][0]["voltage_low_pu"] < plain["feeders"][0]["voltage_low_pu"]


def test_a_mistake_in_the_network_is_told_before_a_year_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.rollout.flow.YearRun", None)
    (tmp_path / "own.csv").write_text(HEADER + "bus,a,250,zero,0.08,140,12\n")
    with pytest.raises(DocumentError, match="line 2"):
        check_feeders(scenario(grid=Grid(flow_feeders=1, flow_network="own.csv")), DATA, tmp_path)


def test_a_street_has_a_joint_for_four_households() -> None:
    feeder = straight_feeder(9, 235.0)
    assert len(feeder.cables) == 3
    assert len(feeder.connections) == 9
    assert feeder.downstream[0].all()
