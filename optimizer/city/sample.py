"""Which districts stand for a city, and what they tell about it: prices, flows, peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.city.district import District
from optimizer.city.joint import Prices, build_joint
from optimizer.city.problem import City
from optimizer.city.share import spread, sum_capacity_kw
from optimizer.city.site import load, read_flows_kw
from optimizer.city.tree import Tree, restrict
from optimizer.coefficients import Floats
from optimizer.solve import Solver

# Sites solved together, at the least; cities up to this size have exact prices.
SAMPLE_SITES = 40


@dataclass(frozen=True, slots=True)
class Guide:
    """What a sample tells about a city.

    Parameters
    ----------
    prices
        Of the nodes above the districts.
    expected_kw
        Flows of all sites, shape (sites, 4, steps) [kW].
    peaks_kw
        Of the bands of those nodes [kW].
    """

    prices: Prices
    expected_kw: Floats
    peaks_kw: Floats


def ask_sample(
    city: City, tree: Tree, upper: Sequence[int], districts: Sequence[District], time_limit_s: float
) -> Guide:
    """Solve some districts together with the nodes above, each standing for those that are like it.

    Parameters
    ----------
    tree
        The whole grid.
    upper
        The nodes above the districts.
    districts
        All of them.
    time_limit_s
        Wall-clock budget [s].
    """
    capacity = np.array([sum_capacity_kw(site) for site in city.sites])
    above = restrict(tree, upper, range(len(city.sites)))
    strata = choose_districts(city, tree, districts)
    chosen = [stratum[len(stratum) // 2] for stratum in strata]
    needs = _needs_kwh(city, districts)
    shares = [
        max(1.0, float(needs[stratum].sum() / max(needs[model], 1e-6)))
        for stratum, model in zip(strata, chosen, strict=True)
    ]
    sites = [site for model in chosen for site in districts[model].sites]
    weights = np.repeat(shares, [len(districts[model].sites) for model in chosen])
    nodes = [*upper, *(node for model in chosen for node in districts[model].nodes)]
    inner = np.repeat(shares, [len(districts[model].nodes) for model in chosen])
    programs = [load(city.sites[site], exact=False)[1] for site in sites]
    sampled = restrict(tree, nodes, range(len(city.sites)))
    joint = build_joint(sampled, sites, programs, weights, np.concatenate([np.ones(len(upper)), inner]))
    solution = Solver(joint.program).solve(time_limit_s=time_limit_s)
    if not solution.found:
        return know_nothing(tree, above)
    pairs = zip(programs, joint.split(solution.values), strict=True)
    flows = np.array([read_flows_kw(program, values) for program, values in pairs])
    stratum_of = np.zeros(len(city.sites), dtype=np.int64)
    for number, stratum in enumerate(strata):
        for member in stratum:
            stratum_of[list(districts[member].sites)] = number
    prices = joint.read_prices(sampled, solution.row_duals)
    first = len(solution.values) - len(sampled.bands.node)
    rows = [row for row, node in enumerate(sampled.limits.node) if node < len(upper)]
    bands = [row for row, node in enumerate(sampled.bands.node) if node < len(upper)]
    own = Prices(prices.limit_eur_per_kw[rows], prices.band_eur_per_kw[bands])
    expected = spread(sites, flows, tree, capacity, stratum_of)
    return Guide(own.cut(above), expected, solution.values[first:][bands])


def know_nothing(tree: Tree, above: Tree) -> Guide:
    """Return a guide without prices, in which nobody charges."""
    alone = tree.alone_flows_kw()
    return Guide(Prices.zero(above), alone, above.peaks_kw(alone))


def _needs_kwh(city: City, districts: Sequence[District]) -> Floats:
    """Return the energy that the vehicles of each district want [kWh]."""
    needs = np.array(
        [
            sum(max(0.0, ev.departure_energy_kwh - ev.initial_energy_kwh) for ev in site.evs)
            for site in city.sites
        ]
    )
    return np.array([needs[list(district.sites)].sum() for district in districts])


def choose_districts(city: City, tree: Tree, districts: Sequence[District]) -> list[list[int]]:
    """Put districts that are alike together: behind the same nodes, with about the same needs."""
    size = float(np.mean([len(district.sites) for district in districts]))
    count = len(districts) if len(city.sites) <= SAMPLE_SITES else max(1, round(SAMPLE_SITES / size))
    needs = _needs_kwh(city, districts)
    order = sorted(range(len(districts)), key=lambda number: (_place(tree, districts[number]), needs[number]))
    return [part.tolist() for part in np.array_split(np.array(order), min(count, len(districts)))]


def _place(tree: Tree, district: District) -> list[bool]:
    """Return which nodes are above a district."""
    above = tree.below[:, district.sites[0]].copy()
    above[list(district.nodes)] = False
    return [bool(flag) for flag in above]
