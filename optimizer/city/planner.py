"""The city's door: many sites and their nodes in, checked plans and a certificate out, always.

A sample of the city's districts is solved together with the nodes above them. Its duals price what the sites
take and give, its flows tell each district how much it may expect to take. Then every district plans alone;
batches that come later get what the earlier ones left. Sites that overload a node in the end plan again
within less.

The bound is Lagrange's: every district's relaxation at the nodes' prices, less what the prices would pay for
the limits. It holds for any prices, however rough the sample is.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import numpy as np

from grid.errors import WijkstroomError
from optimizer.check import Finding
from optimizer.city.assemble import assemble
from optimizer.city.check import check_city
from optimizer.city.district import (
    SITE_GAP,
    SOFT_FACTOR,
    District,
    Reply,
    Task,
    answer_task,
    find_districts,
    give_up,
    split_price,
)
from optimizer.city.exact import MOST_SITES, solve_exactly
from optimizer.city.joint import Prices
from optimizer.city.plan import CityPlan
from optimizer.city.problem import City
from optimizer.city.sample import Guide, ask_sample, know_nothing
from optimizer.city.share import Rows, build_rows, find_tight, share_out, sum_capacity_kw
from optimizer.city.site import NEGLIGIBLE_KW, Answer, Signal, answer_signal, forbid, idle
from optimizer.city.tree import Tree, build_tree, restrict
from optimizer.coefficients import Flags, Floats
from optimizer.evaluate import compute_gap
from optimizer.plan import Stop
from optimizer.solve import Budget
from optimizer.workers import Executor, InlineExecutor

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
# Batches of districts; the districts of one plan at the same time, knowing what the batches before took.
BATCHES = 6
MOST_SWEEPS = 6
# Draws the order in which districts plan, the same for equal cities.
SEED = 4
# Part of the budget that the sample may take [fraction].
SAMPLE_SHARE = 0.4
# Seconds beyond its budget after which a worker is given up [s].
GRACE_S = 2.0
# What sites may take of the nodes' room, one try after the other, when the checker refuses a plan [fraction].
SHRUNK = (0.98, 0.9, 0.5)


class RefusedError(WijkstroomError):
    """No plan of the city passes the checker, not even the one in which nobody charges."""


class _City:
    """A city on its way to a plan."""

    def __init__(self, city: City, executor: Executor) -> None:
        self.city, self.tree, self._executor = city, build_tree(city), executor
        self.budget = Budget(city.time_limit_s)
        self.districts = find_districts(city, self.tree)
        inner = {node for district in self.districts for node in district.nodes}
        self.upper = [node for node in range(len(city.nodes)) if node not in inner]
        self.above = restrict(self.tree, self.upper, range(len(city.sites)))
        self.capacity_kw = np.array([sum_capacity_kw(site) for site in city.sites])
        self.soft_eur_per_kw = np.array([_soft_price(city, site) for site in range(len(city.sites))])
        self.answers: dict[int, Answer] = {}
        self.flows_kw = self.tree.alone_flows_kw()
        self.prices = Prices.zero(self.tree)
        self.bound_eur = 0.0

    def run(
        self, function: Callable[..., ResultT], work: Sequence[tuple[object, ...]]
    ) -> list[ResultT | None]:
        """Run a function in the workers; None for those that were lost."""
        deadline_s = max(0.0, self.budget.left_s) + GRACE_S
        futures = [self._executor.submit(function, *each, deadline_s=deadline_s) for each in work]
        return [_get(future) for future in futures]

    def total_eur(self) -> float:
        """Return what everything costs, floors of delivery that are not kept included [EUR]."""
        sites = sum(answer.total_eur for answer in self.answers.values())
        return sites + self.tree.shared_cost_eur(self.flows_kw)

    def note(self, site: int, answer: Answer) -> None:
        """Keep a site's answer."""
        self.answers[site] = answer
        self.flows_kw[site] = answer.flows_kw

    def note_reply(self, district: District, reply: Reply) -> None:
        """Keep a district's answers, prices and part of the bound."""
        for site, answer in zip(district.sites, reply.answers, strict=True):
            self.note(site, answer)
        self.bound_eur += reply.bound_eur
        self.set_prices(district.nodes, reply.prices)

    def set_prices(self, nodes: Sequence[int], prices: Prices) -> None:
        """Keep the prices of some nodes, given in the order of their limits and bands."""
        for kept, found, owners in (
            (self.prices.limit_eur_per_kw, prices.limit_eur_per_kw, self.tree.limits.node),
            (self.prices.band_eur_per_kw, prices.band_eur_per_kw, self.tree.bands.node),
        ):
            kept[[row for row, node in enumerate(owners) if node in set(nodes)]] = found


def _get(future: Future[ResultT]) -> ResultT | None:
    try:
        return future.result()
    except Exception:
        # Whatever happens to a worker, the city needs a plan.
        log.exception("a worker was lost")
        return None


def _soft_price(city: City, site: int) -> float:
    problem = city.sites[site]
    prices = (*problem.import_price_eur_per_kwh, *problem.export_price_eur_per_kwh)
    return SOFT_FACTOR * max(0.01, max(prices) - min(prices)) * city.step_h


def plan_city(city: City, executor: Executor | None = None) -> CityPlan:
    """Plan a city.

    Parameters
    ----------
    city
        A validated city.
    executor
        Where the districts plan; None: here, one after the other.

    Returns
    -------
    CityPlan
        It has passed the checker of cities. One that does not is planned again within less and less of the
        nodes' room, and says so.

    Raises
    ------
    RefusedError
        When the checker refuses even the plan in which nobody charges: a defect, never a plan.
    """
    started_s = time.monotonic()
    work = _City(city, executor or InlineExecutor())
    limit_s = max(0.1, SAMPLE_SHARE * work.budget.left_s)
    asked = (city, work.tree, work.upper, work.districts, limit_s)
    guide = work.run(ask_sample, [asked])[0] or know_nothing(work.tree, work.above)
    work.set_prices(work.upper, guide.prices)
    _first_pass(work, guide)
    work.bound_eur += guide.prices.constant_eur(work.above)
    _repair(work, work.tree)
    _polish(work)
    return _pass_checker(work, started_s)


def _pass_checker(work: _City, started_s: float) -> CityPlan:
    """Return a plan without findings: of what there is, within less and less, of sites that stand still."""
    notes: list[str] = []
    plan = _finish(work, work.tree, started_s)
    for share in (*SHRUNK, None):
        findings = check_city(work.city, plan)
        if not findings:
            return plan
        log.error("the city's plan breaks %d rules: %s", len(findings), findings[0])
        tree = work.tree if share is None else _shrink(work.tree, share)
        if share is None:
            for site, problem in enumerate(work.city.sites):
                work.note(site, idle(problem))
        else:
            _repair(work, tree)
        notes.append(_refused(findings, share))
        plan = _finish(work, tree, started_s)
        plan = plan.model_copy(update={"explanation": (*notes, *plan.explanation)})
    findings = check_city(work.city, plan)
    if findings:
        raise RefusedError(f"no plan of this city passes the checker: {findings[0]}; report the document")
    return plan


def _refused(findings: Sequence[Finding], share: float | None) -> str:
    remedy = "nobody charges" if share is None else f"sites keep to {100 * share:.0f} % of the nodes' room"
    return (
        f"Warning: a plan was refused, it breaks {len(findings)} rule(s), first {findings[0]}; now {remedy}."
    )


def _shrink(tree: Tree, share: float) -> Tree:
    """Leave sites only a part of what base load and sun leave of each limit."""
    alone = tree.limit_flows_kw(tree.alone_flows_kw())
    limit = tree.limits.limit_kw
    less = np.where(limit > alone, alone + share * (limit - alone), limit)
    return dataclasses.replace(tree, limits=dataclasses.replace(tree.limits, limit_kw=less))


def _polish(work: _City) -> None:
    """Solve a small city exactly when its plan is not near enough to the bound."""
    total_eur = work.total_eur()
    if compute_gap(total_eur, work.bound_eur) <= work.city.gap or work.budget.left_s <= 0.0:
        return
    if len(work.city.sites) > MOST_SITES:
        return
    asked = (work.city, work.tree, work.city.gap, work.budget.left_s)
    found = work.run(solve_exactly, [asked])[0]
    if found is None:
        return
    work.bound_eur = max(work.bound_eur, found.bound_eur)
    flows = np.array([answer.flows_kw for answer in found.answers])
    cost = sum(answer.total_eur for answer in found.answers) + work.tree.shared_cost_eur(flows)
    if cost < total_eur and work.tree.overload_kw(flows).max(initial=0.0) <= NEGLIGIBLE_KW:
        for site, answer in enumerate(found.answers):
            work.note(site, answer)


def _finish(work: _City, tree: Tree, started_s: float) -> CityPlan:
    """Put the plan together, with quotas that share what a tree's limits leave."""
    answers = [work.answers[site] for site in range(len(work.city.sites))]
    everyone = np.ones(len(answers), dtype=np.bool_)
    rows = build_rows(tree, work.prices, tree.peaks_kw(work.flows_kw))
    rows = _hold_excess(tree, rows, work.flows_kw)
    capacity = np.maximum(work.capacity_kw, 1.0)
    quotas = share_out(rows, work.flows_kw, everyone, work.flows_kw, capacity)
    stop = Stop.TIME_LIMIT if work.budget.left_s <= 0.0 else Stop.SEARCH_ENDED
    seconds = time.monotonic() - started_s
    return assemble(work.city, work.tree, answers, work.bound_eur, work.prices, quotas, seconds, stop)


def _first_pass(work: _City, guide: Guide) -> None:
    """Let all districts plan, batch by batch."""
    rows = build_rows(work.above, guide.prices, guide.peaks_kw)
    tight, prices = find_tight(rows, guide.expected_kw), guide.prices.at_sites(work.above)
    order = np.random.default_rng(SEED).permutation(len(work.districts)).tolist()
    size = 2 * max(1, math.ceil(len(order) / BATCHES / 2))
    flows, alone = guide.expected_kw.copy(), work.tree.alone_flows_kw()
    waiting = np.ones(len(work.city.sites), dtype=np.bool_)
    for first in range(0, len(order), size):
        batch = [work.districts[number] for number in order[first : first + size]]
        quota = share_out(rows, flows, waiting, np.maximum(0.0, flows - alone), work.capacity_kw, tight)
        tasks = [_build_task(work, district, prices, quota) for district in batch]
        for district, task, reply in zip(
            batch, tasks, work.run(answer_task, [(task,) for task in tasks]), strict=True
        ):
            work.note_reply(district, give_up(task) if reply is None else reply)
            waiting[list(district.sites)] = False
            flows[list(district.sites)] = work.flows_kw[list(district.sites)]


def _build_task(work: _City, district: District, price: Floats, quota_kw: Floats) -> Task:
    sites = list(district.sites)
    quota = quota_kw[sites].sum(axis=0)
    return Task(
        tuple(work.city.sites[site] for site in sites),
        restrict(work.tree, district.nodes, sites),
        tuple(Signal(price[site], quota, np.full_like(quota, work.soft_eur_per_kw[site])) for site in sites),
        quota,
        max(0.1, work.budget.left_s),
    )


def _repair(work: _City, tree: Tree) -> None:
    """Let sites that overload a node plan again within less, until no node is overloaded."""
    rows = build_rows(tree, work.prices, np.full(len(tree.bands.node), np.inf))
    for _ in range(MOST_SWEEPS):
        if tree.overload_kw(work.flows_kw).max(initial=0.0) <= NEGLIGIBLE_KW or work.budget.left_s <= 0.0:
            break
        _sweep(work, tree, rows)
    _silence(work, rows)


def _sweep(work: _City, tree: Tree, rows: Rows) -> None:
    flows = work.flows_kw
    rows = _hold_excess(tree, rows, flows)
    yields = np.maximum(0.0, flows - tree.alone_flows_kw())
    takers = _choose_takers(rows, flows, yields)
    quota = share_out(rows, flows, takers, yields * takers[:, None, None], work.capacity_kw)
    prices, sites = work.prices.cut(tree).at_sites(tree), np.flatnonzero(takers).tolist()
    jobs = []
    for site in sites:
        soft = np.full_like(quota[site], work.soft_eur_per_kw[site])
        paid, _ = split_price(Signal(prices[site], quota[site], soft))
        problem = work.city.sites[site]
        signal = forbid(problem, paid, quota[site])
        jobs.append((problem, signal, SITE_GAP, max(0.1, work.budget.left_s)))
    for site, answer in zip(sites, work.run(answer_signal, jobs), strict=True):
        work.note(site, idle(work.city.sites[site]) if answer is None else answer)


def _hold_excess(tree: Tree, rows: Rows, flows_kw: Floats) -> Rows:
    """Lower the room to what is used where base load exceeds a limit, so that the excess does not grow."""
    count = len(tree.limits.node)
    room = rows.room_kw.copy()
    room[:count] = np.clip(rows.used_kw(flows_kw)[:count], tree.limits.limit_kw, room[:count])
    return dataclasses.replace(rows, room_kw=room)


def _choose_takers(rows: Rows, flows_kw: Floats, yields_kw: Floats) -> Flags:
    """Choose sites that can yield enough in every overloaded step, those first that yield most."""
    over = np.maximum(0.0, rows.used_kw(flows_kw) - rows.room_kw)
    takers = np.zeros(len(flows_kw), dtype=np.bool_)
    for number, step in np.argwhere(over > NEGLIGIBLE_KW).tolist():
        can = yields_kw[:, rows.flow[number], step] * rows.below[number]
        missing = 3.0 * over[number, step] - float(can[takers].sum())
        for site in np.argsort(-can, kind="stable").tolist():
            if missing <= 0.0:
                break
            if not takers[site] and can[site] > 0.0:
                takers[site] = True
                missing -= can[site]
    return takers


def _silence(work: _City, rows: Rows) -> None:
    """Stop the charging of sites, one after the other, as long as a node is overloaded."""
    alone = work.tree.alone_flows_kw()
    while True:
        over = np.maximum(0.0, rows.used_kw(work.flows_kw) - rows.room_kw)
        if over.max(initial=0.0) <= NEGLIGIBLE_KW:
            return
        number, step = (int(place) for place in np.unravel_index(np.argmax(over), over.shape))
        above = np.where(rows.below[number], (work.flows_kw - alone)[:, rows.flow[number], step], -np.inf)
        site = int(np.argmax(above))
        if above[site] <= 0.0:
            # All of them stand still: what is left is rounding.
            return
        log.warning("site %s stops charging: it overloads a node", work.city.site_ids[site])
        work.note(site, idle(work.city.sites[site]))
