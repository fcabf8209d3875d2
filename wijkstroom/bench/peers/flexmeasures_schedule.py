"""Solve the document of ``wijkstroom plan`` with FlexMeasures' default backend; runs in its own environment.

Reads ``{"problem": {...}, "repeats": n}``, prints ``{"seconds": [...], "energy_eur": x, "power_kw": {}}``.
Site limits are net flows (netting "confirmed"), which is what FlexMeasures knows; departure energy is a hard
minimum.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from flask import Flask
from flexmeasures.data.models.planning.linear_optimization import device_scheduler

COLUMNS = [
    "equals",
    "max",
    "min",
    "derivative equals",
    "derivative max",
    "derivative min",
    "derivative down efficiency",
    "derivative up efficiency",
]


def series(value: Any, steps: int) -> np.ndarray:
    """Spread a number over all steps."""
    return np.broadcast_to(np.asarray(value, dtype=float), (steps,)).copy()


def ev_constraints(ev: dict[str, Any], index: pd.DatetimeIndex, hours: float) -> pd.DataFrame:
    """Describe a vehicle as a device; stock counts kWh / hours, since its flows are kW over one step."""
    steps = len(index)
    arrival, departure = ev["arrival_step"], ev["departure_step"]
    frame = pd.DataFrame(np.nan, index=index, columns=COLUMNS)
    plugged = np.zeros(steps, dtype=bool)
    plugged[arrival:departure] = True
    frame["derivative max"] = np.where(plugged, ev["max_charge_kw"], 0.0)
    frame["derivative min"] = np.where(plugged, -ev["max_discharge_kw"], 0.0)
    frame["derivative up efficiency"] = ev["charge_efficiency"]
    frame["derivative down efficiency"] = ev["discharge_efficiency"]
    frame["max"] = (ev["capacity_kwh"] - ev["initial_energy_kwh"]) / hours
    frame["min"] = (ev["min_energy_kwh"] - ev["initial_energy_kwh"]) / hours
    target = (ev["departure_energy_kwh"] - ev["initial_energy_kwh"]) / hours
    frame.loc[index[departure - 1], "min"] = target
    return frame


def bands(ev: dict[str, Any]) -> list[tuple[float, float]] | None:
    """Return the signed power bands of a vehicle with a minimum power."""
    if not ev["min_charge_kw"] and not ev["min_discharge_kw"]:
        return None
    charge = (ev["min_charge_kw"], ev["max_charge_kw"])
    if not ev["max_discharge_kw"]:
        return [(0.0, 0.0), charge]
    return [(-ev["max_discharge_kw"], -ev["min_discharge_kw"]), (0.0, 0.0), charge]


def price_commitment(index: pd.DatetimeIndex, down: Any, up: Any, device: int | None = None) -> pd.DataFrame:
    """Price every deviation from zero flow."""
    frame = pd.DataFrame(index=index)
    frame["quantity"] = 0.0
    frame["downwards deviation price"] = down
    frame["upwards deviation price"] = up
    frame["group"] = np.arange(len(index))
    if device is not None:
        frame["device"] = device
    return frame


def arguments(problem: dict[str, Any]) -> dict[str, Any]:
    """Translate the document to the scheduler's arguments."""
    steps, minutes = problem["steps"], problem["step_minutes"]
    hours = minutes / 60
    index = pd.date_range(problem["start"], periods=steps, freq=f"{minutes}min")
    evs = problem["evs"]
    base = pd.DataFrame(np.nan, index=index, columns=COLUMNS)
    base["derivative equals"] = series(problem["base_load_kw"], steps) - series(problem["pv_kw"], steps)
    site = pd.DataFrame(index=index)
    site["derivative max"] = series(problem["import_limit_kw"], steps)
    site["derivative min"] = -series(problem["export_limit_kw"], steps)
    import_price = series(problem["import_price_eur_per_kwh"], steps) * hours
    export_price = series(problem["export_price_eur_per_kwh"], steps) * hours
    commitments = [price_commitment(index, export_price, import_price)]
    commitments += [
        price_commitment(index, -ev["degradation_eur_per_kwh"] * hours, 0.0, device)
        for device, ev in enumerate(evs)
        if ev["max_discharge_kw"]
    ]
    return {
        "device_constraints": [*(ev_constraints(ev, index, hours) for ev in evs), base],
        "ems_constraints": site,
        "commitments": commitments,
        "initial_stock": 0,
        "device_power_bands": [*(bands(ev) for ev in evs), None],
    }


def main() -> None:
    """Solve and print."""
    document = json.load(sys.stdin)
    app = Flask("flexmeasures-peer")
    app.config.update(
        FLEXMEASURES_LP_SOLVER="highspy", LOGGING_LEVEL="INFO", FLEXMEASURES_LP_SOLVER_OPTIONS={}
    )
    seconds: list[float] = []
    with app.app_context():
        for _ in range(document["repeats"]):
            call = arguments(document["problem"])
            began = time.perf_counter()
            schedule, cost, results, _model = device_scheduler(**call)
            seconds.append(time.perf_counter() - began)
    evs = document["problem"]["evs"]
    answer = {
        "seconds": seconds,
        "energy_eur": float(cost),
        "termination": str(results.solver.termination_condition),
        "power_kw": {ev["id"]: [float(p) for p in schedule[d]] for d, ev in enumerate(evs)},
    }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
