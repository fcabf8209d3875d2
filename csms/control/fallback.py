"""Whether a street is safe while nobody plans it: every socket at the fallback rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from csms.control.nowcast import compute_nowcast
from csms.state.catalogue import Catalogue
from grid.capacity.envelope import compute_envelope
from grid.street import GridSide
from grid.topology import Connection
from grid.units import current_to_power_kw

_PHASES = 3


@dataclass(frozen=True, slots=True)
class Weakness:
    """A limit that the fallback rates alone may break.

    Parameters
    ----------
    place
        The connection or node.
    source
        Who set the limit.
    at
        The first quarter in which it may be broken; None where that does not depend on time.
    excess_kw
        By how much at the worst [kW].
    """

    place: str
    source: str
    at: datetime | None
    excess_kw: float

    def __str__(self) -> str:
        when = "" if self.at is None else f" from {self.at:%Y-%m-%d %H:%M} UTC"
        return (
            f"{self.place}: not guaranteeable without a plan{when}, {self.excess_kw:.1f} kW above "
            f"{self.source}: put fewer sockets behind it or raise the limit"
        )


def list_weaknesses(catalogue: Catalogue, grid: GridSide, starts: Sequence[datetime]) -> tuple[Weakness, ...]:
    """Return the limits that may be broken while no plan holds; none when the street is safe by itself.

    Parameters
    ----------
    catalogue
        Stations and their fallback.
    grid
        Limits and forecasts.
    starts
        The quarters to look at, at least one.
    """
    sockets = _count_sockets(catalogue)
    found = [_judge_fuse(one, sockets.get(one.id, 0), catalogue) for one in catalogue.topology.connections]
    found += [_judge_node(node.id, sockets, catalogue, grid, starts) for node in catalogue.topology.nodes]
    return tuple(each for each in found if each is not None)


def _count_sockets(catalogue: Catalogue) -> dict[str, int]:
    sockets: dict[str, int] = {}
    for station in catalogue.stations.values():
        sockets[station.connection] = sockets.get(station.connection, 0) + len(station.evses)
    return sockets


def _judge_fuse(connection: Connection, sockets: int, catalogue: Catalogue) -> Weakness | None:
    excess_a = sockets * catalogue.service.fallback_current_a - connection.fuse_current_a
    if excess_a <= 0.0:
        return None
    excess_kw = current_to_power_kw(excess_a, catalogue.topology.voltage_v, connection.fuse_phases)
    return Weakness(connection.id, f"its fuse {connection.fuse}", None, excess_kw)


def _judge_node(
    node_id: str,
    sockets: dict[str, int],
    catalogue: Catalogue,
    grid: GridSide,
    starts: Sequence[datetime],
) -> Weakness | None:
    below = sum(sockets.get(one.id, 0) for one in catalogue.topology.connections_below(node_id))
    fallback_a = catalogue.service.fallback_current_a
    charging_kw = below * current_to_power_kw(fallback_a, catalogue.topology.voltage_v, _PHASES)
    expected = compute_nowcast(starts[0], starts, grid, (), {}, (), {}, node_id)
    envelope = compute_envelope(grid.topology, node_id, starts, grid.tz, catalogue.service.power_factor)
    excess_kw = expected.base_load_kw.upper + charging_kw - envelope.import_limit_kw
    if excess_kw.max() <= 0.0:
        return None
    first = int(np.argmax(excess_kw > 0.0))
    worst = int(np.argmax(excess_kw))
    return Weakness(node_id, envelope.import_source[worst], starts[first], float(excess_kw[worst]))
