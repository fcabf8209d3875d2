from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.control.prices import build_peak_bands, lowest_later_eur_per_kwh
from csms.control.snapshot import plan_grid
from grid.tariffs.bill import LineKind, compute_bill
from tests.csms.control.street import HOUR, NOW, load_lombok

GRID = load_lombok()
MONTH_END = datetime(2024, 6, 30, 12, 0, tzinfo=UTC)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.0, 200.0), min_size=96, max_size=96), st.sampled_from([NOW, MONTH_END]))
def test_peaks_cost_what_the_bill_says(import_kw: list[float], start: datetime) -> None:
    steps = plan_grid(start, 24.0)
    bands = build_peak_bands(GRID, steps, {})
    added_eur = sum(
        band.price_eur_per_kw
        * (max(band.realised_kw, *(import_kw[step] for step in band.steps)) - band.realised_kw)
        for band in bands
    )
    energy_kwh = np.array(import_kw) * 0.25
    bill = compute_bill(
        steps.starts,
        energy_kwh,
        np.zeros(96),
        GRID.prices,
        GRID.tariff,
        GRID.realised_peak_kw,
        GRID.contracted_kw,
    )
    billed_eur = sum(float(line.eur) for line in bill.lines if line.kind is LineKind.PEAK)
    assert added_eur == pytest.approx(billed_eur)


def test_a_peak_that_the_meter_saw_is_sunk_in_its_month_only() -> None:
    (today,) = build_peak_bands(GRID, plan_grid(NOW, 24.0), {"all": 130.0})
    assert today.realised_kw == 130.0
    assert today.price_eur_per_kw == pytest.approx(3.0966)
    (lower,) = build_peak_bands(GRID, plan_grid(NOW, 24.0), {"all": 20.0})
    assert lower.realised_kw == GRID.realised_peak_kw["all"]
    june, july = build_peak_bands(GRID, plan_grid(MONTH_END, 24.0), {"all": 130.0})
    assert (june.realised_kw, july.realised_kw) == (130.0, GRID.realised_peak_kw["all"])
    assert sorted((*june.steps, *july.steps)) == list(range(96))


def test_energy_in_a_car_is_worth_the_cheapest_way_to_get_it_later() -> None:
    steps = plan_grid(NOW, 24.0)
    worth = lowest_later_eur_per_kwh(GRID.prices, steps, NOW)
    assert worth.shape == (97,)
    price = GRID.prices.import_price_eur_per_kwh(steps.starts, NOW)
    assert worth[0] == pytest.approx(price.min())
    assert np.all(worth[:-1] <= price + 1e-12)


def test_the_price_of_tomorrow_is_not_known_in_the_morning() -> None:
    series = GRID.prices.series
    tomorrow = (NOW + 20 * HOUR - series.start) // timedelta(minutes=15)
    values = series.values_eur_per_kwh.copy()
    values[tomorrow:] = 5.0
    other = replace(GRID.prices, series=replace(series, values_eur_per_kwh=values))
    steps = plan_grid(NOW, 24.0)
    assert np.array_equal(
        lowest_later_eur_per_kwh(other, steps, NOW), lowest_later_eur_per_kwh(GRID.prices, steps, NOW)
    )
    known = plan_grid(NOW + 8 * HOUR, 24.0)
    assert not np.array_equal(
        lowest_later_eur_per_kwh(other, known, NOW + 8 * HOUR),
        lowest_later_eur_per_kwh(GRID.prices, known, NOW + 8 * HOUR),
    )
