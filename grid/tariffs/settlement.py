"""Settlement: what a connection pays and earns for a period, line by line, to the cent.

    C = f (fixed + metering) + f f_c sum_b K_b pc_b + f_p sum_periods max_t [w_b P_t] pm_b
        + sum I pi_b + sum X (fe_b - ce_b) - sum r_b E_t - sum rk_b max(0, baseline_b - measured_b)
        + sum pe max(0, P - K - tol) + tax(sum I - refunded X),  then x (1 + VAT)

Every line is rounded half up to cents, sums are sums of lines. f is the period's share of the year: a year
counts with its own number of days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.errors import DocumentError, Problem
from grid.meterfile import MeterSeries
from grid.tariffs.contract import CustomerKind, GridContract
from grid.tariffs.network import (
    NetworkTariff,
    PeakPeriod,
    RewardBasis,
    SmallConnectionTariff,
    TariffBand,
    TariffSheet,
)
from grid.tariffs.refusal import refused_capacity_kw
from grid.timegrid import QUARTER_HOURS, quarters_of_local_day

CENT = Decimal("0.01")
QUARTERS_PER_HOUR = 4
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Section(StrEnum):
    """To which sum a line belongs."""

    NETWORK = "network"
    REWARD = "reward"
    TAX = "tax"


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line: quantity times price, rounded to cents.

    Parameters
    ----------
    section
        To which sum it belongs.
    name
        What for.
    quantity, unit
        How much, of what.
    price_eur
        Per unit [EUR].
    """

    section: Section
    name: str
    quantity: Decimal
    unit: str
    price_eur: Decimal

    @property
    def amount_eur(self) -> Decimal:
        """Quantity times price, rounded half up to cents; negative is received [EUR]."""
        return (self.quantity * self.price_eur).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Settlement:
    """A settled period.

    Parameters
    ----------
    tariff, contract
        Names of both.
    first_day, last_day
        Local days that it touches.
    lines
        In the order of the bill.
    vat_fraction
        On everything.
    warnings
        What the reader should know.
    """

    tariff: str
    contract: str
    first_day: date
    last_day: date
    lines: tuple[SettlementLine, ...]
    vat_fraction: Decimal
    warnings: tuple[str, ...] = ()

    def sum_eur(self, section: Section) -> Decimal:
        """Return the sum of the lines of a section [EUR]."""
        return sum((line.amount_eur for line in self.lines if line.section is section), Decimal(0))

    @property
    def total_excl_vat_eur(self) -> Decimal:
        """Sum of all lines [EUR]."""
        return sum((line.amount_eur for line in self.lines), Decimal(0))

    @property
    def vat_eur(self) -> Decimal:
        """Value added tax on the total [EUR]."""
        return (self.total_excl_vat_eur * self.vat_fraction).quantize(CENT, ROUND_HALF_UP)

    @property
    def total_eur(self) -> Decimal:
        """What is paid [EUR]."""
        return self.total_excl_vat_eur + self.vat_eur


def settle(
    meter: MeterSeries, sheet: TariffSheet, contract: GridContract, tz: ZoneInfo = AMSTERDAM
) -> Settlement:
    """Settle what a meter registered.

    Parameters
    ----------
    meter
        Its quarters; the period is theirs.
    sheet
        The operator's tariffs.
    contract
        The connection's contract.
    tz
        The local time of bands and days.

    Raises
    ------
    DocumentError
        When sheet and contract do not fit each other or the period.
    """
    days = _count_days(meter.starts, tz)
    first, last = min(days), max(days)
    _check(sheet, contract, first)
    year_share = _year_share(days, tz)
    if contract.connection_kind is CustomerKind.SMALL:
        small = sheet.small_tariff()
        assert small is not None, "checked"
        assert contract.fuse is not None, "checked when the contract was read"
        name, lines = small.name, _settle_small(small, contract.fuse, year_share)
    else:
        assert contract.tariff_variant is not None, "checked when the contract was read"
        tariff = sheet.tariff(contract.tariff_variant)
        name, lines = tariff.name, _settle_large(meter, tariff, contract, year_share, tz)
    lines += _tax_lines(meter, contract, year_share)
    billed = tuple(line for line in lines if line.quantity)
    warnings = (*_warn(meter, sheet, contract, first, last), *_warn_refused(meter, contract, tz))
    return Settlement(name, contract.ean18, first, last, billed, to_decimal(sheet.vat_fraction), warnings)


def _warn(
    meter: MeterSeries, sheet: TariffSheet, contract: GridContract, first: date, last: date
) -> Iterator[str]:
    if first < sheet.valid_from or last > sheet.valid_to:
        holds = f"{sheet.name} holds from {sheet.valid_from} to {sheet.valid_to}"
        yield f"{holds}, the meter from {first} to {last}"
    variant = sheet.variants.get(contract.tariff_variant or "")
    rules = variant.settlement if variant else None
    needs_baseline = any(
        band.reward_eur_per_kw
        or (band.reward_eur_per_kwh and rules and rules.reward_basis is RewardBasis.SHIFTED)
        for band in (variant.bands if variant else ())
    )
    if needs_baseline and meter.baseline_kwh is None:
        yield "the tariff rewards against a baseline: add a column baseline_kwh to be paid"


def _warn_refused(meter: MeterSeries, contract: GridContract, tz: ZoneInfo) -> Iterator[str]:
    given_kw = refused_capacity_kw(contract.refusals, meter.starts, tz)
    above = int((meter.import_kwh * QUARTERS_PER_HOUR > given_kw + contract.excess_tolerance_kw).sum())
    if above:
        hours = int(np.isfinite(given_kw).sum()) * QUARTER_HOURS
        yield (
            f"the operator may refuse capacity in {hours:g} h of the period; in {above * QUARTER_HOURS:g} h "
            "of them the import was above what was left"
        )


def _check(sheet: TariffSheet, contract: GridContract, first: date) -> None:
    problems = []
    if contract.connection_kind is CustomerKind.SMALL:
        fuses = sheet.small.fixed_by_fuse_class if sheet.small else {}
        if contract.fuse not in fuses:
            known = ", ".join(fuses) or "none"
            problems.append(
                Problem("fuse", f"{sheet.name} has no fuse class {contract.fuse!r}: it has {known}")
            )
    elif contract.tariff_variant not in sheet.variants:
        known = ", ".join(sheet.variants) or "none"
        message = f"{sheet.name} has no variant {contract.tariff_variant!r}: it has {known}"
        problems.append(Problem("tariff_variant", message))
    else:
        bands = {band.name for band in sheet.variants[contract.tariff_variant].bands}
        problems += [
            Problem(f"capacity_kw.{name}", f"the tariff has no such band: it has {', '.join(sorted(bands))}")
            for name in sorted(set(contract.capacity_kw) - bands)
        ]
    if first < contract.valid_from:
        message = f"is after the meter's first day {first}: settle from then on, or give the earlier contract"
        problems.append(Problem("valid_from", message))
    if problems:
        raise DocumentError("settlement", problems)


def _settle_small(tariff: SmallConnectionTariff, fuse: str, year_share: Decimal) -> list[SettlementLine]:
    yearly = [
        (f"capacity tariff {fuse}", tariff.fixed_by_fuse_class[fuse]),
        ("metering", tariff.metering_eur_per_year),
    ]
    return [
        SettlementLine(Section.NETWORK, name, year_share, "year", to_decimal(price))
        for name, price in yearly
        if price
    ]


def _settle_large(
    meter: MeterSeries, tariff: NetworkTariff, contract: GridContract, year_share: Decimal, tz: ZoneInfo
) -> list[SettlementLine]:
    names = tariff.bands_of(meter.starts, tz)
    by_band = {band.name: np.array([name == band.name for name in names]) for band in tariff.bands}
    lines = [
        SettlementLine(Section.NETWORK, name, year_share, "year", to_decimal(price))
        for name, price in (
            ("fixed charge", tariff.fixed_eur_per_year),
            ("metering", tariff.metering_eur_per_year),
        )
        if price
    ]
    periods = _period_numbers(meter.starts, tariff.settlement.peak_period, tz)
    given_kw = refused_capacity_kw(contract.refusals, meter.starts, tz)
    for band in tariff.bands:
        lines += _capacity_lines(tariff, band, contract, year_share)
        lines += _peak_lines(meter, tariff, band, by_band[band.name], periods)
        unrefused = by_band[band.name] & np.isinf(given_kw)
        if band.name in contract.capacity_kw:
            capacity_kw = contract.capacity_kw[band.name]
            lines += _excess_lines(meter, tariff, band.name, contract, capacity_kw, unrefused, periods)
        lines += _energy_lines(meter, band, by_band[band.name])
        lines += _reward_lines(meter, tariff, band, by_band[band.name], periods)
    for kw in np.unique(given_kw[np.isfinite(given_kw)]).tolist():
        lines += _excess_lines(meter, tariff, f"refused to {kw:g} kW", contract, kw, given_kw == kw, periods)
    return lines


def _capacity_lines(
    tariff: NetworkTariff, band: TariffBand, contract: GridContract, year_share: Decimal
) -> Iterator[SettlementLine]:
    kw = to_decimal(contract.capacity_kw.get(band.name, 0.0))
    price = to_decimal(band.contract_eur_per_kw_year) * to_decimal(tariff.settlement.contract_factor)
    if price:
        name = f"contracted capacity {band.name}"
        yield SettlementLine(Section.NETWORK, name, kw * year_share, "kW year", price)


def _peak_lines(
    meter: MeterSeries,
    tariff: NetworkTariff,
    band: TariffBand,
    within: NDArray[np.bool_],
    periods: NDArray[np.int64],
) -> Iterator[SettlementLine]:
    peaks = _peaks_kw(meter.import_kwh, within, periods, tariff.settlement.peak_count)
    rules = tariff.settlement
    price = to_decimal(band.peak_eur_per_kw_month) * to_decimal(rules.peak_price_factor)
    if price:
        weighted = sum(peaks, Decimal(0)) * to_decimal(band.peak_weight)
        yield SettlementLine(Section.NETWORK, f"peak {band.name}", weighted, f"kW {rules.peak_period}", price)


def _excess_lines(
    meter: MeterSeries,
    tariff: NetworkTariff,
    name: str,
    contract: GridContract,
    capacity_kw: float,
    within: NDArray[np.bool_],
    periods: NDArray[np.int64],
) -> Iterator[SettlementLine]:
    if not contract.excess_eur_per_kw:
        return
    rules = tariff.settlement
    free_kw = to_decimal(capacity_kw) + to_decimal(contract.excess_tolerance_kw)
    peaks = _peaks_kw(meter.import_kwh, within, periods, rules.peak_count)
    excess = sum((max(peak - free_kw, Decimal(0)) for peak in peaks), Decimal(0))
    price = to_decimal(contract.excess_eur_per_kw)
    yield SettlementLine(Section.NETWORK, f"excess {name}", excess, f"kW {rules.peak_period}", price)


def _energy_lines(
    meter: MeterSeries, band: TariffBand, within: NDArray[np.bool_]
) -> Iterator[SettlementLine]:
    imported, exported = sum_kwh(meter.import_kwh[within]), sum_kwh(meter.export_kwh[within])
    prices = (
        ("transport", imported, to_decimal(band.import_eur_per_kwh)),
        ("feed-in fee", exported, to_decimal(band.export_fee_eur_per_kwh)),
        ("feed-in credit", exported, -to_decimal(band.export_credit_eur_per_kwh)),
    )
    for name, quantity, price in prices:
        if price:
            yield SettlementLine(Section.NETWORK, f"{name} {band.name}", quantity, "kWh", price)


def _reward_lines(
    meter: MeterSeries,
    tariff: NetworkTariff,
    band: TariffBand,
    within: NDArray[np.bool_],
    periods: NDArray[np.int64],
) -> Iterator[SettlementLine]:
    baseline = meter.baseline_kwh
    price = -to_decimal(band.reward_eur_per_kwh)
    if price and tariff.settlement.reward_basis is RewardBasis.ALL:
        yield SettlementLine(
            Section.REWARD, f"reward {band.name}", sum_kwh(meter.import_kwh[within]), "kWh", price
        )
    elif price and baseline is not None:
        moved = np.maximum(meter.import_kwh[within] - baseline[within], 0.0)
        yield SettlementLine(Section.REWARD, f"reward {band.name}", sum_kwh(moved), "kWh moved", price)
    if band.reward_eur_per_kw and baseline is not None:
        count = tariff.settlement.peak_count
        expected = _peaks_kw(baseline, within, periods, count)
        measured = _peaks_kw(meter.import_kwh, within, periods, count)
        spared = sum((max(a - b, Decimal(0)) for a, b in zip(expected, measured, strict=True)), Decimal(0))
        unit, rate = f"kW {tariff.settlement.peak_period} spared", -to_decimal(band.reward_eur_per_kw)
        yield SettlementLine(Section.REWARD, f"reward {band.name} peak", spared, unit, rate)


def _tax_lines(meter: MeterSeries, contract: GridContract, year_share: Decimal) -> Iterator[SettlementLine]:
    tax = contract.energy_tax
    refunded = sum_kwh(meter.export_kwh) * to_decimal(tax.export_refund_fraction)
    taxed = max(sum_kwh(meter.import_kwh) - refunded, Decimal(0))
    begin = to_decimal(tax.taxed_before_kwh)
    lower = Decimal(0)
    for number, tier in enumerate(tax.tiers, start=1):
        upper = begin + taxed if tier.up_to_kwh is None else to_decimal(tier.up_to_kwh)
        quantity = max(min(begin + taxed, upper) - max(begin, lower), Decimal(0))
        yield SettlementLine(
            Section.TAX, f"energy tax, tier {number}", quantity, "kWh", to_decimal(tier.eur_per_kwh)
        )
        lower = upper
    if tax.reduction_eur_per_year:
        price = -to_decimal(tax.reduction_eur_per_year)
        yield SettlementLine(Section.TAX, "energy tax reduction", year_share, "year", price)


def _peaks_kw(
    energy_kwh: NDArray[np.float64], within: NDArray[np.bool_], periods: NDArray[np.int64], count: int
) -> list[Decimal]:
    """Return the peak of each period that touches the band: the mean of its highest quarters [kW]."""
    peaks = []
    for period in np.unique(periods):
        values = np.sort(energy_kwh[within & (periods == period)])[-count:]
        if len(values):
            peaks.append(sum_kwh(values) / len(values) * QUARTERS_PER_HOUR)
    return peaks


def _period_numbers(starts: Sequence[datetime], period: PeakPeriod, tz: ZoneInfo) -> NDArray[np.int64]:
    numbers: dict[date, int] = {}
    names: dict[str, int] = {}
    days = [start.astimezone(tz).date() for start in starts]
    for day in days:
        if day not in numbers:
            numbers[day] = names.setdefault(period.name_of(day), len(names))
    return np.array([numbers[day] for day in days], dtype=np.int64)


def _count_days(starts: Sequence[datetime], tz: ZoneInfo) -> dict[date, int]:
    return {
        day: len(list(group)) for day, group in groupby(starts, key=lambda start: start.astimezone(tz).date())
    }


def _year_share(days: dict[date, int], tz: ZoneInfo) -> Decimal:
    """Return the period's share of its year; a day of 92 or 100 quarters is a day, whole years are exact."""
    passed: dict[int, Decimal] = defaultdict(Decimal)
    for day, count in days.items():
        passed[day.year] += Decimal(count) / quarters_of_local_day(day, tz).steps
    return sum(
        (count / (date(year + 1, 1, 1) - date(year, 1, 1)).days for year, count in passed.items()), Decimal(0)
    )


def sum_kwh(values: NDArray[np.float64]) -> Decimal:
    """Return the exact sum of energies as they were written [kWh]."""
    return sum(map(to_decimal, values.tolist()), Decimal(0))


def to_decimal(value: float) -> Decimal:
    """Take the shortest decimal that reads back as this number: the one that was written in a file."""
    return Decimal(repr(float(value)))
