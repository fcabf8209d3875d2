"""Always an answer: workers that are lost, no time, nothing to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from optimizer.check import Finding, Rule
from optimizer.city import planner
from optimizer.city.check import check_city
from optimizer.city.planner import plan_city
from optimizer.city.problem import City, parse_city
from optimizer.city.site import NEGLIGIBLE_KW, Signal, answer_signal
from optimizer.coefficients import Floats
from optimizer.plan import Proof
from optimizer.planner import warm_up
from optimizer.problem import Problem
from optimizer.workers import InlineExecutor, ProcessExecutor, WorkerKilledError
from tests.wijkstroom.test_plan_city import CITY, SITE


class LossyExecutor(InlineExecutor):
    """Loses every job."""

    def submit(
        self, function: Callable[..., Any], /, *args: Any, deadline_s: float | None = None
    ) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(WorkerKilledError("killed"))
        return future


def test_a_city_whose_workers_are_all_lost_stays_idle_and_says_so() -> None:
    city = parse_city(CITY)
    plan = plan_city(city, LossyExecutor())
    assert check_city(city, plan) == []
    assert plan.status.proof is Proof.FALLBACK
    assert plan.bound_eur is None
    assert plan.gap is None
    assert sum(ev.shortfall_kwh for site in plan.sites for ev in site.plan.evs) == pytest.approx(7.2)
    assert "2 vehicles leave 7.2 kWh short" in plan.explanation[0]


def test_a_city_without_time_gets_a_plan() -> None:
    city = dataclasses.replace(parse_city(CITY), time_limit_s=1e-9)
    assert check_city(city, plan_city(city)) == []


def test_a_city_without_nodes_is_sites_that_plan_alone() -> None:
    city = parse_city({"sites": CITY["sites"]})
    plan = plan_city(city)
    assert plan.nodes == ()
    assert plan.money_eur == pytest.approx(2 * 0.25 * 8.0 * (0.1 + 0.2))
    assert plan.gap == pytest.approx(0.0, abs=1e-6)


def test_sites_without_sessions_and_a_node_without_members_are_fine() -> None:
    nodes = [{"id": "empty", "members": [], "import_limit_kw": 1.0, "export_limit_kw": 1.0}]
    city = parse_city({"sites": [{**SITE, "id": "bare", "evs": [], "base_load_kw": 2.0}], "nodes": nodes})
    plan = plan_city(city)
    assert check_city(city, plan) == []
    assert plan.money_eur == pytest.approx(2.0 * 0.25 * (0.1 + 0.2 + 0.3 + 0.4))


def test_processes_and_this_process_give_equal_plans() -> None:
    city = parse_city(CITY)
    executor = ProcessExecutor(2, warm_up)
    try:
        there = plan_city(city, executor)
    finally:
        executor.close()
    assert [site.plan.evs for site in there.sites] == [site.plan.evs for site in plan_city(city).sites]


def skip_repairs(times: int) -> Callable[..., None]:
    """Return a repair that does nothing the first times: a planner that overlooks overloads."""
    repair, left = planner._repair, [times]

    def overlook(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            repair(*args)

    return overlook


def crowded() -> City:
    """Return a city whose sites, planned without knowing of each other, overload their node."""
    nodes = [{"id": "t", "members": ["a", "b"], "import_limit_kw": 5.0}]
    return parse_city({"sites": [{**SITE, "id": name} for name in "ab"], "nodes": nodes})


@pytest.mark.parametrize(("overlooked", "words"), [(1, "98 % of the nodes' room"), (9, "nobody charges")])
def test_a_plan_that_breaks_a_limit_is_refused_and_made_again_within_less(
    monkeypatch: pytest.MonkeyPatch, overlooked: int, words: str
) -> None:
    city = crowded()
    greedy = [answer_signal(site, Signal(*free(site)), 0.0, 10.0) for site in city.sites]
    monkeypatch.setattr(planner, "_first_pass", lambda work, _guide: list(map(work.note, (0, 1), greedy)))
    monkeypatch.setattr(planner, "_polish", lambda _work: None)
    monkeypatch.setattr(planner, "_repair", skip_repairs(overlooked))
    plan = plan_city(city)
    assert check_city(city, plan) == []
    assert plan.explanation[0].startswith("Warning: a plan was refused")
    assert words in " ".join(plan.explanation)
    assert max(plan.nodes[0].import_kw) <= 5.0 + NEGLIGIBLE_KW


def free(site: Problem) -> tuple[Floats, Floats, Floats]:
    """Return prices of nothing and no quota."""
    nothing = np.zeros((4, site.steps))
    return nothing, np.full_like(nothing, np.inf), nothing


def test_a_city_whose_every_plan_is_refused_gets_an_error_and_no_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lie = Finding(Rule.GROUP_LIMIT, "nodes[0].import_kw[0]", "9 kW of import, the limit is 8 kW")
    monkeypatch.setattr(planner, "check_city", lambda _city, _plan: [lie])
    with pytest.raises(planner.RefusedError, match="no plan of this city passes the checker"):
        plan_city(parse_city(CITY))
