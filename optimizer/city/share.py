"""Dividing what the nodes leave among the sites: quotas in kW that together keep every limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.city.joint import Prices
from optimizer.city.tree import Flow, Tree
from optimizer.coefficients import Flags, Floats
from optimizer.problem import Problem

# Rows used beyond this fraction of their room get quotas [fraction].
NEARLY_FULL = 0.5
# Prices below this are rounding of the solver [EUR/kW over a step].
LEAST_PRICE = 1e-7


@dataclass(frozen=True, slots=True)
class Rows:
    """Limits and peaks alike: how much of a flow may pass a node.

    Parameters
    ----------
    below
        Shape (rows, sites).
    flow
        What each row counts.
    room_kw
        Shape (rows, steps), infinite where nothing is asked [kW].
    price_eur_per_kw
        Shape (rows, steps).
    """

    below: Flags
    flow: tuple[Flow, ...]
    room_kw: Floats
    price_eur_per_kw: Floats

    def used_kw(self, flows_kw: Floats) -> Floats:
        """Return what passes, shape (rows, steps) [kW]."""
        used = np.zeros_like(self.room_kw)
        for row, below, flow in zip(used, self.below, self.flow, strict=True):
            row[:] = flows_kw[below, flow].sum(axis=0)
        return used


def build_rows(tree: Tree, prices: Prices, peaks_kw: Floats) -> Rows:
    """List limits, and bands with the peaks that they should keep."""
    bands = tree.bands
    targets = np.where(bands.in_band & (bands.price_eur_per_kw > 0.0)[:, None], peaks_kw[:, None], np.inf)
    return Rows(
        np.concatenate([tree.below[list(tree.limits.node)], tree.below[list(bands.node)]]),
        (*tree.limits.flow, *([Flow.NET_IN] * len(bands.node))),
        np.concatenate([tree.room_kw(), targets]),
        np.concatenate([prices.limit_eur_per_kw, prices.band_eur_per_kw]),
    )


def find_tight(rows: Rows, flows_kw: Floats) -> Flags:
    """Say which rows need quotas in which steps: priced, or nearly full."""
    finite = np.isfinite(rows.room_kw)
    full = rows.used_kw(flows_kw) > NEARLY_FULL * np.where(finite, rows.room_kw, 0.0)
    return np.asarray(finite & (full | (rows.price_eur_per_kw > LEAST_PRICE)))


def sum_capacity_kw(problem: Problem) -> Floats:
    """Return the charging power that is connected in each step, shape (steps,) [kW]."""
    total = np.zeros(problem.steps)
    for ev in problem.evs:
        total[ev.arrival_step : ev.departure_step] += ev.max_charge_kw
    return total


def share_out(
    rows: Rows,
    flows_kw: Floats,
    takers: Flags,
    gives_kw: Floats,
    takes_kw: Floats,
    where: Flags | None = None,
) -> Floats:
    """Give the takers quotas that, with the others' flows, fill every row.

    Parameters
    ----------
    rows
        What may pass.
    flows_kw
        What flows, or is expected to, shape (sites, 4, steps) [kW].
    takers
        Which sites share what is left.
    gives_kw
        Keys by which a site must yield where too much is used, shape (sites, 4, steps).
    takes_kw
        Keys by which it gets what is left, shape (sites, steps).
    where
        Rows and steps that are asked about; None: all with finite room.

    Returns
    -------
    array
        Shape (sites, 4, steps), infinite where nothing is asked [kW].
    """
    asked = np.isfinite(rows.room_kw) if where is None else where
    quota = np.full(flows_kw.shape, np.inf)
    left = np.where(asked, rows.room_kw, 0.0) - np.where(asked, rows.used_kw(flows_kw), 0.0)
    for number, (below, flow) in enumerate(zip(rows.below, rows.flow, strict=True)):
        steps, sites = np.flatnonzero(asked[number]), np.flatnonzero(below & takers)
        if not (steps.size and sites.size):
            continue
        rest = left[number, steps]
        keys = np.where(rest < 0.0, gives_kw[sites[:, None], flow, steps], takes_kw[sites[:, None], steps])
        total = keys.sum(axis=0)
        share = np.divide(keys, total, out=np.full_like(keys, 1.0 / sites.size), where=total > 0.0)
        allowed = flows_kw[sites[:, None], flow, steps] + share * rest
        quota[sites[:, None], flow, steps] = np.minimum(quota[sites[:, None], flow, steps], allowed)
    return quota


def spread(
    chosen: Sequence[int], flows_kw: Floats, tree: Tree, capacity_kw: Floats, strata: npt.NDArray[np.int64]
) -> Floats:
    """Expect of every site what the chosen one(s) of its stratum do, per connected charging power.

    Parameters
    ----------
    chosen
        Indices of the sites of the sample.
    flows_kw
        Their flows, shape (sample, 4, steps) [kW].
    capacity_kw
        Connected charging power of every site, shape (sites, steps) [kW].
    strata
        Stratum of every site.
    """
    alone = tree.alone_flows_kw()
    result, members = alone.copy(), np.asarray(chosen)
    for stratum in np.unique(strata):
        models = np.flatnonzero(strata[members] == stratum)
        moved = (flows_kw[models] - alone[members[models]]).sum(axis=0)
        total = capacity_kw[members[models]].sum(axis=0)
        profile = np.divide(moved, total, out=np.zeros_like(moved), where=total > 0.0)
        sites = np.flatnonzero(strata == stratum)
        result[sites] += profile[None] * capacity_kw[sites][:, None, :]
    result[members] = flows_kw
    return result
