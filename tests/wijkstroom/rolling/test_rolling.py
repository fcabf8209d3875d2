"""The street of the comparison: nobody reads the future, scenarios surround the forecast, books balance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from grid.errors import DocumentError
from optimizer.check import check_plan
from optimizer.planner import plan
from simulator.fleet.sessions import InformationClass
from wijkstroom.bench import run_bench
from wijkstroom.bench.uncertainty import make_figures
from wijkstroom.rolling.futures import Library, draw_futures
from wijkstroom.rolling.month import Month, Stay, draw_month, draw_stays, take_part
from wijkstroom.rolling.policies import (
    Deterministic,
    Foresight,
    OnScenarios,
    Policy,
    Uncontrolled,
    build_known_problem,
)
from wijkstroom.rolling.run import HOUR, Outcome, Run
from wijkstroom.rolling.service import Service
from wijkstroom.rolling.world import World
from wijkstroom.street import load_street

EVERY = 6
# Late afternoon: several cars are there, and a new hour begins.
QUARTER = 48
HOURS = 3


@cache
def month() -> Month:
    return draw_month(take_part(load_street(), EVERY), date(2024, 6, 3), 1, 1, 24.0)


def stays(seed: int) -> tuple[Stay, ...]:
    return draw_stays(take_part(load_street(), EVERY), date(2024, 6, 3), 1, seed, 24.0)


@cache
def library() -> Library:
    return Library.collect([stays(2), stays(3), stays(2)], 1)


def uncontrolled_until(world: World, quarter: int) -> World:
    for each in range(quarter):
        world.come_and_go(each)
        world.carry_out(each, {name: guest.stay.max_kw for name, guest in world.guests.items()})
    world.come_and_go(quarter)
    return world


def short(whole: Month, quarters: int) -> Month:
    return replace(whole, quarters=quarters, periods=whole.periods[:quarters])


def test_a_part_is_as_tight_as_the_whole() -> None:
    whole, part = load_street(), take_part(load_street(), EVERY)
    assert len(part.stations) * EVERY == len(whole.stations)
    assert part.grid.sun.peak_kw * EVERY == pytest.approx(whole.grid.sun.peak_kw)
    assert [node.households * EVERY for node in part.grid.topology.nodes] == [120]
    for own, all_of_it in zip(part.grid.topology.root.limits, whole.grid.topology.root.limits, strict=True):
        assert own.value * EVERY == pytest.approx(all_of_it.value)
    assert {station.connection for station in part.stations} == {
        one.id for one in part.grid.topology.connections
    }
    assert take_part(whole, 1) is whole


def test_the_service_reads_nothing_that_nobody_tells() -> None:
    """What a car needs that says nothing, who comes later and the weather to come change no problem."""

    def hide(stay: Stay) -> Stay | None:
        if stay.arrival > QUARTER:
            return None
        if stay.session.information is not InformationClass.NONE or stay.departure <= QUARTER:
            return stay
        # It would take more, and stay longer.
        session = replace(
            stay.session, limit_fraction=1.0, departure=stay.session.departure.replace(year=2025)
        )
        return replace(stay, session=session, departure=stay.departure + 50)

    known = month()
    hidden = tuple(each for stay in known.stays if (each := hide(stay)) is not None)
    seen = np.arange(len(known.base_kw)) < QUARTER
    other = replace(
        known,
        stays=hidden,
        base_kw=np.where(seen, known.base_kw, 99.0),
        pv_kw=np.where(seen, known.pv_kw, 0.0),
    )
    problems = []
    for whole in (known, other):
        world = World(whole)
        service = Service(world)
        for quarter in range(QUARTER + 1):
            world.come_and_go(quarter)
            if quarter == QUARTER:
                problems.append(service.build_case(quarter).problem)
            world.carry_out(quarter, {})
    assert len(problems[0].evs) > 2
    assert problems[0] == problems[1]


def test_scenarios_surround_the_forecast() -> None:
    world = uncontrolled_until(World(month()), QUARTER)
    case = Service(world).build_case(QUARTER)
    futures = draw_futures(case, world.guests, library(), QUARTER, HOUR)
    problem = case.problem
    there = {ev.id: ev for ev in problem.evs}
    assert sum(one.probability for one in futures.scenarios) == pytest.approx(1.0)
    for one in futures.scenarios:
        own = one.problem
        for name in ("base_load", "pv"):
            for kind in ("lower", "upper"):
                bound = getattr(own, f"{name}_{kind}_kw")
                assert bound[:HOUR] == getattr(problem, f"{name}_{kind}_kw")[:HOUR]
                assert bound[HOUR:] == getattr(own, f"{name}_kw")[HOUR:]
        for ev in own.evs:
            if ev.id in there:
                assert 1 <= ev.departure_step <= there[ev.id].departure_step
            else:
                assert ev.arrival_step >= 1
        assert own == type(own).model_validate(own.model_dump())
    # A path, its mirror, and the median between them.
    mean = np.mean([one.problem.base_load_kw for one in futures.scenarios], axis=0)
    assert mean == pytest.approx(np.asarray(problem.base_load_kw), abs=1e-9)
    assert draw_futures(case, world.guests, library(), QUARTER, HOUR) == futures


def test_who_knows_the_future_plans_within_the_limits() -> None:
    world = uncontrolled_until(World(month()), QUARTER)
    problem = build_known_problem(world, QUARTER)
    assert problem.base_load_kw == pytest.approx(world.month.base_kw[QUARTER : QUARTER + 96])
    assert len(problem.evs) > len(world.guests)
    assert check_plan(problem, plan(problem)) == []


@pytest.mark.parametrize("name", ["uncontrolled", "deterministic", "scenarios", "foresight"])
def test_the_books_of_a_run_balance(name: str) -> None:
    world = World(short(month(), HOURS * HOUR))
    ways: dict[str, Policy] = {
        "uncontrolled": Uncontrolled(world),
        "deterministic": Deterministic(world),
        "scenarios": OnScenarios(world, library()),
        "foresight": Foresight(world),
    }
    outcome = Run(world, ways[name]).advance(HOURS * HOUR)
    assert outcome.plans == HOURS
    assert outcome.charged_kwh - outcome.discharged_kwh == pytest.approx(0.25 * world.cars_kw.sum())
    assert outcome.shortfall_kwh >= 0.0
    if name != "uncontrolled":
        assert outcome.fuse_excess_kwh == pytest.approx(0.0, abs=0.05)
    for guest in world.guests.values():
        assert guest.energy_kwh <= guest.limit_kwh + 1e-6
        assert guest.imported_kwh <= guest.stay.max_kw * 0.25 * HOURS * HOUR


def test_each_way_has_its_figures() -> None:
    outcome = Outcome(10.0, 1.0, 2.0, 3.0, 50.0, 5.0, 0.5, 0.1, 0.0, 7, 24, 12.0)
    figures = {figure.name: figure.value for figure in make_figures({"scenarios": outcome}, 1)}
    assert figures["scenarios_cost_eur"] == pytest.approx(10.0)
    assert figures["scenarios_shortfall_kwh"] == pytest.approx(0.5)
    assert figures["scenarios_limit_excess_kwh"] == pytest.approx(0.1)
    assert figures["scenarios_plan_cpu_s"] == pytest.approx(0.5)


def test_only_what_has_a_length_takes_one() -> None:
    with pytest.raises(DocumentError, match="--days"):
        run_bench("loop", as_json=True, days=3)
    with pytest.raises(DocumentError, match="--site-days"):
        run_bench("uncertainty", as_json=True, site_days=3)
