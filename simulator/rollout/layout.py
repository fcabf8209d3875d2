"""Where poles, sub-neighbourhoods, cables and transformers are, for several replicates side by side.

A neighbourhood is a square of cells (sub-neighbourhoods); each cell has four points to which drivers want to
go. From a point a driver sees the poles within reach, nearest first. Replicates are copies that are out of
each other's reach, so that one run of the kernel computes all of them. Poles are only ever appended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from simulator.rollout.scenario import Scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS_PER_CELL = 4
MOST_CANDIDATES = 16
# Copies and neighbourhoods are this far apart [m]: farther than anybody walks.
APART_M = 1e5
# The sequence that fills a square evenly with any number of points (R2, the plastic number).
_EVEN = np.array([0.7548776662466927, 0.5698402909980532])


@dataclass(frozen=True)
class Layout:
    """Poles and their surroundings, replicates stacked.

    Parameters
    ----------
    replicates
        How many copies there are; areas, cells, points, feeders and transformers are numbered copy by copy.
    sockets_per_pole
        Same for all poles.
    cell_area, cell_xy
        Neighbourhood and centre [m] of each cell.
    point_cell, point_xy
        Cell and place of each point.
    feeder_transformer, transformer_area
        The tree above the poles.
    pole_cell, pole_feeder, pole_xy
        Of each pole.
    candidates, walk_m
        Poles within reach of each point, nearest first, -1 where there are no more; and how far, shape
        (points, K).
    """

    replicates: int
    sockets_per_pole: int
    reach_m: float
    cell_area: Ints
    cell_xy: Floats
    point_cell: Ints
    point_xy: Floats
    feeder_transformer: Ints
    transformer_area: Ints
    pole_cell: Ints
    pole_feeder: Ints
    pole_xy: Floats
    candidates: NDArray[np.int32]
    walk_m: NDArray[np.float32]

    @property
    def poles(self) -> int:
        """How many poles stand, all replicates together."""
        return len(self.pole_cell)

    @property
    def sockets(self) -> int:
        """How many sockets there are."""
        return self.poles * self.sockets_per_pole

    @property
    def feeders(self) -> int:
        """How many cables there are."""
        return len(self.feeder_transformer)

    @property
    def transformers(self) -> int:
        """How many transformers there are."""
        return len(self.transformer_area)

    @property
    def areas(self) -> int:
        """How many neighbourhoods there are, all replicates together."""
        return int(self.cell_area.max()) + 1

    def with_poles(self, cells: Ints, scenario: Scenario, places: Ints | None = None) -> Layout:
        """Return the layout with more poles.

        Parameters
        ----------
        cells
            One per pole; a cell may be named repeatedly.
        scenario
            Cells and cables.
        places
            Which place of its cell each pole takes; None: the next ones.
        """
        if places is None:
            places = _rank_within(np.concatenate([self.pole_cell, cells]))[len(self.pole_cell) :]
        xy, feeder = _place(self, scenario, cells, places)
        return _with_candidates(
            replace(
                self,
                pole_cell=np.concatenate([self.pole_cell, cells]),
                pole_feeder=np.concatenate([self.pole_feeder, feeder]),
                pole_xy=np.concatenate([self.pole_xy, xy]),
            )
        )

    def feeders_of_places(self, scenario: Scenario, cells: Ints, places: int) -> Ints:
        """Return the cable of each of the first places of the given cells, shape (cells, places)."""
        rank = np.tile(np.arange(places), len(cells))
        _, feeder = _place(self, scenario, np.repeat(cells, places), rank)
        return feeder.reshape(len(cells), places)

    def poles_per_cell(self) -> Ints:
        """Count the poles of each cell."""
        return np.bincount(self.pole_cell, minlength=len(self.cell_area))


def build_layout(scenario: Scenario, replicates: int) -> Layout:
    """Lay out a scenario's first day.

    Parameters
    ----------
    scenario
        Neighbourhoods, poles, grid.
    replicates
        Copies to stack.
    """
    cells = [cells_of(scenario, index) for index in range(len(scenario.neighbourhoods))]
    cell_area, cell_xy = [], []
    for copy in range(replicates):
        for index, count in enumerate(cells):
            cell_area.append(np.full(count, copy * len(cells) + index))
            cell_xy.append(_square(count, scenario.poles.cell_m) + np.array([copy, index]) * APART_M)
    area, xy = np.concatenate(cell_area), np.concatenate(cell_xy)
    transformers = np.tile([item.transformers for item in scenario.neighbourhoods], replicates)
    quarter = scenario.poles.cell_m / 4
    offsets = np.array([(-quarter, -quarter), (-quarter, quarter), (quarter, -quarter), (quarter, quarter)])
    empty = np.empty(0, dtype=np.int64)
    bare = Layout(
        replicates=replicates,
        sockets_per_pole=scenario.poles.sockets,
        reach_m=scenario.poles.reach_m,
        cell_area=area,
        cell_xy=xy,
        point_cell=np.repeat(np.arange(len(area)), POINTS_PER_CELL),
        point_xy=(xy[:, None, :] + offsets[None, :, :]).reshape(-1, 2),
        feeder_transformer=np.repeat(np.arange(transformers.sum()), scenario.grid.feeders_per_transformer),
        transformer_area=np.repeat(np.arange(len(transformers)), transformers),
        pole_cell=empty,
        pole_feeder=empty,
        pole_xy=np.empty((0, 2)),
        candidates=np.empty((0, 0), dtype=np.int32),
        walk_m=np.empty((0, 0), dtype=np.float32),
    )
    return bare.with_poles(_first_cells(bare, scenario), scenario)


def cells_of(scenario: Scenario, index: int) -> int:
    """Return how many cells a neighbourhood has."""
    return max(1, round(scenario.neighbourhoods[index].area_km2 * 1e6 / scenario.poles.cell_m**2))


def _first_cells(layout: Layout, scenario: Scenario) -> Ints:
    starts = np.searchsorted(layout.cell_area, np.arange(layout.areas + 1))
    poles = np.tile([item.poles for item in scenario.neighbourhoods], layout.replicates)
    return np.concatenate(
        [
            first + np.arange(count) % (last - first)
            for first, last, count in zip(starts, starts[1:], poles, strict=False)
        ]
    )


def _square(count: int, side_m: float) -> Floats:
    width = int(np.ceil(np.sqrt(count)))
    index = np.arange(count)
    return np.asarray(np.stack([index % width, index // width], axis=1) * side_m, dtype=np.float64)


def _rank_within(groups: Ints) -> Ints:
    """Number the members of each group in the order in which they come."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - first
    return rank


def _place(layout: Layout, scenario: Scenario, cells: Ints, rank: Ints) -> tuple[Floats, Ints]:
    """Return place and cable of poles that are the ``rank``-th of their cells."""
    fill = (0.5 + np.outer(rank + 1, _EVEN)) % 1.0
    xy = layout.cell_xy[cells] + (fill - 0.5) * scenario.poles.cell_m
    area = layout.cell_area[cells]
    first_cell = np.searchsorted(layout.cell_area, area)
    cells_here = np.bincount(layout.cell_area)[area]
    first_transformer = np.searchsorted(layout.transformer_area, area)
    transformers_here = np.bincount(layout.transformer_area)[area]
    along = (cells - first_cell + fill[:, 0]) / cells_here
    transformer = first_transformer + np.minimum(
        (along * transformers_here).astype(np.int64), transformers_here - 1
    )
    feeders = scenario.grid.feeders_per_transformer
    return xy, transformer * feeders + (rank + cells) % feeders


def _with_candidates(layout: Layout) -> Layout:
    most = min(MOST_CANDIDATES, max(1, layout.poles))
    distance, pole = cKDTree(layout.pole_xy).query(
        layout.point_xy, k=np.arange(1, most + 1), distance_upper_bound=layout.reach_m
    )
    found = np.isfinite(distance)
    used = max(1, int(found.any(axis=0).sum()))
    return replace(
        layout,
        candidates=np.where(found, pole, -1).astype(np.int32)[:, :used],
        walk_m=np.where(found, distance, 0.0).astype(np.float32)[:, :used],
    )
