"""The running quarter keeps its mean, whatever flowed before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.budget import QuarterBudget, observe
from csms.state.station_state import MeterState

START = datetime(2024, 6, 11, 15, 0, tzinfo=UTC)
POWERS = st.lists(st.floats(-100.0, 300.0), min_size=1, max_size=80)


def read(powers_kw: list[float], step_s: int = 10) -> QuarterBudget:
    """Feed a meter that showed each power for one step."""
    budget, net_kwh = None, 1000.0
    for number, power_kw in enumerate(powers_kw):
        budget = observe(
            budget,
            MeterState("node", START + timedelta(seconds=step_s * number), power_kw, net_kwh, 0.0),
        )
        net_kwh += power_kw * step_s / 3600
    assert budget is not None
    return budget


@given(POWERS, st.floats(10.0, 400.0))
def test_drawing_what_is_allowed_meets_the_limit_exactly(powers_kw: list[float], limit_kw: float) -> None:
    budget = read(powers_kw)
    now = START + timedelta(seconds=10 * len(powers_kw))
    rest_h = (START + timedelta(minutes=15) - now) / timedelta(hours=1)
    mean_kw = (budget.used_by_kwh(now) + budget.allowed_import_kw(limit_kw, now) * rest_h) / 0.25
    assert mean_kw == pytest.approx(limit_kw)


@given(POWERS)
def test_energy_so_far_is_the_registers(powers_kw: list[float]) -> None:
    now = START + timedelta(seconds=10 * len(powers_kw))
    assert read(powers_kw).used_by_kwh(now) == pytest.approx(sum(powers_kw) * 10 / 3600, abs=1e-6)


def test_a_quarter_ends_with_its_energy() -> None:
    budget = read([120.0] * 90 + [60.0] * 3)
    assert budget.quarter == START + timedelta(minutes=15)
    assert budget.used_kwh == pytest.approx(60.0 * 20 / 3600)


def test_too_much_is_noticed_before_the_quarter_is_lost() -> None:
    budget = read([100.0] * 30 + [130.0] * 30)
    now = START + timedelta(seconds=600)
    assert budget.overruns(110.0, now)
    assert not budget.overruns(121.0, now)
    assert 0.0 < budget.allowed_import_kw(110.0, now) < 110.0


def test_a_meter_that_went_back_begins_anew() -> None:
    budget = read([50.0] * 10)
    again = observe(budget, MeterState("node", START + timedelta(seconds=30), 80.0, 0.0, 0.0))
    assert again.used_kwh == pytest.approx(80.0 * 30 / 3600)
