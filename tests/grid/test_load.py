from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.load import LoadProfile, LoadProfileError, forecast_base_load_kw
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day
from grid.topology import Node, NodeKind
from tests.real_data import DATA

SHIPPED = Path(__file__).parents[2] / "configs/data/household_profile.csv"
SHARED = DATA / "nl_standard_profiles_e1a_e4a_15min_2020-10_2021-01.csv"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
PROFILE = LoadProfile.from_csv(SHIPPED)


def street(households: int = 120, annual_kwh: float = 3000.0, profile: LoadProfile | None = PROFILE) -> Node:
    return Node("street", NodeKind.TRANSFORMER, None, (), households, annual_kwh, profile)


def test_a_june_evening_of_120_households() -> None:
    starts = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts
    forecast = forecast_base_load_kw(street(), starts, AMSTERDAM)
    peak = int(np.argmax(forecast.median))
    assert 48.0 < forecast.median[peak] < 60.0
    assert 19 <= starts[peak].astimezone(AMSTERDAM).hour <= 21
    assert 55.0 < forecast.upper.max() < 65.0


def test_a_year_sums_to_its_energy() -> None:
    starts = TimeGrid(datetime(2023, 1, 1, tzinfo=AMSTERDAM), QUARTER, 365 * 96).starts
    energy = forecast_base_load_kw(street(), starts, AMSTERDAM).median.sum() / 4
    assert energy == pytest.approx(120 * 3000.0, rel=0.002)


def test_winter_needs_more_than_summer_and_sundays_cook_at_noon() -> None:
    def day(when: date) -> np.ndarray:
        return forecast_base_load_kw(
            street(), quarters_of_local_day(when, AMSTERDAM).starts, AMSTERDAM
        ).median

    assert day(date(2024, 1, 9)).sum() > 1.2 * day(date(2024, 6, 11)).sum()
    assert day(date(2024, 6, 9))[48] > 1.3 * day(date(2024, 6, 11))[48]


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_people_live_by_the_wall_clock(day: date) -> None:
    before, on = (quarters_of_local_day(when, AMSTERDAM).starts for when in (day - timedelta(days=7), day))

    def at_eight(starts: tuple[datetime, ...]) -> float:
        forecast = forecast_base_load_kw(street(), starts, AMSTERDAM)
        locals_ = [start.astimezone(AMSTERDAM) for start in starts]
        return float(forecast.median[[moment.hour == 20 for moment in locals_].index(True)])

    assert at_eight(on) == pytest.approx(at_eight(before))
    assert len(forecast_base_load_kw(street(), on, AMSTERDAM)) == len(on)


@given(st.integers(1, 5000), st.floats(0, 1e4), st.integers(0, 366 * 96))
def test_bounds_hold_the_median_and_narrow_with_numbers(
    households: int, annual_kwh: float, quarter: int
) -> None:
    starts = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC) + quarter * QUARTER, QUARTER, 8).starts
    one = forecast_base_load_kw(street(households, annual_kwh), starts, AMSTERDAM)
    many = forecast_base_load_kw(street(households * 10, annual_kwh), starts, AMSTERDAM)
    assert np.all(one.lower >= 0.0)
    assert np.all(one.lower <= one.median)
    assert np.all(one.median <= one.upper)
    assert np.allclose(many.median, 10 * one.median)
    assert np.all(many.upper <= 10 * one.upper + 1e-9)


def test_no_households_draw_nothing() -> None:
    starts = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts
    forecast = forecast_base_load_kw(street(0, profile=None), starts, AMSTERDAM)
    assert not forecast.upper.any()
    assert len(forecast) == 96


def test_households_without_a_profile_are_an_error() -> None:
    with pytest.raises(LoadProfileError, match="street has 120 households but no load_profile: name a file"):
        forecast_base_load_kw(street(profile=None), (datetime(2024, 6, 11, tzinfo=UTC),), AMSTERDAM)


@pytest.mark.skipif(not SHARED.exists(), reason="the Dutch standard profiles are not here: they may not ship")
def test_the_profile_has_the_shape_of_the_dutch_one_in_winter() -> None:
    with SHARED.open() as file:
        rows = list(csv.DictReader(file))
    starts = [datetime.fromisoformat(row["utc"]) for row in rows]
    dutch = np.array([float(row["sjv_E1A"]) for row in rows])
    ours = PROFILE.power_kw(starts, AMSTERDAM, 4000.0)
    assert np.corrcoef(dutch, ours)[0, 1] > 0.7
    december = np.array([start.month == 12 for start in starts])
    assert ours[december].mean() / (4000.0 / 8760) == pytest.approx(dutch[december].mean() * 35040, rel=0.05)


def edited(tmp_path: Path, edit: Callable[[list[str]], list[str]]) -> Path:
    path = tmp_path / "profile.csv"
    path.write_text("\n".join(edit(SHIPPED.read_text().splitlines())) + "\n")
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines[:-1], "month 12, sunday is missing: add its row"),
        (lambda lines: [*lines, lines[-1]], "line 41: this month and day type stands twice: keep one"),
        (lambda lines: [*lines[:-1], lines[-1].replace("sunday", "holiday")], "line 40: '12,holiday,"),
        (lambda lines: [*lines[:-1], lines[-1] + ",1.0"], "must be a month, workday, saturday or sunday"),
        (lambda lines: [*lines[:-1], "13" + lines[-1][2:]], "line 40"),
        (lambda lines: [*lines[:-1], lines[-1].rsplit(",", 1)[0] + ",-1"], "96 powers >= 0"),
        (lambda lines: [*lines[:-1], lines[-1].rsplit(",", 1)[0] + ",nan"], "96 powers >= 0"),
        (lambda lines: lines[4:], "line 1: the header must be month,day_type,00:00"),
    ],
)
def test_damaged_profiles_are_refused(
    tmp_path: Path, edit: Callable[[list[str]], list[str]], message: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        LoadProfile.from_csv(edited(tmp_path, edit))
    assert any(message in str(problem) for problem in caught.value.problems)
