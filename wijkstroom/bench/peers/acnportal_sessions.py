"""Let acnportal charge given sessions uncontrolled; runs in its own environment.

Reads ``{"sockets": n, "steps": n, "sessions": [...]}``, prints ``{"seconds": CPU seconds, "energy_kwh": e}``.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from acnportal import acnsim, algorithms
from acnportal.acnsim.models import EVSE
from acnportal.acnsim.models.battery import Linear2StageBattery

MINUTES = 15
# It knows one voltage per socket: three phases of 230 V carry 690 V times the current.
VOLTAGE, RATED_A = 690.0, 16.0


def event(session: dict[str, Any], number: int) -> Any:
    """Return a session as one of its events."""
    capacity = session["battery_kwh"]
    battery = Linear2StageBattery(
        capacity,
        max(0.0, capacity - session["gap_kwh"]),
        session["charger_kw"],
        transition_soc=session["taper_from"],
    )
    car = acnsim.EV(
        session["arrival"],
        max(session["arrival"] + 1, session["departure"]),
        session["gap_kwh"],
        str(session["socket"]),
        str(number),
        battery,
    )
    return acnsim.PluginEvent(session["arrival"], car)


def main() -> None:
    """Run and print."""
    document = json.load(sys.stdin)
    network = acnsim.ChargingNetwork()
    for socket in range(document["sockets"]):
        network.register_evse(EVSE(str(socket), max_rate=RATED_A), VOLTAGE, 0)
    # Without any constraint its interface fails; this one never binds.
    sockets = [str(socket) for socket in range(document["sockets"])]
    network.add_constraint(acnsim.Current(sockets), RATED_A * len(sockets), name="all")
    events = [event(each, number) for number, each in enumerate(document["sessions"])]
    simulator = acnsim.Simulator(
        network,
        algorithms.UncontrolledCharging(),
        acnsim.EventQueue(events),
        datetime(2025, 1, 1, tzinfo=UTC),
        period=MINUTES,
        verbose=False,
    )
    began = time.process_time()
    simulator.run()
    seconds = time.process_time() - began
    energy = float(sum(each.energy_delivered for each in simulator.ev_history.values()))
    sys.stdout.write("\n" + json.dumps({"seconds": seconds, "energy_kwh": energy}) + "\n")


if __name__ == "__main__":
    main()
