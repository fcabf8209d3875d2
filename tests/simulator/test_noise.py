"""The truth wanders around the forecast as the configuration says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.config import NoiseTable
from simulator.noise import draw_uncontrolled, forecast_street
from wijkstroom.street import Street

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
DAY_S = 86_400
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def noise(deviations: float, minutes: float = 60.0) -> NoiseTable:
    return NoiseTable(
        base_load_deviations=deviations,
        base_load_correlation_minutes=minutes,
        pv_deviations=deviations,
        pv_correlation_minutes=minutes,
    )


@few
@given(seed=st.integers(0, 2**32), deviations=st.floats(0.0, 3.0), minutes=st.floats(1.0, 600.0))
def test_power_stays_physical(street: Street, seed: int, deviations: float, minutes: float) -> None:
    truth = draw_uncontrolled(noise(deviations, minutes), street.grid, START, 7200, seed)
    assert truth.seconds == 7200
    assert (truth.base_kw >= 0.0).all()
    assert (truth.pv_kw >= 0.0).all()
    assert (truth.pv_kw <= street.grid.sun.peak_kw).all()


def test_without_noise_the_median_comes_true(street: Street) -> None:
    start = START + timedelta(minutes=5)
    truth = draw_uncontrolled(noise(0.0), street.grid, start, DAY_S, 1)
    forecast = forecast_street(street.grid, start, DAY_S)
    assert forecast.first == START
    assert truth.base_kw[599] == pytest.approx(forecast.base_kw.median[0], rel=1e-6)
    assert truth.base_kw[600] == pytest.approx(forecast.base_kw.median[1], rel=1e-6)
    assert truth.pv_kw[30_000] == pytest.approx(forecast.pv_kw.median[(30_000 + 300) // 900], rel=1e-6)


def test_the_forecast_keeps_its_probabilities(street: Street) -> None:
    forecast = forecast_street(street.grid, START, DAY_S)
    truths = [draw_uncontrolled(noise(1.0), street.grid, START, DAY_S, seed) for seed in range(60)]
    base = np.array([one.base_kw.reshape(-1, 900)[:, 450] for one in truths])
    assert (base > forecast.base_kw.upper).mean() == pytest.approx(0.05, abs=0.02)
    assert (base < forecast.base_kw.lower).mean() == pytest.approx(0.05, abs=0.02)
    assert (base > forecast.base_kw.median).mean() == pytest.approx(0.5, abs=0.06)


def test_deviations_are_forgotten_at_the_stated_rate(street: Street) -> None:
    forecast = forecast_street(street.grid, START, DAY_S)
    median = np.repeat(forecast.base_kw.median, 900)
    values = [
        draw_uncontrolled(noise(1.0, 30.0), street.grid, START, DAY_S, seed).base_kw / median - 1.0
        for seed in range(40)
    ]
    deviation = np.array(values)
    lag = 1800
    correlation = (deviation[:, :-lag] * deviation[:, lag:]).mean() / (deviation**2).mean()
    assert correlation == pytest.approx(np.exp(-1.0), abs=0.08)


def test_seed_and_day_decide_and_a_longer_run_begins_alike(street: Street) -> None:
    table = noise(0.8)
    one = draw_uncontrolled(table, street.grid, START, 7200, 1)
    longer = draw_uncontrolled(table, street.grid, START, 10_805, 1)
    assert np.array_equal(one.base_kw, longer.base_kw[:7200])
    assert np.array_equal(one.pv_kw, longer.pv_kw[:7200])
    assert not np.array_equal(one.base_kw, draw_uncontrolled(table, street.grid, START, 7200, 2).base_kw)
