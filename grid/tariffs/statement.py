"""What a grid operator owes as a reward and why: band by band and period by period, to be recomputed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.meterfile import MeterSeries
from grid.tariffs.network import NetworkTariff, RewardBasis, TariffBand
from grid.tariffs.settlement import AMSTERDAM, QUARTERS_PER_HOUR, sum_kwh, to_decimal


@dataclass(frozen=True, slots=True)
class RewardEntry:
    """A reward of one band in one period.

    Parameters
    ----------
    band, period
        Where in the tariff, and when.
    baseline, measured
        What was expected without steering, None where that does not matter; what the meter says; in ``unit``.
    rewarded, unit
        What is paid for, and in what it is counted.
    price_eur
        Per unit [EUR].
    why
        How what is rewarded follows from the two.
    """

    band: str
    period: str
    baseline: Decimal | None
    measured: Decimal
    rewarded: Decimal
    unit: str
    price_eur: Decimal
    why: str

    @property
    def amount_eur(self) -> Decimal:
        """What is owed, not rounded: the settlement rounds the sum of each band [EUR]."""
        return self.rewarded * self.price_eur


def state_rewards(
    meter: MeterSeries, tariff: NetworkTariff, tz: ZoneInfo = AMSTERDAM
) -> tuple[RewardEntry, ...]:
    """State every reward of a tariff for what a meter registered.

    Parameters
    ----------
    meter
        Its quarters, with the baseline that was agreed.
    tariff
        Its bands and rules.
    tz
        The local time of bands and days.
    """
    names = np.array(tariff.bands_of(meter.starts, tz))
    periods = np.array([tariff.peak_period(start, tz) for start in meter.starts])
    entries: list[RewardEntry] = []
    for band in tariff.bands:
        for period in dict.fromkeys(periods.tolist()):
            within = (names == band.name) & (periods == period)
            if within.any():
                entries += _state_energy(meter, tariff, band, period, within)
                entries += _state_peak(meter, tariff, band, period, within)
    return tuple(entries)


def _state_energy(
    meter: MeterSeries, tariff: NetworkTariff, band: TariffBand, period: str, within: NDArray[np.bool_]
) -> Iterator[RewardEntry]:
    price = to_decimal(band.reward_eur_per_kwh)
    taken = meter.import_kwh[within]
    if price and tariff.settlement.reward_basis is RewardBasis.ALL:
        energy = sum_kwh(taken)
        why = "all energy that was taken in the band"
        yield RewardEntry(band.name, period, None, energy, energy, "kWh", price, why)
    elif price and meter.baseline_kwh is not None:
        expected = meter.baseline_kwh[within]
        moved = sum_kwh(np.maximum(taken - expected, 0.0))
        why = "energy above the baseline, quarter by quarter"
        yield RewardEntry(band.name, period, sum_kwh(expected), sum_kwh(taken), moved, "kWh", price, why)


def _state_peak(
    meter: MeterSeries, tariff: NetworkTariff, band: TariffBand, period: str, within: NDArray[np.bool_]
) -> Iterator[RewardEntry]:
    if not band.reward_eur_per_kw or meter.baseline_kwh is None:
        return
    count = tariff.settlement.peak_count
    expected, measured = (
        _peak_kw(values[within], count) for values in (meter.baseline_kwh, meter.import_kwh)
    )
    spared = max(expected - measured, Decimal(0))
    why = f"peak under the baseline's: the mean of the {count} highest quarters" if count > 1 else (
        "highest quarter under the baseline's"
    )  # fmt: skip
    price = to_decimal(band.reward_eur_per_kw)
    yield RewardEntry(band.name, period, expected, measured, spared, "kW", price, why)


def _peak_kw(energy_kwh: NDArray[np.float64], count: int) -> Decimal:
    highest = np.sort(energy_kwh)[-count:]
    return sum_kwh(highest) / len(highest) * QUARTERS_PER_HOUR
