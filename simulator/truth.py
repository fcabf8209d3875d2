"""The truth of a run: power of every second, and how far it went above the limits.

Limits of fuses, cables and connections hold in every second; thermal, contracted and signalled ones for the
mean of a quarter of an hour. A limit in kVA is compared with active power. What exceeds a limit even with
charging at zero is told apart: no controller could have helped it.

How a run is made, with or without wires, from the same parts, none of which reads a clock:

- `simulator.vehicle.socket.Socket` is the step function: ``offer([(second, Offer(current_a, setpoint_kw))],
  at)`` and then power, registers and battery of any later second. What it computes it writes to a `Truth`.
- `simulator.replay.Replay` runs a street in virtual time by a policy, `simulator.street.SimulatedStreet`
  lets stations do the offering by what OCPP tells them.
- `simulator.result.record_run` judges a finished `Truth`, whichever way it came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid, floor_quarter, local_minutes, overlaps_daily_window
from grid.topology import Averaging, Connection, Direction, Limit, LimitUnit, Phase
from simulator.setup import StationSetup

Floats = NDArray[np.float64]
SECONDS_PER_QUARTER = 900
SECONDS_PER_HOUR = 3600.0
# What rounding can make of a power that stands exactly at its limit.
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class SocketPlace:
    """Where a socket's power goes.

    Parameters
    ----------
    station_id, evse_id
        Which socket.
    connection_id
        Its grid connection.
    conductors
        Index of the connection's phase behind its phases 1, 2 and 3.
    """

    station_id: str
    evse_id: int
    connection_id: str
    conductors: tuple[int, int, int]


def list_places(stations: Sequence[StationSetup]) -> tuple[SocketPlace, ...]:
    """List the sockets of stations in order; their index is their row."""
    return tuple(
        SocketPlace(station.id, evse.id, station.connection_id, evse.conductors)
        for station in stations
        for evse in station.evses
    )


@dataclass(frozen=True, slots=True)
class Excess:
    """How far one limit was exceeded."""

    owner: str
    limit: Limit
    exceeded_kwh: float
    uncontrollable_kwh: float


@dataclass(frozen=True, slots=True)
class TruthFigures:
    """How far all limits were exceeded, and which."""

    limit_exceeded_kwh: float
    uncontrollable_kwh: float
    excesses: tuple[Excess, ...]


@dataclass
class Truth:
    """One-second truth of a street.

    Parameters
    ----------
    start
        First second (aware).
    seconds
        Length of the run.
    places
        The sockets, one row each.
    base_kw, pv_kw
        Households and sun, shape (seconds,) [kW].
    power_kw
        Power of every socket, > 0 charges, shape (sockets, seconds) [kW].
    phases
        Phases that the car at a socket uses, shape (sockets, seconds).
    """

    start: datetime
    seconds: int
    places: tuple[SocketPlace, ...]
    base_kw: NDArray[np.float32]
    pv_kw: NDArray[np.float32]
    power_kw: Floats = field(init=False)
    phases: NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        self.power_kw = np.zeros((len(self.places), self.seconds))
        self.phases = np.zeros((len(self.places), self.seconds), dtype=np.int8)

    def write(self, row: int, start_s: int, power_kw: Floats) -> None:
        """Take the power of a socket from a second on; a later call overwrites it."""
        begin, end = max(start_s, 0), min(start_s + len(power_kw), self.seconds)
        if begin < end:
            self.power_kw[row, begin:end] = power_kw[begin - start_s : end - start_s]

    def write_phases(self, row: int, start_s: int, phases: int) -> None:
        """Note how many phases the car at a socket uses from a second on."""
        self.phases[row, max(start_s, 0) :] = phases

    def net_kw(self, begin_s: int, end_s: int) -> Floats:
        """Return what the street takes from the network, shape (end_s - begin_s,) [kW]."""
        window = self._window(begin_s, end_s)
        charged = self.power_kw[:, window].sum(axis=0)
        return np.asarray(charged + self.base_kw[window] - self.pv_kw[window])

    def sun_kw(self, begin_s: int, end_s: int) -> Floats:
        """Return what the sun gave, shape (end_s - begin_s,) [kW]."""
        return np.asarray(self.pv_kw[self._window(begin_s, end_s)], dtype=np.float64)

    def _window(self, begin_s: int, end_s: int) -> slice | NDArray[np.int64]:
        """Return which seconds are meant; after the end of the run its last one stands."""
        if end_s <= self.seconds:
            return slice(begin_s, end_s)
        return np.minimum(np.arange(begin_s, end_s), self.seconds - 1)

    def rows_of(self, connection_ids: frozenset[str]) -> list[int]:
        """Return the rows of the sockets on some connections."""
        return [row for row, place in enumerate(self.places) if place.connection_id in connection_ids]

    def phase_kw(self, connection_id: str) -> Floats:
        """Return the power on each phase of a connection, shape (3, seconds) [kW]."""
        total = np.zeros((3, self.seconds))
        for row in self.rows_of(frozenset({connection_id})):
            share = self.power_kw[row] / np.maximum(self.phases[row], 1)
            for used, conductor in enumerate(self.places[row].conductors, start=1):
                total[conductor] += np.where(self.phases[row] >= used, share, 0.0)
        return total


def evaluate_limits(truth: Truth, grid: GridSide) -> TruthFigures:
    """Add up what went above every limit of nodes and connections, both directions [kWh].

    Parameters
    ----------
    truth
        The run.
    grid
        Topology, voltage and local time.
    """
    excesses = tuple(one for one in _list_excesses(truth, grid) if one.exceeded_kwh or one.uncontrollable_kwh)
    return TruthFigures(
        sum(one.exceeded_kwh for one in excesses), sum(one.uncontrollable_kwh for one in excesses), excesses
    )


def _list_excesses(truth: Truth, grid: GridSide) -> Iterator[Excess]:
    topology = grid.topology
    for node in topology.nodes:
        below = frozenset(one.id for one in topology.connections_below(node.id))
        charging = truth.power_kw[truth.rows_of(below)].sum(axis=0)
        fixed = np.zeros(truth.seconds)
        under = {node.id} | {one.id for one in topology.nodes if node in topology.ancestors(one.id)}
        if any(one.id in under and one.households for one in topology.nodes):
            fixed += truth.base_kw
        if grid.sun.node in under:
            fixed -= truth.pv_kw
        for limit in node.limits:
            yield _measure(node.id, limit, fixed, charging, truth, grid)
    for connection in topology.connections:
        yield from _measure_connection(connection, truth, grid)


def _measure_connection(connection: Connection, truth: Truth, grid: GridSide) -> Iterator[Excess]:
    phases = truth.phase_kw(connection.id)
    zero = np.zeros(truth.seconds)
    for limit in connection.limits(grid.voltage_v):
        if limit.kind == "fuse":
            # A fuse blows by its own phase, whatever the others carry.
            per_phase = limit.model_copy(update={"value": limit.value / connection.fuse_phases})
            for conductor in phases:
                yield _measure(connection.id, per_phase, zero, conductor, truth, grid)
        else:
            yield _measure(connection.id, limit, zero, phases.sum(axis=0), truth, grid)


def _measure(
    owner: str, limit: Limit, fixed_kw: Floats, charging_kw: Floats, truth: Truth, grid: GridSide
) -> Excess:
    """Measure one limit; ``fixed_kw`` is what no controller moves."""
    sign = 1.0 if limit.direction is Direction.IMPORT else -1.0
    total, fixed = sign * (fixed_kw + charging_kw), sign * fixed_kw
    inside = _inside_window(limit, truth, grid)
    if limit.averaging is Averaging.QUARTER_HOUR_MEAN:
        total, fixed = quarter_means(total, truth.start), quarter_means(fixed, truth.start)
        hours = quarter_means(np.ones(truth.seconds), truth.start, total=True) / SECONDS_PER_HOUR
    else:
        inside = _repeat_quarters(inside, truth)
        hours = np.full(truth.seconds, 1.0 / SECONDS_PER_HOUR)
    bound = _bound_kw(limit, grid.voltage_v)
    over = np.where(inside, total - bound, 0.0)
    over[over < TOLERANCE_KW] = 0.0
    hopeless = np.where(inside, np.clip(fixed - bound, 0.0, over), 0.0)
    return Excess(
        owner,
        limit,
        exceeded_kwh=float(((over - hopeless) * hours).sum()),
        uncontrollable_kwh=float((hopeless * hours).sum()),
    )


def _bound_kw(limit: Limit, voltage_v: float) -> float:
    """Return a limit as active power at power factor 1 [kW]; amperes of one phase as that phase's power."""
    if limit.unit is LimitUnit.A:
        phases = 3 if limit.phase is Phase.ALL else 1
        return limit.value * voltage_v * phases / 1000.0
    return limit.value


def _quarter_starts(truth: Truth) -> tuple[datetime, ...]:
    first = floor_quarter(truth.start)
    end = truth.start + timedelta(seconds=truth.seconds)
    return TimeGrid(first, QUARTER, -((first - end) // QUARTER)).starts


def _inside_window(limit: Limit, truth: Truth, grid: GridSide) -> NDArray[np.bool_]:
    minutes = local_minutes(_quarter_starts(truth), grid.tz)
    return overlaps_daily_window(minutes, limit.daily_from, limit.daily_to)


def _repeat_quarters(values: NDArray[np.bool_], truth: Truth) -> NDArray[np.bool_]:
    skipped = int((truth.start - floor_quarter(truth.start)).total_seconds())
    return np.repeat(values, SECONDS_PER_QUARTER)[skipped : skipped + truth.seconds]


def quarter_means(values: Floats, start: datetime, *, total: bool = False) -> Floats:
    """Return the mean (or the sum) of seconds in each UTC quarter, the first and last possibly cut.

    Parameters
    ----------
    values
        One per second, shape (seconds,).
    start
        The first second.
    total
        Whether to return sums.
    """
    skipped = int((start - floor_quarter(start)).total_seconds())
    edges = np.arange(-skipped, len(values), SECONDS_PER_QUARTER)
    edges[0] = 0
    sums = np.add.reduceat(values, edges)
    if total:
        return np.asarray(sums)
    return np.asarray(sums / np.diff(np.append(edges, len(values))))
