from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from grid.errors import DocumentError
from grid.solar.climate import Climate
from grid.solar.irradiance import ClimateIrradiance, FileIrradiance
from grid.solar.model import PvArray, clear_sky_ghi_w_m2
from grid.timegrid import QUARTER, TimeGrid
from tests.real_data import DATA

SHIPPED = Path(__file__).parents[3] / "configs/data/clearness_de_bilt.csv"
OBSERVED = DATA / "knmi_de_bilt_260_hourly_2023_2024.csv"
CLIMATE = Climate.from_csv(SHIPPED)
DE_BILT = PvArray(52.10, 5.18, 1.0, 15.0, 180.0)
DAY = TimeGrid(datetime(2024, 6, 11, tzinfo=UTC), QUARTER, 96).starts
CLEAR = clear_sky_ghi_w_m2(DE_BILT, DAY)


def hourly(values: list[float], start: datetime = DAY[0]) -> list[str]:
    return [f"{(start + timedelta(hours=n)).isoformat()},{value}" for n, value in enumerate(values)]


def read(rows: list[str], tmp_path: Path, header: str = "utc_start,ghi_w_m2") -> FileIrradiance:
    path = tmp_path / "sun.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return FileIrradiance.from_csv(path, CLIMATE)


def problems(rows: list[str], tmp_path: Path, header: str = "utc_start,ghi_w_m2") -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(rows, tmp_path, header)
    return [str(problem) for problem in caught.value.problems]


# the climate


def test_the_shipped_climate_is_plausible() -> None:
    noon = slice(9, 15)
    assert 0.7 < CLIMATE.clearness.median[5, noon].mean() < 1.0
    assert 0.2 < CLIMATE.clearness.median[11, noon].mean() < 0.5
    assert 14.0 < CLIMATE.temperature_c[6].mean() < 22.0
    assert np.all(CLIMATE.clearness.lower <= CLIMATE.mean_clearness)
    assert np.all(CLIMATE.mean_clearness <= CLIMATE.clearness.upper)


def test_clear_sky_times_mean_clearness_is_the_observed_year() -> None:
    """1,068 kWh/m2 a year fell at De Bilt in 2023 and 2024 (KNMI)."""
    total = 0.0
    for month in range(12):
        starts = TimeGrid(datetime(2023, month + 1, 15, tzinfo=UTC), QUARTER, 96).starts
        clear = clear_sky_ghi_w_m2(DE_BILT, starts).reshape(24, 4).mean(axis=1)
        total += float(clear @ CLIMATE.mean_clearness[month]) * 365.25 / 12 / 1000
    assert total == pytest.approx(1068.0, rel=0.04)


def test_values_between_hours_are_interpolated() -> None:
    weather = ClimateIrradiance(CLIMATE).weather(DAY, np.ones(96))
    expected = np.interp(np.arange(8, 16, 0.25) + 0.125, np.arange(24) + 0.5, CLIMATE.clearness.median[5])
    assert np.allclose(weather.ghi_w_m2.median[32:64], expected, atol=1e-9)
    assert np.all(np.diff(weather.temperature_c[32:50]) > 0)


@pytest.mark.skipif(not OBSERVED.exists(), reason="the KNMI observations are not here: they may not ship")
def test_nine_in_ten_observed_hours_lie_within_the_bounds() -> None:
    with OBSERVED.open() as file:
        rows = [row for row in csv.DictReader(file) if "2024-06" in row["utc_start"]]
    seen = np.array([float(row["ghi_w_m2"]) for row in rows])
    starts = TimeGrid(datetime(2024, 6, 1, tzinfo=UTC), QUARTER, len(rows) * 4).starts
    weather = ClimateIrradiance(CLIMATE).weather(starts, clear_sky_ghi_w_m2(DE_BILT, starts))
    lower, upper = (
        part.reshape(-1, 4).mean(axis=1) for part in (weather.ghi_w_m2.lower, weather.ghi_w_m2.upper)
    )
    bright = upper > 100.0
    inside = (seen >= lower) & (seen <= upper)
    assert 0.8 < inside[bright].mean() < 0.99


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("12,23,", "12,24,", "must be month, hour and six figures"),
        ("\n12,23,", "\n#", "month 12, hour 23 is missing: add its row"),
        ("month,utc_hour", "month,hour", "the header must be month,utc_hour"),
    ],
)
def test_damaged_climates_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = SHIPPED.read_text()
    assert text.count(old) == 1
    path = tmp_path / "climate.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(DocumentError, match=message):
        Climate.from_csv(path)


def test_quantiles_out_of_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "climate.csv"
    path.write_text(SHIPPED.read_text() + "6,12,0.9,0.5,1.0,0.7,20,4\n")
    with pytest.raises(DocumentError, match="0 <= lower <= median <= upper"):
        Climate.from_csv(path)


# a file


def test_hourly_means_keep_their_energy_and_the_shape_of_the_sun(tmp_path: Path) -> None:
    values = [0.8 * float(hour) for hour in CLEAR.reshape(24, 4).mean(axis=1)]
    weather = read(hourly(values), tmp_path).weather(DAY, CLEAR)
    assert np.allclose(weather.ghi_w_m2.median.reshape(24, 4).mean(axis=1), values)
    lit = CLEAR > 50.0
    assert np.allclose(weather.ghi_w_m2.median[lit], 0.8 * CLEAR[lit])
    assert np.all(weather.ghi_w_m2.lower <= weather.ghi_w_m2.median)
    assert np.all(weather.ghi_w_m2.median <= weather.ghi_w_m2.upper)
    assert np.all(weather.ghi_w_m2.upper <= np.maximum(1.3 * CLEAR, weather.ghi_w_m2.median) + 1e-9)


def test_a_slice_that_begins_within_an_hour_keeps_the_day_s_values(tmp_path: Path) -> None:
    source = read(hourly([400.0] * 24), tmp_path)
    whole = source.weather(DAY, CLEAR).ghi_w_m2.median
    assert np.allclose(source.weather(DAY[48:], CLEAR[48:]).ghi_w_m2.median, whole[48:])


def test_quarter_hourly_rows_with_weather_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [f"{start.isoformat()},{100 + n},{n},{n / 10}" for n, start in enumerate(DAY)]
    weather = read(rows, tmp_path, "utc_start,ghi_w_m2,temperature_c,wind_m_s").weather(DAY, CLEAR)
    assert np.allclose(weather.ghi_w_m2.median, 100 + np.arange(96))
    assert np.allclose(weather.temperature_c, np.arange(96))
    assert np.allclose(weather.wind_m_s, np.arange(96) / 10)


def test_what_the_file_does_not_tell_is_the_climate_s(tmp_path: Path) -> None:
    source = read(hourly([300.0] * 12), tmp_path)
    assert (source.start, source.end) == (DAY[0], DAY[48])
    weather, typical = source.weather(DAY, CLEAR), ClimateIrradiance(CLIMATE).weather(DAY, CLEAR)

    def same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
        return np.array_equal(one[48:], other[48:])

    assert same(weather.ghi_w_m2.lower, typical.ghi_w_m2.lower)
    assert same(weather.ghi_w_m2.median, typical.ghi_w_m2.median)
    assert same(weather.ghi_w_m2.upper, typical.ghi_w_m2.upper)
    assert np.array_equal(weather.temperature_c, typical.temperature_c)
    assert not np.allclose(weather.ghi_w_m2.median[:48], typical.ghi_w_m2.median[:48])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "fewer than two rows"),
        (hourly([1.0]), "fewer than two rows"),
        (hourly([1.0, -1.0]), "line 3: .* irradiance >= 0"),
        (hourly([1.0, float("nan")]), "line 3"),
        ([*hourly([1.0, 2.0]), *hourly([3.0], DAY[12])], "line 4: a hole"),
        ([*hourly([1.0, 2.0]), *hourly([3.0], DAY[4])], "line 4: a hole, a repetition"),
        (
            ["2024-06-11T00:00Z,1", "2024-06-11T00:30Z,1"],
            "line 3: rows must be 15 or 60 minutes apart, not 30",
        ),
        (["2024-06-11T00:00,1"], "time zone"),
        (["2024-06-11T00:00Z"], "line 2"),
        (["2024-06-11T00:00Z,1,2,3"], "line 2"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    assert any(re.search(message, problem) for problem in problems(rows, tmp_path))


def test_other_headers_are_refused(tmp_path: Path) -> None:
    (problem,) = problems([], tmp_path, "time,ghi")
    assert "must be utc_start,ghi_w_m2 or utc_start,ghi_w_m2,temperature_c,wind_m_s" in problem


def test_files_of_another_day_leave_the_climate_alone(tmp_path: Path) -> None:
    source = read(
        hourly([300.0] * 24, datetime.combine(date(2023, 1, 1), datetime.min.time(), UTC)), tmp_path
    )
    typical = ClimateIrradiance(CLIMATE).weather(DAY, CLEAR)
    assert np.array_equal(source.weather(DAY, CLEAR).ghi_w_m2.median, typical.ghi_w_m2.median)
