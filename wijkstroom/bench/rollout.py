"""Rollout planning: the kernel beside other simulators, years of Utrecht 2030, power flow, policy gap."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from simulator.rollout.gap import measure_gap
from simulator.rollout.kernel import Kernel
from simulator.rollout.scenario import Policy, Scenario, load_scenario
from simulator.rollout.tally import SessionLog
from simulator.rollout.year import Task, YearRun, run_task
from wijkstroom.bench.frame import Figure, at_least, at_most, unmeasured
from wijkstroom.bench.peers import Peer, PeerError
from wijkstroom.bench.rollout_powerflow import YEAR_STEPS, powerflow_year
from wijkstroom.resources import configs_directory

PEERS = (
    Peer(
        "ev2gym",
        (
            "ev2gym==2.0.0",
            "multicopula",
            "numba",
            "psutil",
            "pandapower==2.14.11",
            "numpy<2",
            "pandas<2.3",
            "setuptools<81",
        ),
        "ev2gym_sessions.py",
    ),
    Peer("acnportal", ("acnportal==0.3.3", "numpy<2", "pandas<2", "setuptools<81"), "acnportal_sessions.py"),
)
PEER_POLES, PEER_DAYS = 50, 30
PEER_DEADLINE_S = 600.0
HOURS_PER_YEAR = 8760.0
SPEED, RATIO = 300.0, 100.0
UNCONTROLLED_S, SMART_S, POWERFLOW_S = 60.0, 1800.0, 5.0
GAP_DAYS, GAP_MONTHS = 40, 3


def measure() -> Sequence[Figure]:
    """Run all parts, the small ones first."""
    data = configs_directory() / "data"
    city = load_scenario(configs_directory() / "rollout" / "utrecht-2030.toml")
    flow = _powerflow()
    own, seconds = _uncontrolled(city, data)
    ratio = _ratio(city, data, own)
    return [own, ratio, _within_minute(city, seconds), _smart(city, data), flow, _gap(data)]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _task(city: Scenario, data: Path, policy: Policy) -> Task:
    return Task(city, data, city.study.years[0], policy, 0, 1)


def _uncontrolled(city: Scenario, data: Path) -> tuple[Figure, float]:
    """Time a whole year of the city on one core: everything, and the kernel alone."""
    _say("a year of utrecht-2030, uncontrolled")
    began, wall = time.process_time(), time.perf_counter()
    run = YearRun(_task(city, data, Policy.UNCONTROLLED))
    spent = _clocked(run.kernel)
    run.run()
    seconds, wall = time.process_time() - began, time.perf_counter() - wall
    reference = (
        f"{city.sockets} sockets for a year of quarters in {spent[0]:.1f} CPU seconds: queueing, taper and "
        f"phases; with demand, weather, households and transformers {seconds:.1f} ({wall:.1f} s on the wall)"
    )
    return at_least("charge_point_years_per_s", city.sockets / spent[0], "1/s", SPEED, reference), seconds


def _clocked(kernel: Kernel) -> list[float]:
    """Let a kernel's CPU time be added up."""
    spent, run_until = [0.0], kernel.run_until

    def timed(end: int) -> Any:
        began = time.process_time()
        block = run_until(end)
        spent[0] += time.process_time() - began
        return block

    kernel.run_until = timed  # type: ignore[method-assign]
    return spent


def _within_minute(city: Scenario, seconds: float) -> Figure:
    reference = f"one replicate of {city.study.name} for a year, CPU seconds of one core"
    return at_most("utrecht_2030_uncontrolled_s", seconds, "s", UNCONTROLLED_S, reference)


def _smart(city: Scenario, data: Path) -> Figure:
    """Time a year under smart charging by the clock on the wall."""
    _say("a year of utrecht-2030, smart")
    began, wall = time.process_time(), time.perf_counter()
    run_task(_task(city, data, Policy.SMART))
    seconds, wall = time.process_time() - began, time.perf_counter() - wall
    reference = f"one replicate for a year on one process, wall-clock time ({seconds:.0f} CPU seconds)"
    return at_most("utrecht_2030_smart_s", wall, "s", SMART_S, reference)


def _ratio(city: Scenario, data: Path, own: Figure) -> Figure:
    """Compare with the best of the other simulators on the sessions of fifty poles and thirty days."""
    document = measured_sessions(city, data)
    years = document["sockets"] * document["steps"] / 4 / HOURS_PER_YEAR
    speeds, failed = {}, []
    for peer in PEERS:
        _say(f"{peer.label}: {len(document['sessions'])} sessions")
        try:
            answer = peer.run(document, deadline_s=PEER_DEADLINE_S)
        except PeerError as error:
            failed.append(str(error))
            continue
        speeds[peer.requirements[0]] = (years / answer["seconds"], answer["energy_kwh"])
    if not speeds or own.value is None:
        return unmeasured("ratio_best_peer", "1", f">= {RATIO:g}", "; ".join(failed))
    best = max(speed for speed, _ in speeds.values())
    said = ", ".join(f"{name} {speed:.2f}/s ({energy:.0f} kWh)" for name, (speed, energy) in speeds.items())
    reference = (
        f"{said} on the same {len(document['sessions'])} sessions of {document['sockets']} sockets in "
        f"{PEER_DAYS} days ({document['energy_kwh']:.0f} kWh here)"
    )
    if failed:
        reference += f"; failed: {'; '.join(failed)[:200]}"
    return at_least("ratio_best_peer", own.value / best, "1", RATIO, reference)


def measured_sessions(city: Scenario, data: Path) -> dict[str, Any]:
    """Return sessions of the first poles as plain values: what the kernel admitted, socket by socket.

    Parameters
    ----------
    city
        Its first neighbourhood is taken, with fewer poles.
    data
        Folder with statistics and prices.

    Returns
    -------
    dict
        ``sockets``, ``steps`` (quarters), ``energy_kwh`` into the batteries, and ``sessions`` by arrival.
    """
    area = city.neighbourhoods[0].model_copy(
        update={"poles": PEER_POLES, "households": 800, "transformers": 4}
    )
    study = city.study.model_copy(update={"months": 1})
    small = city.model_copy(update={"neighbourhoods": (area,), "study": study})
    run = YearRun(_task(small, data, Policy.UNCONTROLLED))
    run.kernel.log = log = SessionLog()
    run.run()
    library, requests = run.library, run.kernel.requests
    columns: dict[str, Any] = dict(log.arrays())
    steps = PEER_DAYS * 96
    chosen = (requests.step[columns["request"]] >= 0) & (columns["departed"] <= steps)
    request = columns["request"][chosen]
    session = requests.session[request]
    wanted = columns["wanted_kwh"][chosen].astype(float)
    sockets = _free_sockets(columns["plugged"][chosen], columns["departed"][chosen], columns["pole"][chosen])
    small_battery = library.battery_kwh[session] < 45.0  # noqa: PLR2004 - as the kernel tells them apart
    rows = zip(
        sockets.tolist(),
        columns["plugged"][chosen].tolist(),
        columns["departed"][chosen].tolist(),
        wanted.tolist(),
        library.battery_kwh[session].tolist(),
        library.charger_kw[session].tolist(),
        library.one_phase[session].tolist(),
        np.where(small_battery, 0.8, 0.9).tolist(),
        strict=True,
    )
    names = (
        "socket",
        "arrival",
        "departure",
        "gap_kwh",
        "battery_kwh",
        "charger_kw",
        "one_phase",
        "taper_from",
    )
    return {
        "sockets": PEER_POLES * small.poles.sockets,
        "steps": steps,
        "sessions": sorted(
            (dict(zip(names, row, strict=True)) for row in rows), key=lambda each: each["arrival"]
        ),
        "energy_kwh": float((wanted - columns["short_kwh"][chosen]).sum()),
    }


def _free_sockets(
    arrived: np.ndarray[Any, Any], departed: np.ndarray[Any, Any], pole: np.ndarray[Any, Any]
) -> Any:
    """Give every session a socket of its pole that is free from its arrival to its departure."""
    until: dict[int, int] = {}
    sockets = np.empty(len(pole), dtype=np.int64)
    for row in np.lexsort((departed, arrived)):
        first = int(pole[row]) * 2
        free = [socket for socket in (first, first + 1) if until.get(socket, -1) <= arrived[row]]
        sockets[row] = free[0] if free else min((first, first + 1), key=lambda socket: until[socket])
        until[int(sockets[row])] = int(departed[row])
    return sockets


def _powerflow() -> Figure:
    _say("power flow of a year")
    seconds, said = powerflow_year()
    reference = f"{YEAR_STEPS} quarters, 100 households, asymmetric: {said}"
    return at_most("powerflow_year_s", seconds, "s", POWERFLOW_S, reference)


def _gap(data: Path) -> Figure:
    _say("the fast policy against exact plans")
    street = load_scenario(configs_directory() / "rollout" / "lombok-145.toml")
    street = street.model_copy(update={"study": street.study.model_copy(update={"months": GAP_MONTHS})})
    gap = partial(measure_gap, street, data, samples=GAP_DAYS)
    smart, v2g = gap(policy=Policy.SMART), gap(policy=Policy.V2G)
    if smart["gap_fraction"] is None or v2g["gap_fraction"] is None:
        return unmeasured("smart_policy_gap", "1", None, "no exact plan was found: the solver did not answer")
    reference = (
        f"cost above exact plans on {smart['days']} transformer-days of lombok-145 "
        f"({smart['proven_days']} proven), smart; V2G {v2g['gap_fraction']:.3f} on {v2g['days']}"
    )
    return Figure("smart_policy_gap", smart["gap_fraction"], "1", None, None, reference)
