from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grid.tariffs.bill import (
    Bill,
    BillError,
    LineKind,
    SeparateConnection,
    compute_annual_network_eur,
    compute_bill,
    compute_separate_bill,
)
from grid.tariffs.energy import PriceBook, PriceSeries
from grid.tariffs.network import NetworkTariff, SmallConnectionTariff, load_sheet
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day

CONFIGS = Path(__file__).parents[3] / "configs"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SHEET = load_sheet(CONFIGS / "tariffs/stedin-2026.toml")
MS_LS, LS = SHEET.tariff("ms-ls"), SHEET.tariff("ls")
_small = SHEET.small_tariff()
assert _small is not None
SMALL: SmallConnectionTariff = _small
SERIES = PriceSeries.from_csv(CONFIGS / "data/nl_day_ahead_2023_2024.csv")
BOOK = PriceBook(SERIES, AMSTERDAM, time(13), 0.0916, 0.005, MS_LS)
DAY = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts


def nothing(steps: int) -> NDArray[np.float64]:
    return np.zeros(steps)


def bill_of(import_kw: NDArray[np.float64], realised_kw: float = 0.0, tariff: NetworkTariff = MS_LS) -> Bill:
    return compute_bill(DAY, import_kw / 4, nothing(96), BOOK, tariff, {"all": realised_kw})


# yearly check values


def test_a_year_at_medium_to_low_voltage() -> None:
    total = compute_annual_network_eur(MS_LS, {"all": 100.0}, {"all": [80.0] * 12}, {"all": 150_000.0})
    assert total == Decimal("11100.64")


def test_a_year_at_low_voltage_rounds_each_line_half_up() -> None:
    total = compute_annual_network_eur(LS, {"normal": 50.0}, {}, {"normal": 40_000.0, "low": 20_000.0})
    assert total == Decimal("4863.00")


def test_the_quarters_of_a_year_add_up_to_the_yearly_bill() -> None:
    starts = TimeGrid(datetime(2023, 1, 1, tzinfo=AMSTERDAM), QUARTER, 365 * 96).starts[4:]
    energy = np.full(len(starts), 150_000.0 / len(starts))
    first = {f"{start.astimezone(AMSTERDAM):%Y-%m}": i for i, start in reversed(list(enumerate(starts)))}
    energy[list(first.values())] = 20.0
    bill = compute_bill(starts, energy, nothing(len(starts)), BOOK, MS_LS, {}, {"all": 100.0})
    network = bill.transport_eur + bill.peak_eur + bill.fixed_eur
    days = 365 - 1 / 24
    expected = (441.0 + 4716.9) * days / 365 + 12 * 80.0 * 3.0966 + energy.sum() * 0.0198
    assert network == pytest.approx(expected, abs=1e-6)


# energy


def test_energy_is_priced_quarter_by_quarter() -> None:
    imported, exported = nothing(96), nothing(96)
    imported[14 * 4], exported[20 * 4 + 3] = 10.0, 4.0
    bill = compute_bill(DAY, imported, exported, BOOK, MS_LS, {"all": 1000.0})
    assert bill.sum_eur(LineKind.IMPORT) == pytest.approx(10 * 0.00086)
    assert bill.sum_eur(LineKind.TAX) == pytest.approx(0.916)
    assert bill.sum_eur(LineKind.EXPORT) == pytest.approx(-4 * (0.12583 - 0.005))
    assert bill.transport_eur == pytest.approx(0.198)
    assert bill.peak_eur == 0.0
    assert bill.fixed_eur == pytest.approx(441 / 365)
    parts = bill.energy_eur + bill.transport_eur + bill.peak_eur + bill.fixed_eur
    assert bill.total_eur == pytest.approx(parts)


def test_a_negative_price_pays_the_importer_and_charges_the_exporter() -> None:
    at = SERIES.start + int(np.argmin(SERIES.values_eur_per_kwh)) * QUARTER
    bill = compute_bill([at], np.array([1.0]), np.array([1.0]), BOOK, MS_LS, {"all": 9.0})
    assert bill.sum_eur(LineKind.IMPORT) == pytest.approx(-0.5)
    assert bill.sum_eur(LineKind.EXPORT) == pytest.approx(0.505)


def test_money_of_decimals_is_exact() -> None:
    bill = compute_bill(DAY, np.full(96, 0.1), nothing(96), BOOK, MS_LS, {"all": 10.0})
    (tax,) = [line.eur for line in bill.lines if line.kind is LineKind.TAX]
    assert tax == Decimal("9.6") * Decimal("0.0916")


energies = st.lists(st.floats(0, 100), min_size=96, max_size=96).map(np.array)


@settings(max_examples=25, deadline=None)
@given(energies, energies, st.floats(0, 300))
def test_the_oracle_agrees_with_the_price_book(
    imported: NDArray[np.float64], exported: NDArray[np.float64], realised_kw: float
) -> None:
    bill = compute_bill(DAY, imported, exported, BOOK, MS_LS, {"all": realised_kw}, {"all": 200.0})
    energy = imported @ BOOK.import_price_eur_per_kwh(DAY) - exported @ BOOK.export_price_eur_per_kwh(DAY)
    peak = 3.0966 * max(0.0, 4 * float(imported.max()) - realised_kw)
    fixed = (441.0 + 200 * 47.169) / 365
    assert bill.total_eur == pytest.approx(energy + peak + fixed, abs=1e-6)


# peaks


def test_only_the_increase_above_the_realised_peak_costs() -> None:
    power = np.full(96, 50.0)
    power[70] = 120.0
    assert bill_of(power, 95.0).peak_eur == pytest.approx(25.0 * 3.0966)
    assert bill_of(power, 120.0).peak_eur == 0.0
    assert bill_of(power).peak_eur == pytest.approx(120.0 * 3.0966)


def test_each_month_of_a_run_has_its_own_peak() -> None:
    starts = TimeGrid(datetime(2024, 6, 30, 12, tzinfo=AMSTERDAM), QUARTER, 96).starts
    energy = np.full(96, 25.0)
    energy[10], energy[80] = 30.0, 40.0
    bill = compute_bill(starts, energy, nothing(96), BOOK, MS_LS, {"all": 100.0})
    peaks = {line.label: float(line.quantity) for line in bill.lines if line.kind is LineKind.PEAK}
    assert peaks == {"all 2024-06": 20.0, "all 2024-07": 60.0}


def test_bands_are_billed_apart() -> None:
    tariff = LS.model_copy(
        update={"bands": tuple(band.model_copy(update={"peak_eur_per_kw_month": 2.0}) for band in LS.bands)}
    )
    energy = nothing(96)
    energy[0], energy[40] = 5.0, 10.0
    bill = compute_bill(DAY, energy, nothing(96), BOOK, tariff, {"normal": 39.0})
    peaks = {line.label: float(line.quantity) for line in bill.lines if line.kind is LineKind.PEAK}
    assert peaks == {"low 2024-06": 20.0, "normal 2024-06": 1.0}
    assert bill.transport_eur == pytest.approx(5.0 * 0.046 + 10.0 * 0.0749)


# yearly charges


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27), date(2024, 6, 11)])
def test_every_local_day_carries_the_same_share(day: date) -> None:
    starts = quarters_of_local_day(day, AMSTERDAM).starts
    bill = compute_bill(starts, nothing(len(starts)), nothing(len(starts)), BOOK, MS_LS, {}, {"all": 100.0})
    assert bill.total_eur == pytest.approx((441.0 + 4716.9) / 365)


def test_a_demo_from_six_to_six_carries_one_day() -> None:
    starts = TimeGrid(datetime(2024, 6, 11, 6, tzinfo=AMSTERDAM), QUARTER, 96).starts
    bill = compute_bill(starts, nothing(96), nothing(96), BOOK, MS_LS, {})
    assert bill.fixed_eur == pytest.approx(441.0 / 365)


def test_degradation_is_a_line_of_its_own() -> None:
    bill = bill_of(nothing(96))
    worn = bill.with_degradation(20.0, 0.05)
    assert worn.total_eur - bill.total_eur == pytest.approx(1.0)
    assert worn.sum_eur(LineKind.DEGRADATION) == 1.0
    assert bill.sum_eur(LineKind.DEGRADATION) == 0.0


# every connection alone


def test_alone_nothing_is_shared() -> None:
    sun, car = nothing(96), nothing(96)
    sun[56], car[56] = 5.0, 5.0
    together = compute_bill(
        DAY, np.maximum(car - sun, 0), np.maximum(sun - car, 0), BOOK, MS_LS, {"all": 99.0}
    )
    alone = compute_separate_bill(
        DAY,
        [
            SeparateConnection("sun", "3x25A", nothing(96), sun),
            SeparateConnection("car", "3x25A", car, nothing(96)),
        ],
        BOOK,
        SMALL,
    )
    assert together.energy_eur == 0.0
    assert alone.energy_eur == pytest.approx(5 * 0.0916 + 5 * 0.005)
    assert alone.transport_eur == alone.peak_eur == 0.0
    assert alone.fixed_eur == pytest.approx(2 * 291.76 / 365)
    assert {line.label for line in alone.lines} == {"sun", "car"}


def test_alike_connections_are_counted() -> None:
    homes = SeparateConnection("homes", "3x25A", nothing(96), nothing(96), count=120)
    assert compute_separate_bill(DAY, [homes], BOOK, SMALL).total_eur == pytest.approx(120 * 291.76 / 365)


def test_an_unknown_fuse_class_is_named() -> None:
    odd = SeparateConnection("odd", "3x40A", nothing(96), nothing(96))
    with pytest.raises(BillError, match=r"odd: .* has no fuse class 3x40A: it knows 1x10A, 3x25A"):
        compute_separate_bill(DAY, [odd], BOOK, SMALL)


# bad meters


def test_meters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BillError, match="import_kwh has 95 values for 96 quarters"):
        compute_bill(DAY, nothing(95), nothing(96), BOOK, MS_LS, {})
    with pytest.raises(BillError, match="export_kwh must not be negative"):
        compute_bill(DAY, nothing(96), nothing(96) - 1e-9, BOOK, MS_LS, {})
    with pytest.raises(BillError, match="import_kwh must not be negative or missing"):
        compute_bill(DAY, np.full(96, np.nan), nothing(96), BOOK, MS_LS, {})
    with pytest.raises(BillError, match="each once"):
        compute_bill([DAY[0], DAY[0]], nothing(2), nothing(2), BOOK, MS_LS, {})
    with pytest.raises(BillError, match="whole quarters"):
        compute_bill([DAY[0] + timedelta(minutes=5)], nothing(1), nothing(1), BOOK, MS_LS, {})


def test_no_quarters_cost_nothing() -> None:
    assert compute_bill([], nothing(0), nothing(0), BOOK, MS_LS, {}, {"all": 10.0}).total_eur == 0.0


def test_the_bill_reads_hindsight_prices() -> None:
    late = datetime(2024, 12, 31, 22, tzinfo=UTC)
    assert compute_bill(
        [late], np.array([1.0]), np.array([0.0]), BOOK, MS_LS, {"all": 9}
    ).energy_eur == pytest.approx(float(SERIES.at([late])[0]) + 0.0916)
