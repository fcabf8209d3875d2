"""What stations take besides charging."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.station.standby import IDLE_KW, PLUGGED_KW, standby_kwh


def test_by_hand() -> None:
    # Two sockets for a day, 16 h of it a car at one: 32 h x 10 W + 16 h x 25 W = 0.72 kWh.
    assert standby_kwh(2, 24.0, 16.0) == pytest.approx(0.72)


@given(st.integers(0, 9), st.floats(0.0, 1000.0), st.floats(0.0, 1.0))
def test_never_less_than_waiting_nor_more_than_plugged(sockets: int, hours: float, part: float) -> None:
    took = standby_kwh(sockets, hours, part * sockets * hours)
    assert IDLE_KW * sockets * hours - 1e-9 <= took <= PLUGGED_KW * sockets * hours + 1e-9
