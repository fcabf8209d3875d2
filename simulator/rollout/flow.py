"""Power flow of the fullest feeders: households and poles on their phases, against the tree of kW limits.

The kernel gives the cars' load per feeder and phase; households get their own noise and one phase each. What
hangs on the transformer's other feeders is put at its terminals, so that its voltage drop is there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid.feeder_files import read_cables, read_pandapower
from grid.load import HOUSEHOLD_VARIATION_FRACTION
from grid.powerflow import BAND_PU, Cable, Feeder, Transformer, check_tree, solve, unbalance_fraction
from simulator.rollout.kernel import Block
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.year import Task, YearRun, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Json = dict[str, Any]
FLOW = 3  # kind of chance, after those of the year
# A 4x150 mm2 aluminium cable with four households every twelve metres: assumptions.
OHM_R_PER_KM, OHM_X_PER_KM, HOMES_PER_NODE, SPACING_KM = 0.206, 0.080, 4, 0.012


@dataclass(frozen=True)
class _Place:
    """What hangs on one feeder and beside it."""

    feeder: Feeder
    households: int
    poles: Ints
    load_kw: Floats


def check_feeders(scenario: Scenario, data: Path, directory: Path) -> Json:
    """Check the fullest feeders of a scenario's last year under uncontrolled charging.

    Parameters
    ----------
    scenario
        With ``grid.flow_feeders`` of at least one.
    data
        Folder with statistics and prices.
    directory
        To which ``grid.flow_network`` is relative.

    Returns
    -------
    dict
        Feeders with loading, voltage and difference to the tree, and the margin to plan with.

    Raises
    ------
    DocumentError
        When the network cannot be read or the package is missing.
    """
    # A mistake in the network's file is told before a year is computed.
    _network(scenario, HOMES_PER_NODE, directory)
    year = scenario.study.years[-1]
    blocks: list[NDArray[np.float32]] = []
    run = YearRun(
        Task(scenario, data, year, Policy.UNCONTROLLED, 0, 1), lambda block: blocks.append(_cars_kw(block))
    )
    run.run()
    cars = np.concatenate(blocks)
    rows = [
        _check(run, cars, int(feeder), number, directory) for number, feeder in enumerate(_fullest(run, cars))
    ]
    chosen = scenario.grid.margin_fraction
    return {
        "year": year,
        "margin_fraction": chosen,
        "raised_margin_fraction": max([chosen, *(row["tree_too_kind_fraction"] for row in rows)]),
        "feeders": rows,
    }


def with_margin(scenario: Scenario, flow: Json) -> Scenario:
    """Return the scenario with the margin that the power flow asks for."""
    grid = scenario.grid.model_copy(update={"margin_fraction": flow["raised_margin_fraction"]})
    return scenario.model_copy(update={"grid": grid})


def straight_feeder(households: int, feeder_a: float, transformer: Transformer | None = None) -> Feeder:
    """Return one cable along a street, four households every twelve metres."""
    nodes = max(1, -(-households // HOMES_PER_NODE))
    names = ["transformer", *(f"joint {number}" for number in range(nodes))]
    ohm_r, ohm_x = OHM_R_PER_KM * SPACING_KM, OHM_X_PER_KM * SPACING_KM
    cables = tuple(Cable(start, end, ohm_r, ohm_x, feeder_a) for start, end in itertools.pairwise(names))
    connections = tuple(names[1 + number // HOMES_PER_NODE] for number in range(households))
    return Feeder("transformer", cables, connections, transformer or Transformer())


def _cars_kw(block: Block) -> NDArray[np.float32]:
    return block.load_kw.copy()


def _fullest(run: YearRun, cars: NDArray[np.float32]) -> Ints:
    """Return the feeders with the highest sum of households' mean peak and cars' peak phase."""
    network = run.network
    homes = network.households[network.feeder_transformer] / network.per_transformer
    peak = run.around.household_kw.max() * homes / 3 + cars.max(axis=(0, 2))
    return np.asarray(np.argsort(-peak, kind="stable")[: run.task.scenario.grid.flow_feeders])


def _check(run: YearRun, cars: NDArray[np.float32], feeder: int, number: int, directory: Path) -> Json:
    scenario = run.task.scenario
    place = _place(run, cars, feeder, number, directory)
    factor = scenario.grid.power_factor
    flow = solve(place.feeder, place.load_kw, factor)
    check = check_tree(place.feeder, place.load_kw, flow, factor)
    area = run.layout.transformer_area[run.network.feeder_transformer[feeder]]
    own = place.load_kw[:, :-1]
    return {
        "neighbourhood": scenario.neighbourhoods[int(area)].id,
        "transformer": int(run.network.feeder_transformer[feeder]),
        "households": place.households,
        "poles": len(place.poles),
        "mean_unbalance_fraction": round(float(unbalance_fraction(own).mean()), 4),
        "cable_peak_loading": round(float(flow.cable_loading.max()), 4),
        "transformer_peak_loading": round(float(flow.transformer_loading.max()), 4),
        "voltage_low_pu": round(float(flow.voltage_pu.min()), 4),
        "voltage_high_pu": round(float(flow.voltage_pu.max()), 4),
        "outside_band_h": flow.outside_band_steps() / 4,
        "band_pu": list(BAND_PU),
        "tree_mean_difference": round(check.mean, 5),
        "tree_worst_difference": round(check.worst, 5),
        "tree_too_kind_fraction": round(check.too_kind, 5),
    }


def _place(run: YearRun, cars: NDArray[np.float32], feeder: int, number: int, directory: Path) -> _Place:
    scenario, network = run.task.scenario, run.network
    transformer = int(network.feeder_transformer[feeder])
    households = max(1, round(float(network.households[transformer]) / network.per_transformer))
    cable = _network(scenario, households, directory)
    poles = np.flatnonzero(run.layout.pole_feeder == feeder)
    homes = _homes_kw(run, len(cable.connections), households, transformer, number)
    at = np.linspace(0, len(cable.connections) - 1, max(1, len(poles))).astype(np.int64)
    for phase in range(3):
        for connection in at:
            homes[:, connection, phase] += cars[:, feeder, phase] / len(at)
    others = _others_kw(run, cars, feeder, transformer)
    whole = Feeder(cable.root, cable.cables, (*cable.connections, cable.root), cable.transformer)
    return _Place(whole, households, poles, np.concatenate([homes, others[:, None, :]], axis=1))


def _network(scenario: Scenario, households: int, directory: Path) -> Feeder:
    transformer = Transformer(kva=scenario.grid.transformer_kva)
    name = scenario.grid.flow_network
    if name is None:
        return straight_feeder(households, scenario.grid.feeder_a, transformer)
    path = directory / name
    return read_cables(path, transformer) if path.suffix == ".csv" else read_pandapower(path).feeder


def _homes_kw(run: YearRun, connections: int, households: int, transformer: int, number: int) -> Floats:
    """Return households less panels, each on one phase with its own noise, by step and connection."""
    task, network = run.task, run.network
    rng = stream(task.scenario.study.seed, number, task.year, FLOW)
    steps = run.kernel.step
    variance = HOUSEHOLD_VARIATION_FRACTION**2
    noise = rng.gamma(1 / variance, variance, (steps, connections))
    weather = network.weather[0]
    profile = (run.around.household_kw * weather.household_factor)[:steps]
    load = profile[:, None] * noise * households / connections
    load -= (weather.pv[:steps] * network.pv_peak_kw[transformer] / network.per_transformer / connections)[
        :, None
    ]
    phases = np.zeros((steps, connections, 3))
    index = np.arange(connections)
    phases[:, index, index % 3] = load
    return phases


def _others_kw(run: YearRun, cars: NDArray[np.float32], feeder: int, transformer: int) -> Floats:
    """Return what the transformer's other feeders draw, evenly over the phases but for the cars."""
    network = run.network
    siblings = np.flatnonzero(network.feeder_transformer == transformer)
    siblings = siblings[siblings != feeder]
    steps = len(cars)
    share = len(siblings) / network.per_transformer / 3
    weather = network.weather[0]
    homes = (run.around.household_kw * weather.household_factor)[:steps] * network.households[transformer]
    homes = homes - weather.pv[:steps] * network.pv_peak_kw[transformer]
    return np.asarray(cars[:, siblings].sum(axis=1) + (homes * share)[:, None], dtype=np.float64)
