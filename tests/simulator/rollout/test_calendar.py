"""Simulated years: local time, clock changes, prices moved by whole weeks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import DocumentError
from simulator.rollout.calendar import TZ, day_ahead_eur_per_kwh, year_grid
from tests.simulator.rollout.conftest import DATA

PRICES = DATA / "nl_day_ahead_2023_2024.csv"


@given(year=st.integers(2024, 2036), part=st.floats(0.0, 1.0, exclude_max=True))
def test_a_step_knows_its_local_time(year: int, part: float) -> None:
    grid = year_grid(year)
    step = int(part * grid.steps)
    local = (grid.start + timedelta(minutes=15 * step)).astimezone(TZ)
    assert grid.quarter[step] == local.hour * 4 + local.minute // 15
    assert grid.hour_of_week[step] == local.weekday() * 24 + local.hour
    assert grid.month[step] == local.month - 1
    assert grid.weekend[step] == (local.weekday() >= 5)


def test_years_have_all_their_quarters() -> None:
    assert year_grid(2025).steps == 35_040
    assert year_grid(2028).steps == 35_136
    assert year_grid(2025).month_bounds()[-1][1] == 35_040


def test_prices_keep_their_weekdays() -> None:
    own, later = (day_ahead_eur_per_kwh(PRICES, year_grid(year), 2024) for year in (2024, 2030))
    grid = year_grid(2030)
    by_day = [later[grid.hour_of_week // 24 == day].mean() for day in (2, 6)]
    assert by_day[0] > by_day[1]
    assert later.mean() == pytest.approx(own.mean(), rel=0.02)
    assert not np.isnan(later).any()


def test_a_series_with_holes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("utc_start,eur_per_mwh\n2024-01-01T00:00Z,50\n")
    with pytest.raises(DocumentError, match="lacks hours of 2024"):
        day_ahead_eur_per_kwh(path, year_grid(2024), 2024)
