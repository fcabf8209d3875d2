"""A few sites that are solved together: those behind one transformer, with the limits that only they share.

A district gets prices from the nodes above it, and a quota for all its sites together. A linear program over
its sites gives its part of the city's bound, prices of its own nodes, and what each site may expect to take.
Then its sites plan one after the other; later ones get what the earlier ones left.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.city.joint import Joint, PricedSolver, Prices, build_joint
from optimizer.city.problem import City
from optimizer.city.share import Rows, build_rows, find_tight, share_out, sum_capacity_kw
from optimizer.city.site import Answer, Signal, answer_signal, idle, load, read_flows_kw
from optimizer.city.tree import FAMILIES, SHARES, Flow, Limits, Tree
from optimizer.coefficients import Floats
from optimizer.layout import ABSENT
from optimizer.problem import Problem
from optimizer.solve import Budget

log = logging.getLogger(__name__)

# Nodes with no more sites than this are the business of one district.
MOST_SITES = 20
# Sites without such a node are gathered in districts of this many.
LOOSE_SITES = 10
# Price of flow over a quota, as a multiple of the largest spread of prices in a site.
SOFT_FACTOR = 1.0
# How near its own relaxation each site's plan should be [fraction].
SITE_GAP = 0.002


@dataclass(frozen=True, slots=True)
class District:
    """Sites and the nodes that have no other sites, by index."""

    sites: tuple[int, ...]
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What a district is asked.

    Parameters
    ----------
    problems
        Its sites.
    tree
        Its own nodes.
    signals
        For each site the prices of the nodes above, and the prices of flow over the quota.
    quota_kw
        What all its sites together should stay below, infinite where nothing is asked, shape (4, steps) [kW].
    time_limit_s
        Wall-clock budget [s].
    """

    problems: tuple[Problem, ...]
    tree: Tree
    signals: tuple[Signal, ...]
    quota_kw: Floats
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a district answers.

    Parameters
    ----------
    answers
        Of its sites.
    bound_eur
        Its sites and nodes cost no less at the prices from above; minus infinity without a relaxation [EUR].
    prices
        Of its own nodes.
    """

    answers: tuple[Answer, ...]
    bound_eur: float
    prices: Prices


def find_districts(city: City, tree: Tree) -> list[District]:
    """Divide a city: the largest nodes with few enough sites, and sites without one, a few at a time."""
    sizes = tree.below.sum(axis=1)
    free = np.ones(len(city.sites), dtype=np.bool_)
    districts = []
    for node in np.argsort(-sizes, kind="stable").tolist():
        below = tree.below[node]
        if 0 < sizes[node] <= MOST_SITES and free[below].all():
            inner = [other for other, row in enumerate(tree.below) if row.any() and not (row & ~below).any()]
            districts.append(District(tuple(np.flatnonzero(below).tolist()), tuple(inner)))
            free &= ~below
    loose = sorted(np.flatnonzero(free).tolist(), key=lambda site: tree.below[:, site].tolist())
    starts = range(0, len(loose), LOOSE_SITES)
    return districts + [District(tuple(loose[start : start + LOOSE_SITES]), ()) for start in starts]


def answer_task(task: Task) -> Reply:
    """Plan one district.

    Parameters
    ----------
    task
        Its sites, nodes, prices and quota.
    """
    try:
        return _answer(task)
    except Exception:
        # Whatever breaks in there, the city needs a plan.
        log.exception("the search for a district's plan broke")
        return give_up(task)


def give_up(task: Task) -> Reply:
    """Answer with no charging at all, and without bound."""
    return Reply(tuple(idle(problem) for problem in task.problems), -np.inf, Prices.zero(task.tree))


def _answer(task: Task) -> Reply:
    budget, tree = Budget(task.time_limit_s), _add_quota(task)
    programs = [load(problem, exact=False)[1] for problem in task.problems]
    joint = build_joint(tree, range(len(programs)), programs, np.ones(len(programs)))
    solver = PricedSolver(joint.program)
    _charge_sites(solver, joint, [signal.price_eur_per_kw for signal in task.signals])
    _charge_excess(solver, joint, task, np.zeros_like(task.quota_kw))
    relaxed = solver.solve(time_limit_s=budget.left_s)
    if not relaxed.found:
        return give_up(task)
    own_rows = len(task.tree.limits.node)
    found = joint.read_prices(tree, relaxed.row_duals)
    own = Prices(found.limit_eur_per_kw[:own_rows], found.band_eur_per_kw)
    split = [split_price(signal) for signal in task.signals]
    _charge_sites(solver, joint, [paid for paid, _ in split])
    _charge_excess(solver, joint, task, np.mean([over for _, over in split], axis=0))
    guided = solver.solve(time_limit_s=budget.left_s)
    guided = guided if guided.found else relaxed
    flows = [read_flows_kw(*pair) for pair in zip(programs, joint.split(guided.values), strict=True)]
    prices = joint.read_prices(tree, guided.row_duals)
    peaks = guided.values[guided.values.size - len(tree.bands.node) :]
    answers = _plan_sites(
        task, build_rows(tree, prices, peaks), prices.at_sites(tree), np.array(flows), budget
    )
    return Reply(answers, relaxed.objective_eur, own)


def _plan_sites(
    task: Task, rows: Rows, inner_eur_per_kw: Floats, expected_kw: Floats, budget: Budget
) -> tuple[Answer, ...]:
    """Let the sites plan one after the other, each within what is left for it."""
    flows, alone = expected_kw.copy(), task.tree.alone_flows_kw()
    capacity = np.array([sum_capacity_kw(problem) for problem in task.problems])
    waiting, tight = np.ones(len(task.problems), dtype=np.bool_), find_tight(rows, expected_kw)
    answers: list[Answer] = []
    for site, (problem, signal) in enumerate(zip(task.problems, task.signals, strict=True)):
        quota = share_out(rows, flows, waiting, np.maximum(0.0, flows - alone), capacity, tight)[site]
        paid, over = split_price(signal)
        inner = Signal(inner_eur_per_kw[site], quota, signal.over_eur_per_kw)
        inner_paid, inner_over = split_price(inner)
        told = Signal(paid + inner_paid, quota, np.maximum(over, inner_over))
        answers.append(answer_signal(problem, told, SITE_GAP, max(0.1, budget.left_s)))
        flows[site], waiting[site] = answers[-1].flows_kw, False
    return tuple(answers)


def split_price(signal: Signal) -> tuple[Floats, Floats]:
    """Divide the prices of scarcity in what every kW pays, and what only kW over the quota pay on top.

    Paid by every kW, a price far above what energy is worth would empty the batteries for its sake.
    """
    paid = np.minimum(signal.price_eur_per_kw, signal.over_eur_per_kw / SOFT_FACTOR)
    paid = np.where(np.isfinite(signal.quota_kw), paid, signal.price_eur_per_kw)
    return paid, signal.price_eur_per_kw - paid + signal.over_eur_per_kw


def _add_quota(task: Task) -> Tree:
    """Add the quota to the district's own limits, as a node over all its sites."""
    tree, asked = task.tree, [flow for flow in Flow if np.isfinite(task.quota_kw[flow]).any()]
    node = len(tree.below)
    quota = task.quota_kw[asked]
    limits = Limits(
        (*tree.limits.node, *([node] * len(asked))),
        (*tree.limits.flow, *asked),
        np.concatenate([tree.limits.limit_kw, quota]),
        np.concatenate([tree.limits.excess_most_kw, np.where(np.isfinite(quota), np.inf, 0.0)]),
    )
    below = np.concatenate([tree.below, np.ones((1, len(task.problems)), dtype=np.bool_)])
    return dataclasses.replace(tree, below=below, limits=limits)


def _charge_sites(solver: PricedSolver, joint: Joint, prices: Sequence[Floats]) -> None:
    """Set what the sites pay for their flows."""
    first = 0
    for program, price in zip(joint.sites, prices, strict=True):
        for family, cost in zip(FAMILIES, SHARES.T @ price, strict=True):
            numbers = program.layout.columns[family]
            there = numbers != ABSENT
            added = np.broadcast_to(cost, numbers.shape)[there]
            solver.set_costs(first + numbers[there], program.cost[numbers[there]] + added)
        first += program.layout.column_count


def _charge_excess(solver: PricedSolver, joint: Joint, task: Task, over_eur_per_kw: Floats) -> None:
    """Set what flow over the quota costs."""
    asked = [flow for flow in Flow if np.isfinite(task.quota_kw[flow]).any()]
    columns = joint.excess[len(task.tree.limits.node) :]
    there = columns != ABSENT
    solver.set_costs(columns[there], over_eur_per_kw[asked][there])
