"""From the sites' answers to the city's plan: flows of the nodes, money, status, words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optimizer.city.joint import Prices
from optimizer.city.plan import CityPlan, NodePlan, Quota, SitePlan
from optimizer.city.problem import City
from optimizer.city.site import Answer
from optimizer.city.tree import Flow, Tree
from optimizer.coefficients import Floats
from optimizer.evaluate import ROUNDING_KW, compute_gap
from optimizer.plan import PeakBandPlan, PlanStatus, Proof, Stop

# A plan this close to its bound is the best one; below it is rounding of the solver [fraction].
OPTIMAL_GAP = 1e-6
# Relative difference of two ways to add up the same costs [fraction].
ROUNDING = 1e-6
QUOTA_FIELDS = {
    Flow.NET_IN: "import_kw",
    Flow.GROSS_IN: "import_without_relief_kw",
    Flow.NET_OUT: "export_kw",
    Flow.GROSS_OUT: "export_without_relief_kw",
}


def assemble(
    city: City,
    tree: Tree,
    answers: Sequence[Answer],
    bound_eur: float,
    prices: Prices,
    quotas_kw: Floats,
    seconds: float,
    stop: Stop = Stop.SEARCH_ENDED,
) -> CityPlan:
    """Put a city's plan together.

    Parameters
    ----------
    answers
        Of all sites, in order.
    bound_eur
        No choice of answers has a smaller total; infinite without one [EUR].
    prices
        At which the sites planned.
    quotas_kw
        Shape (sites, 4, steps), infinite where nothing is asked.
    seconds
        Time that it took [s].
    stop
        Why the search stopped, where nothing better is known.
    """
    flows = np.array([answer.flows_kw for answer in answers])
    sites = tuple(
        SitePlan(id=name, plan=answer.plan, quota=_quota(quota))
        for name, answer, quota in zip(city.site_ids, answers, quotas_kw, strict=True)
    )
    nodes = tuple(_node(city, tree, index, flows, prices) for index in range(len(city.nodes)))
    shared_eur = tree.shared_cost_eur(flows)
    peaks_eur = sum(band.cost_eur for node in nodes for band in node.peak_bands)
    objective = shared_eur + sum(answer.plan.objective_eur for answer in answers)
    total = shared_eur + sum(answer.total_eur for answer in answers)
    # The objective leaves out what the total has for floors of delivery that cannot be kept.
    bound = bound_eur - (total - objective) if math.isfinite(bound_eur) else None
    if bound is not None and 0.0 < bound - objective <= ROUNDING * max(1.0, abs(objective)):
        # The solver and the oracle of money may differ by rounding; by more they may not.
        bound = objective
    gap = None if bound is None else compute_gap(objective, bound)
    status = _status(city, answers, gap, stop)
    return CityPlan(
        status=status,
        bound_eur=bound,
        objective_eur=objective,
        money_eur=peaks_eur + sum(answer.plan.money_eur for answer in answers),
        gap=gap,
        solve_seconds=seconds,
        sites=sites,
        nodes=nodes,
        explanation=tuple(_explain(city, nodes, sites)),
    )


def _quota(quota_kw: Floats) -> Quota:
    # A flow that no node counts has no quota; where only some steps are asked about, the others are open.
    largest = np.where(np.isfinite(quota_kw), quota_kw, 1e6)
    return Quota(
        **{
            name: tuple(largest[flow].tolist())
            for flow, name in QUOTA_FIELDS.items()
            if np.isfinite(quota_kw[flow]).any()
        }
    )


def _status(city: City, answers: Sequence[Answer], gap: float | None, stop: Stop) -> PlanStatus:
    if gap is None or any(answer.plan.status.proof is Proof.FALLBACK for answer in answers):
        failed = Stop.SOLVER_FAILED if stop is Stop.SEARCH_ENDED else stop
        return PlanStatus(proof=Proof.FALLBACK, stop=failed)
    if gap <= OPTIMAL_GAP:
        return PlanStatus(proof=Proof.OPTIMAL, stop=Stop.SOLVED)
    if gap <= city.gap:
        return PlanStatus(proof=Proof.CERTIFIED, stop=Stop.GAP_REACHED)
    return PlanStatus(proof=Proof.FEASIBLE, stop=stop)


def _node(city: City, tree: Tree, index: int, flows_kw: Floats, prices: Prices) -> NodePlan:
    node, limits = city.nodes[index], tree.limits
    net = flows_kw[tree.below[index], Flow.NET_IN].sum(axis=0)
    net = np.where(np.abs(net) > ROUNDING_KW, net, 0.0)
    mine = [row for row, owner in enumerate(limits.node) if owner == index]
    over = np.maximum(0.0, tree.limit_flows_kw(flows_kw) - limits.limit_kw)[mine].sum(axis=0)
    values = {}
    for row in mine:
        side = "import" if limits.flow[row] in {Flow.NET_IN, Flow.GROSS_IN} else "export"
        values[f"{side}_value_eur_per_kwh"] = tuple((prices.limit_eur_per_kw[row] / city.step_h).tolist())
    imports = np.maximum(net, 0.0)
    bands = tuple(
        PeakBandPlan(name=band.name, peak_kw=peak, cost_eur=peak * band.price_eur_per_kw)
        for band in node.peak_bands
        for peak in [max([band.realised_kw, *(float(imports[step]) for step in band.steps)])]
    )
    return NodePlan(
        id=node.id,
        import_kw=tuple(imports.tolist()),
        export_kw=tuple(np.maximum(-net, 0.0).tolist()),
        limit_excess_kw=tuple(over.tolist()),
        peak_bands=bands,
        **values,
    )


def _explain(city: City, nodes: Sequence[NodePlan], sites: Sequence[SitePlan]) -> list[str]:
    sentences = []
    for node in nodes:
        over_kwh = city.step_h * sum(node.limit_excess_kw)
        if over_kwh > ROUNDING_KW:
            sentences.append(
                f"Warning: base load and sun alone bring {node.id} over its limit, by {over_kwh:.1f} kWh."
            )
    short_kwh = sum(ev.shortfall_kwh for site in sites for ev in site.plan.evs)
    short = sum(ev.shortfall_kwh > 0.005 for site in sites for ev in site.plan.evs)  # noqa: PLR2004 - 2 decimals
    if short:
        sentences.append(f"Warning: {short} vehicles leave {short_kwh:.1f} kWh short in all.")
    for node in nodes:
        for side, values in (
            ("import", node.import_value_eur_per_kwh),
            ("export", node.export_value_eur_per_kwh),
        ):
            step = int(np.argmax(values)) if values else 0
            if values and values[step] > 0.005:  # noqa: PLR2004 - half a cent
                worth = f"{values[step]:.2f} EUR/kWh"
                sentences.append(f"One more kW of {side} at {node.id} is worth most in step {step}: {worth}.")
    return sentences
