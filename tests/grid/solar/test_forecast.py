from __future__ import annotations

import pickle
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.solar.climate import Climate
from grid.solar.forecast import SunConfig, forecast_pv_kw
from grid.solar.irradiance import ClimateIrradiance
from grid.solar.model import PvArray
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
CLIMATE = Climate.from_csv(Path(__file__).parents[3] / "configs/data/clearness_de_bilt.csv")
ARRAY = PvArray(52.0945, 5.1035, 120.0, 15.0, 180.0)
SUN = SunConfig("street", ARRAY, ClimateIrradiance(CLIMATE))
JUNE = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts


def test_the_demo_day() -> None:
    forecast = forecast_pv_kw(SUN, JUNE)
    assert 60.0 < forecast.median.max() < 100.0
    assert 4.5 < forecast.median.sum() / 4 / SUN.peak_kw < 7.0
    assert forecast.lower.sum() < 0.4 * forecast.median.sum()
    assert forecast.upper.sum() > 1.1 * forecast.median.sum()


def test_the_year_gives_what_roofs_at_de_bilt_give() -> None:
    days = [date(2024, 1, 15) + timedelta(days=30 * month) for month in range(12)]
    energy = [
        forecast_pv_kw(SUN, quarters_of_local_day(day, AMSTERDAM).starts).median.sum() / 4 for day in days
    ]
    assert 850.0 < np.mean(energy) * 366 / SUN.peak_kw < 1075.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 365 * 96), st.integers(1, 150))
def test_bounds_hold_the_median_and_slices_agree_with_whole_days(first: int, steps: int) -> None:
    starts = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC) + first * QUARTER, QUARTER, steps).starts
    forecast = forecast_pv_kw(SUN, starts)
    assert np.all(forecast.lower >= 0.0)
    assert np.all(forecast.lower <= forecast.median)
    assert np.all(forecast.median <= forecast.upper)
    assert np.all(forecast.upper <= SUN.peak_kw)
    middle = steps // 2
    assert forecast_pv_kw(SUN, starts[middle : middle + 1]).median[0] == forecast.median[middle]


def test_an_instant_within_a_quarter_is_that_quarter_in_any_zone() -> None:
    inside = [(start + timedelta(minutes=7)).astimezone(AMSTERDAM) for start in JUNE]
    assert np.array_equal(forecast_pv_kw(SUN, inside).median, forecast_pv_kw(SUN, JUNE).median)
    assert len(forecast_pv_kw(SUN, ())) == 0


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_clock_change_days_are_whole(day: date) -> None:
    grid = quarters_of_local_day(day, AMSTERDAM)
    assert len(forecast_pv_kw(SUN, grid.starts)) == grid.steps


def test_a_plan_asks_in_no_time() -> None:
    starts = TimeGrid(JUNE[24], QUARTER, 144).starts
    forecast_pv_kw(SUN, starts)
    begin = time.perf_counter()
    for _ in range(20):
        forecast_pv_kw(SUN, starts)
    assert (time.perf_counter() - begin) / 20 < 0.005


def test_a_sun_travels_to_worker_processes() -> None:
    copy = pickle.loads(pickle.dumps(SUN))
    assert np.array_equal(forecast_pv_kw(copy, JUNE).upper, forecast_pv_kw(SUN, JUNE).upper)
