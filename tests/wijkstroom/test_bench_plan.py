"""The benchmark of the planner: sites that repeat, figures with the published names, peers that may be missing."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from optimizer.check import check_plan
from optimizer.heuristics import plan_idle
from optimizer.planner import plan
from wijkstroom.bench import plan as bench
from wijkstroom.bench.peers import Peer
from wijkstroom.bench.sites import make_site, perturb, shift

PUBLISHED = {
    "plan_20_cold_ms",
    "plan_20_hot_ms",
    "plan_20_shifted_ms",
    "plan_20_gap",
    "plan_100_cold_ms",
    "plan_100_gap",
    "ratio_flexmeasures_20",
    "objective_difference_flexmeasures_20",
}


def test_sites_repeat_and_differ() -> None:
    assert make_site(5, 0, gap=0.001) == make_site(5, 0, gap=0.001)
    assert make_site(5, 0, gap=0.001) != make_site(5, 1, gap=0.001)


@pytest.mark.parametrize("peer", [False, True])
def test_cars_of_a_site_can_be_served(peer: bool) -> None:
    problem = make_site(8, 0, gap=0.01, peer=peer)
    assert sum(ev.shortfall_kwh for ev in plan(problem).evs) < 0.1


def test_a_shifted_site_is_the_same_site_a_step_later() -> None:
    problem = make_site(4, 0, gap=0.01)
    later = shift(perturb(problem))
    assert later.import_price_eur_per_kwh[:-1] == problem.import_price_eur_per_kwh[1:]
    assert {ev.id for ev in later.evs} == {ev.id for ev in problem.evs}
    assert (later.start - problem.start).total_seconds() == 900.0


def test_figures_have_the_published_names(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Peer("missing", (), "missing.py")

    def no_process(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("no such peer")

    monkeypatch.setattr(subprocess, "run", no_process)
    figures = [figure for cars in (20, 100) for figure in bench.measure_size(cars, sites=1)]
    figures += bench.measure_peer(missing)
    found = {figure.name: figure for figure in figures}
    assert found.keys() >= PUBLISHED
    assert found["ratio_flexmeasures_20"].value is None
    assert found["ratio_flexmeasures_20"].met is False
    assert found["plan_20_gap"].met
    assert found["plan_100_gap"].met


def test_a_peers_powers_are_costed_as_ours() -> None:
    problem = make_site(3, 0, gap=0.001, peer=True)
    ours = plan(problem)
    copied = bench.read_peer_plan(problem, {ev.id: list(ev.power_kw) for ev in ours.evs})
    assert copied.objective_eur == pytest.approx(ours.objective_eur)
    idle = bench.read_peer_plan(problem, {ev.id: [0.0] * problem.steps for ev in problem.evs})
    assert idle.objective_eur == pytest.approx(plan_idle(problem).objective_eur)
    assert check_plan(problem, copied) == []
