"""What the transformers and feeders with a date of their own held back."""

from __future__ import annotations

from typing import Any

import pandas as pd

from simulator.rollout.connectable import MONTHS, stated_nodes
from simulator.rollout.intervals import rounded
from simulator.rollout.placement import Binding
from simulator.rollout.scenario import Scenario

Json = dict[str, Any]


def node_queues(scenario: Scenario, area: int, done: pd.DataFrame, waiting: pd.DataFrame) -> Json:
    """Return a neighbourhood's queues by node, and the node that held poles back first.

    Parameters
    ----------
    scenario
        Which nodes there are.
    area
        The neighbourhood's number.
    done, waiting
        Its orders that were connected and that still wait at the end, of all replicates under one policy.

    Returns
    -------
    Json
        ``nodes``, by name: orders in means over replicates, of which ``moved_elsewhere`` are those that
        demand pointed to this node and that another one took because it connects earlier; and
        ``first_held_by``, None where no node held anything back. Empty where the neighbourhood states none.
    """
    mine = {number: node for number, (at, node) in enumerate(stated_nodes(scenario)) if at == area}
    if not mine:
        return {}
    replicates, orders = scenario.study.replicates, pd.concat([done, waiting])
    nodes: Json = {}
    for number, node in mine.items():
        here, queue = done[done["node"] == number], waiting[waiting["node"] == number]
        delayed = here[here["delay_months"] > 0]
        nodes[node.name] = {
            "connectable_from": node.connectable_from,
            "connected": rounded(len(here) / replicates),
            "waiting": rounded(len(queue) / replicates),
            "delayed_by_connections": rounded(len(delayed) / replicates),
            "mean_delay_months": rounded(float(delayed["delay_months"].mean())) if len(delayed) else 0.0,
            "moved_elsewhere": rounded(float((orders["moved_from"] == number).sum()) / replicates),
        }
    late = orders["node"].isin(list(mine)) & (orders["binding"] == Binding.CONNECTABLE.value)
    holding = orders["node"].where(late, orders["moved_from"])
    first = orders.assign(holding=holding)[holding >= 0].sort_values(["asked", "holding"]).head(1)
    held = [
        {"node": mine[row["holding"]].name, "from_year": rounded(row["asked"] / MONTHS)}
        for row in first.to_dict("records")
    ]
    return {"nodes": nodes, "first_held_by": held[0] if held else None}
