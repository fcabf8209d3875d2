"""From which month each place for a pole can be connected, and which node decides that.

A place is the rank of a pole in its cell; place and cell give transformer and feeder (`layout`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.layout import Layout, cells_of
from simulator.rollout.node import Node
from simulator.rollout.scenario import Scenario

Ints = NDArray[np.int64]
MONTHS = 12


@dataclass(frozen=True)
class Places:
    """Every place that one replicate's cells have.

    Parameters
    ----------
    cell_area
        Neighbourhood of each cell, shape (cells,).
    month
        First month, counted from year 0, in which a pole there can be connected, shape (cells, places).
    node
        The stated node that decides it, numbered as by `stated_nodes`; -1: the neighbourhood's date.
    standing
        Poles per cell on the first day of the scenario, shape (cells,).
    """

    cell_area: Ints
    month: Ints
    node: Ints
    standing: Ints


def stated_nodes(scenario: Scenario) -> list[tuple[int, Node]]:
    """Return the neighbourhood's number and the node, for all that the scenario states, in its order."""
    return [(index, node) for index, area in enumerate(scenario.neighbourhoods) for node in area.nodes]


def build_places(scenario: Scenario, layout: Layout, copy: int) -> Places:
    """List the places of one replicate.

    Parameters
    ----------
    scenario
        Dates, and how many poles a cell holds.
    layout
        Of the first day.
    copy
        Which of the layout's replicates.
    """
    counts = [cells_of(scenario, index) for index in range(len(scenario.neighbourhoods))]
    cell_area = np.repeat(np.arange(len(counts)), counts)
    cells = len(cell_area)
    standing = layout.poles_per_cell()[copy * cells : (copy + 1) * cells]
    most = max(scenario.placement.largest_poles_per_cell, int(standing.max()))
    month = np.array([_month(area.connectable_from) for area in scenario.neighbourhoods])[cell_area]
    month = np.repeat(month[:, None], most, axis=1)
    node = np.full(month.shape, -1, dtype=np.int64)
    stated = stated_nodes(scenario)
    if stated:
        feeder = layout.feeders_of_places(scenario, np.arange(copy * cells, (copy + 1) * cells), most)
        first = np.searchsorted(layout.transformer_area, copy * len(counts) + np.arange(len(counts)))
        per = scenario.grid.feeders_per_transformer
        # Transformers before feeders, so that a feeder's own date is the one that stays.
        for index, (area, each) in sorted(enumerate(stated), key=lambda item: item[1][1].feeder is not None):
            transformer = int(first[area]) + each.transformer
            if each.feeder is None:
                here = feeder // per == transformer
            else:
                here = feeder == transformer * per + each.feeder
            node[here], month[here] = index, _month(each.connectable_from)
    return Places(cell_area, month, node, standing)


def _month(year: float) -> int:
    return math.ceil(year * MONTHS - 1e-6)
