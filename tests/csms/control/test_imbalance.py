"""Plans that know the imbalance price of the running quarter: what they save is what settlement pays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.control.snapshot import plan_grid
from grid.tariffs.bill import LineKind, compute_bill
from grid.tariffs.deviation import LoadForecast, settle_deviation
from grid.tariffs.energy import PriceSeries
from grid.tariffs.imbalance import ImbalancePrices
from grid.timegrid import quarter_number
from optimizer.planner import plan
from optimizer.problem import Problem
from tests.csms.control.street import HOUR, NOW, Plugged, Street, declared, load_lombok

GRID = load_lombok()
STEPS = plan_grid(NOW, 24.0)
# Quarters until midnight: tomorrow's day-ahead prices are published later.
PUBLISHED = 72
CARS = tuple(declared(Plugged(f"LMB-{index:02d}"), NOW + 8 * HOUR, 15.0) for index in range(1, 4))


def imbalance(eur_per_kwh: list[float], known_before: timedelta = timedelta(0)) -> ImbalancePrices:
    return ImbalancePrices(PriceSeries(quarter_number(NOW), np.array(eur_per_kwh)), known_before)


def problem_with(prices: ImbalancePrices | None) -> Problem:
    return Street(CARS, grid=replace(GRID, imbalance=prices)).case().problem


def drawn_now_kw(prices: ImbalancePrices | None) -> float:
    planned = plan(problem_with(prices))
    assert sum(ev.shortfall_kwh for ev in planned.evs) < 0.01
    return sum(ev.power_kw[0] for ev in planned.evs)


def test_only_the_running_quarter_is_known_unless_it_is_said_otherwise() -> None:
    prices = [5.0] * 8
    premium = imbalance(prices).premium_eur_per_kwh(STEPS.starts, NOW, GRID.prices)
    assert np.flatnonzero(premium).tolist() == [0]
    assert premium[0] == pytest.approx(5.0 - GRID.prices.series.at([NOW])[0])
    later = imbalance(prices, timedelta(minutes=30)).premium_eur_per_kwh(STEPS.starts, NOW, GRID.prices)
    assert np.flatnonzero(later).tolist() == [0, 1, 2]
    all_day = imbalance(prices, timedelta(days=1)).premium_eur_per_kwh(STEPS.starts, NOW, GRID.prices)
    assert np.flatnonzero(all_day).tolist() == list(range(8)), "where the series ends nothing is known"


def test_a_plan_pays_the_premium_both_ways() -> None:
    prices = imbalance([0.4, 9.0, -9.0])
    given, without = problem_with(prices), problem_with(None)
    premium = prices.premium_eur_per_kwh(STEPS.starts, NOW, GRID.prices)
    assert premium[0] > 0.0
    for name in ("import_price_eur_per_kwh", "export_price_eur_per_kwh"):
        assert np.array(getattr(given, name)) - getattr(without, name) == pytest.approx(premium)


def test_a_plan_helps_the_system_when_it_pays() -> None:
    short, usual, long = (drawn_now_kw(prices) for prices in (imbalance([3.0]), None, imbalance([-3.0])))
    assert short <= usual <= long
    assert short < long - 5.0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_what_a_plan_saves_is_what_bill_and_deviation_say(seed: int) -> None:
    random = np.random.default_rng(seed)
    starts = STEPS.starts[:PUBLISHED]
    prices = imbalance(random.normal(0.1, 0.5, PUBLISHED).tolist(), timedelta(days=1))
    premium = prices.premium_eur_per_kwh(starts, NOW, GRID.prices)
    buy = GRID.prices.import_price_eur_per_kwh(starts, NOW) + premium
    sell = GRID.prices.export_price_eur_per_kwh(starts, NOW) + premium
    announced = LoadForecast("871694600000010017", "", starts, random.normal(3.0, 4.0, PUBLISHED))
    planned_eur, settled_eur = [], []
    for _ in range(2):
        imported, exported = np.maximum(random.normal(0.0, 10.0, (2, PUBLISHED)), 0.0)
        planned_eur.append(imported @ buy - exported @ sell)
        bill = compute_bill(starts, imported, exported, GRID.prices, GRID.tariff, {})
        found = settle_deviation(announced, imported - exported, GRID.prices.series, prices.series)
        assert found.cost_eur is not None
        energy = (LineKind.IMPORT, LineKind.EXPORT, LineKind.TAX, LineKind.TRANSPORT, LineKind.REWARD)
        settled_eur.append(bill.sum_eur(*energy) + found.cost_eur)
    assert planned_eur[0] - planned_eur[1] == pytest.approx(settled_eur[0] - settled_eur[1], abs=1e-6)
