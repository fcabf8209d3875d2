"""What an operator without a plan knows: limits less what nobody steers, from forecast and meters.

Households are taken at the forecast's upper bound and sun at its lower, or as the meters have just shown them
if that is worse. What a quarter has drawn too much already is saved in its rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.capacity.envelope import DEFAULT_POWER_FACTOR
from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid, local_minutes, overlaps_daily_window
from grid.topology import Direction, Node
from optimizer.allocation import GroupHeadroom
from simulator.noise import StreetForecast, forecast_street
from simulator.truth import SECONDS_PER_QUARTER, SocketPlace, Truth

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NodeBound:
    """What a node may take.

    Parameters
    ----------
    rows
        Sockets below it.
    limit_kw
        Lowest import limit of each quarter, infinite without one [kW].
    base_load, sun
        Whether the households and the sun are below it.
    """

    rows: tuple[int, ...]
    limit_kw: Floats
    base_load: bool
    sun: bool


class OperatorView:
    """Headroom of the street's nodes and of the poles' fuses, at any second of a run.

    Parameters
    ----------
    grid
        The street.
    truth
        Where the meters look; only seconds that have passed are read.
    """

    def __init__(self, grid: GridSide, truth: Truth) -> None:
        self._grid = grid
        self._truth = truth
        self._forecast: StreetForecast = forecast_street(grid, truth.start, truth.seconds)
        starts = TimeGrid(truth.start, QUARTER, -(-truth.seconds // SECONDS_PER_QUARTER)).starts
        self._bounds = list_bounds(grid, truth.places, starts)

    def groups(self, second: int, phases: dict[int, int]) -> list[GroupHeadroom]:
        """Return every limit on the cars that are plugged in, as headroom.

        Parameters
        ----------
        second
            Now.
        phases
            Phases that the car at each socket uses, by row.
        """
        cars = {str(row): (row, used) for row, used in phases.items()}
        fuses = list_fuse_groups(self._grid, self._truth.places, cars)
        return [*self._node_groups(second, phases), *fuses]

    def _node_groups(self, second: int, phases: dict[int, int]) -> list[GroupHeadroom]:
        groups = []
        for bound in self._bounds:
            members = tuple(str(row) for row in bound.rows if row in phases)
            if members:
                groups.append(GroupHeadroom(members, self._headroom_kw(bound, second)))
        return groups

    def _headroom_kw(self, bound: NodeBound, second: int) -> float:
        quarter = second // SECONDS_PER_QUARTER
        limit_kw = float(bound.limit_kw[quarter])
        begin = quarter * SECONDS_PER_QUARTER
        if second > begin:
            drawn_kws = float(
                self._fixed_kw(bound, begin, second).sum() + self._charged_kw(bound, begin, second)
            )
            left_s = begin + SECONDS_PER_QUARTER - second
            limit_kw = min(limit_kw, (limit_kw * SECONDS_PER_QUARTER - drawn_kws) / left_s)
        return max(0.0, limit_kw - self._expected_kw(bound, second, quarter))

    def _expected_kw(self, bound: NodeBound, second: int, quarter: int) -> float:
        """Return what may flow without cars: the forecast's bound, or the reading moved on by its step."""
        base, sun = self._forecast.base_kw, self._forecast.pv_kw
        upper_kw = bound.base_load * base.upper[quarter] - bound.sun * sun.lower[quarter]
        if second == 0:
            return float(upper_kw)
        before = (second - 1) // SECONDS_PER_QUARTER
        step_kw = bound.base_load * (base.median[quarter] - base.median[before])
        step_kw -= bound.sun * (sun.median[quarter] - sun.median[before])
        reading_kw = float(self._fixed_kw(bound, second - 1, second)[0])
        return float(max(upper_kw, reading_kw + step_kw))

    def _fixed_kw(self, bound: NodeBound, begin: int, end: int) -> Floats:
        fixed = np.zeros(end - begin)
        if bound.base_load:
            fixed += self._truth.base_kw[begin:end]
        if bound.sun:
            fixed -= self._truth.pv_kw[begin:end]
        return fixed

    def _charged_kw(self, bound: NodeBound, begin: int, end: int) -> float:
        return float(self._truth.power_kw[list(bound.rows), begin:end].sum())


def list_fuse_groups(
    grid: GridSide, places: Sequence[SocketPlace], cars: Mapping[str, tuple[int, int]]
) -> list[GroupHeadroom]:
    """List what the fuses leave to cars: one group for each phase of each connection.

    Parameters
    ----------
    grid
        The street.
    places
        Its sockets; their index is their row.
    cars
        Row of its socket and phases that it uses, by the name of a car.
    """
    weights: dict[tuple[str, int], dict[str, float]] = {}
    for name, (row, phases) in cars.items():
        for conductor in places[row].conductors[:phases]:
            weights.setdefault((places[row].connection_id, conductor), {})[name] = 1.0 / phases
    groups = []
    for (connection_id, _), own in weights.items():
        connection = grid.topology.connection(connection_id)
        phase_kw = connection.fuse_power_kw(grid.voltage_v) / connection.fuse_phases
        groups.append(GroupHeadroom(tuple(own), phase_kw, own))
    return groups


def list_bounds(
    grid: GridSide,
    places: Sequence[SocketPlace],
    starts: Sequence[datetime],
    power_factor: float = DEFAULT_POWER_FACTOR,
) -> list[NodeBound]:
    """List the nodes that have an import limit in any quarter.

    Parameters
    ----------
    grid
        The street.
    places
        Its sockets; their index is their row.
    starts
        Starts of quarters.
    power_factor
        Share of apparent power that is counted on, for limits in kVA.
    """
    topology = grid.topology
    bounds = []
    for node in topology.nodes:
        limit_kw = _lowest_import_kw(node, grid, starts, power_factor)
        if np.isfinite(limit_kw).any():
            below = {one.id for one in topology.connections_below(node.id)}
            rows = tuple(row for row, place in enumerate(places) if place.connection_id in below)
            under = {node.id} | {one.id for one in topology.nodes if node in topology.ancestors(one.id)}
            households = any(one.households for one in topology.nodes if one.id in under)
            bounds.append(NodeBound(rows, limit_kw, households, grid.sun.node in under))
    return bounds


def _lowest_import_kw(node: Node, grid: GridSide, starts: Sequence[datetime], power_factor: float) -> Floats:
    minutes = local_minutes(starts, grid.tz)
    lowest = np.full(len(starts), np.inf)
    for limit in node.limits:
        value_kw = limit.power_kw(grid.voltage_v, power_factor)
        if limit.direction is Direction.IMPORT and value_kw is not None:
            inside = overlaps_daily_window(minutes, limit.daily_from, limit.daily_to)
            lowest[inside] = np.minimum(lowest[inside], value_kw)
    return lowest
