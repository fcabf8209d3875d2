"""The limits of the street and its lower nodes, with room for cars that may come before the next plan.

Sockets without a plan draw the fallback rate. A limit that holds in any second keeps that free for the cars
that may come before the next plan; a limit on the mean of a quarter only for the time that a new car waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from csms.control.budget import QuarterBudget
from csms.control.nowcast import Nowcast, compute_nowcast
from csms.control.sessions import ConnectedCar
from csms.settings import ServiceConfig
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import SignalBook, find_group
from grid.street import GridSide
from grid.timegrid import TimeGrid
from grid.topology import Averaging, Direction
from grid.topology import Netting as LimitNetting
from grid.units import current_to_power_kw
from optimizer.problem import LARGEST, Group, Netting

# Arrivals within a quarter that the reserve covers: on 48 sockets with 60 sessions a day more are rare.
LIKELY_ARRIVALS = 3
# A new car draws the fallback rate for so long at the most before a plan tells it otherwise, of a quarter.
UNPLANNED_FRACTION = 120.0 / 900.0
_PHASES = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StreetLimits:
    """Limits at the street's connection, per step.

    Parameters
    ----------
    import_limit_kw, export_limit_kw
        For everything that flows there, reserve taken off [kW].
    import_source
        Who sets the lowest import limit, ``node: source``.
    room_kw
        What upper base load and lower sun leave for charging [kW].
    fixed_kw
        Power of sessions that cannot be told anything [kW].
    netting
        Whether discharge may count as relief.
    """

    import_limit_kw: Floats
    export_limit_kw: Floats
    import_source: tuple[str, ...]
    room_kw: Floats
    fixed_kw: float
    netting: Netting


def compute_street_limits(
    now: datetime,
    steps: TimeGrid,
    grid: GridSide,
    nowcast: Nowcast,
    service: ServiceConfig,
    free_sockets: int,
    fixed_kw: float,
    budget: QuarterBudget | None,
    signals: SignalBook | None = None,
    silent_kw: float = 0.0,
) -> StreetLimits:
    """Compute the limits of the street's connection.

    Parameters
    ----------
    now
        The moment of planning.
    steps, grid, nowcast, service
        Of the plan.
    free_sockets
        Sockets without a plan: a car may begin on each.
    fixed_kw
        Power of sessions that cannot be told anything [kW].
    budget
        What the running quarter has used; the rest of it may not spoil its mean.
    signals
        What grid operators said.
    silent_kw
        What cars may draw that plug in at silent stations [kW].
    """
    root = grid.topology.root.id
    every, second, mean = (
        compute_envelope(
            grid.topology,
            root,
            steps.starts,
            grid.tz,
            service.power_factor,
            averaging=averaging,
            signals=signals,
            known_at=now,
        )
        for averaging in (None, Averaging.ANY_SECOND, Averaging.QUARTER_HOUR_MEAN)
    )
    mean_kw = _spend_kw(mean.import_limit_kw, budget, steps, now)
    fallback_kw = current_to_power_kw(service.fallback_current_a, grid.voltage_v, _PHASES)
    arrivals_kw = min(free_sockets, LIKELY_ARRIVALS) * fallback_kw * UNPLANNED_FRACTION
    load_kw = nowcast.base_load_kw.upper + fixed_kw - nowcast.pv_kw.lower
    import_kw = np.minimum(
        _keep_free(second.import_limit_kw, free_sockets * fallback_kw + silent_kw, load_kw),
        _keep_free(mean_kw, arrivals_kw + silent_kw, load_kw),
    )
    confirmed = every.netting is LimitNetting.CONFIRMED
    return StreetLimits(
        import_limit_kw=np.minimum(import_kw, LARGEST),
        export_limit_kw=np.minimum(every.export_limit_kw, LARGEST),
        import_source=tuple(every.import_source),
        room_kw=np.minimum(np.maximum(import_kw - load_kw, 0.0), LARGEST),
        fixed_kw=fixed_kw,
        netting=Netting.CONFIRMED if confirmed else Netting.NONE,
    )


def build_node_groups(
    cars: Sequence[ConnectedCar],
    grid: GridSide,
    steps: TimeGrid,
    service: ServiceConfig,
    signals: SignalBook,
    now: datetime,
) -> tuple[Group, ...]:
    """Build a group for every node below the root that has limits and planned sessions below it.

    Parameters
    ----------
    cars
        The planned sessions.
    grid, steps, service
        Of the plan. No meter is read there: base load and sun are forecasts.
    signals
        What grid operators said, also to single connections.
    now
        What of that is known.
    """
    spoken_of = {find_group(grid.topology, signal.group) for signal in signals.signals}
    groups = []
    for node in grid.topology.nodes:
        below = {one.id for one in grid.topology.connections_below(node.id)}
        members = tuple(car.session.id for car in cars if car.connection_id in below)
        if node.parent is not None and members and (node.limits or node.id in spoken_of):
            envelope = compute_envelope(
                grid.topology,
                node.id,
                steps.starts,
                grid.tz,
                service.power_factor,
                signals=signals,
                known_at=now,
            )
            expected = compute_nowcast(steps.start, steps.starts, grid, (), {}, (), {}, node.id)
            import_kw = envelope.import_limit_kw - expected.base_load_kw.upper + expected.pv_kw.lower
            export_kw = envelope.export_limit_kw + expected.base_load_kw.lower - expected.pv_kw.upper
            groups.append(_group(node.id, members, import_kw, export_kw))
    for one in grid.topology.connections:
        members = tuple(car.session.id for car in cars if car.connection_id == one.id)
        if one.id in spoken_of and members:
            import_kw, export_kw = (
                signals.limit_kw(grid.topology, one.id, direction, steps.starts, now)[0]
                for direction in (Direction.IMPORT, Direction.EXPORT)
            )
            groups.append(_group(f"{one.id} signal", members, import_kw, export_kw))
    return tuple(groups)


def _spend_kw(limit_kw: Floats, budget: QuarterBudget | None, steps: TimeGrid, now: datetime) -> Floats:
    """Lower the running quarter's limit to what keeps its mean."""
    left_kw = limit_kw.copy()
    if budget is not None and budget.quarter == steps.start and np.isfinite(left_kw[0]):
        left_kw[0] = np.clip(budget.allowed_import_kw(float(left_kw[0]), now), 0.0, left_kw[0])
    return left_kw


def _group(name: str, members: tuple[str, ...], import_kw: Floats, export_kw: Floats) -> Group:
    return Group(
        id=name, members=members, import_limit_kw=_amounts(import_kw), export_limit_kw=_amounts(export_kw)
    )


def _keep_free(limit_kw: Floats, reserve_kw: float, load_kw: Floats) -> Floats:
    """Take a reserve off a limit, at most what the load leaves."""
    return limit_kw - np.clip(limit_kw - load_kw, 0.0, reserve_kw)


def _amounts(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in np.clip(values, 0.0, LARGEST))
