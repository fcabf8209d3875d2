from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from csms.control.shortfall import derive_shortfall_eur_per_kwh

prices = st.lists(st.floats(-0.5, 2.0), min_size=1, max_size=10).map(np.array)


@given(prices, prices, st.floats(0.0, 20.0))
def test_no_price_and_no_peak_pays_for_a_missing_kwh(buy: np.ndarray, sell: np.ndarray, peak: float) -> None:
    price = derive_shortfall_eur_per_kwh(buy, sell, peak, 0.25)
    # One kWh in one quarter of an hour makes 4 kW of peak; a discharged one earns the spread.
    assert price >= 4.0 * peak
    assert price >= 5.0 * (buy.max() - min(0.0, buy.min()))
    assert price >= 5.0 * (sell.max() - sell.min())


def test_the_street_of_the_demo() -> None:
    price = derive_shortfall_eur_per_kwh(np.array([0.11, 0.24]), np.array([0.0, 0.12]), 3.0966, 0.25)
    assert price == 5.0 * 0.24 + 3.0966 / 0.25
