"""The envelope: for each step the lowest limit of a place in the network and of everything above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.capacity.signals import SignalBook
from grid.timegrid import local_minutes, overlaps_daily_window
from grid.topology import Averaging, Direction, Limit, Netting, Phase, Topology

UNLIMITED = "unlimited"
DEFAULT_POWER_FACTOR = 0.95


@dataclass(frozen=True, eq=False)
class Envelope:
    """What may flow through a place, per step.

    Parameters
    ----------
    import_limit_kw, export_limit_kw
        The lowest bound, infinite where there is none, shape (steps,) [kW].
    import_source, export_source
        Who sets it, ``node: source``; ``unlimited`` where nobody does.
    netting
        ``confirmed`` only when every limit involved allows it.
    """

    import_limit_kw: NDArray[np.float64]
    export_limit_kw: NDArray[np.float64]
    import_source: list[str]
    export_source: list[str]
    netting: Netting


def compute_envelope(
    topology: Topology,
    node_id: str,
    starts: Sequence[datetime],
    tz: ZoneInfo,
    power_factor: float = DEFAULT_POWER_FACTOR,
    *,
    phase: Phase = Phase.ALL,
    averaging: Averaging | None = None,
    signals: SignalBook | None = None,
    known_at: datetime | None = None,
) -> Envelope:
    """Compute the envelope of a node or connection over quarters.

    Parameters
    ----------
    topology
        The tree with its limits.
    node_id
        A node's or a connection's id.
    starts
        Starts of quarters; a daily window that touches a quarter holds for all of it.
    tz
        The local time of daily windows.
    power_factor
        Share of apparent power that is counted on, for limits in kVA.
    phase
        ALL for the total of a balanced load, else the power of one phase.
    averaging
        Only the limits that must be kept in this sense; None for all.
    signals
        Capacity signals, kept as quarter-hour means; None for none.
    known_at
        What of the signals was known; None: those known at the first start.

    Raises
    ------
    KeyError
        When there is no such node or connection.
    """
    limits = [
        (owner, limit)
        for owner, limit in topology.limits_above(node_id)
        if averaging is None or limit.averaging is averaging
    ]
    minutes = local_minutes(starts, tz)
    sides = {}
    for direction in Direction:
        own = [(owner, limit) for owner, limit in limits if limit.direction is direction]
        lowest, sources = _lowest(own, minutes, topology.voltage_v, power_factor, phase)
        if signals is not None and starts and averaging is not Averaging.ANY_SECOND:
            at = starts[0] if known_at is None else known_at
            _lower(lowest, sources, signals.limit_kw(topology, node_id, direction, starts, at))
        sides[direction] = lowest, sources
    confirmed = bool(limits) and all(limit.netting is Netting.CONFIRMED for _, limit in limits)
    import_limit_kw, import_source = sides[Direction.IMPORT]
    export_limit_kw, export_source = sides[Direction.EXPORT]
    return Envelope(
        import_limit_kw=import_limit_kw,
        export_limit_kw=export_limit_kw,
        import_source=import_source,
        export_source=export_source,
        netting=Netting.CONFIRMED if confirmed else Netting.NONE,
    )


def _lower(
    lowest: NDArray[np.float64], sources: list[str], signalled: tuple[NDArray[np.float64], list[str | None]]
) -> None:
    """Lower a bound, in place, to what signals allow."""
    values, names = signalled
    for step, name in enumerate(names):
        if name is not None and values[step] < lowest[step]:
            lowest[step], sources[step] = values[step], name


def _lowest(
    limits: Sequence[tuple[str, Limit]],
    minutes: NDArray[np.int64],
    voltage_v: float,
    power_factor: float,
    phase: Phase,
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the lowest bound of each step and its source; the first of equals, so the nearest, is named."""
    lowest = np.full(len(minutes), math.inf)
    binding = np.zeros(len(minutes), dtype=np.int64)
    sources = [UNLIMITED]
    for owner, limit in limits:
        value_kw = limit.power_kw(voltage_v, power_factor, phase)
        if value_kw is None:
            continue
        sources.append(f"{owner}: {limit.source}")
        binds = overlaps_daily_window(minutes, limit.daily_from, limit.daily_to) & (value_kw < lowest)
        lowest[binds] = value_kw
        binding[binds] = len(sources) - 1
    return lowest, [sources[index] for index in binding]
