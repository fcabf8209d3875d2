"""The promise of a simulated concession, by lot and month."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.rollout.concession import track_lots
from simulator.rollout.scenario import Placement, Policy
from tests.simulator.rollout.conftest import area, scenario

WORLD = scenario(
    area(id="A", lot="west", area_km2=0.25),  # four cells
    area(id="B", lot="west", area_km2=0.75),  # twelve
    area(id="C", lot="east"),
    placement=Placement(guaranteed_free_fraction=0.9),
)


def table(*free: tuple[int, int, float]) -> pd.DataFrame:
    """Return the months of areas and replicates with these free shares."""
    rows = [
        {
            "year": 2025,
            "policy": policy.value,
            "replicate": replicate,
            "area": index,
            "month": 0,
            "poles": 4,
            "sockets": 8,
            "busiest_free_fraction": share if policy is Policy.UNCONTROLLED else 0.0,
            "busiest_occupancy": 0.5,
        }
        for policy in (Policy.UNCONTROLLED, Policy.SMART)
        for replicate, index, share in free
    ]
    return pd.DataFrame(rows)


def test_a_lot_counts_its_sub_neighbourhoods() -> None:
    seen = table((0, 0, 0.6), (0, 1, 1.0), (0, 2, 0.5), (1, 0, 0.2), (1, 1, 1.0), (1, 2, 1.0))
    document = track_lots(WORLD, seen)
    assert document["promised_fraction"] == 0.9
    (west,), (east,) = document["lots"]["west"], document["lots"]["east"]
    assert west["month"] == "2025-01"
    assert west["poles"] == 8
    shares = [(4 * first + 12 * 1.0) / 16 for first in (0.6, 0.2)]
    assert west["free_busiest_fraction"]["mean"] == pytest.approx(sum(shares) / 2)
    assert west["kept_fraction"] == 0.5
    assert west["occupancy_busiest_fraction"]["mean"] == 0.5
    assert east["free_busiest_fraction"] == {"mean": 0.75, "low": 0.0, "high": 1.0}


def test_every_month_of_every_lot_is_told() -> None:
    seen = pd.concat([table((0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0)).assign(month=month) for month in range(3)])
    lots = track_lots(WORLD, seen)["lots"]
    assert {lot: [row["month"] for row in rows] for lot, rows in lots.items()} == {
        lot: ["2025-01", "2025-02", "2025-03"] for lot in ("east", "west")
    }
