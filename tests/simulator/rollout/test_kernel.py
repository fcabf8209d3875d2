"""A year of sockets: drivers come, walk on, wait, leave; energy is conserved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.rollout.calendar import year_grid
from simulator.rollout.demand import DemandModel, Library, Requests
from simulator.rollout.kernel import Kernel, first_come
from simulator.rollout.layout import build_layout
from simulator.rollout.policies import StaticLimit, Uncontrolled
from simulator.rollout.scenario import Control, Poles, Scenario
from simulator.rollout.tally import SessionLog
from tests.simulator.rollout.conftest import area, scenario

GRID = year_grid(2025)


def run(
    world: Scenario, library: Library, days: int, *, seed: int = 1, policy: Any = None
) -> tuple[Kernel, Any, Any]:
    layout = build_layout(world, 1)
    requests = DemandModel(world, library, GRID).draw(layout, 0, np.random.default_rng(seed))
    log = SessionLog()
    kernel = Kernel(world, layout, library, GRID, requests, policy or Uncontrolled(world.poles.fuse_a), log)
    return kernel, kernel.run_until(96 * days), log.arrays()


def request(step: int, session: int, count: int = 1) -> Requests:
    zeros = np.zeros(count, dtype=np.float32)
    return Requests(
        np.full(count, step, dtype=np.int32),
        np.zeros(count, dtype=np.int32),
        np.full(count, session, dtype=np.int32),
        zeros,
        zeros,
        np.ones(count, dtype=np.float32),
        np.ones(count, dtype=np.float32),
    )


def test_energy_is_conserved(library: Library) -> None:
    _, block, _ = run(scenario(), library, 10)
    outcome = block.outcome
    left = outcome.metered_kwh - outcome.discharged_kwh - outcome.lost_kwh - outcome.stored_kwh
    assert outcome.metered_kwh.sum() > 100
    assert np.abs(left).max() < 1e-6
    assert block.load_kw.sum() * 0.25 == pytest.approx(outcome.metered_kwh.sum(), rel=1e-5)


def test_every_driver_is_counted_once(library: Library) -> None:
    kernel, block, _ = run(scenario(area(households=2000)), library, 10)
    requests = kernel.requests
    came = ((requests.step >= 0) & (requests.step < 960)).sum()
    assert block.tally.arrivals.sum() == came
    assert 0 < block.tally.blocked.sum() < came


def test_no_socket_serves_two_cars_at_once(library: Library) -> None:
    _, _, sessions = run(scenario(area(households=2000)), library, 20)
    change: dict[int, list[tuple[int, int]]] = {}
    for pole, begin, end in zip(sessions["pole"], sessions["plugged"], sessions["departed"], strict=True):
        # Within a quarter cars come and go in any order: who leaves at its beginning has made room.
        change.setdefault(int(pole), []).extend([(int(end), -1), (int(begin), 1)])
    for events in change.values():
        present, most = 0, 0
        for _, by in sorted(events):
            present += by
            most = max(most, present)
        assert most <= 2


def test_a_static_limit_binds_in_its_window_only(library: Library) -> None:
    world = scenario(area(households=2000, poles=1), control=Control(static_a=8.0))
    _, block, _ = run(world, library, 20, policy=StaticLimit(25.0, world.control, GRID))
    hour = GRID.quarter[: len(block.load_kw)] / 4
    inside = (hour >= 17) & (hour < 21)
    phase_kw = block.load_kw.sum(axis=1).max(axis=1)
    assert phase_kw[inside].max() <= 8.0 * 0.23 + 1e-5
    assert phase_kw[~inside].max() > 8.0 * 0.23 * 1.5


def test_who_finds_the_nearest_taken_walks_on_and_who_finds_none_leaves(library: Library) -> None:
    world = scenario(area(poles=2, area_km2=0.0625), poles=Poles(sockets=1, reach_m=300.0, wait_fraction=0.0))
    layout = build_layout(world, 1)
    long = int(np.argmax(library.stay_h))
    kernel = Kernel(world, layout, library, GRID, request(5, long, 3), Uncontrolled(25.0))
    tally = kernel.run_until(8).tally
    assert tally.arrivals.sum() == 3
    assert tally.diverted.sum() == 1
    assert tally.blocked.sum() == 1
    assert set(kernel.sockets.pole[kernel.sockets.busy]) == {0, 1}


def test_a_patient_driver_gets_the_socket_that_falls_free(library: Library) -> None:
    world = scenario(area(poles=1, area_km2=0.01), poles=Poles(sockets=1, reach_m=300.0, wait_fraction=1.0))
    layout = build_layout(world, 1)
    stay = library.stay_h * 4
    short, long = int(np.argmin(np.abs(stay - 3))), int(np.argmin(np.abs(stay - 30)))
    both = request(5, short, 2)
    both = replace(
        both, session=np.array([short, long], dtype=np.int32), patience=np.zeros(2, dtype=np.float32)
    )
    kernel = Kernel(world, layout, library, GRID, both, Uncontrolled(25.0))
    tally = kernel.run_until(12).tally
    assert tally.waited.sum() == 1
    assert tally.blocked.sum() == 0


def test_cars_stay_after_full(library: Library) -> None:
    _, block, _ = run(scenario(), library, 10)
    assert 0 < block.tally.full_idle.sum() < block.tally.occupied.sum()


def test_poles_that_are_added_are_used(library: Library) -> None:
    world = scenario(area(households=3000, poles=2))
    kernel, before, _ = run(world, library, 10)
    kernel.add_poles(kernel.layout.with_poles(np.zeros(6, dtype=np.int64), world))
    after = kernel.run_until(96 * 20)
    assert (
        after.tally.blocked.sum() / after.tally.arrivals.sum()
        < before.tally.blocked.sum() / before.tally.arrivals.sum()
    )
    assert (kernel.sockets.request[2 * 2 :] >= 0).any()


def test_first_come_numbers_equals_in_order() -> None:
    assert first_come(np.array([7, 3, 7, 7, 3])).tolist() == [0, 0, 1, 2, 1]
