"""Every limit of the street as the guard sees it: room for sockets, per node, connection and conductor.

Built from the topology, not from the planner's problem: what the planner overlooks, the guard does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from csms.control.budget import QuarterBudget
from csms.control.groups import ALL_PHASES, phase_weights
from csms.control.guard import Bound, Floats
from csms.control.ledger import EvseKey
from csms.control.limits import LIKELY_ARRIVALS, UNPLANNED_FRACTION
from csms.control.nowcast import Nowcast, compute_nowcast
from csms.control.sessions import ConnectedCar
from csms.state.catalogue import Catalogue
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import SignalBook
from grid.street import GridSide
from grid.timegrid import QUARTER, floor_quarter
from grid.topology import Averaging, Connection, Direction, Limit, LimitUnit, Phase
from grid.units import W_PER_KW, current_to_power_kw

_PHASES = 3


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a street's limits are computed from.

    Parameters
    ----------
    now
        The moment.
    catalogue, grid, signals
        The street.
    nowcast
        Base load and sun at the root, from the running quarter on.
    budget
        What the running quarter has used, when the street's meter tells.
    cars
        Everybody who is plugged in, by socket.
    free
        Sockets without a car at stations that answer: one that comes is told its place soon.
    """

    now: datetime
    catalogue: Catalogue
    grid: GridSide
    signals: SignalBook
    nowcast: Nowcast
    budget: QuarterBudget | None
    cars: Mapping[EvseKey, ConnectedCar]
    free: frozenset[EvseKey] = frozenset()

    @property
    def starts(self) -> list[datetime]:
        """Starts of the quarters."""
        first = floor_quarter(self.now)
        return [first + step * QUARTER for step in range(len(self.nowcast.base_load_kw))]

    @property
    def edges(self) -> list[datetime]:
        """From now to the end of the last quarter."""
        starts = self.starts
        return [self.now, *starts[1:], starts[-1] + QUARTER]


def build_bounds(around: Surroundings) -> tuple[Bound, ...]:
    """Build the bounds of every node and connection that has sockets behind it."""
    sockets = _sockets_by_connection(around.catalogue)
    found: list[Bound] = []
    for connection in around.catalogue.topology.connections:
        keys = sockets.get(connection.id, ())
        if keys:
            found += _connection_bounds(connection, keys, around)
    for node in around.catalogue.topology.nodes:
        below = around.catalogue.topology.connections_below(node.id)
        keys = tuple(key for one in below for key in sockets.get(one.id, ()))
        if keys:
            found += _node_bounds(node.id, keys, around)
    return tuple(bound for bound in found if np.isfinite(bound.room_kw).any())


def _sockets_by_connection(catalogue: Catalogue) -> dict[str, tuple[EvseKey, ...]]:
    found: dict[str, tuple[EvseKey, ...]] = {}
    for station in catalogue.stations.values():
        keys = tuple(EvseKey(station.id, evse.id) for evse in station.evses)
        found[station.connection] = found.get(station.connection, ()) + keys
    return found


def _conductor_weights(keys: Sequence[EvseKey], around: Surroundings) -> list[dict[EvseKey, float]]:
    """Return the part of each socket's power on every conductor; a car nobody knows loads all alike."""
    weights: list[dict[EvseKey, float]] = [{} for _ in ALL_PHASES]
    for key in keys:
        car = around.cars.get(key)
        shares = (1.0 / _PHASES,) * _PHASES if car is None else phase_weights(car)
        for conductor, share in enumerate(shares):
            if share:
                weights[conductor][key] = share
    return weights


def _connection_bounds(
    connection: Connection, keys: Sequence[EvseKey], around: Surroundings
) -> Iterator[Bound]:
    steps = len(around.starts)
    fuse_kw = connection.fuse_current_a * around.grid.voltage_v / W_PER_KW
    source = f"fuse {connection.fuse}"
    one_phase = connection.fuse_phases == 1
    weights = [dict.fromkeys(keys, 1.0)] if one_phase else _conductor_weights(keys, around)
    for conductor, each in enumerate(weights):
        place = f"{connection.id} L{conductor + 1}"
        yield Bound(place, source, Direction.EXPORT, np.full(steps, fuse_kw), each)
        room_kw = _keep_free(np.full(steps, fuse_kw), each, around, mean=False)
        yield Bound(place, source, Direction.IMPORT, room_kw, each)
    whole = dict.fromkeys(keys, 1.0)
    feed_in_kw = connection.export_limit_kw if connection.feed_in_registered else 0.0
    yield Bound(connection.id, "registered feed-in", Direction.EXPORT, np.full(steps, feed_in_kw), whole)
    for direction in Direction:
        limit_kw, names = around.signals.limit_kw(
            around.grid.topology, connection.id, direction, around.starts, around.now
        )
        said = [name for name in names if name]
        if said:
            yield Bound(connection.id, said[0], direction, limit_kw, whole)


def _node_bounds(node_id: str, keys: Sequence[EvseKey], around: Surroundings) -> Iterator[Bound]:
    grid, starts, now = around.grid, around.starts, around.now
    whole = dict.fromkeys(keys, 1.0)
    root = node_id == grid.topology.root.id
    expected = around.nowcast if root else compute_nowcast(now, starts, grid, (), {}, (), {}, node_id)
    load_kw = {
        Direction.IMPORT: expected.base_load_kw.upper - expected.pv_kw.lower,
        Direction.EXPORT: expected.pv_kw.upper - expected.base_load_kw.lower,
    }
    for averaging in Averaging:
        envelope = compute_envelope(
            grid.topology,
            node_id,
            starts,
            grid.tz,
            around.catalogue.service.power_factor,
            averaging=averaging,
            signals=around.signals,
            known_at=now,
        )
        for direction, limit_kw, sources in (
            (Direction.IMPORT, envelope.import_limit_kw, envelope.import_source),
            (Direction.EXPORT, envelope.export_limit_kw, envelope.export_source),
        ):
            room_kw = limit_kw.copy()
            if root and averaging is Averaging.QUARTER_HOUR_MEAN and direction is Direction.IMPORT:
                room_kw[0] = _rest_of_quarter_kw(float(room_kw[0]), around)
            room_kw = room_kw - load_kw[direction]
            if direction is Direction.IMPORT:
                mean = averaging is Averaging.QUARTER_HOUR_MEAN
                room_kw = _keep_free(room_kw, whole, around, mean=mean)
            lowest = int(np.argmin(limit_kw))
            yield Bound(node_id, sources[lowest], direction, room_kw, whole, envelope.netting)
    for limit in grid.topology.node(node_id).limits:
        if limit.unit is LimitUnit.A or limit.phase is not Phase.ALL:
            yield from _conductor_bounds(node_id, limit, keys, load_kw[limit.direction], around)


def _rest_of_quarter_kw(limit_kw: float, around: Surroundings) -> float:
    """Return what the rest of the running quarter may draw, so that its mean keeps the limit [kW]."""
    budget = around.budget
    if budget is None or budget.quarter != around.starts[0] or not np.isfinite(limit_kw):
        return limit_kw
    return float(np.clip(budget.allowed_import_kw(limit_kw, around.now), 0.0, limit_kw))


def _conductor_bounds(
    node_id: str, limit: Limit, keys: Sequence[EvseKey], load_kw: Floats, around: Surroundings
) -> Iterator[Bound]:
    """Bound each conductor of a node by itself: a one-phase car is not balanced. Base load is taken so."""
    factor = around.catalogue.service.power_factor
    phases = (Phase.L1, Phase.L2, Phase.L3)
    for phase, weights in zip(phases, _conductor_weights(keys, around), strict=True):
        value_kw = limit.power_kw(around.grid.voltage_v, factor, phase)
        if value_kw is not None:
            room_kw = value_kw - load_kw / _PHASES
            if limit.direction is Direction.IMPORT:
                mean = limit.averaging is Averaging.QUARTER_HOUR_MEAN
                room_kw = _keep_free(room_kw, weights, around, mean=mean)
            yield Bound(f"{node_id} {phase}", limit.source, limit.direction, room_kw, weights, limit.netting)


def _keep_free(
    room_kw: Floats, weights: Mapping[EvseKey, float], around: Surroundings, *, mean: bool
) -> Floats:
    """Take off what cars may draw that come before the next plan, at most what there is.

    A limit that holds in any second carries all of them at once, the mean of a quarter only a few for as long
    as they wait for their plan.
    """
    service = around.catalogue.service
    fallback_kw = current_to_power_kw(service.fallback_current_a, around.grid.voltage_v, _PHASES)
    each_kw = sorted((weights[key] * fallback_kw for key in around.free if key in weights), reverse=True)
    arrivals_kw = sum(each_kw[:LIKELY_ARRIVALS]) * UNPLANNED_FRACTION if mean else sum(each_kw)
    return room_kw - np.clip(room_kw, 0.0, arrivals_kw)
