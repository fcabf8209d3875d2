"""Fits and scores on skies that are made here: what they must find is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.solar.backtest import WeatherError, run_backtest
from grid.solar.clearness import LEVELS, Knowledge, Known, Moments
from grid.solar.fitting import FitError, Sample, fit_clearness, fit_quantile
from grid.solar.history import HistoryError, SunHours, build_history
from grid.solar.model import PvArray, clear_sky_ghi_w_m2
from grid.solar.observations import HOUR, Observations
from grid.solar.score import coverage, pinball, rmse, skill
from grid.timegrid import QUARTER, TimeGrid

ARRAY = PvArray(52.10, 5.18, 3.0, 15.0, 180.0)
START = datetime(2023, 12, 1, tzinfo=UTC)


def observe(days: int, start: datetime = START, seed: int = 1) -> Observations:
    """A sky whose daily clearness wanders slowly, with clouds that tell of it."""
    rng = np.random.default_rng(seed)
    starts = TimeGrid(start, QUARTER, days * 96).starts
    clear = clear_sky_ghi_w_m2(ARRAY, starts).reshape(-1, 4).mean(axis=1)
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 0.8 * level[day - 1] + 0.6 * rng.standard_normal()
    daily = 0.55 + 0.2 * np.clip(level, -2.0, 2.0)
    hourly = np.clip(np.repeat(daily, 24) + 0.1 * rng.standard_normal(days * 24), 0.02, 1.1)
    return Observations(
        start,
        hourly * clear,
        np.full(days * 24, 10.0),
        np.full(days * 24, 3.0),
        np.repeat(np.clip(8.0 * (1.1 - daily), 0.0, 8.0), 24),
    )


@pytest.fixture(scope="module")
def history() -> SunHours:
    return build_history(observe(64), ARRAY, slice(0, 31 * 24))


# scores


def test_scores_of_small_numbers() -> None:
    seen = np.array([1.0, 3.0])
    assert rmse(np.array([1.0, 1.0]), seen) == pytest.approx(np.sqrt(2.0))
    assert skill(0.5, 2.0) == 0.75
    quantiles = np.array([[0.0, 2.0], [2.0, 4.0]])
    # 0.1 x 1, 0.9 x 1 too high is 0.1; 0.1 x 1, then 0.1 x 1.
    assert pinball(quantiles, seen, (0.1, 0.9)) == pytest.approx(0.1)
    assert coverage(quantiles[:, 0], quantiles[:, 1], np.array([2.0, 5.0])) == 0.5


@settings(max_examples=20)
@given(st.floats(0.05, 0.95), st.integers(0, 100))
def test_no_other_number_loses_less_than_the_quantile(level: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=99)

    def loss(value: float) -> float:
        return pinball(np.full((99, 1), value), values, (level,))

    best = loss(float(np.quantile(values, level, method="inverted_cdf")))
    assert all(loss(value) >= best - 1e-12 for value in (*values[:20], *values[:5] + 0.1))


# the fit


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_constant_s_quantile_is_the_sample_s(level: float) -> None:
    values = np.random.default_rng(3).normal(size=101)
    (found,) = fit_quantile(np.ones((101, 1)), values, np.ones(101), level)
    assert found == pytest.approx(np.quantile(values, level, method="inverted_cdf"), abs=0.1)
    doubled = fit_quantile(np.ones((101, 1)), values, np.full(101, 2.0), level)
    assert doubled[0] == pytest.approx(found)


def test_a_line_is_found_exactly() -> None:
    x = np.linspace(0.0, 1.0, 50)
    coefficients = fit_quantile(np.column_stack([np.ones(50), x]), 2.0 - 3.0 * x, np.ones(50), 0.7)
    assert np.allclose(coefficients, [2.0, -3.0])


def test_terms_that_say_the_same_can_be_fitted() -> None:
    x = np.linspace(0.0, 1.0, 50)
    twice = np.column_stack([np.ones(50), x, x])
    assert np.allclose(twice @ fit_quantile(twice, x, np.ones(50), 0.5), x)


def test_the_interval_covers_what_it_shall_on_days_that_it_was_not_fitted_to() -> None:
    rng = np.random.default_rng(5)
    days = 240
    starts = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(8, days * 24, 6)]
    forecast = rng.uniform(0.1, 1.0, len(starts))
    sample = Sample(
        Moments.of(starts, 5.0),
        {Known.FORECAST: forecast},
        np.clip(forecast + (0.05 + 0.1 * forecast) * rng.standard_normal(len(starts)), 0.0, 2.0),
        np.ones(len(starts)),
        np.arange(len(starts), dtype=np.int64) // 4,
    )
    model, unseen = fit_clearness(Knowledge.WEATHER, sample)
    assert coverage(unseen[:, 1], unseen[:, 9], sample.clearness) == pytest.approx(0.8, abs=0.03)
    spread = model.predict(sample.moments, {Known.FORECAST: np.full(len(starts), 0.9)})
    narrow = model.predict(sample.moments, {Known.FORECAST: np.full(len(starts), 0.2)})
    assert (spread[:, 9] - spread[:, 1]).mean() > 1.4 * (narrow[:, 9] - narrow[:, 1]).mean()


# history


def test_history_is_of_whole_days_and_knows_only_what_was(history: SunHours) -> None:
    assert len(history.starts) == 64 * 24
    assert history.starts[0].hour == 0
    known = history.known_at_midnight
    assert np.isnan(known[Known.YESTERDAY][:24]).all()
    assert np.isnan(known[Known.DAY_BEFORE][:48]).all()
    changed = replace(history, power=np.where(history.day >= 10, 0.0, history.power))
    upto = 11 * 24
    for name in (Known.YESTERDAY, Known.DAY_BEFORE):
        same = np.isclose(changed.known_at_midnight[name][:upto], known[name][:upto], equal_nan=True)
        assert same.all()
    assert not history.power[~history.is_light].max() > 0.01
    assert np.all(history.clearness >= 0.0)


def test_hours_before_the_first_midnight_are_left_away() -> None:
    early = observe(3)
    cut = Observations(
        early.start + 5 * HOUR,
        early.ghi_w_m2[5:],
        early.temperature_c[5:],
        early.wind_m_s[5:],
        early.cloud_octa[5:],
    )
    assert build_history(cut, ARRAY, slice(0, 48)).starts[0] == early.start + 24 * HOUR
    short = Observations(cut.start, *(each[:20] for each in (cut.ghi_w_m2,) * 4))
    with pytest.raises(HistoryError, match="no whole UTC day"):
        build_history(short, ARRAY, slice(0, 20))


# the whole


def test_a_sky_that_remembers_is_forecast_better_than_by_its_climate(history: SunHours) -> None:
    found = run_backtest(history, 2023, 2024, WeatherError(deviation=0.1))
    assert set(found.models) == set(Knowledge)
    assert found.hours == int((history.is_light & (history.year == 2024)).sum())
    station, weather = (found.forecasts[each] for each in (Knowledge.STATION, Knowledge.WEATHER))
    assert found.skill(Knowledge.WEATHER) > 0.1
    assert weather.pinball < station.pinball
    assert found.nowcasts.nrmse[1] <= found.nowcasts.nrmse[3]
    assert found.nowcasts.memory_h > 0.0
    assert 0.0 <= found.references.mix_weight <= 1.2
    assert set(weather.by_season) <= {"winter"}
    again = run_backtest(history, 2023, 2024, WeatherError(deviation=0.1))
    assert again.forecasts == found.forecasts


def test_a_year_that_is_not_there_is_refused(history: SunHours) -> None:
    with pytest.raises(FitError, match="nothing of 2023 or of 2025"):
        run_backtest(history, 2023, 2025, WeatherError())


def test_the_synthetic_forecast_has_the_stated_error() -> None:
    error = WeatherError(deviation=0.2, hourly_correlation=0.7)
    off = error.forecast(np.full(20_000, 1.0)) - 1.0
    assert off.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(off[1:], off[:-1])[0, 1] == pytest.approx(0.7, abs=0.03)
    assert np.array_equal(error.forecast(np.ones(5)), error.forecast(np.ones(9))[:5])


# the file of observations

HEADER = "utc_start,ghi_w_m2,temp_c,wind_m_s,cloud_octa,rh_pct\n"


def test_observations_are_read_and_a_hidden_sky_is_an_overcast_one(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_text(HEADER + "2024-01-01T00:00Z,0,1.5,2,9,80\n2024-01-01T01:00Z,5,1.5,2,3,80\n")
    found = Observations.from_csv(path)
    assert found.cloud_octa.tolist() == [8.0, 3.0]
    assert found.hours.end == datetime(2024, 1, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2024-01-01T00:00Z,0,1,2,3,80\n2024-01-01T02:00Z,0,1,2,3,80\n", "an hour is missing"),
        ("2024-01-01T00:00Z,-1,1,2,3,80\n", "line 2"),
        ("2024-01-01T00:00Z,1,1,2,11,80\n", "line 2"),
        ("2024-01-01T00:30Z,1,1,2,3,80\n", "line 2"),
        ("2024-01-01T00:00,1,1,2,3,80\n", "line 2"),
        ("2024-01-01T00:00Z,nan,1,2,3,80\n", "line 2"),
        ("", "there is no hour"),
    ],
)
def test_damaged_observations_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "hours.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(DocumentError, match=message):
        Observations.from_csv(path)


def test_levels_are_symmetric() -> None:
    assert np.allclose(np.array(LEVELS) + np.array(LEVELS[::-1]), 1.0)
