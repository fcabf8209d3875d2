"""A second opinion on a city's plan, without solver and without model: the sites, the nodes, the money."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from optimizer.check import RELATIVE_TOLERANCE, TOLERANCE, Finding, Rule, check_plan
from optimizer.city.plan import CityPlan, NodePlan
from optimizer.city.problem import City, Node
from optimizer.problem import Netting

Floats = npt.NDArray[np.float64]
# Multiple of the largest shortfall price for power over a node's limit.
EXCESS_FACTOR = 100.0


def check_city(city: City, plan: CityPlan) -> list[Finding]:
    """Return every rule that a city's plan breaks; none for a plan that may leave.

    Parameters
    ----------
    city
        What was asked.
    plan
        What is answered.
    """
    findings = list(_shape(city, plan))
    for index, (problem, site) in enumerate(zip(city.sites, plan.sites, strict=False)):
        findings += [
            Finding(finding.rule, f"sites[{index}].plan.{finding.path}", finding.message)
            for finding in check_plan(problem, site.plan)
        ]
    if findings:
        return findings
    sites = {name: index for index, name in enumerate(city.site_ids)}
    nodes = {node.id: node for node in city.nodes}
    for index, (node, planned) in enumerate(zip(city.nodes, plan.nodes, strict=True)):
        below = sorted(_sites_below(node, sites, nodes))
        findings += _node(city, plan, node, planned, below, f"nodes[{index}]")
    findings += _money(city, plan)
    return findings


def _shape(city: City, plan: CityPlan) -> Iterator[Finding]:
    if [site.id for site in plan.sites] != list(city.site_ids):
        yield Finding(Rule.SHAPE, "sites", "are not those of the city")
    if [node.id for node in plan.nodes] != [node.id for node in city.nodes]:
        yield Finding(Rule.SHAPE, "nodes", "are not those of the city")
    for index, node in enumerate(plan.nodes):
        for name in ("import_kw", "export_kw", "limit_excess_kw"):
            if len(getattr(node, name)) != city.steps:
                yield Finding(Rule.SHAPE, f"nodes[{index}].{name}", f"has not {city.steps} numbers")


def _sites_below(node: Node, sites: dict[str, int], nodes: dict[str, Node]) -> set[int]:
    found: set[int] = set()
    for member in node.members:
        found |= {sites[member]} if member in sites else _sites_below(nodes[member], sites, nodes)
    return found


def _node(
    city: City, plan: CityPlan, node: Node, planned: NodePlan, below: list[int], path: str
) -> Iterator[Finding]:
    net, alone, charge, discharge = (np.zeros(city.steps) for _ in range(4))
    for index in below:
        site, problem = plan.sites[index].plan, city.sites[index]
        net += np.subtract(site.import_kw, site.export_kw)
        alone += np.subtract(problem.base_load_kw, problem.pv_kw)
        for ev in site.evs:
            charge += np.maximum(ev.power_kw, 0.0)
            discharge -= np.minimum(ev.power_kw, 0.0)
    relief = 1.0 if node.netting is Netting.CONFIRMED else 0.0
    # Net flow counts what the other direction takes off; without netting that is put back.
    inward, outward = net + (1.0 - relief) * discharge, -net + (1.0 - relief) * charge
    excess = np.zeros(city.steps)
    for name, flow, unavoidable, limit in (
        ("import", inward, alone, node.import_limit_kw),
        ("export", outward, -alone, node.export_limit_kw),
    ):
        if limit is None:
            continue
        most = np.broadcast_to(np.asarray(limit, dtype=np.float64), net.shape)
        over = np.maximum(0.0, flow - most)
        excess += over
        tolerance = _tolerance(flow, len(below))
        for step in np.flatnonzero(over > np.maximum(0.0, unavoidable - most) + tolerance):
            message = f"{flow[step]:g} kW of {name}, the limit is {most[step]:g} kW"
            yield Finding(Rule.GROUP_LIMIT, f"{path}.{name}_kw[{step}]", message)
    for name, given, expected in (
        ("import_kw", planned.import_kw, np.maximum(net, 0.0)),
        ("export_kw", planned.export_kw, np.maximum(-net, 0.0)),
        ("limit_excess_kw", planned.limit_excess_kw, excess),
    ):
        for step in np.flatnonzero(np.abs(np.subtract(given, expected)) > _tolerance(net, len(below))):
            message = f"{given[step]:g} kW, the sites give {expected[step]:g} kW"
            yield Finding(Rule.BALANCE, f"{path}.{name}[{step}]", message)
    yield from _peaks(node, planned, np.maximum(net, 0.0), path)


def _tolerance(flow_kw: Floats, sites: int) -> float:
    # Each site may be off by what its own check lets pass.
    return TOLERANCE * max(1, sites) + RELATIVE_TOLERANCE * float(np.abs(flow_kw).max(initial=0.0))


def _peaks(node: Node, planned: NodePlan, import_kw: Floats, path: str) -> Iterator[Finding]:
    if [band.name for band in node.peak_bands] != [band.name for band in planned.peak_bands]:
        yield Finding(Rule.SHAPE, f"{path}.peak_bands", "are not those of the node")
        return
    for index, (band, made) in enumerate(zip(node.peak_bands, planned.peak_bands, strict=True)):
        peak = max([band.realised_kw, *(import_kw[step] for step in band.steps)])
        slack = TOLERANCE * max(1.0, peak)
        if abs(made.peak_kw - peak) > slack or abs(made.cost_eur - peak * band.price_eur_per_kw) > slack:
            message = f"{made.peak_kw:g} kW for {made.cost_eur:g} EUR, the highest import is {peak:g} kW"
            yield Finding(Rule.PEAK, f"{path}.peak_bands[{index}]", message)


def _money(city: City, plan: CityPlan) -> Iterator[Finding]:
    peaks = sum(band.cost_eur for node in plan.nodes for band in node.peak_bands)
    over_kw = sum(sum(node.limit_excess_kw) for node in plan.nodes)
    dearest = max((site.shortfall_eur_per_kwh for site in city.sites), default=0.0)
    money = peaks + sum(site.plan.money_eur for site in plan.sites)
    objective = (
        peaks
        + sum(site.plan.objective_eur for site in plan.sites)
        + EXCESS_FACTOR * dearest * city.step_h * over_kw
    )
    for name, expected in (("money_eur", money), ("objective_eur", objective)):
        given = getattr(plan, name)
        if not abs(given - expected) <= TOLERANCE * max(1.0, len(plan.sites), abs(expected)):
            yield Finding(Rule.MONEY, name, f"{given:g} EUR, the plan costs {expected:g} EUR")
    if plan.bound_eur is not None and plan.bound_eur > plan.objective_eur + TOLERANCE:
        message = f"{plan.bound_eur:g} EUR is above the plan's own {plan.objective_eur:g} EUR"
        yield Finding(Rule.BOUND, "bound_eur", message)
