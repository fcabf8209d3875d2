"""What a missing kWh costs: so much that no price and no peak ever pays for leaving a driver short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPREADS = 5.0


def derive_shortfall_eur_per_kwh(
    import_price_eur_per_kwh: NDArray[np.float64],
    export_price_eur_per_kwh: NDArray[np.float64],
    peak_price_eur_per_kw: float,
    step_h: float,
) -> float:
    """Derive the price of energy that is missing at departure [EUR/kWh].

    Five times the largest price spread, plus the peak price per deliverable kWh: one more kW of peak may
    deliver no more than the energy of one step.

    Parameters
    ----------
    import_price_eur_per_kwh, export_price_eur_per_kwh
        Prices of the horizon [EUR/kWh].
    peak_price_eur_per_kw
        Dearest band of the tariff [EUR/kW].
    step_h
        Length of a step [h].
    """
    prices = np.concatenate([import_price_eur_per_kwh, export_price_eur_per_kwh, np.zeros(1)])
    return SPREADS * float(prices.max() - prices.min()) + peak_price_eur_per_kw / step_h
