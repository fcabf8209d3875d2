"""Always an answer: workers that are lost, no time, nothing to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from optimizer.city.check import check_city
from optimizer.city.planner import plan_city
from optimizer.city.problem import parse_city
from optimizer.plan import Proof
from optimizer.planner import warm_up
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
