"""Whether a simulated concession keeps its promise: by lot and month, as real ones are settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from simulator.rollout.intervals import interval, rounded, within
from simulator.rollout.layout import cells_of
from simulator.rollout.scenario import Scenario

Json = dict[str, Any]


def track_lots(scenario: Scenario, areas: pd.DataFrame) -> Json:
    """Return the guaranteed free share and the occupancy of every lot, month by month.

    Parameters
    ----------
    scenario
        Lots, and what is promised.
    areas
        Table of the study; the first policy counts.

    Returns
    -------
    dict
        By lot a row per month: poles, share of the sub-neighbourhoods with a free socket within reach in the
        busiest hour of the week, share of the sockets in use then, share of replicates that kept the promise.
    """
    promised = scenario.placement.guaranteed_free_fraction
    mine = areas[areas["policy"] == scenario.study.policies[0].value]
    lots = np.array([area.lot for area in scenario.neighbourhoods])
    cells = np.array([cells_of(scenario, index) for index in range(len(lots))])
    area = mine["area"].to_numpy()
    table = mine[["replicate", "poles", "sockets"]].assign(
        lot=lots[area],
        month=mine["year"].astype(str) + "-" + (mine["month"] + 1).map("{:02d}".format),
        cells=cells[area],
        free=mine["busiest_free_fraction"] * cells[area],
        taken=mine["busiest_occupancy"] * mine["sockets"],
    )
    sums = table.groupby(["lot", "month", "replicate"]).sum()
    rows: dict[str, list[Json]] = {}
    for (lot, month), group in sums.groupby(level=["lot", "month"]):
        free = (group["free"] / group["cells"]).to_numpy()
        taken = (group["taken"] / group["sockets"].clip(lower=1)).to_numpy()
        rows.setdefault(str(lot), []).append(
            {
                "month": month,
                "poles": rounded(float(group["poles"].mean())),
                "free_busiest_fraction": within(interval(free), 0.0, 1.0),
                "occupancy_busiest_fraction": within(interval(taken), 0.0, 1.0),
                "kept_fraction": rounded(float((free >= promised).mean())),
            }
        )
    return {"promised_fraction": promised, "lots": rows}
