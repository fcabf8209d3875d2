"""What doors say, as the power of the street's array."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.load import Quantiles
from grid.solar.climate import Climate
from grid.solar.forecast import SunConfig
from grid.solar.irradiance import ClimateIrradiance
from grid.solar.live import (
    OutdatedError,
    PowerSeries,
    SunForecast,
    WeatherSeries,
    build_forecast,
    clear_reference_kw,
    forecast_day,
)
from grid.solar.model import PvArray, clear_sky_ghi_w_m2, spread_means
from grid.solar.model_file import read_models
from grid.solar.observations import HOUR, Observations
from grid.timegrid import QUARTER, TimeGrid, quarter_number

DATA = Path(__file__).parents[3] / "configs/data"
MODELS = read_models(DATA / "clearness_models_de_bilt.csv")
ARRAY = PvArray(52.0945, 5.1035, 120.0, 15.0, 180.0)
SUN = SunConfig("street", ARRAY, ClimateIrradiance(Climate.from_csv(DATA / "clearness_de_bilt.csv")))
DAY = datetime(2024, 6, 11, tzinfo=UTC)
HOURS = TimeGrid(DAY, HOUR, 24)
QUARTERS = TimeGrid(DAY, QUARTER, 96)
CLEAR = clear_sky_ghi_w_m2(ARRAY, QUARTERS.starts).reshape(-1, 4).mean(axis=1)
REFERENCE_KW = clear_reference_kw(SUN, QUARTERS.starts)
NOW = DAY + timedelta(hours=6)


def weather(clearness: float) -> WeatherSeries:
    return WeatherSeries(HOURS, clearness * CLEAR, np.full(24, 18.0), np.full(24, 3.0))


def energy_kwh(forecast: Quantiles) -> tuple[float, float, float]:
    return (
        float(forecast.lower.sum() / 4),
        float(forecast.median.sum() / 4),
        float(forecast.upper.sum() / 4),
    )


def is_sound(forecast: Quantiles) -> bool:
    ordered = np.all(forecast.lower <= forecast.median + 1e-9) and np.all(
        forecast.median <= forecast.upper + 1e-9
    )
    within = forecast.lower.min() >= 0.0 and forecast.upper.max() <= ARRAY.peak_kw
    return bool(ordered and within)


def test_means_are_spread_as_the_sun_goes_and_keep_their_sum() -> None:
    clear = clear_sky_ghi_w_m2(ARRAY, QUARTERS.starts)
    spread = spread_means(0.5 * CLEAR, clear, 4)
    bright = CLEAR > 1.0
    assert np.allclose(spread.reshape(-1, 4).mean(axis=1)[bright], 0.5 * CLEAR[bright])
    assert not spread_means(np.full(24, 9.0), np.zeros(96), 4).any()


@pytest.mark.parametrize("clearness", [0.15, 0.5, 0.9])
def test_forecast_weather_becomes_power_with_bounds(clearness: float) -> None:
    found = build_forecast(SUN, MODELS, weather(clearness), NOW).power_kw
    assert is_sound(found)
    lower, median, upper = energy_kwh(found)
    # A forecast is not believed to the full: it is drawn towards what is usual.
    usual_kwh, told_kwh = (one * REFERENCE_KW.sum() / 4 for one in (0.6, clearness))
    assert min(usual_kwh, told_kwh) * 0.85 < median < max(usual_kwh, told_kwh) * 1.15
    assert lower < 0.9 * median < median < upper
    assert found.median[0] == 0.0


def test_brighter_weather_means_more_power() -> None:
    sums = [energy_kwh(build_forecast(SUN, MODELS, weather(one), NOW).power_kw)[1] for one in (0.1, 0.5, 0.9)]
    assert sums == sorted(sums)


def test_forecast_power_without_quantiles_gets_those_of_a_forecast() -> None:
    power = PowerSeries(HOURS, 0.6 * REFERENCE_KW.reshape(-1, 4).mean(axis=1))
    found = build_forecast(SUN, MODELS, power, NOW).power_kw
    assert is_sound(found)
    lower, median, upper = energy_kwh(found)
    assert lower < median < upper


def test_forecast_power_with_quantiles_keeps_its_own_and_its_energy() -> None:
    steps = TimeGrid(DAY, 2 * QUARTER, 48)
    own = 0.6 * REFERENCE_KW.reshape(-1, 2).mean(axis=1)
    found = build_forecast(SUN, MODELS, PowerSeries(steps, own, 0.8 * own, 1.1 * own), NOW).power_kw
    assert is_sound(found)
    assert energy_kwh(found)[1] == pytest.approx(own.sum() / 2, rel=0.01)
    # 5 and 95 % lie farther out than 10 and 90 %.
    noon = 46
    assert found.lower[noon] / found.median[noon] == pytest.approx(1 - 0.2 * 1.6449 / 1.2816, rel=1e-6)


def observe(first: datetime, clearness: list[float], cloud: float = 2.0) -> Observations:
    starts = TimeGrid(first, QUARTER, 96 * len(clearness)).starts
    clear = clear_sky_ghi_w_m2(ARRAY, starts).reshape(-1, 4).mean(axis=1)
    hours = len(clear)
    flat = np.full(hours, 15.0)
    return Observations(first, np.repeat(clearness, 24) * clear, flat, flat / 5.0, np.full(hours, cloud))


def test_measured_days_forecast_the_day_after_them() -> None:
    two_days_before = DAY - timedelta(days=2)

    def median_kwh(yesterday: float, cloud: float) -> float:
        seen = observe(two_days_before, [0.6, yesterday], cloud)
        found = build_forecast(SUN, MODELS, seen, NOW)
        assert found.first_quarter == quarter_number(DAY)
        assert len(found.power_kw) == 96
        assert is_sound(found.power_kw)
        return energy_kwh(found.power_kw)[1]

    assert median_kwh(0.95, 1.0) > median_kwh(0.3, 7.0)
    assert median_kwh(0.6, 0.0) > median_kwh(0.6, 8.0)
    assert median_kwh(0.6, float("nan")) > 0.0


@pytest.mark.parametrize("first", [DAY - timedelta(days=1), DAY - timedelta(days=4)])
def test_measured_days_of_another_time_tell_nothing(first: datetime) -> None:
    with pytest.raises(OutdatedError, match="two days before 2024-06-11 are needed"):
        build_forecast(SUN, MODELS, observe(first, [0.5, 0.5]), NOW)


def test_a_forecast_covers_its_quarters_and_leaves_the_others() -> None:
    flat = np.full(96, 5.0)
    typical = Quantiles(flat, flat + 1.0, flat + 2.0)
    own = SunForecast(quarter_number(DAY) + 90, Quantiles(*np.full((3, 20), 9.0)))
    found = own.over(typical, QUARTERS.starts)
    assert found.lower.tolist() == [5.0] * 90 + [9.0] * 6
    assert found.upper.tolist() == [7.0] * 90 + [9.0] * 6


@settings(max_examples=20)
@given(st.floats(0.0, 1.5), st.floats(0.0, 1.5), st.floats(0.0, 8.0) | st.none())
def test_a_day_is_sound_whatever_came_before(yesterday: float, before: float, cloud: float | None) -> None:
    assert is_sound(forecast_day(SUN, MODELS, DAY, yesterday, before, cloud).power_kw)
