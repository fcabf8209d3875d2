from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.tariffs.energy import PriceBook, PriceMissingError, PriceSeries
from grid.tariffs.network import load_sheet
from grid.tariffs.outlook import DayKind, kind_of, score_forecasts
from grid.timegrid import QUARTER, TimeGrid, local_midnight, quarter_number, quarters_of_local_day

ROOT = Path(__file__).parents[3]
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
JUNE_11 = date(2024, 6, 11)


@pytest.fixture(scope="module")
def dutch() -> PriceSeries:
    return PriceSeries.from_csv(ROOT / "configs/data/nl_day_ahead_2023_2024.csv")


@pytest.fixture(scope="module")
def book(dutch: PriceSeries) -> PriceBook:
    tariff = load_sheet(ROOT / "configs/tariffs/stedin-2026.toml").tariff("ms-ls")
    return PriceBook(dutch, AMSTERDAM, time(13), 0.0916, 0.005, tariff)


def local(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), AMSTERDAM)


def series(rows: list[str], tmp_path: Path) -> PriceSeries:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["utc_start,eur_per_mwh", *rows]) + "\n")
    return PriceSeries.from_csv(path)


def problems(rows: list[str], tmp_path: Path) -> list[tuple[str, str]]:
    with pytest.raises(DocumentError) as caught:
        series(rows, tmp_path)
    assert caught.value.source.endswith("prices.csv")
    return [(problem.path, problem.message) for problem in caught.value.problems]


# the series


def test_the_demo_day_has_its_published_prices(dutch: PriceSeries) -> None:
    assert dutch.at([local(JUNE_11, 14), local(JUNE_11, 20)]) * 1000 == pytest.approx([0.86, 125.83])


def test_the_shipped_series_is_whole(dutch: PriceSeries) -> None:
    assert dutch.start == datetime(2023, 1, 1, tzinfo=UTC)
    assert dutch.end == datetime(2025, 1, 1, tzinfo=UTC)
    year = dutch.at(TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1), 366 * 24).starts) * 1000
    assert year.mean() == pytest.approx(77.29, abs=0.01)
    assert (year.min(), year.max()) == pytest.approx((-200.0, 872.96))
    assert np.count_nonzero(year < 0) == 458


def test_the_four_quarters_of_an_hour_share_its_price(dutch: PriceSeries) -> None:
    quarters = dutch.at(TimeGrid(local(JUNE_11, 14), QUARTER, 5).starts)
    assert len(set(quarters[:4])) == 1
    assert quarters[4] != quarters[3]


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_clock_change_days_are_priced_to_the_last_quarter(dutch: PriceSeries, day: date) -> None:
    grid = quarters_of_local_day(day, AMSTERDAM)
    prices = dutch.at(grid.starts)
    assert len(prices) == grid.steps
    assert len(set(prices)) > 12


def test_what_lies_outside_is_refused_with_the_bounds(dutch: PriceSeries) -> None:
    for instant in (dutch.start - timedelta(seconds=1), dutch.end):
        with pytest.raises(PriceMissingError, match=r"from 2023-01-01.* to 2025-01-01.*choose another date"):
            dutch.at([instant])
    assert len(dutch.at([])) == 0


def test_hourly_rows_may_turn_quarter_hourly(tmp_path: Path) -> None:
    rows = ["2025-09-30T21:00Z,40", "2025-09-30T22:00Z,10", "2025-09-30T22:15Z,20", "2025-09-30T22:30Z,30"]
    read = series(rows, tmp_path)
    assert list(read.values_eur_per_kwh * 1000) == pytest.approx([40, 40, 40, 40, 10, 20, 30])


def test_comments_blank_lines_and_other_zones_are_read(tmp_path: Path) -> None:
    read = series(["# Ember", "2024-06-11T14:00+02:00, 0.86", "", "2024-06-11T13:00Z,5"], tmp_path)
    assert read.start == datetime(2024, 6, 11, 12, tzinfo=UTC)
    assert read.end == read.start + timedelta(hours=2)


def test_holes_and_repetitions_are_refused_with_their_line(tmp_path: Path) -> None:
    hourly = [f"2024-06-11T{hour:02d}:00Z,{hour}" for hour in range(6)]
    assert problems([*hourly[:2], *hourly[3:]], tmp_path) == [
        ("line 4", "there is a hole before it: add the missing prices")
    ]
    assert problems([*hourly[:3], hourly[2], *hourly[3:]], tmp_path)[0][0] == "line 5"
    assert problems([hourly[1], hourly[0]], tmp_path)[0] == (
        "line 3",
        "is repeated or out of order: sort the rows, keep one per start",
    )


def test_a_missing_hour_of_quarters_is_a_hole_not_an_hourly_row(tmp_path: Path) -> None:
    rows = ["2025-10-01T00:00Z,1", "2025-10-01T00:15Z,1", "2025-10-01T01:15Z,1"]
    assert [line for line, _ in problems(rows, tmp_path)] == ["line 4"]


@pytest.mark.parametrize(
    "row",
    [
        "2024-06-11T12:00,1",
        "2024-06-11T12:05Z,1",
        "noon,1",
        "2024-06-11T12:00Z,",
        "2024-06-11T12:00Z,nan",
        "2024-06-11T12:00Z,inf",
        "2024-06-11T12:00Z",
        "2024-06-11T12:00Z,1,2",
    ],
)
def test_malformed_rows_are_refused_with_an_example(row: str, tmp_path: Path) -> None:
    ((line, message),) = problems(["2024-06-11T11:00Z,1", row], tmp_path)
    assert line == "line 3"
    assert "must be a quarter's start with time zone and a price" in message


def test_every_malformed_row_is_listed_up_to_a_bound(tmp_path: Path) -> None:
    found = problems(["x,y"] * 50, tmp_path)
    assert [line for line, _ in found[:20]] == [f"line {n}" for n in range(2, 22)]
    assert found[20:] == [("", "and 30 more like these")]


def test_files_without_prices_are_refused(tmp_path: Path) -> None:
    assert "no prices" in problems([], tmp_path)[0][1]
    (tmp_path / "other.csv").write_text("time,price\n")
    with pytest.raises(DocumentError, match="header must be utc_start,eur_per_mwh"):
        PriceSeries.from_csv(tmp_path / "other.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DocumentError, match="line 1"):
        PriceSeries.from_csv(tmp_path / "empty.csv")
    with pytest.raises(DocumentError, match="give the path of a CSV file"):
        PriceSeries.from_csv(tmp_path / "none.csv")


# the book


def test_import_carries_tax_and_transport_export_a_fee(book: PriceBook) -> None:
    noon = [local(JUNE_11, 14)]
    assert book.import_price_eur_per_kwh(noon)[0] == pytest.approx(0.00086 + 0.0916 + 0.0198)
    assert book.export_price_eur_per_kwh(noon)[0] == pytest.approx(0.00086 - 0.005)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (local(JUNE_11, 12, 59), local(date(2024, 6, 12), 0)),
        (local(JUNE_11, 13), local(date(2024, 6, 13), 0)),
        (local(JUNE_11, 0), local(date(2024, 6, 12), 0)),
        (local(JUNE_11, 23, 59), local(date(2024, 6, 13), 0)),
        (local(date(2024, 3, 30), 13), local(date(2024, 4, 1), 0)),
        (local(date(2024, 10, 27), 12), local(date(2024, 10, 28), 0)),
    ],
)
def test_tomorrow_is_known_from_one_o_clock(book: PriceBook, at: datetime, until: datetime) -> None:
    assert book.known_until(at) == until
    assert book.known_until(at.astimezone(UTC)) == until


def test_published_prices_are_exact_and_later_ones_are_forecast(book: PriceBook) -> None:
    at = local(JUNE_11, 6)
    starts = TimeGrid(at, QUARTER, 36 * 4).starts
    prices = book.day_ahead_eur_per_kwh(starts, at)
    truth = book.day_ahead_eur_per_kwh(starts)
    today = np.array([start < book.known_until(at) for start in starts])
    assert np.array_equal(prices[today], truth[today])
    assert not np.allclose(prices[~today], truth[~today])


@given(st.integers(0, 7 * 24 * 60), st.integers(0, 300))
def test_a_forecast_never_looks_ahead(minutes: int, seed: int) -> None:
    start = datetime(2024, 3, 20, tzinfo=UTC)
    rng = np.random.default_rng(seed)
    values = rng.normal(0.08, 0.03, 20 * 96)
    at = datetime(2024, 3, 28, tzinfo=UTC) + timedelta(minutes=minutes)
    book = PriceBook(PriceSeries(int(start.timestamp()) // 900, values), AMSTERDAM)
    known = int((book.known_until(at) - start) / QUARTER)
    changed = values.copy()
    changed[known:] += rng.normal(1.0, 0.1, len(values) - known)
    other = PriceBook(PriceSeries(book.series.first_quarter, changed), AMSTERDAM)
    starts = TimeGrid(at, QUARTER, 200).starts
    assert np.array_equal(
        book.import_price_eur_per_kwh(starts, at), other.import_price_eur_per_kwh(starts, at)
    )
    assert np.array_equal(
        book.export_price_eur_per_kwh(starts, at), other.export_price_eur_per_kwh(starts, at)
    )


def test_a_forecast_goes_on_where_the_series_ends(book: PriceBook, dutch: PriceSeries) -> None:
    at = local(date(2024, 12, 31), 20)
    assert book.known_until(at) == dutch.end
    prices = book.day_ahead_eur_per_kwh(TimeGrid(at, QUARTER, 144).starts, at)
    assert np.all(np.isfinite(prices))


def test_a_young_series_forecasts_from_what_it_has() -> None:
    start = local_midnight(JUNE_11, AMSTERDAM)
    values = np.repeat([0.1, 0.3], 48)
    book = PriceBook(PriceSeries(int(start.timestamp()) // 900, values), AMSTERDAM)
    tomorrow = quarters_of_local_day(JUNE_11 + timedelta(days=1), AMSTERDAM).starts
    assert np.allclose(book.day_ahead_eur_per_kwh(tomorrow, start), values)
    half = PriceBook(PriceSeries(book.series.first_quarter, values[:60]), AMSTERDAM)
    assert half.day_ahead_eur_per_kwh(tomorrow, start)[70] == pytest.approx(values[:60].mean())


def test_before_the_first_price_there_is_no_forecast(book: PriceBook) -> None:
    early = datetime(2022, 12, 30, tzinfo=UTC)
    with pytest.raises(PriceMissingError, match="the series begins 2023-01-01"):
        book.day_ahead_eur_per_kwh([early + timedelta(days=9)], early)


def test_a_workday_after_workdays_is_half_yesterday_and_half_the_week(book: PriceBook) -> None:
    days = [JUNE_11 - timedelta(days=back) for back in range(28)]
    profiles = book.series.profiles(days, AMSTERDAM)
    workdays = [kind_of(day) is DayKind.WORKDAY for day in days]
    departure = profiles[workdays].mean(axis=0) - profiles.mean(axis=0)
    expected = profiles[0] / 2 + profiles[:7].mean(axis=0) / 2 + departure / 4
    tomorrow = quarters_of_local_day(JUNE_11 + timedelta(days=1), AMSTERDAM).starts
    assert book.day_ahead_eur_per_kwh(tomorrow, local(JUNE_11, 6)) == pytest.approx(expected)


def test_days_with_a_doubled_or_a_missing_hour_do_not_shift_the_forecast() -> None:
    hours = np.arange(48 * 366) // 2 % 24  # of the wall clock, in halves
    for change in (date(2024, 10, 27), date(2024, 3, 31)):
        days = [change + timedelta(days=offset) for offset in range(-9, 3)]
        starts = [start for day in days for start in quarters_of_local_day(day, AMSTERDAM).starts]
        values = np.array([float(hours[2 * start.astimezone(AMSTERDAM).hour]) for start in starts])
        book = PriceBook(PriceSeries(int(starts[0].timestamp()) // 900, values), AMSTERDAM)
        at = local(change + timedelta(days=1), 6)
        later = quarters_of_local_day(change + timedelta(days=2), AMSTERDAM).starts
        assert np.allclose(book.day_ahead_eur_per_kwh(later, at), np.repeat(np.arange(24.0), 4))


def test_the_forecast_is_better_than_naive_ones_in_a_year_it_was_not_made_for(dutch: PriceSeries) -> None:
    days = [date(2023, 11, 20) + timedelta(days=offset) for offset in range(400)]
    scores = score_forecasts(days, dutch.profiles(days, AMSTERDAM), year=2024)
    best = min(score.rmse_eur_per_mwh for name, score in scores.items() if name != "forecast")
    assert scores["forecast"].rmse_eur_per_mwh < 0.9 * best
    assert scores["forecast"].mae_eur_per_mwh == pytest.approx(21.87, abs=0.01)


# new prices, old prices


def test_renewed_prices_count_at_once(dutch: PriceSeries) -> None:
    book = PriceBook(dutch, AMSTERDAM)
    at = local(date(2024, 12, 31), 20)
    tomorrow = quarters_of_local_day(date(2025, 1, 1), AMSTERDAM)
    before = book.day_ahead_eur_per_kwh(tomorrow.starts, at)
    book.renew(PriceSeries(quarter_number(tomorrow.start), np.full(96, 0.123)))
    assert np.allclose(book.day_ahead_eur_per_kwh(tomorrow.starts, at), 0.123)
    assert not np.allclose(before, 0.123)
    assert book.series.start == dutch.start
    assert book.known_until(at) == tomorrow.end


def test_prices_after_a_hole_replace_what_was_known(dutch: PriceSeries) -> None:
    book = PriceBook(dutch, AMSTERDAM)
    late = PriceSeries(quarter_number(dutch.end) + 1, np.ones(4))
    book.renew(late)
    assert book.series is late
    with pytest.raises(PriceMissingError, match="send what lies between"):
        dutch.joined(late)


@given(st.integers(-50, 50), st.integers(1, 60))
def test_joined_series_hold_the_newer_price_where_both_have_one(offset: int, length: int) -> None:
    older, newer = PriceSeries(1000, np.zeros(48)), PriceSeries(1000 + offset, np.ones(length))
    first, end = min(1000, 1000 + offset), max(1048, 1000 + offset + length)
    if offset > 48 or offset + length < 0:
        with pytest.raises(PriceMissingError):
            older.joined(newer)
        return
    joined = older.joined(newer)
    expected = np.zeros(end - first)
    expected[1000 + offset - first : 1000 + offset - first + length] = 1.0
    assert joined.first_quarter == first
    assert np.array_equal(joined.values_eur_per_kwh, expected)


def test_prices_of_long_ago_have_no_shape(dutch: PriceSeries) -> None:
    book = PriceBook(dutch, AMSTERDAM, most_age=timedelta(days=7))
    for days, shaped in ((6, True), (8, False)):
        at = dutch.end + timedelta(days=days)
        assert book.is_stale(at) is not shaped
        forecast = book.day_ahead_eur_per_kwh(TimeGrid(at, QUARTER, 96).starts, at)
        assert bool(np.ptp(forecast) > 0.0) is shaped
