"""Money and energy of a run follow from its meters alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from grid.config import load_document
from grid.street import GridSide, load_grid_side
from grid.timegrid import QUARTER, TimeGrid
from wijkstroom.accounts import Metered, Terms, compute_costs
from wijkstroom.resources import find_street, resolver

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
NOTHING = Terms(degradation_eur_per_kwh=0.06, shortfall_eur_per_kwh=1.5, shortfall_kwh=0.0, stored_kwh=0.0)


@pytest.fixture(scope="module")
def grid() -> GridSide:
    path = find_street()
    return load_grid_side(load_document(path), resolver(path.parent))


@pytest.fixture
def metered() -> Metered:
    """A day: homes draw 20 kW, one pole charges 8 kW and gives 4 kW back for an hour, the sun gives 30 kW at noon."""
    starts = TimeGrid(START, QUARTER, 96).starts
    homes, pv, charge, back = np.full(96, 5.0), np.zeros(96), np.zeros(96), np.zeros(96)
    pv[24:40], charge[20:40], back[60:64] = 7.5, 2.0, 1.0
    net = homes + charge - back - pv
    return Metered(
        starts, np.maximum(net, 0.0), np.maximum(-net, 0.0), pv, {"pole-21": charge}, {"pole-21": back}
    )


def test_energy_figures_follow_from_registers(metered: Metered) -> None:
    assert metered.discharged_kwh == pytest.approx(4.0)
    assert metered.peak_import_kw == pytest.approx(28.0)
    assert metered.base_load_kwh() == pytest.approx(np.full(96, 5.0))
    assert metered.pv_self_consumed_fraction == pytest.approx(1.0 - 8.0 / 120.0)


def test_no_sun_has_no_self_consumption(metered: Metered) -> None:
    assert replace(metered, pv_kwh=np.zeros(96)).pv_self_consumed_fraction is None


def test_a_shifted_kwh_costs_the_difference_of_prices(metered: Metered, grid: GridSide) -> None:
    shifted = metered.import_kwh.copy()
    shifted[60] += 1.0
    later = compute_costs(replace(metered, import_kwh=shifted), NOTHING, grid)
    price = grid.prices.import_price_eur_per_kwh([START + timedelta(minutes=15 * 60)])[0]
    now = compute_costs(metered, NOTHING, grid)
    assert later.shared_eur - now.shared_eur == pytest.approx(price)


def test_only_what_exceeds_the_realised_peak_is_paid(metered: Metered, grid: GridSide) -> None:
    peaked = metered.import_kwh.copy()
    peaked[80] = (95.0 + 10.0) / 4.0
    added_kwh = peaked[80] - metered.import_kwh[80]
    price = grid.prices.import_price_eur_per_kwh([metered.starts[80]])[0]
    difference = (
        compute_costs(replace(metered, import_kwh=peaked), NOTHING, grid).shared_eur
        - compute_costs(metered, NOTHING, grid).shared_eur
    )
    assert difference == pytest.approx(
        added_kwh * price + 10.0 * grid.tariff.band("all").peak_eur_per_kw_month
    )


def test_terms_count_alike_in_both_columns(metered: Metered, grid: GridSide) -> None:
    terms = replace(NOTHING, shortfall_kwh=2.0, stored_kwh=10.0)
    mean_price = float(grid.prices.import_price_eur_per_kwh(metered.starts).mean())
    without, with_terms = compute_costs(metered, NOTHING, grid), compute_costs(metered, terms, grid)
    expected = 2.0 * 1.5 - 10.0 * mean_price
    assert with_terms.shared_eur - without.shared_eur == pytest.approx(expected)
    assert with_terms.alone_eur is not None
    assert without.alone_eur is not None
    assert with_terms.alone_eur - without.alone_eur == pytest.approx(expected)


def test_discharge_wears(metered: Metered, grid: GridSide) -> None:
    worn = compute_costs(metered, NOTHING, grid).shared_eur
    free = compute_costs(metered, replace(NOTHING, degradation_eur_per_kwh=0.0), grid).shared_eur
    assert worn - free == pytest.approx(4.0 * 0.06)
