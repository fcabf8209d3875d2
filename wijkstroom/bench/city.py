"""How long a city takes, how near its bound the plan is, and what happens without coordination."""

from __future__ import annotations

import os
import statistics
import sys
import time

import numpy as np

from optimizer.city.check import check_city
from optimizer.city.event import replan_site
from optimizer.city.plan import CityPlan
from optimizer.city.planner import plan_city
from optimizer.city.problem import City, parse_city
from optimizer.city.tree import build_tree, site_flows_kw
from optimizer.plan import Plan
from optimizer.planner import plan, warm_up
from optimizer.problem import Problem
from optimizer.workers import ProcessExecutor
from wijkstroom.bench.frame import Figure, at_most
from wijkstroom.bench.sites import make_site

CARS = 20
SIZES = (100, 500)
TARGET_SITES = 500
WORKERS = 2
# Reference, section 3.
TARGET_S, TARGET_GAP, TARGET_OVERLOAD_KWH = 60.0, 0.01, 1e-3
# The limits, per site; without coordination the sites want more than each of them.
SUBSTATION_KW, TRANSFORMER_KW, BACKFEED_KW = 28.0, 34.0, 100.0
SITES_PER_TRANSFORMER = 10
# A monthly price of 3 EUR/kW on one of thirty days.
PEAK_EUR_PER_KW = 0.1
UNCOORDINATED_SITES = 100
EVENT_SITES = 20
# An answer within a second of any arrival.
EVENT_TARGET_MS = 1000.0
SITE_GAP = 0.002
TIME_LIMIT_S, SITE_TIME_LIMIT_S = 300.0, 5.0


def measure() -> list[Figure]:
    """Measure all sizes, then the same city without coordination."""
    figures = []
    for sites in SIZES:
        figures += measure_city(sites)
    return [*figures, measure_events(EVENT_SITES), *measure_uncoordinated(UNCOORDINATED_SITES)]


def make_city(sites: int) -> City:
    """Make a city; equal arguments give equal cities.

    Parameters
    ----------
    sites
        Number of sites, each with 20 sessions, base load and sun of its own, under prices that all share;
        ten behind a transformer, all behind one substation with a tariff on the city's peak.
    """
    market = make_site(CARS, 0, gap=SITE_GAP)
    documents = []
    for seed in range(sites):
        site = make_site(CARS, seed, gap=SITE_GAP).model_dump(mode="json")
        for name in ("import_price_eur_per_kwh", "export_price_eur_per_kwh"):
            site[name] = getattr(market, name)
        # The signal and the peak are the city's business here.
        documents.append(
            {
                **site,
                "id": f"site-{seed}",
                "import_limit_kw": site["export_limit_kw"],
                "peak_bands": [],
                "time_limit_s": SITE_TIME_LIMIT_S,
            }
        )
    names = [document["id"] for document in documents]
    transformers = [
        {
            "id": f"transformer-{first // SITES_PER_TRANSFORMER}",
            "members": (members := names[first : first + SITES_PER_TRANSFORMER]),
            "import_limit_kw": TRANSFORMER_KW * len(members),
            "export_limit_kw": BACKFEED_KW * len(members),
        }
        for first in range(0, sites, SITES_PER_TRANSFORMER)
    ]
    substation = {
        "id": "substation",
        "members": [node["id"] for node in transformers],
        "import_limit_kw": SUBSTATION_KW * sites,
        "netting": "confirmed",
        "peak_bands": [
            {"name": "day", "steps": list(range(market.steps)), "price_eur_per_kw": PEAK_EUR_PER_KW}
        ],
    }
    return parse_city(
        {
            "sites": documents,
            "nodes": [*transformers, substation],
            "gap": TARGET_GAP,
            "time_limit_s": TIME_LIMIT_S,
        }
    )


def measure_city(sites: int) -> list[Figure]:
    """Plan one city in warm processes.

    Parameters
    ----------
    sites
        How many.
    """
    _progress(f"{sites} sites of {CARS} cars in {WORKERS} processes")
    city, began_cpu_s = make_city(sites), _cpu_s()
    executor = ProcessExecutor(WORKERS, warm_up)
    try:
        # Every process is warm when it has answered.
        for future in [executor.submit(warm_up) for _ in range(4 * WORKERS)]:
            future.result()
        warm_up()
        load, began_s = os.getloadavg()[0], time.monotonic()
        answer = plan_city(city, executor)
        seconds = time.monotonic() - began_s
    finally:
        executor.close()
    cpu = (
        "CPU time of all processes, their start and warm-up included: what the machine's load does not change"
    )
    used = Figure(f"city_{CARS * sites}_cpu_s", round(_cpu_s() - began_cpu_s, 3), "s", None, None, cpu)
    return [*_figures(city, answer, seconds, load), used]


def _cpu_s() -> float:
    """Return the CPU time of this process and of those that it has ended [s]."""
    return sum(os.times()[:4])


def _figures(city: City, answer: CityPlan, seconds: float, load: float) -> list[Figure]:
    cars = CARS * len(city.sites)
    findings = check_city(city, answer)
    overload = overload_kwh(city, [site.plan for site in answer.sites])
    gap = np.inf if answer.gap is None else answer.gap
    wall = (
        f"{len(city.sites)} sites of {CARS} sessions, {WORKERS} warm processes, checker included; "
        f"load average of the machine before: {load:.1f} on {os.cpu_count()} cores"
    )
    bound = f"{answer.status}, {answer.objective_eur:.2f} EUR against the Lagrangian bound"
    over = f"limits of {len(city.nodes)} nodes, {len(findings)} findings of the checker"
    if len(city.sites) != TARGET_SITES:
        return [
            Figure(f"city_{cars}_s", round(seconds, 3), "s", None, None, wall),
            at_most(f"city_{cars}_gap", gap, "fraction", TARGET_GAP, bound),
            at_most(f"city_{cars}_overload_kwh", overload, "kWh", TARGET_OVERLOAD_KWH, over),
        ]
    return [
        at_most(f"city_{cars}_s", seconds, "s", TARGET_S, wall),
        at_most(f"city_{cars}_gap", gap, "fraction", TARGET_GAP, bound),
        at_most(f"city_{cars}_overload_kwh", overload, "kWh", TARGET_OVERLOAD_KWH, over),
    ]


def measure_events(sites: int) -> Figure:
    """Let a driver at each site of a small city want a full battery, and plan that site again alone.

    Parameters
    ----------
    sites
        How many.
    """
    _progress(f"an event at each of {sites} sites")
    city = make_city(sites)
    answer = plan_city(city)
    times_s, flows = [], []
    for problem, planned in zip(city.sites, answer.sites, strict=True):
        first, *others = problem.evs
        wish = first.model_copy(update={"departure_energy_kwh": first.capacity_kwh})
        changed = problem.model_copy(update={"evs": (wish, *others)})
        again = replan_site(changed, planned.quota)
        times_s.append(again.solve_seconds)
        flows.append(site_flows_kw(changed, again))
    over_kwh = float(build_tree(city).overload_kw(np.array(flows)).sum()) * city.step_h
    reference = (
        f"median of {sites} sites of {CARS} sessions within their quotas, checker included; all events "
        f"together overload the nodes by {over_kwh:.3f} kWh"
    )
    return at_most("city_event_ms", 1e3 * statistics.median(times_s), "ms", EVENT_TARGET_MS, reference)


def measure_uncoordinated(sites: int) -> list[Figure]:
    """Let every site plan alone: as if there were no city, and within an equal share of the substation.

    Parameters
    ----------
    sites
        How many.
    """
    _progress(f"{sites} sites alone, without coordination and with equal shares")
    city, cars = make_city(sites), CARS * sites
    tree, coordinated = build_tree(city), plan_city(city)
    alone = [plan(site) for site in city.sites]
    shares = [plan(_within_share(site)) for site in city.sites]
    flows = np.array([site_flows_kw(site, each) for site, each in zip(city.sites, shares, strict=True)])
    cost = sum(each.objective_eur for each in shares) + tree.shared_cost_eur(flows)
    dearer = cost / coordinated.objective_eur - 1.0
    reference = f"{sites} sites; with coordination {coordinated.objective_eur:.2f} EUR and no overload"
    overload = overload_kwh(city, alone)
    return [
        Figure(f"city_{cars}_uncoordinated_overload_kwh", round(overload, 3), "kWh", None, None, reference),
        Figure(f"city_{cars}_equal_shares_dearer", round(dearer, 6), "fraction", None, None, reference),
    ]


def _within_share(site: Problem) -> Problem:
    limits = tuple(min(limit, SUBSTATION_KW) for limit in site.import_limit_kw)
    return site.model_copy(update={"import_limit_kw": limits})


def overload_kwh(city: City, plans: list[Plan]) -> float:
    """Return the energy over the nodes' limits that could have been avoided [kWh]."""
    flows = np.array([site_flows_kw(site, each) for site, each in zip(city.sites, plans, strict=True)])
    return float(build_tree(city).overload_kw(flows).sum()) * city.step_h


def _progress(text: str) -> None:
    sys.stderr.write(f"bench city: {text}\n")
