"""The grid over a city's sites in arrays: who is below which node, and what each node counts.

A site has four flows, linear in its decisions: what it takes and what it gives, each with and without relief
by the opposite direction of its sockets. A limit looks at one of them, a peak tariff at the net import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from optimizer.city.problem import City, Node
from optimizer.coefficients import EXCESS_FACTOR, Flags, Floats
from optimizer.plan import Plan
from optimizer.problem import Netting, Problem


class Flow(IntEnum):
    """What of a site a limit counts."""

    NET_IN = 0
    GROSS_IN = 1
    NET_OUT = 2
    GROSS_OUT = 3


FAMILIES = ("import_kw", "export_kw", "charge_kw", "discharge_kw")
# Each flow as a sum of the families of columns.
SHARES = np.array(
    [[1.0, -1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 1.0], [-1.0, 1.0, 0.0, 0.0], [-1.0, 1.0, 1.0, 0.0]]
)
# Flow without sessions, as a multiple of base load less sun.
SIGNS = np.array([1.0, 1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a city; each is one row of these arrays.

    Parameters
    ----------
    node, flow
        Index of the node, and the flow that it counts.
    limit_kw
        Shape (limits, steps) [kW].
    excess_most_kw
        What base load and sun alone have over it [kW].
    """

    node: tuple[int, ...]
    flow: tuple[Flow, ...]
    limit_kw: Floats
    excess_most_kw: Floats


@dataclass(frozen=True, slots=True)
class Bands:
    """All tariff bands of nodes; each is one row of these arrays.

    Parameters
    ----------
    node
        Index of the node.
    in_band
        Shape (bands, steps).
    price_eur_per_kw, realised_kw
        Shape (bands,).
    """

    node: tuple[int, ...]
    in_band: Flags
    price_eur_per_kw: Floats
    realised_kw: Floats


@dataclass(frozen=True, slots=True)
class Tree:
    """The grid over the sites.

    Parameters
    ----------
    below
        Which sites are below each node, shape (nodes, sites).
    alone_kw
        Base load less sun of each site, shape (sites, steps) [kW].
    excess_cost_eur_per_kw
        Price of power over a limit over one step [EUR/kW].
    """

    below: Flags
    alone_kw: Floats
    limits: Limits
    bands: Bands
    excess_cost_eur_per_kw: float

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.alone_kw.shape[1])

    def alone_flows_kw(self) -> Floats:
        """Return what flows without sessions, shape (sites, 4, steps) [kW]."""
        return np.asarray(SIGNS[None, :, None] * self.alone_kw[:, None, :])

    def limit_flows_kw(self, flows_kw: Floats) -> Floats:
        """Add the sites' flows up to what each limit counts, shape (limits, steps) [kW]."""
        return _add_up(self.below, self.limits.node, self.limits.flow, flows_kw)

    def band_flows_kw(self, flows_kw: Floats) -> Floats:
        """Add the sites' flows up to the net import that each band sees, shape (bands, steps) [kW]."""
        return _add_up(self.below, self.bands.node, [Flow.NET_IN] * len(self.bands.node), flows_kw)

    def room_kw(self) -> Floats:
        """Return the limits, where base load and sun alone break them lifted to those [kW]."""
        excess = self.limits.excess_most_kw
        return np.asarray(self.limits.limit_kw + np.where(np.isfinite(excess), excess, 0.0))

    def peaks_kw(self, flows_kw: Floats) -> Floats:
        """Return the peak of each band, at least what was made before [kW]."""
        seen = np.where(self.bands.in_band, self.band_flows_kw(flows_kw), 0.0)
        return np.asarray(np.maximum(self.bands.realised_kw, seen.max(axis=1, initial=0.0)))

    def shared_cost_eur(self, flows_kw: Floats) -> float:
        """Return what the nodes cost: peaks, and power over limits that nobody can avoid [EUR]."""
        over = np.clip(self.limit_flows_kw(flows_kw) - self.limits.limit_kw, 0.0, self.limits.excess_most_kw)
        peaks = float(self.bands.price_eur_per_kw @ self.peaks_kw(flows_kw))
        return peaks + self.excess_cost_eur_per_kw * float(over.sum())

    def overload_kw(self, flows_kw: Floats) -> Floats:
        """Return the power over limits that could be avoided, shape (limits, steps) [kW]."""
        return np.maximum(0.0, self.limit_flows_kw(flows_kw) - self.room_kw())


def _add_up(below: Flags, nodes: Sequence[int], kinds: Sequence[Flow], flows_kw: Floats) -> Floats:
    result = np.zeros((len(nodes), flows_kw.shape[2]))
    for row, node, kind in zip(result, nodes, kinds, strict=True):
        row[:] = flows_kw[below[node], kind].sum(axis=0)
    return result


def restrict(tree: Tree, nodes: Sequence[int], sites: Sequence[int]) -> Tree:
    """Return what some nodes ask of some sites."""
    place = {node: position for position, node in enumerate(nodes)}
    rows = [row for row, node in enumerate(tree.limits.node) if node in place]
    bands = [row for row, node in enumerate(tree.bands.node) if node in place]
    return Tree(
        below=tree.below[np.ix_(list(nodes), list(sites))],
        alone_kw=tree.alone_kw[list(sites)],
        limits=Limits(
            tuple(place[tree.limits.node[row]] for row in rows),
            tuple(tree.limits.flow[row] for row in rows),
            tree.limits.limit_kw[rows],
            tree.limits.excess_most_kw[rows],
        ),
        bands=Bands(
            tuple(place[tree.bands.node[row]] for row in bands),
            tree.bands.in_band[bands],
            tree.bands.price_eur_per_kw[bands],
            tree.bands.realised_kw[bands],
        ),
        excess_cost_eur_per_kw=tree.excess_cost_eur_per_kw,
    )


def build_tree(city: City) -> Tree:
    """Work out who is below which node and what each of them counts."""
    below = _find_below(city)
    alone = np.array([np.subtract(site.base_load_kw, site.pv_kw) for site in city.sites])
    dearest = max(site.shortfall_eur_per_kwh for site in city.sites)
    return Tree(
        below=below,
        alone_kw=alone,
        limits=_list_limits(city, below, alone),
        bands=_list_bands(city),
        excess_cost_eur_per_kw=EXCESS_FACTOR * dearest * city.step_h,
    )


def _find_below(city: City) -> Flags:
    site_index = {name: index for index, name in enumerate(city.site_ids)}
    node_index = {node.id: index for index, node in enumerate(city.nodes)}
    below = np.zeros((len(city.nodes), len(city.sites)), dtype=np.bool_)
    for row, node in zip(below, city.nodes, strict=True):
        waiting: list[Node] = [node]
        while waiting:
            for member in waiting.pop().members:
                if member in site_index:
                    row[site_index[member]] = True
                else:
                    waiting.append(city.nodes[node_index[member]])
    return below


def _list_limits(city: City, below: Flags, alone_kw: Floats) -> Limits:
    nodes, flows, limits, excesses = [], [], [], []
    for index, node in enumerate(city.nodes):
        kinds = (
            (Flow.GROSS_IN, Flow.GROSS_OUT) if node.netting is Netting.NONE else (Flow.NET_IN, Flow.NET_OUT)
        )
        for kind, limit in zip(kinds, (node.import_limit_kw, node.export_limit_kw), strict=True):
            if limit is None:
                continue
            nodes.append(index)
            flows.append(kind)
            limits.append(np.broadcast_to(np.asarray(limit, dtype=np.float64), city.steps))
            excesses.append(np.maximum(0.0, SIGNS[kind] * alone_kw[below[index]].sum(axis=0) - limits[-1]))
    shape = (len(nodes), city.steps)
    return Limits(
        tuple(nodes), tuple(flows), np.array(limits).reshape(shape), np.array(excesses).reshape(shape)
    )


def _list_bands(city: City) -> Bands:
    named = [(index, band) for index, node in enumerate(city.nodes) for band in node.peak_bands]
    in_band = np.zeros((len(named), city.steps), dtype=np.bool_)
    for row, (_, band) in zip(in_band, named, strict=True):
        row[list(band.steps)] = True
    return Bands(
        tuple(index for index, _ in named),
        in_band,
        np.array([band.price_eur_per_kw for _, band in named], dtype=np.float64),
        np.array([band.realised_kw for _, band in named], dtype=np.float64),
    )


def site_flows_kw(problem: Problem, plan: Plan) -> Floats:
    """Return the four flows of a site's plan, shape (4, steps) [kW]."""
    power = np.array([ev.power_kw for ev in plan.evs]).reshape(len(plan.evs), problem.steps)
    charge, discharge = np.maximum(power, 0.0).sum(axis=0), np.maximum(-power, 0.0).sum(axis=0)
    families = np.array([plan.import_kw, plan.export_kw, charge, discharge])
    return np.asarray(SHARES @ families)
