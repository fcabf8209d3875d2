"""The bill: what a run costs, reckoned from meters and tariffs alone.

This is the oracle against which the optimizer's money is tested, so it shares no formula with it: it adds
quarters up in decimals, band by band and month by month. All amounts exclude VAT.

    energy   = sum of I_t p_t - sum of X_t (p_t - fee)        p: day-ahead price, I, X: import and export
    tax      = energy tax x sum of I_t
    transport= sum over bands of price x sum of I_t + (fee - credit) x sum of X_t in the band
    reward   = - sum over bands of reward x sum of I_t in the band, where the tariff rewards all import
    peak     = sum over periods and bands of price x factor x weight
               x max(0, highest I_t / h in the band - peak realised before)
    capacity = days / 365 x (yearly charges + sum over bands of price x factor x contracted capacity)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from grid.errors import WijkstroomError
from grid.tariffs.energy import PriceBook
from grid.tariffs.network import NetworkTariff, RewardBasis, SmallConnectionTariff
from grid.timegrid import floor_quarter, quarters_of_local_day

DAYS_PER_YEAR = 365
_QUARTERS_PER_HOUR = 4
_CENT = Decimal("0.01")


class BillError(WijkstroomError):
    """Meters do not fit the bill that was asked for."""


class LineKind(StrEnum):
    """What a line of a bill is for."""

    IMPORT = "energy imported"
    EXPORT = "energy exported"
    TAX = "energy tax"
    TRANSPORT = "transport per kWh"
    REWARD = "reward"
    PEAK = "peak"
    CONTRACT = "contracted capacity"
    FIXED = "fixed charges"
    DEGRADATION = "battery degradation"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill.

    Parameters
    ----------
    kind
        What it is for.
    label
        Of what: a band, a month, a connection; may be empty.
    quantity, unit
        How much, in what.
    eur
        Its amount; negative is received [EUR].
    """

    kind: LineKind
    label: str
    quantity: Decimal
    unit: str
    eur: Decimal


@dataclass(frozen=True)
class Bill:
    """Lines and their sums.

    Parameters
    ----------
    lines
        In the order of the bill.
    """

    lines: tuple[BillLine, ...] = field(default=())

    def sum_eur(self, *kinds: LineKind) -> float:
        """Return the sum of the lines of some kinds [EUR]."""
        return float(sum((line.eur for line in self.lines if line.kind in kinds), Decimal(0)))

    @property
    def energy_eur(self) -> float:
        """Day-ahead energy and energy tax, less what export brought [EUR]."""
        return self.sum_eur(LineKind.IMPORT, LineKind.EXPORT, LineKind.TAX)

    @property
    def transport_eur(self) -> float:
        """The tariff's charge per kWh, less its rewards [EUR]."""
        return self.sum_eur(LineKind.TRANSPORT, LineKind.REWARD)

    @property
    def peak_eur(self) -> float:
        """What the peaks added to those already realised [EUR]."""
        return self.sum_eur(LineKind.PEAK)

    @property
    def fixed_eur(self) -> float:
        """The days' share of yearly charges [EUR]."""
        return self.sum_eur(LineKind.FIXED, LineKind.CONTRACT)

    @property
    def total_eur(self) -> float:
        """Everything [EUR]."""
        return float(sum((line.eur for line in self.lines), Decimal(0)))

    def with_degradation(self, discharged_kwh: float, eur_per_kwh: float) -> Bill:
        """Return the bill with a line for what discharging wore off batteries.

        Parameters
        ----------
        discharged_kwh
            Energy taken from vehicles [kWh].
        eur_per_kwh
            What a kWh of it costs [EUR/kWh].
        """
        quantity = _decimal(discharged_kwh)
        amount = quantity * _decimal(eur_per_kwh)
        return Bill((*self.lines, BillLine(LineKind.DEGRADATION, "", quantity, "kWh", amount)))


@dataclass(frozen=True)
class SeparateConnection:
    """A connection that is billed alone.

    Parameters
    ----------
    id
        Its name.
    fuse
        Its fuse class, like ``3x25A``.
    import_kwh, export_kwh
        Registered energy per quarter, shape (quarters,) [kWh].
    count
        How many alike connections the energy is the sum of (households known only together).
    """

    id: str
    fuse: str
    import_kwh: NDArray[np.float64]
    export_kwh: NDArray[np.float64]
    count: int = 1


def compute_bill(
    starts: Sequence[datetime],
    import_kwh: NDArray[np.float64],
    export_kwh: NDArray[np.float64],
    prices: PriceBook,
    tariff: NetworkTariff,
    realised_peak_kw: Mapping[str, float],
    contracted_kw: Mapping[str, float] | None = None,
) -> Bill:
    """Compute what a large connection pays for some quarters.

    Parameters
    ----------
    starts
        Starts of quarters, each once.
    import_kwh, export_kwh
        Registered energy per quarter, >= 0, shape (len(starts),) [kWh].
    prices
        Energy prices, in full hindsight; their own tariff is not read.
    tariff
        Network tariff.
    realised_peak_kw
        Peak of the period before the first of these quarters, per band [kW]; taken for every period that
        they touch.
    contracted_kw
        Contracted capacity per band [kW].

    Raises
    ------
    BillError
        When the arrays do not fit the quarters, or energy is negative or no number.
    """
    quarters = _check_meters(starts, import_kwh, export_kwh)
    imported, exported = _decimals(import_kwh), _decimals(export_kwh)
    bands = tariff.bands_of(quarters, prices.tz)
    return Bill(
        (
            *_energy_lines(quarters, imported, exported, prices),
            *_transport_lines(bands, imported, exported, tariff),
            *_peak_lines(quarters, bands, imported, prices, tariff, realised_peak_kw),
            *_yearly_lines(_count_days(quarters, prices), tariff, contracted_kw or {}),
        )
    )


def compute_separate_bill(
    starts: Sequence[datetime],
    connections: Sequence[SeparateConnection],
    prices: PriceBook,
    tariff: SmallConnectionTariff,
) -> Bill:
    """Compute what small connections pay when each is billed alone: nothing is shared between them.

    Parameters
    ----------
    starts
        Starts of quarters, each once.
    connections
        The connections with their meters.
    prices
        Energy prices, in full hindsight; their own tariff is not read, small connections pay no transport
        per kWh.
    tariff
        Yearly charges by fuse class.

    Raises
    ------
    BillError
        As `compute_bill`, or when the tariff does not know a fuse class.
    """
    lines: list[BillLine] = []
    for one in connections:
        quarters = _check_meters(starts, one.import_kwh, one.export_kwh)
        if one.fuse not in tariff.fixed_by_fuse_class:
            known = ", ".join(tariff.fixed_by_fuse_class)
            raise BillError(f"{one.id}: {tariff.name} has no fuse class {one.fuse}: it knows {known}")
        energy = _energy_lines(quarters, _decimals(one.import_kwh), _decimals(one.export_kwh), prices)
        lines += [BillLine(line.kind, one.id, line.quantity, line.unit, line.eur) for line in energy]
        yearly = _decimal(tariff.fixed_by_fuse_class[one.fuse]) + _decimal(tariff.metering_eur_per_year)
        days = _count_days(quarters, prices)
        amount = yearly * one.count * days / DAYS_PER_YEAR
        lines.append(BillLine(LineKind.FIXED, one.id, days * one.count, "day", amount))
    return Bill(tuple(lines))


def compute_annual_network_eur(
    tariff: NetworkTariff,
    contracted_kw: Mapping[str, float],
    monthly_peak_kw: Mapping[str, Sequence[float]],
    import_kwh: Mapping[str, float],
) -> Decimal:
    """Compute a year's network charges from yearly figures, each line rounded to cents.

    Parameters
    ----------
    tariff
        Network tariff.
    contracted_kw
        Contracted capacity per band [kW].
    monthly_peak_kw
        Highest quarter-hour means of the months, per band [kW].
    import_kwh
        Energy of the year per band [kWh].
    """
    amounts = [_decimal(tariff.fixed_eur_per_year), _decimal(tariff.metering_eur_per_year)]
    for band in tariff.bands:
        peaks = sum(map(_decimal, monthly_peak_kw.get(band.name, ())), Decimal(0))
        amounts += [
            _decimal(band.contract_eur_per_kw_year) * _decimal(contracted_kw.get(band.name, 0.0)),
            _decimal(band.peak_eur_per_kw_month) * peaks,
            _decimal(band.import_eur_per_kwh) * _decimal(import_kwh.get(band.name, 0.0)),
        ]
    return sum((amount.quantize(_CENT, ROUND_HALF_UP) for amount in amounts), Decimal(0))


def _check_meters(
    starts: Sequence[datetime], import_kwh: NDArray[np.float64], export_kwh: NDArray[np.float64]
) -> list[datetime]:
    quarters = [floor_quarter(start) for start in starts]
    if len(set(quarters)) != len(quarters) or list(starts) != quarters:
        raise BillError(
            "a bill is made of whole quarters of an hour, each once: sum the meters up to quarters"
        )
    for name, energy in (("import_kwh", import_kwh), ("export_kwh", export_kwh)):
        if len(energy) != len(quarters):
            raise BillError(
                f"{name} has {len(energy)} values for {len(quarters)} quarters: give one for each"
            )
        if not np.all(np.isfinite(energy) & (np.asarray(energy) >= 0.0)):
            raise BillError(f"{name} must not be negative or missing: registers only count up")
    return quarters


def _energy_lines(
    quarters: Sequence[datetime], imported: Sequence[Decimal], exported: Sequence[Decimal], prices: PriceBook
) -> list[BillLine]:
    day_ahead = _decimals(prices.series.at(quarters))
    fee, tax = _decimal(prices.export_fee_eur_per_kwh), _decimal(prices.energy_tax_eur_per_kwh)
    bought = sum((kwh * price for kwh, price in zip(imported, day_ahead, strict=True)), Decimal(0))
    sold = sum((kwh * (price - fee) for kwh, price in zip(exported, day_ahead, strict=True)), Decimal(0))
    total_import, total_export = sum(imported, Decimal(0)), sum(exported, Decimal(0))
    return [
        BillLine(LineKind.IMPORT, "", total_import, "kWh", bought),
        BillLine(LineKind.EXPORT, "", total_export, "kWh", -sold),
        BillLine(LineKind.TAX, "", total_import, "kWh", tax * total_import),
    ]


def _transport_lines(
    bands: Sequence[str | None],
    imported: Sequence[Decimal],
    exported: Sequence[Decimal],
    tariff: NetworkTariff,
) -> list[BillLine]:
    taken: dict[str, Decimal] = defaultdict(Decimal)
    given: dict[str, Decimal] = defaultdict(Decimal)
    for name, import_kwh, export_kwh in zip(bands, imported, exported, strict=True):
        if name is not None:
            taken[name] += import_kwh
            given[name] += export_kwh
    rewards_all = tariff.settlement.reward_basis is RewardBasis.ALL
    lines = []
    for name, bought in taken.items():
        band = tariff.band(name)
        fee = _decimal(band.export_fee_eur_per_kwh) - _decimal(band.export_credit_eur_per_kwh)
        for kind, label, kwh, price in (
            (LineKind.TRANSPORT, name, bought, _decimal(band.import_eur_per_kwh)),
            (LineKind.TRANSPORT, f"{name} fed in", given[name], fee),
            (LineKind.REWARD, name, bought, -_decimal(band.reward_eur_per_kwh) * rewards_all),
        ):
            if price or (kind is LineKind.TRANSPORT and label == name):
                lines.append(BillLine(kind, label, kwh, "kWh", kwh * price))
    return lines


def _peak_lines(
    quarters: Sequence[datetime],
    bands: Sequence[str | None],
    imported: Sequence[Decimal],
    prices: PriceBook,
    tariff: NetworkTariff,
    realised_peak_kw: Mapping[str, float],
) -> list[BillLine]:
    highest: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for start, band, kwh in zip(quarters, bands, imported, strict=True):
        if band is not None:
            key = band, tariff.peak_period(start, prices.tz)
            highest[key] = max(highest[key], kwh * _QUARTERS_PER_HOUR)
    lines = []
    for (band, period), peak_kw in highest.items():
        added = max(Decimal(0), peak_kw - _decimal(realised_peak_kw.get(band, 0.0)))
        rules, own = tariff.settlement, tariff.band(band)
        price = _decimal(own.peak_eur_per_kw_month) * _decimal(own.peak_weight)
        amount = added * price * _decimal(rules.peak_price_factor)
        lines.append(BillLine(LineKind.PEAK, f"{band} {period}", added, "kW", amount))
    return lines


def _yearly_lines(days: Decimal, tariff: NetworkTariff, contracted_kw: Mapping[str, float]) -> list[BillLine]:
    yearly = _decimal(tariff.fixed_eur_per_year) + _decimal(tariff.metering_eur_per_year)
    lines = [BillLine(LineKind.FIXED, "", days, "day", yearly * days / DAYS_PER_YEAR)]
    for name, capacity in contracted_kw.items():
        price = _decimal(tariff.band(name).contract_eur_per_kw_year)
        price *= _decimal(tariff.settlement.contract_factor)
        amount = price * _decimal(capacity) * days / DAYS_PER_YEAR
        lines.append(BillLine(LineKind.CONTRACT, name, _decimal(capacity), "kW", amount))
    return lines


def _count_days(quarters: Sequence[datetime], prices: PriceBook) -> Decimal:
    """Count local days, the longest and the shortest of the year as one day each."""
    counts: dict[date, int] = defaultdict(int)
    for start in quarters:
        counts[start.astimezone(prices.tz).date()] += 1
    shares = (Decimal(count) / quarters_of_local_day(day, prices.tz).steps for day, count in counts.items())
    return sum(shares, Decimal(0))


def _decimals(values: NDArray[np.float64]) -> list[Decimal]:
    return [_decimal(float(value)) for value in values]


def _decimal(value: float) -> Decimal:
    """Take the shortest decimal that reads back as this number: the one that was written in a file."""
    return Decimal(repr(float(value)))
