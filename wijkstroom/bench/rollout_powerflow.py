"""The feeder of the power flow benchmark: 100 households, one-phase cars, 30 % unbalance."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from grid.powerflow import Feeder, check_tree, solve, unbalance_fraction
from simulator.rollout.flow import straight_feeder

YEAR_STEPS, HOUSEHOLDS, CARS = 35_040, 100, 20
FEEDER_A, CAR_KW = 235.0, 3.68
UNBALANCE = 0.30


def unbalanced_loads(feeder: Feeder, steps: int, seed: int = 1) -> NDArray[np.float64]:
    """Return loads per step, connection and phase; the fullest phase carries 30 % more than the mean.

    Households are on one phase each, in turn; cars draw 3.68 kW on one phase; what is missing to the
    unbalance is moved from the emptier phases to the first.
    """
    rng = np.random.default_rng(seed)
    count = len(feeder.connections)
    index = np.arange(count)
    load = np.zeros((steps, count, 3))
    load[:, index, index % 3] = rng.gamma(2.0, 0.25, (steps, count))
    for car in rng.choice(count, CARS, replace=False):
        load[rng.random(steps) < 0.15, car, car % 3] += CAR_KW  # noqa: PLR2004 - share of the time
    phases = load.sum(axis=1)
    target = phases.mean(axis=1, keepdims=True) * np.array(
        [1 + UNBALANCE, 1 - UNBALANCE / 2, 1 - UNBALANCE / 2]
    )
    return np.asarray(load * (target / np.maximum(phases, 1e-9))[:, None, :])


def powerflow_year() -> tuple[float, str]:
    """Solve a year and return CPU seconds of all threads together, and what it showed."""
    feeder = straight_feeder(HOUSEHOLDS, FEEDER_A)
    load = unbalanced_loads(feeder, YEAR_STEPS)
    cpu, wall = time.process_time(), time.perf_counter()
    flow = solve(feeder, load)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    check = check_tree(feeder, load, flow)
    said = (
        f"CPU seconds of all threads ({wall:.1f} s on the wall); unbalance "
        f"{unbalance_fraction(load).mean():.2f}, tree of kW limits per phase {check.mean:.4f} away in the "
        f"mean and {check.worst:.4f} at the most (of loading), "
        f"{flow.outside_band_steps()} steps outside 230 V +-10 %"
    )
    return cpu, said
