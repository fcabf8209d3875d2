"""`wijkstroom forecast score`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.real_data import DATA
from wijkstroom.forecasts import (
    DUTCH_PROFILE,
    Judged,
    build_table,
    score_arrivals,
    score_base_load,
    score_profile,
    spread_days,
)
from wijkstroom.street import Street, load_street


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


def test_days_are_of_one_year_and_of_all_kinds() -> None:
    days = spread_days(26)
    assert len(set(days)) == 26
    assert {day.year for day in days} == {2024}
    assert len({day.month for day in days}) == 12
    assert len({day.weekday() for day in days}) == 7


def test_a_sure_forecast_that_comes_true_loses_nothing() -> None:
    seen = np.array([1.0, 2.0, 3.0])
    row = Judged(seen, seen, seen, seen).describe("what", "against")
    assert (row["nrmse"], row["pinball"], row["coverage_90"]) == (0.0, 0.0, 1.0)


def test_base_load_is_covered_and_a_reading_helps(street: Street) -> None:
    ahead, running, hour = score_base_load(street, spread_days(3), 1)
    assert ahead["steps"] == 3 * 96
    assert 0.8 < ahead["coverage_90"] <= 1.0
    assert running["pinball"] < hour["pinball"] <= ahead["pinball"] * 1.1
    assert score_base_load(street, spread_days(3), 1) == [ahead, running, hour]


def test_arrivals_are_covered(street: Street) -> None:
    arrivals, need = score_arrivals(street, spread_days(2), 1)
    assert arrivals["steps"] == 48
    assert arrivals["coverage_90"] > 0.85
    assert need["steps"] > 50
    assert build_table([arrivals, need]).row_count == 2


def test_without_the_dutch_profile_nothing_is_said_of_it(street: Street, tmp_path: Path) -> None:
    assert score_profile(street, tmp_path) == []


@pytest.mark.skipif(not (DATA / DUTCH_PROFILE).exists(), reason="the Dutch standard profiles may not ship")
def test_the_dutch_profile_is_judged_where_it_is(street: Street) -> None:
    (row,) = score_profile(street, DATA)
    assert row["against"] == "Dutch profile E1A"
    assert row["nrmse"] < 0.4
