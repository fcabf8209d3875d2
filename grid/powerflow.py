"""Power flow of low-voltage feeders, phase by phase: what the tree of kW limits leaves out.

Loads are single-phase and unequal, cables lose voltage, constant power draws more current where the voltage
is low. The flow is solved by power-grid-model for every quarter of a year at once; the tree adds up kilowatts
per phase. Where the tree is too kind, its margin is raised by what the flow shows.
"""

from __future__ import annotations

import importlib
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid.errors import DocumentError, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PHASE_V, LINE_V = 230.0, 400.0
# EN 50160: 230 V plus or minus 10 %.
BAND_PU = (0.9, 1.1)
# Zero over positive sequence of a four-core cable whose neutral is as thick as its phases.
ZERO_SEQUENCE_RATIO = 4.0
# Quarters that are solved in one call: more would only need more memory.
CHUNK_STEPS = 2976
DELTA, WYE_N, CLOCK = 2, 1, 5


@dataclass(frozen=True, slots=True)
class Cable:
    """A three-phase cable.

    Parameters
    ----------
    start, end
        Names of nodes; the tree is rooted at the transformer's.
    ohm_r, ohm_x
        Series resistance and reactance of the whole length.
    rated_a
        Current of a phase.
    ohm_r0, ohm_x0
        Of the zero sequence; None: `ZERO_SEQUENCE_RATIO` times the positive.
    """

    start: str
    end: str
    ohm_r: float
    ohm_x: float
    rated_a: float
    ohm_r0: float | None = None
    ohm_x0: float | None = None


@dataclass(frozen=True, slots=True)
class Transformer:
    """A distribution transformer, delta to grounded star.

    Parameters
    ----------
    kva
        Rating.
    short_circuit_fraction, load_loss_kw, no_load_loss_kw, no_load_current_fraction
        Of its plate.
    primary_v, secondary_v
        Rated line voltages.
    source_pu, nominal_v
        Voltage of the medium-voltage side, in parts of its nominal voltage.
    """

    kva: float = 400.0
    short_circuit_fraction: float = 0.04
    load_loss_kw: float = 4.6
    no_load_loss_kw: float = 0.6
    no_load_current_fraction: float = 0.003
    primary_v: float = 10_500.0
    secondary_v: float = 410.0
    source_pu: float = 1.0
    nominal_v: float = 10_500.0

    @property
    def rated_a(self) -> float:
        """Current of a phase at the secondary side."""
        return float(self.kva * 1000 / (np.sqrt(3) * self.secondary_v))


@dataclass(frozen=True)
class Feeder:
    """A radial low-voltage network.

    Parameters
    ----------
    root
        Node at the transformer's secondary side.
    cables
        Every node but the root is the end of one.
    connections
        Node of each connection: columns of the loads.
    """

    root: str
    cables: tuple[Cable, ...]
    connections: tuple[str, ...]
    transformer: Transformer = Transformer()

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The root and everything that hangs on it, nearest first.

        Raises
        ------
        DocumentError
            When a cable cannot be reached or closes a loop, or a connection hangs on no node.
        """
        found = _walk(self.root, self.cables)
        problems = [
            Problem(
                f"cables[{index}]", f"{cable.start}-{cable.end} is not reached from {self.root}: connect it"
            )
            for index, cable in enumerate(self.cables)
            if cable.start not in found
        ]
        if len(found) - 1 < len(self.cables) and not problems:
            problems.append(Problem("cables", "close a loop: open it at one cable, this model is radial"))
        problems += [
            Problem(f"connections[{index}]", f"{node} is no node of the cables: name one of them")
            for index, node in enumerate(self.connections)
            if node not in found
        ]
        if problems:
            raise DocumentError("feeder", problems)
        return tuple(found)

    @cached_property
    def downstream(self) -> Bools:
        """Whether a connection is fed through a cable, shape (cables, connections)."""
        nodes = self.nodes
        parent = _parents(self.root, self.cables)
        passed: dict[str, set[int]] = {self.root: set()}
        for node in nodes[1:]:
            cable, before = parent[node]
            passed[node] = passed[before] | {cable}
        return np.array(
            [[cable in passed[node] for node in self.connections] for cable in range(len(self.cables))],
            dtype=bool,
        )

    @property
    def rated_a(self) -> Floats:
        """Rating of every cable, shape (cables,)."""
        return np.array([cable.rated_a for cable in self.cables])


@dataclass(frozen=True)
class Flow:
    """Power flow of a series, per phase.

    Parameters
    ----------
    voltage_pu
        Of all nodes, of phase to neutral over 230 V, shape (steps, nodes, 3).
    cable_loading
        Current over rating, shape (steps, cables, 3).
    transformer_loading
        The same of its secondary side, shape (steps, 3).
    """

    voltage_pu: NDArray[np.float32]
    cable_loading: NDArray[np.float32]
    transformer_loading: NDArray[np.float32]

    def outside_band_steps(self, band_pu: tuple[float, float] = BAND_PU) -> int:
        """Count the steps in which any phase of any node leaves a voltage band."""
        outside = (self.voltage_pu < band_pu[0]) | (self.voltage_pu > band_pu[1])
        return int(outside.any(axis=(1, 2)).sum())


@dataclass(frozen=True, slots=True)
class TreeCheck:
    """How far the tree of kW limits is from the power flow, in units of loading.

    Parameters
    ----------
    mean, worst
        Mean and greatest absolute difference over steps, phases, cables and transformer.
    too_kind
        By how much the flow exceeds the tree at the most: what the margin must cover.
    """

    mean: float
    worst: float
    too_kind: float

    def margin_fraction(self, chosen: float) -> float:
        """Return the margin to plan with: the chosen one, or what the flow shows where that is more."""
        return max(chosen, self.too_kind)


def solve(
    feeder: Feeder, load_kw: Floats, power_factor: float = 0.95, load_kvar: Floats | None = None
) -> Flow:
    """Solve the asymmetric power flow of a series of loads.

    Parameters
    ----------
    feeder
        The network.
    load_kw
        Per step, connection and phase, > 0 drawn, shape (steps, connections, 3).
    power_factor
        Of all loads, inductive.
    load_kvar
        Instead of the power factor, shape as ``load_kw``.

    Raises
    ------
    DocumentError
        When the package is missing, the network is not radial or no solution exists (voltage collapse).
    """
    library = _library()
    model = library.PowerGridModel(_input(library, feeder), system_frequency=50.0)
    if load_kvar is None:
        load_kvar = load_kw * np.tan(np.arccos(power_factor))
    parts = [
        _solve_chunk(
            library,
            model,
            feeder,
            load_kw[first : first + CHUNK_STEPS],
            load_kvar[first : first + CHUNK_STEPS],
        )
        for first in range(0, len(load_kw), CHUNK_STEPS)
    ]
    return Flow(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def tree_loading(feeder: Feeder, load_kw: Floats, power_factor: float = 0.95) -> tuple[Floats, Floats]:
    """Return what the tree of kW limits says: currents from sums of kilowatts at 230 V.

    Returns
    -------
    tuple
        Loading of cables, shape (steps, cables, 3), and of the transformer, shape (steps, 3).
    """
    ampere_per_kw = 1000 / PHASE_V / power_factor
    through = np.einsum("cn,snp->scp", feeder.downstream.astype(np.float64), load_kw, optimize=True)
    cables = np.abs(through) * ampere_per_kw / feeder.rated_a[None, :, None]
    total = np.abs(load_kw.sum(axis=1)) * ampere_per_kw / (feeder.transformer.kva * 1000 / (3 * PHASE_V))
    return cables, total


def check_tree(feeder: Feeder, load_kw: Floats, flow: Flow, power_factor: float = 0.95) -> TreeCheck:
    """Compare the tree of kW limits with a power flow of the same loads."""
    cables, transformer = tree_loading(feeder, load_kw, power_factor)
    gaps = np.concatenate(
        [
            (flow.cable_loading - cables).ravel(),
            (flow.transformer_loading - transformer).ravel(),
        ]
    )
    return TreeCheck(float(np.abs(gaps).mean()), float(np.abs(gaps).max()), max(0.0, float(gaps.max())))


def unbalance_fraction(load_kw: Floats) -> Floats:
    """Return by how much the fullest phase exceeds the mean of the three, per step, shape (steps,)."""
    phases = np.abs(load_kw.sum(axis=1))
    mean = np.maximum(phases.mean(axis=1), 1e-9)
    return np.asarray(phases.max(axis=1) / mean - 1)


def _library() -> Any:
    try:
        return importlib.import_module("power_grid_model")
    except ImportError as error:
        problem = Problem("power_grid_model", "is not installed: pip install 'wijkstroom[rollout]'")
        raise DocumentError("powerflow", [problem]) from error


def _parents(root: str, cables: tuple[Cable, ...]) -> dict[str, tuple[int, str]]:
    """Return of every node but the root the cable that feeds it and the node before."""
    touching: dict[str, list[tuple[int, str]]] = {}
    for index, cable in enumerate(cables):
        touching.setdefault(cable.start, []).append((index, cable.end))
        touching.setdefault(cable.end, []).append((index, cable.start))
    parent: dict[str, tuple[int, str]] = {}
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        for index, other in touching.get(node, []):
            if other != root and other not in parent:
                parent[other] = (index, node)
                waiting.append(other)
    return parent


def _walk(root: str, cables: tuple[Cable, ...]) -> list[str]:
    return [root, *_parents(root, cables)]


def _input(library: Any, feeder: Feeder) -> dict[str, Any]:
    """Return the network in power-grid-model's arrays: node 0 is the medium-voltage side, node 1 the root."""
    nodes = feeder.nodes
    number = {name: index + 1 for index, name in enumerate(nodes)}
    first_cable = len(nodes) + 1
    node = library.initialize_array("input", "node", len(nodes) + 1)
    node["id"] = np.arange(len(nodes) + 1)
    node["u_rated"] = LINE_V
    node["u_rated"][0] = feeder.transformer.nominal_v
    line = library.initialize_array("input", "line", len(feeder.cables))
    line["id"] = first_cable + np.arange(len(feeder.cables))
    line["from_node"] = [number[cable.start] for cable in feeder.cables]
    line["to_node"] = [number[cable.end] for cable in feeder.cables]
    line["from_status"] = line["to_status"] = 1
    line["r1"] = [cable.ohm_r for cable in feeder.cables]
    line["x1"] = [cable.ohm_x for cable in feeder.cables]
    line["r0"] = [_zero(cable.ohm_r0, cable.ohm_r) for cable in feeder.cables]
    line["x0"] = [_zero(cable.ohm_x0, cable.ohm_x) for cable in feeder.cables]
    line["c1"] = line["tan1"] = line["c0"] = line["tan0"] = 0.0
    line["i_n"] = feeder.rated_a
    next_id = first_cable + len(feeder.cables)
    load = library.initialize_array("input", "asym_load", len(feeder.connections))
    load["id"] = next_id + 2 + np.arange(len(feeder.connections))
    load["node"] = [number[name] for name in feeder.connections]
    load["status"], load["type"] = 1, 0
    load["p_specified"] = load["q_specified"] = 0.0
    return {
        "node": node,
        "line": line,
        "transformer": _transformer(library, feeder.transformer, next_id),
        "source": _source(library, feeder.transformer, next_id + 1),
        "asym_load": load,
    }


def _zero(given: float | None, positive: float) -> float:
    return ZERO_SEQUENCE_RATIO * positive if given is None else given


def _transformer(library: Any, transformer: Transformer, number: int) -> Any:
    array = library.initialize_array("input", "transformer", 1)
    values = {
        "id": number,
        "from_node": 0,
        "to_node": 1,
        "from_status": 1,
        "to_status": 1,
        "u1": transformer.primary_v,
        "u2": transformer.secondary_v,
        "sn": transformer.kva * 1000,
        "uk": transformer.short_circuit_fraction,
        "pk": transformer.load_loss_kw * 1000,
        "i0": transformer.no_load_current_fraction,
        "p0": transformer.no_load_loss_kw * 1000,
        "winding_from": DELTA,
        "winding_to": WYE_N,
        "clock": CLOCK,
        "tap_side": 0,
        "tap_pos": 0,
        "tap_min": 0,
        "tap_max": 0,
        "tap_nom": 0,
        "tap_size": 0.0,
    }
    for name, value in values.items():
        array[name] = value
    return array


def _source(library: Any, transformer: Transformer, number: int) -> Any:
    array = library.initialize_array("input", "source", 1)
    array["id"], array["node"], array["status"], array["u_ref"] = number, 0, 1, transformer.source_pu
    return array


def _solve_chunk(
    library: Any, model: Any, feeder: Feeder, load_kw: Floats, load_kvar: Floats
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    steps, connections, _ = load_kw.shape
    update = library.initialize_array("update", "asym_load", (steps, connections))
    update["id"] = len(feeder.nodes) + len(feeder.cables) + 3 + np.arange(connections)
    update["p_specified"] = load_kw * 1000
    update["q_specified"] = load_kvar * 1000
    try:
        output = model.calculate_power_flow(
            symmetric=False,
            update_data={"asym_load": update},
            calculation_method=library.CalculationMethod.iterative_current,
            threading=0,
            error_tolerance=1e-5,
            output_component_types={"node": ["u_pu"], "line": ["i_from"], "transformer": ["i_to"]},
        )
    except importlib.import_module("power_grid_model.errors").PowerGridError as error:
        problem = Problem(
            "load_kw", f"has no power flow ({type(error).__name__}): the load is beyond the network"
        )
        raise DocumentError("powerflow", [problem]) from error
    voltage = output["node"]["u_pu"][:, 1:, :].astype(np.float32)
    cables = (output["line"]["i_from"] / feeder.rated_a[None, :, None]).astype(np.float32)
    transformer = (output["transformer"]["i_to"][:, 0, :] / feeder.transformer.rated_a).astype(np.float32)
    return voltage, cables, transformer
