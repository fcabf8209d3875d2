"""The control pilot of IEC 61851-1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.station.pilot import PilotState, duty_fraction, is_digital, offered_current_a, pilot_state


@pytest.mark.parametrize(
    ("current_a", "duty"), [(6.0, 0.10), (16.0, 0.2667), (32.0, 0.5333), (51.0, 0.85), (80.0, 0.96)]
)
def test_duty_cycles_of_the_standard(current_a: float, duty: float) -> None:
    assert duty_fraction(current_a) == pytest.approx(duty, abs=1e-4)
    assert offered_current_a(duty_fraction(current_a)) == pytest.approx(current_a)


@given(st.floats(6.0, 80.0))
def test_a_car_reads_what_a_station_writes(current_a: float) -> None:
    # The standard's two lines do not meet at 51 A: just above, a car reads a little less, never more.
    read_a = offered_current_a(duty_fraction(current_a))
    assert 0.97 * current_a <= read_a <= current_a + 1e-6
    if current_a <= 51.0 or current_a >= 52.6:
        assert read_a == pytest.approx(current_a, abs=1e-6)


def test_what_offers_nothing() -> None:
    assert duty_fraction(5.9) == 1.0
    assert [offered_current_a(duty) for duty in (0.0, 0.05, 1.0)] == [0.0, 0.0, 0.0]
    assert offered_current_a(0.09) == 6.0
    assert is_digital(0.05)
    assert not is_digital(0.10)


@pytest.mark.parametrize(
    ("plugged", "draws", "faulted", "powered", "state"),
    [
        (False, False, False, True, PilotState.A),
        (True, False, False, True, PilotState.B),
        (True, True, False, True, PilotState.C),
        (True, True, True, True, PilotState.F),
        (True, True, True, False, PilotState.E),
    ],
)
def test_states(plugged: bool, draws: bool, faulted: bool, powered: bool, state: PilotState) -> None:
    assert pilot_state(plugged=plugged, draws=draws, faulted=faulted, powered=powered) is state
