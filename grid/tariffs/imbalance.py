"""What leaving the day-ahead forecast in a quarter costs, as far as it is known while the quarter runs.

    cost = sum of F_t p_t + sum of (N_t - F_t) q_t = sum of N_t p_t + sum of (N_t - F_t) (q_t - p_t)

with N the net energy, F what was announced, p the day-ahead and q the imbalance price. F is fixed by the time
of the quarter, so a kWh more or less costs q: a plan adds the premium q - p to the prices of quarters whose q
it knows. The second sum is what `grid.tariffs.deviation` settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.tariffs.energy import PriceBook, PriceSeries
from grid.timegrid import floor_quarter


@dataclass(frozen=True, eq=False)
class ImbalancePrices:
    """Imbalance prices, and when they are known.

    Parameters
    ----------
    series
        One price for both directions.
    known_before
        How long before a quarter begins its price is known.
    """

    series: PriceSeries
    known_before: timedelta = timedelta(0)

    def premium_eur_per_kwh(
        self, starts: Sequence[datetime], known_at: datetime, prices: PriceBook
    ) -> NDArray[np.float64]:
        """Return imbalance price less day-ahead price of each quarter, 0 where it is not known [EUR/kWh].

        Parameters
        ----------
        starts
            Any instants within the quarters.
        known_at
            The moment.
        prices
            The day-ahead prices.

        Returns
        -------
        NDArray
            Shape (len(starts),).

        Raises
        ------
        PriceMissingError
            When a quarter with an imbalance price is before the day-ahead series.
        """
        premium = np.zeros(len(starts))
        until = known_at + self.known_before
        known = [
            index
            for index, start in enumerate(starts)
            if floor_quarter(start) <= until and self.series.start <= start < self.series.end
        ]
        quarters = [starts[index] for index in known]
        premium[known] = self.series.at(quarters) - prices.day_ahead_eur_per_kwh(quarters, known_at)
        return premium
