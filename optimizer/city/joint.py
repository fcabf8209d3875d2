"""Several sites and the nodes over them in one program: exact for small cities, prices from a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, coo_array, csr_array, hstack, vstack

from optimizer.city.site import flow_rows
from optimizer.city.tree import Flow, Tree
from optimizer.coefficients import Floats
from optimizer.compiled import Program
from optimizer.layout import ABSENT, Layout
from optimizer.solve import Solver


@dataclass(frozen=True, slots=True)
class Joint:
    """A program over some sites, each standing for as many as its weight says.

    Parameters
    ----------
    program
        Columns: the sites' one after the other, excess over limits, peaks. Rows likewise: the sites',
        limits, bands.
    sites
        Programs of the sites.
    limit_rows, band_rows
        Pairs of limit or band and step of the last rows, shapes (rows, 2).
    excess
        Columns of power over the limits, `ABSENT` where there is none, shape (limits, steps).
    """

    program: Program
    sites: tuple[Program, ...]
    limit_rows: npt.NDArray[np.int64]
    band_rows: npt.NDArray[np.int64]
    excess: npt.NDArray[np.int64]

    def split(self, values: Floats) -> list[Floats]:
        """Return each site's columns."""
        ends = np.cumsum([site.layout.column_count for site in self.sites])
        return [
            values[end - site.layout.column_count : end] for site, end in zip(self.sites, ends, strict=True)
        ]

    def read_prices(self, tree: Tree, duals: Floats) -> Prices:
        """Return the prices of the nodes' rows from the solver's duals."""
        limits, bands = np.zeros(tree.limits.limit_kw.shape), np.zeros(tree.bands.in_band.shape)
        first = self.program.layout.row_count - len(self.limit_rows) - len(self.band_rows)
        prices = np.maximum(0.0, -duals[first:])
        limits[tuple(self.limit_rows.T)] = prices[: len(self.limit_rows)]
        bands[tuple(self.band_rows.T)] = prices[len(self.limit_rows) :]
        return Prices(limits, bands)


@dataclass(frozen=True, slots=True)
class Prices:
    """Worth of one more kW at each limit and in each band, over a step.

    Parameters
    ----------
    limit_eur_per_kw
        Shape (limits, steps).
    band_eur_per_kw
        Shape (bands, steps); over a band they add up to its price at the most.
    """

    limit_eur_per_kw: Floats
    band_eur_per_kw: Floats

    @staticmethod
    def zero(tree: Tree) -> Prices:
        """Return prices of nothing."""
        return Prices(np.zeros(tree.limits.limit_kw.shape), np.zeros(tree.bands.in_band.shape))

    def cut(self, tree: Tree) -> Prices:
        """Return them where they are allowed: not dearer than excess, over a band not more than its price."""
        band = np.where(tree.bands.in_band, np.maximum(0.0, self.band_eur_per_kw), 0.0)
        total = band.sum(axis=1)
        share = np.divide(
            tree.bands.price_eur_per_kw,
            total,
            out=np.ones_like(total),
            where=total > tree.bands.price_eur_per_kw,
        )
        limit = np.maximum(0.0, self.limit_eur_per_kw)
        capped = np.where(
            tree.limits.excess_most_kw > 0.0, np.minimum(limit, tree.excess_cost_eur_per_kw), limit
        )
        return Prices(capped, band * share[:, None])

    def at_sites(self, tree: Tree) -> Floats:
        """Add up what each site's flows cost on the way up, shape (sites, 4, steps) [EUR/kW]."""
        result = np.zeros((tree.below.shape[1], 4, tree.steps))
        for price, node, flow in zip(self.limit_eur_per_kw, tree.limits.node, tree.limits.flow, strict=True):
            result[tree.below[node], flow] += price
        for price, node in zip(self.band_eur_per_kw, tree.bands.node, strict=True):
            result[tree.below[node], Flow.NET_IN] += price
        return result

    def constant_eur(self, tree: Tree) -> float:
        """Return what the nodes add to the Lagrangian bound when they charge these prices [EUR]."""
        paid = float((self.limit_eur_per_kw * tree.limits.limit_kw).sum())
        bands = tree.bands
        unused = bands.price_eur_per_kw - self.band_eur_per_kw.sum(axis=1)
        excess = np.minimum(0.0, tree.excess_cost_eur_per_kw - self.limit_eur_per_kw)
        return float(unused @ bands.realised_kw) - paid + float((excess * tree.limits.excess_most_kw).sum())


def build_joint(
    tree: Tree, chosen: Sequence[int], sites: Sequence[Program], weights: Floats, scales: Floats | None = None
) -> Joint:
    """Put sites and nodes together.

    Parameters
    ----------
    tree
        The grid over all sites.
    chosen
        Indices of the sites.
    sites
        Their programs.
    weights
        How many sites each stands for.
    scales
        How many nodes each node stands for; None: itself alone.
    """
    scales = np.ones(len(tree.below)) if scales is None else scales
    alone = tree.alone_flows_kw()
    limits, bands = tree.limits, tree.bands
    limit_room = limits.limit_kw - tree.limit_flows_kw(alone)
    limit_rows = np.argwhere(np.isfinite(limits.limit_kw))
    band_rows = np.argwhere(bands.in_band & (bands.price_eur_per_kw > 0.0)[:, None])
    places = np.concatenate([limit_rows, band_rows])
    below = np.concatenate([tree.below[list(limits.node)], tree.below[list(bands.node)]])
    flows = np.array([*limits.flow, *([Flow.NET_IN] * len(bands.node))], dtype=np.int64)
    which = np.concatenate([limit_rows[:, 0], len(limits.node) + band_rows[:, 0]])
    right = np.concatenate([limit_room[tuple(limit_rows.T)], -tree.band_flows_kw(alone)[tuple(band_rows.T)]])
    blocks = []
    scale = scales[np.array([*limits.node, *bands.node], dtype=np.int64)][which]
    for site, program, weight in zip(chosen, sites, weights, strict=True):
        inside = below[which, site]
        steps = np.stack([flows[which], places[:, 1]], axis=1)
        share = np.where(inside, weight / scale, 0.0)
        right = right + share * alone[site, flows[which], places[:, 1]]
        blocks.append(_keep(flow_rows(program, steps), share))
    own, own_values = _own_columns(tree, limit_rows, band_rows, scales)
    excess = np.full(limits.limit_kw.shape, ABSENT, dtype=np.int64)
    over = limit_rows[limits.excess_most_kw[tuple(limit_rows.T)] > 0.0]
    first = sum(program.layout.column_count for program in sites)
    excess[tuple(over.T)] = first + np.arange(len(over))
    coupling = hstack([*blocks, own], format="csr")
    program = _assemble(sites, weights, coupling, right, own_values)
    return Joint(program, tuple(sites), limit_rows, band_rows, excess)


def _keep(rows: csr_array, share: Floats) -> csr_array:
    kept = csr_array(rows.multiply(share[:, None]))
    kept.eliminate_zeros()
    return kept


def _own_columns(
    tree: Tree, limit_rows: npt.NDArray[np.int64], band_rows: npt.NDArray[np.int64], scales: Floats
) -> tuple[csr_array, Floats]:
    """Return the coefficients of excess and peaks; their bounds and costs, shape (3, n)."""
    most = tree.limits.excess_most_kw[tuple(limit_rows.T)]
    over = np.flatnonzero(most > 0.0)
    rows = np.concatenate([over, len(limit_rows) + np.arange(len(band_rows))])
    columns = np.concatenate([np.arange(len(over)), len(over) + band_rows[:, 0]])
    bands = tree.bands.price_eur_per_kw
    shape = (len(limit_rows) + len(band_rows), len(over) + len(bands))
    lower = np.concatenate([np.zeros(len(over)), tree.bands.realised_kw])
    upper = np.concatenate([most[over], np.full(len(bands), np.inf)])
    cost = np.concatenate(
        [
            tree.excess_cost_eur_per_kw
            * scales[np.array(tree.limits.node, dtype=np.int64)][limit_rows[over, 0]],
            bands * scales[np.array(tree.bands.node, dtype=np.int64)],
        ]
    )
    return csr_array(coo_array((-np.ones(len(rows)), (rows, columns)), shape=shape)), np.array(
        [lower, upper, cost]
    )


def _assemble(
    sites: Sequence[Program], weights: Floats, coupling: csr_array, right: Floats, own: Floats
) -> Program:
    inside = csr_array(block_diag([site.matrix for site in sites], format="csr"))
    padded = hstack([inside, csr_array((inside.shape[0], own.shape[1]))], format="csr")
    matrix = csr_array(vstack([padded, coupling], format="csr"))

    def gather(name: str) -> list[Floats]:
        return [getattr(site, name) for site in sites]

    costs = [site.cost * weight for site, weight in zip(sites, weights, strict=True)]
    return Program(
        layout=Layout({}, {}, matrix.shape[1], matrix.shape[0]),
        cost=np.concatenate([*costs, own[2]]),
        offset=float(weights @ [site.offset for site in sites]),
        column_lower=np.concatenate([*gather("column_lower"), own[0]]),
        column_upper=np.concatenate([*gather("column_upper"), own[1]]),
        integer=np.concatenate([*gather("integer"), np.zeros(own.shape[1], dtype=np.bool_)]),
        row_lower=np.concatenate([*gather("row_lower"), np.full(len(right), -np.inf)]),
        row_upper=np.concatenate([*gather("row_upper"), right]),
        matrix=matrix,
    )


class PricedSolver(Solver):
    """A solver whose costs change between solves."""

    def set_costs(self, columns: npt.NDArray[np.int64], costs: Floats) -> None:
        """Change the costs of some columns."""
        if columns.size:
            self._highs.changeColsCost(columns.size, columns.astype(np.int32), costs)
