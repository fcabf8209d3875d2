"""Transformers and feeders: what is added up, what is above the rating, what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.rollout.layout import build_layout
from simulator.rollout.network import Network, draw_weather, load_surroundings
from simulator.rollout.scenario import Grid, Scenario
from tests.simulator.rollout.conftest import DATA, area, scenario


def build(world: Scenario, replicates: int = 1) -> Network:
    around = load_surroundings(DATA, world, 2025)
    weather = [draw_weather(around, np.random.default_rng(copy)) for copy in range(replicates)]
    homes = [np.random.default_rng(10 + copy) for copy in range(replicates)]
    return Network(world, build_layout(world, replicates), around, weather, homes)


def cars(network: Network, kw: float, steps: int = 96) -> Any:
    return np.full((steps, len(network.feeder_transformer), 3), kw / 3, dtype=np.float32)


def test_households_differ_between_transformers_but_not_in_sum() -> None:
    network = build(scenario(area(households=900, transformers=9)))
    assert network.households.sum() == pytest.approx(900)
    spread = network.households.std() / network.households.mean()
    assert spread == pytest.approx(0.3, abs=0.06)


def test_a_year_of_households_uses_what_it_should() -> None:
    world = scenario(area(pv_kw=0.0))
    network = build(world)
    kwh = network.around.household_kw.sum() * 0.25
    assert kwh == pytest.approx(world.grid.annual_kwh_per_household, rel=0.02)


def test_cars_come_on_top_of_households() -> None:
    world = scenario(area(households=200, transformers=1))
    without, with_cars = build(world), build(world)
    plain = without.judge(0, cars(without, 0.0))
    loaded = with_cars.judge(0, cars(with_cars, 10.0))
    feeders = world.grid.feeders_per_transformer
    assert loaded.peak_kw[0] == pytest.approx(plain.peak_kw[0] + 10 * feeders, rel=1e-4)
    assert loaded.import_kwh[0] - plain.import_kwh[0] == pytest.approx(10 * feeders * 24, rel=1e-3)
    assert loaded.money_eur[0] > loaded.base_money_eur[0] == pytest.approx(plain.money_eur[0])


def test_overload_is_what_is_above_the_rating_less_margin() -> None:
    world = scenario(
        area(households=1, transformers=1, pv_kw=0.0),
        grid=Grid(transformer_kva=100.0, power_factor=1.0, margin_fraction=0.1),
    )
    network = build(world)
    judged = network.judge(0, cars(network, 100.0 / world.grid.feeders_per_transformer))
    assert judged.overload_h[0] == 24
    base = judged.import_kwh[0] - 100 * 24
    assert judged.overload_kwh[0] == pytest.approx(10 * 24 + base, rel=1e-3)


def test_one_full_phase_overloads_the_feeder_though_the_sum_would_not() -> None:
    network = build(scenario(area(households=1, transformers=1, pv_kw=0.0)))
    load = cars(network, 0.0)
    load[:, 0, 1] = 60.0
    judged = network.judge(0, load)
    assert judged.feeder_loading[0] > 1
    assert judged.peak_loading[0] < 0.5


def test_panels_are_used_below_the_transformer_first() -> None:
    world = scenario(area(households=50, transformers=1, pv_kw=400.0))
    network, loaded = build(world), build(world)
    july = 96 * 190
    plain = network.judge(july, cars(network, 0.0))
    charging = loaded.judge(july, cars(loaded, 30.0))
    assert plain.pv_export_kwh[0] > charging.pv_export_kwh[0]
    assert plain.pv_kwh[0] == pytest.approx(charging.pv_kwh[0])
