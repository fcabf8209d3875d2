from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.timegrid import (
    QUARTER,
    TimeGrid,
    ceil_quarter,
    floor_quarter,
    local_midnight,
    local_minutes,
    overlaps_daily_window,
    quarter_number,
    quarters_of_local_day,
    to_utc,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
instants = st.integers(0, 10 * 366 * 86400 * 1_000_000).map(
    lambda us: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))


@pytest.mark.parametrize(
    ("day", "quarters"),
    [
        (date(2024, 3, 31), 92),
        (date(2024, 10, 27), 100),
        (date(2023, 3, 26), 92),
        (date(2023, 10, 29), 100),
        (date(2024, 6, 11), 96),
    ],
)
def test_local_days_have_their_number_of_quarters(day: date, quarters: int) -> None:
    grid = quarters_of_local_day(day, AMSTERDAM)
    assert grid.steps == quarters
    assert {start.astimezone(AMSTERDAM).date() for start in grid.starts} == {day}
    assert grid.end == local_midnight(day + timedelta(days=1), AMSTERDAM)


def test_the_days_of_a_year_meet_without_gap() -> None:
    days = [quarters_of_local_day(date(2024, 1, 1) + timedelta(days=n), AMSTERDAM) for n in range(366)]
    assert all(a.end == b.start for a, b in pairwise(days))
    assert sum(day.steps for day in days) == 366 * 96


def test_wall_clock_hours_on_clock_change_days() -> None:
    spring = local_minutes(quarters_of_local_day(date(2024, 3, 31), AMSTERDAM).starts, AMSTERDAM) // 60
    autumn = local_minutes(quarters_of_local_day(date(2024, 10, 27), AMSTERDAM).starts, AMSTERDAM) // 60
    assert 2 not in spring
    assert np.count_nonzero(autumn == 2) == 8


@given(instants, st.integers(1, 200), st.integers(1, 120))
def test_index_of_finds_the_step(start: datetime, steps: int, minutes: int) -> None:
    grid = TimeGrid(start, timedelta(minutes=minutes), steps)
    assert len(grid.edges) == steps + 1
    for index, (begin, end) in enumerate(zip(grid.starts, grid.edges[1:], strict=True)):
        assert grid.index_of(begin) == index
        assert grid.index_of(end - timedelta(microseconds=1)) == index
    with pytest.raises(ValueError, match="outside"):
        grid.index_of(grid.end)
    with pytest.raises(ValueError, match="outside"):
        grid.index_of(grid.start - timedelta(microseconds=1))


@given(instants)
def test_quarters_contain_their_instant(instant: datetime) -> None:
    floor, ceil = floor_quarter(instant), ceil_quarter(instant)
    assert floor <= instant < floor + QUARTER
    assert ceil - QUARTER < instant <= ceil
    assert quarter_number(instant) == quarter_number(floor)
    assert quarter_number(floor + QUARTER) == quarter_number(floor) + 1


@given(instants)
def test_floor_quarter_is_the_same_in_any_zone(instant: datetime) -> None:
    assert floor_quarter(instant.astimezone(AMSTERDAM)) == floor_quarter(instant)


def test_a_grid_keeps_utc_whatever_it_is_given() -> None:
    grid = TimeGrid(datetime(2024, 6, 11, 6, tzinfo=AMSTERDAM), QUARTER, 4)
    assert grid.start == datetime(2024, 6, 11, 4, tzinfo=UTC)
    assert grid.start.tzinfo is UTC
    assert grid.step_hours == 0.25


def test_what_makes_no_grid_is_refused() -> None:
    start = datetime(2024, 6, 11, tzinfo=UTC)
    with pytest.raises(ValueError, match="longer than zero"):
        TimeGrid(start, timedelta(0), 1)
    with pytest.raises(ValueError, match="not be negative"):
        TimeGrid(start, QUARTER, -1)
    with pytest.raises(ValueError, match="no time zone"):
        to_utc(datetime(2024, 6, 11))  # noqa: DTZ001 - just that is refused


def test_a_daily_window_holds_from_its_begin_until_its_end() -> None:
    minutes = np.arange(0, 1440, 15)
    inside = minutes[overlaps_daily_window(minutes, time(17), time(21))]
    assert inside[0] == 17 * 60
    assert inside[-1] == 20 * 60 + 45


def test_a_window_over_midnight() -> None:
    minutes = np.arange(0, 1440, 15)
    inside = set(minutes[overlaps_daily_window(minutes, time(23), time(7))])
    assert inside == {*range(23 * 60, 1440, 15), *range(0, 7 * 60, 15)}


def test_a_step_partly_inside_counts() -> None:
    minutes = np.arange(0, 1440, 15)
    inside = minutes[overlaps_daily_window(minutes, time(17, 5), time(17, 20))]
    assert list(inside) == [17 * 60, 17 * 60 + 15]


def test_a_window_that_ends_at_midnight() -> None:
    minutes = np.arange(0, 1440, 15)
    inside = minutes[overlaps_daily_window(minutes, time(22), time(0))]
    assert list(inside) == list(range(22 * 60, 1440, 15))


@given(times, times)
def test_a_window_and_its_complement_share_the_day(begin: time, end: time) -> None:
    minutes = np.arange(0, 1440, 15)
    one, other = overlaps_daily_window(minutes, begin, end), overlaps_daily_window(minutes, end, begin)
    if begin == end:
        assert one.all()
    else:
        assert (one ^ other).all()
