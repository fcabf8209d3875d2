"""Prices as they are known now, peaks as the bill will count them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.street import GridSide
from grid.tariffs.energy import PriceBook
from grid.timegrid import TimeGrid
from optimizer.problem import PeakBand

# Where two quarters cost the same the sooner one is better: what is in the battery cannot be missed any more.
# It is so little that it never outweighs a difference of prices that matters [EUR/kWh per step].
_WAITING_EUR_PER_KWH = 2e-5
# Energy that stays in a car is taken back, or used, within a day after the horizon.
_LATER = timedelta(days=1)


def build_peak_bands(
    grid: GridSide, steps: TimeGrid, realised_peak_kw: Mapping[str, float]
) -> tuple[PeakBand, ...]:
    """Build one band per tariff band and peak period, priced as the bill prices it: the whole of its price.

    A reward per kW under a baseline is one more price of the peak.

    Parameters
    ----------
    grid
        The tariff, and the peaks that the street file states for every period that a run touches.
    steps
        The plan's steps.
    realised_peak_kw
        Peaks by tariff band that the meter saw in the running period [kW].
    """
    tariff, tz = grid.tariff, grid.tz
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for step, (start, band) in enumerate(zip(steps.starts, tariff.bands_of(steps.starts, tz), strict=True)):
        if band is not None:
            members[tariff.peak_period(start, tz), band].append(step)
    running = tariff.peak_period(steps.start, tz)
    return tuple(
        PeakBand(
            name=f"{band} {period}",
            steps=tuple(indices),
            price_eur_per_kw=tariff.peak_price_eur_per_kw(band) + tariff.band(band).reward_eur_per_kw,
            realised_kw=max(
                grid.realised_peak_kw.get(band, 0.0),
                realised_peak_kw.get(band, 0.0) if period == running else 0.0,
            ),
        )
        for (period, band), indices in members.items()
    )


def lowest_later_eur_per_kwh(prices: PriceBook, steps: TimeGrid, now: datetime) -> NDArray[np.float64]:
    """Return the lowest import price that is expected within a day after each time point [EUR/kWh].

    Energy in a battery is worth what putting it there later would cost at the least.

    Returns
    -------
    NDArray
        Shape (steps + 1,).
    """
    later = TimeGrid(steps.start, steps.step, steps.steps + _LATER // steps.step)
    price = prices.import_price_eur_per_kwh(later.starts, now)
    window = _LATER // steps.step
    return np.array([price[point : point + window].min() for point in range(steps.steps + 1)])


def waiting_eur_per_kwh(steps: TimeGrid) -> NDArray[np.float64]:
    """Return what is added to both prices of each step so that plans do not wait without a reason [EUR/kWh].

    It also keeps plans of equal cost from taking turns: every turn is a message to a station.
    """
    return _WAITING_EUR_PER_KWH * np.arange(steps.steps, dtype=np.float64)
