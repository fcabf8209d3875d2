"""Figures follow from meters and outcomes, alike for every run."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest

from grid.clock import ClockReport
from simulator.baselines import Baseline, BaselineTask, run_baseline
from simulator.result import RunRecord
from wijkstroom.figures import (
    Outcome,
    build_day,
    build_document,
    percentile,
    read_record,
    shortfall_price_eur_per_kwh,
)
from wijkstroom.scene import Scene, load_scene

HOURS = 4.0


@pytest.fixture(scope="module")
def scene() -> Scene:
    return load_scene(None, date(2024, 6, 11), HOURS, 1)


@pytest.fixture(scope="module")
def records(scene: Scene) -> dict[Baseline, RunRecord]:
    def run(baseline: Baseline) -> RunRecord:
        grid, noise = scene.street.grid, scene.simulation.noise
        return run_baseline(
            BaselineTask(baseline, grid, scene.setups, scene.fleet, noise, scene.seconds, scene.seed)
        )

    return {baseline: run(baseline) for baseline in Baseline}


@pytest.fixture(scope="module")
def document(scene: Scene, records: dict[Baseline, RunRecord]) -> dict[str, Any]:
    same = records[Baseline.EQUAL_SHARE]
    outcome = Outcome(same, read_record(same), (0.1, 0.2), 10, 0, (), ClockReport(4 * 3600.0, 24.0, 3, 1.0))
    possible_kwh = {one.id: math.inf for one in scene.fleet.sessions}
    return build_document(scene, outcome, records, possible_kwh, 30.0)


def test_a_run_counts_like_the_baseline_that_it_is(document: dict[str, Any]) -> None:
    baseline = document["baselines"]["equal_share"]
    assert {key: document[key] for key in baseline} == baseline


def test_the_run_is_named_so_that_it_can_be_repeated(document: dict[str, Any]) -> None:
    assert document["config"] == "configs/lombok.toml"
    assert (document["date"], document["seed"], document["hours"]) == ("2024-06-11", 1, HOURS)
    assert document["versions"]["wijkstroom"]
    assert document["achieved_speed"] == pytest.approx(600.0)


def test_energy_balances_in_every_run(scene: Scene, records: dict[Baseline, RunRecord]) -> None:
    for record in records.values():
        metered = read_record(record)
        into_cars = sum(energy.sum() for energy in metered.connection_import_kwh.values())
        net = metered.import_kwh.sum() - metered.export_kwh.sum() + metered.pv_kwh.sum()
        assert net - into_cars + metered.discharged_kwh == pytest.approx(
            metered.base_load_kwh().sum(), abs=0.01
        )
        assert len(metered.starts) == 4 * HOURS


def test_a_missing_kwh_costs_more_than_any_price(scene: Scene) -> None:
    prices = scene.street.grid.prices.import_price_eur_per_kwh([scene.start])
    assert shortfall_price_eur_per_kwh(scene) > 5.0 * prices[0]


def test_the_picture_stacks_cars_on_households(scene: Scene, records: dict[Baseline, RunRecord]) -> None:
    record = records[Baseline.UNCONTROLLED]
    day = build_day(scene, read_record(record), record)
    assert day.uncontrolled_kw == pytest.approx(day.charged_kw)
    assert np.all(day.limit_kw == 380.0), "400 kVA at a power factor of 0.95, no signal in the morning"
    assert "Lombok, 11 June 2024" in day.title


def test_percentiles() -> None:
    assert percentile((), 95.0) == 0.0
    assert percentile((1.0, 2.0, 3.0), 50.0) == 2.0
