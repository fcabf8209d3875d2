"""Let EV2Gym charge given sessions uncontrolled; runs in its own environment.

Reads ``{"sockets": n, "steps": n, "sessions": [...]}``, prints ``{"seconds": CPU seconds, "energy_kwh": e}``.
One charging station per socket, so that its own assignment of ports leaves the given one alone. Only stepping
is timed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ev2gym
import numpy as np
import yaml  # type: ignore[import-untyped]
from ev2gym.models.ev import EV
from ev2gym.models.ev2gym_env import EV2Gym

MINUTES = 15


def configuration(sockets: int, steps: int) -> Path:
    """Write the package's public example with our size and return its path."""
    example = Path(ev2gym.__file__).parent / "example_config_files" / "PublicPST.yaml"
    config = yaml.safe_load(example.read_text(encoding="utf-8"))
    config |= {"timescale": MINUTES, "simulation_length": steps, "random_day": False, "spawn_multiplier": 1}
    config |= {"number_of_charging_stations": sockets, "number_of_ports_per_cs": 1}
    config |= {
        "charging_network_topology": "None",
        "heterogeneous_ev_specs": False,
        "power_setpoint_enabled": False,
    }
    path = Path(tempfile.mkdtemp()) / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def vehicle(session: dict[str, Any], number: int) -> EV:
    """Return a session as one of its vehicles; its departure step is the last in which it charges."""
    capacity = session["battery_kwh"]
    return EV(
        id=number,
        location=session["socket"],
        battery_capacity_at_arrival=max(0.0, capacity - session["gap_kwh"]),
        time_of_arrival=max(1, session["arrival"]),
        time_of_departure=max(1, session["arrival"], session["departure"] - 1),
        desired_capacity=capacity,
        battery_capacity=capacity,
        max_ac_charge_power=session["charger_kw"],
        ev_phases=1 if session["one_phase"] else 3,
        transition_soc=session["taper_from"],
        timescale=MINUTES,
    )


def main() -> None:
    """Run and print."""
    document = json.load(sys.stdin)
    steps, sockets = document["steps"], document["sockets"]
    env = EV2Gym(config_file=str(configuration(sockets, steps)), seed=1)
    vehicles = [vehicle(each, number) for number, each in enumerate(document["sessions"])]
    env.EVs_profiles = sorted(vehicles, key=lambda each: each.time_of_arrival)
    began = time.process_time()
    done = False
    while not done:
        done = env.step(np.ones(env.number_of_ports))[2]  # it writes into what it is given
    seconds = time.process_time() - began
    energy = float(np.sum(env.current_power_usage)) * MINUTES / 60
    sys.stdout.write("\n" + json.dumps({"seconds": seconds, "energy_kwh": energy}) + "\n")


if __name__ == "__main__":
    main()
