"""Batteries, taper, losses and fuses of many sockets at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rollout.sockets import (
    MINIMUM_A,
    PHASE_KV,
    Sockets,
    battery_kw,
    charge,
    discharge,
    discharge_efficiency,
    knee_kwh,
    share_fuse,
)

powers = st.floats(0.0, 11.04)
gaps = st.floats(0.0, 60.0)


def one_socket(
    gap_kwh: float, stop_kwh: float = 0.3, floor_kwh: float = 40.0, *, one_phase: bool = False
) -> Sockets:
    sockets = Sockets.empty(1, 1)
    sockets.busy[:] = True
    sockets.gap_kwh[:] = gap_kwh
    sockets.stop_kwh[:] = stop_kwh
    sockets.floor_kwh[:] = floor_kwh
    sockets.knee_kwh[:] = 6.0
    sockets.charger_kw[:] = 3.68 if one_phase else 11.04
    sockets.one_phase[:] = one_phase
    return sockets


FIRST = np.array([0])


@given(gap=gaps, power=powers, one_phase=st.booleans())
def test_charging_accounts_for_every_kwh_and_never_passes_the_target(
    gap: float, power: float, one_phase: bool
) -> None:
    sockets = one_socket(gap, one_phase=one_phase)
    drawn_kw, lost_kwh = charge(sockets, FIRST, np.array([min(power, 3.68) if one_phase else power]))
    stored = gap - sockets.gap_kwh[0]
    assert stored >= 0
    assert drawn_kw[0] * 0.25 == pytest.approx(stored + lost_kwh[0], abs=1e-9)
    assert drawn_kw[0] <= power + 1e-9
    assert sockets.gap_kwh[0] >= min(gap, 0.3) - 1e-12


@given(gap=st.floats(0.5, 30.0), power=st.floats(4.2, 11.04))
def test_taper_does_not_depend_on_the_step(gap: float, power: float) -> None:
    whole, halves = one_socket(gap), one_socket(gap)
    charge(whole, FIRST, np.array([power]), 1.0)
    for _ in range(4):
        charge(halves, FIRST, np.array([power]), 0.25)
    assert halves.gap_kwh[0] == pytest.approx(whole.gap_kwh[0], abs=1e-9)


@given(gap=gaps, power=powers)
def test_discharging_accounts_for_every_kwh_and_keeps_the_floor(gap: float, power: float) -> None:
    sockets = one_socket(gap)
    given_kw, lost_kwh = discharge(sockets, FIRST, np.array([power]))
    taken = sockets.gap_kwh[0] - gap
    assert taken == pytest.approx(given_kw[0] * 0.25 + lost_kwh[0], abs=1e-9)
    assert sockets.gap_kwh[0] <= max(gap, 40.0) + 1e-9


def test_round_trip_at_full_power_loses_what_was_measured_in_utrecht() -> None:
    both_ways = float(battery_kw(np.array([11.04]), np.array([False]))[0]) / 11.04
    both_ways *= discharge_efficiency(11.04, one_phase=False)
    assert both_ways == pytest.approx(0.83, abs=0.02)


def test_small_batteries_slow_down_earlier() -> None:
    small, large = knee_kwh(np.array([40.0, 80.0]))
    assert small == pytest.approx(8.0)
    assert large == pytest.approx(8.0)


@given(
    wanted=st.lists(powers, min_size=2, max_size=2),
    one_phase=st.lists(st.booleans(), min_size=2, max_size=2),
    limit_a=st.floats(6.0, 32.0),
    step=st.integers(0, 3),
)
def test_a_fuse_holds_on_every_phase_and_nobody_charges_below_6_a(
    wanted: list[float], one_phase: list[bool], limit_a: float, step: int
) -> None:
    sockets = Sockets.empty(1, 2)
    sockets.one_phase[:] = one_phase
    sockets.charger_kw[:] = np.where(sockets.one_phase, 3.68, 11.04)
    asked = np.minimum(np.array(wanted), sockets.charger_kw)
    asked = np.where(asked < np.where(sockets.one_phase, 1, 3) * MINIMUM_A * PHASE_KV, 0.0, asked)
    got = share_fuse(asked, np.arange(2), sockets, limit_a, step, 2)
    per_phase = np.zeros(3)
    for socket in range(2):
        if sockets.one_phase[socket]:
            per_phase[sockets.phase[socket]] += got[socket]
        else:
            per_phase += got[socket] / 3
    assert per_phase.max() <= limit_a * PHASE_KV + 1e-9
    smallest = np.where(sockets.one_phase, 1, 3) * MINIMUM_A * PHASE_KV
    assert ((got == 0) | (got >= smallest - 1e-6)).all()
    assert (got <= sockets.charger_kw + 1e-9).all()
