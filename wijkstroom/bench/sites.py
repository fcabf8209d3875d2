"""Synthetic sites for measuring the optimizer: parts of a street like the shipped one, on a day of quarters.

Every car comes with what the street has per car: three homes, 3 kW of sun, 10 kW of transformer and an
evening signal of 2.75 kW.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from optimizer.problem import Ev, Problem

STEPS = 96
STEP_H = 0.25
# 06:00 in the Netherlands, on a summer day.
START = datetime(2024, 6, 11, 4, tzinfo=UTC)
LOCAL_START_H = 6.0
CAPACITIES_KWH = (40.0, 52.0, 60.0, 77.0)
ONE_PHASE_KW, THREE_PHASE_KW = (1.38, 7.36), (4.14, 11.04)
HOMES, SUN_KW, TRANSFORMER_KW, EVENING_KW = 3.0, 3.0, 10.0, 2.75
# Smaller sites have the connection of this many cars.
FEWEST_CARS = 4
EVENING_H, SUNNY_H = (17.0, 21.0), (6.0, 21.0)
ENERGY_TAX_EUR_PER_KWH = 0.13
FEE_EUR_PER_KWH = 0.02


def make_site(cars: int, seed: int, *, gap: float, peer: bool = False) -> Problem:
    """Make one site; equal arguments give equal sites.

    Parameters
    ----------
    cars
        Number of sessions over the day; a quarter of the cars can discharge.
    seed
        Draws everything else.
    gap
        Relative distance from the bound at which a plan is good enough [fraction].
    peer
        Leave out what other tools cannot express: tariff peak, fuses inside the site, curtailment.
    """
    rng = np.random.default_rng([cars, seed])
    hour = (LOCAL_START_H + STEP_H * np.arange(STEPS)) % 24.0
    market = 0.09 + 0.05 * np.cos((hour - 19.5) * np.pi / 6.0) + 0.03 * np.cos((hour - 20.0) * np.pi / 12.0)
    market = np.repeat(market[::4] + rng.normal(0.0, 0.01, STEPS // 4), 4).round(5)
    size = max(FEWEST_CARS, cars)
    evening = (hour >= EVENING_H[0]) & (hour < EVENING_H[1])
    shape = 0.25 + 0.45 * np.exp(-(((hour - 18.5) / 2.5) ** 2)) + rng.uniform(0.0, 0.05, STEPS)
    daylight = np.clip((hour - SUNNY_H[0]) / (SUNNY_H[1] - SUNNY_H[0]), 0.0, 1.0)
    limit = size * np.where(evening, EVENING_KW, TRANSFORMER_KW)
    document: dict[str, Any] = {
        "start": START,
        "step_minutes": 60.0 * STEP_H,
        "steps": STEPS,
        "import_price_eur_per_kwh": market + ENERGY_TAX_EUR_PER_KWH,
        "export_price_eur_per_kwh": market - FEE_EUR_PER_KWH,
        "base_load_kw": (size * HOMES * shape).round(3),
        "pv_kw": (0.8 * size * SUN_KW * np.sin(np.pi * daylight)).round(3),
        "import_limit_kw": limit,
        "export_limit_kw": size * TRANSFORMER_KW,
        "netting": "confirmed" if peer else "none",
        "evs": [_make_car(rng, index) for index in range(cars)],
        "shortfall_eur_per_kwh": 5.0,
        "gap": gap,
        "time_limit_s": 60.0,
    }
    if not peer:
        steps = [int(step) for step in np.flatnonzero(evening)]
        document["peak_bands"] = [
            {"name": "evening", "steps": steps, "price_eur_per_kw": 0.25, "realised_kw": 2.0 * size}
        ]
        document["pv_curtailable"] = True
        document["groups"] = [
            {"id": f"pole-{first}", "members": [f"car-{first}", f"car-{first + 1}"], "import_limit_kw": 17.25}
            for first in range(0, cars - 1, 2)
        ]
    return Problem.model_validate(document)


def _make_car(rng: np.random.Generator, index: int) -> dict[str, Any]:
    least_kw, most_kw = THREE_PHASE_KW if rng.random() < 0.6 else ONE_PHASE_KW  # noqa: PLR2004 - share of cars
    arrival = int(rng.integers(0, STEPS - 16))
    departure = min(STEPS, arrival + int(rng.integers(14, 56)))
    capacity = float(rng.choice(CAPACITIES_KWH))
    initial = round(capacity * rng.uniform(0.15, 0.6), 2)
    reach = 0.6 * least_kw * STEP_H * (departure - arrival)
    discharges = rng.random() < 0.25  # noqa: PLR2004 - share of cars
    return {
        "id": f"car-{index}",
        "arrival_step": arrival,
        "departure_step": departure,
        "capacity_kwh": capacity,
        "min_energy_kwh": round(0.1 * capacity, 2),
        "initial_energy_kwh": initial,
        "departure_energy_kwh": round(min(capacity, initial + min(reach, rng.uniform(4.0, 30.0))), 2),
        "max_charge_kw": most_kw,
        "max_discharge_kw": most_kw if discharges else 0.0,
        "min_charge_kw": least_kw,
        "min_discharge_kw": least_kw if discharges else 0.0,
        "charge_efficiency": 0.93,
        "discharge_efficiency": 0.93,
        "degradation_eur_per_kwh": 0.06,
    }


def perturb(problem: Problem) -> Problem:
    """Return the same site a moment later: meters say a little more base load, cars a little more energy."""
    base = tuple(round(1.01 * load, 3) for load in problem.base_load_kw)
    evs = tuple(_with_energy(ev, 0.3) for ev in problem.evs)
    return problem.model_copy(update={"base_load_kw": base, "evs": evs})


def _with_energy(ev: Ev, added_kwh: float) -> Ev:
    return ev.model_copy(
        update={"initial_energy_kwh": min(ev.capacity_kwh, ev.initial_energy_kwh + added_kwh)}
    )


def shift(problem: Problem) -> Problem:
    """Return the same site one step later; the quarter that comes into sight repeats the first."""
    changes: dict[str, Any] = {"start": problem.start + timedelta(minutes=problem.step_minutes)}
    for name, values in problem:
        if name.endswith(("_kw", "_eur_per_kwh")) and isinstance(values, tuple):
            changes[name] = (*values[1:], values[0])
    changes["evs"] = tuple(
        ev.model_copy(
            update={"arrival_step": max(0, ev.arrival_step - 1), "departure_step": ev.departure_step - 1}
        )
        for ev in problem.evs
    )
    changes["peak_bands"] = tuple(
        band.model_copy(update={"steps": tuple((step - 1) % problem.steps for step in band.steps)})
        for band in problem.peak_bands
    )
    return Problem.model_validate(dict(problem) | changes)
