from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.units import apparent_to_power_kw, current_to_power_kw, power_to_apparent_kva, power_to_current_a

powers = st.floats(0, 1e4)
factors = st.floats(0.01, 1.0)


def test_a_public_pole() -> None:
    assert current_to_power_kw(25.0, 230.0, 3) == pytest.approx(17.25)
    assert current_to_power_kw(16.0, 230.0, 1) == pytest.approx(3.68)
    assert apparent_to_power_kw(400.0, 0.95) == pytest.approx(380.0)


@given(powers, st.sampled_from([1, 2, 3]))
def test_there_and_back_again(power_kw: float, phases: int) -> None:
    assert current_to_power_kw(power_to_current_a(power_kw, 230.0, phases), 230.0, phases) == pytest.approx(
        power_kw
    )


@given(powers, factors)
def test_apparent_power_is_never_less_than_active(power_kw: float, factor: float) -> None:
    apparent = power_to_apparent_kva(power_kw, factor)
    assert apparent >= power_kw
    assert apparent_to_power_kw(apparent, factor) == pytest.approx(power_kw)


@pytest.mark.parametrize("phases", [0, 4, -1])
def test_phases_are_one_to_three(phases: int) -> None:
    with pytest.raises(ValueError, match="phases"):
        current_to_power_kw(1.0, 230.0, phases)


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.01, float("nan")])
def test_power_factors_are_above_zero_and_at_most_one(factor: float) -> None:
    with pytest.raises(ValueError, match="power_factor"):
        apparent_to_power_kw(1.0, factor)
