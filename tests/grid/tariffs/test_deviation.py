from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.tariffs.deviation import LoadForecast, read_forecasts, settle_deviation, write_forecasts
from grid.tariffs.energy import PriceMissingError, PriceSeries
from grid.timegrid import QUARTER, TimeGrid, quarter_number

START = datetime(2024, 6, 10, 22, tzinfo=UTC)
EAN, OTHER = "871694600000010017", "871694600000010024"


def forecast(energy_kwh: list[float], ean18: str = EAN) -> LoadForecast:
    return LoadForecast(
        ean18, "Sun & Co", TimeGrid(START, QUARTER, len(energy_kwh)).starts, np.array(energy_kwh)
    )


def prices(*eur_per_kwh: float) -> PriceSeries:
    return PriceSeries(quarter_number(START), np.array(eur_per_kwh))


def test_more_than_announced_costs_the_difference_of_prices() -> None:
    found = settle_deviation(forecast([2.0, 2.0]), np.array([5.0, 1.0]), prices(0.1, 0.1), prices(0.3, 0.05))
    assert (found.more_kwh, found.less_kwh) == (3.0, 1.0)
    assert found.cost_eur == pytest.approx(3 * 0.2 - 1 * -0.05)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=96))
def test_who_keeps_to_the_forecast_pays_nothing(energy_kwh: list[float]) -> None:
    series = prices(*[0.1] * 96)
    found = settle_deviation(forecast(energy_kwh), np.array(energy_kwh), series, prices(*[9.0] * 96))
    assert (found.more_kwh, found.less_kwh, found.cost_eur) == (0.0, 0.0, 0.0)


def test_without_prices_of_imbalance_there_is_no_cost() -> None:
    assert settle_deviation(forecast([1.0]), np.array([2.0]), prices(0.1), None).cost_eur is None
    with pytest.raises(PriceMissingError):
        settle_deviation(forecast([1.0, 1.0]), np.array([2.0, 1.0]), prices(0.1), prices(0.1))


def test_a_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "forecast.csv"
    path.write_text("\n".join(write_forecasts([forecast([1.5, -0.25]), forecast([0.0], OTHER)])))
    first, second = read_forecasts(path)
    assert (first.ean18, first.supplier, first.starts[0]) == (EAN, "Sun & Co", START)
    assert first.net_kwh.tolist() == [1.5, -0.25]
    assert (second.ean18, len(second.starts)) == (OTHER, 1)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([f"{EAN},A,2024-06-10T22:00Z,x"], "line 2"),
        ([f"{EAN},A,2024-06-10T22:05Z,1"], "line 2"),
        (["871694600000010018,A,2024-06-10T22:00Z,1"], "line 2"),
        ([f"{EAN},A,2024-06-10T22:00Z,1", f"{EAN},A,2024-06-10T22:30Z,1"], "line 3"),
        ([], "no values"),
    ],
)
def test_files_with_mistakes_are_refused(tmp_path: Path, rows: list[str], place: str) -> None:
    path = tmp_path / "forecast.csv"
    path.write_text("\n".join(["ean18,supplier,utc_start,net_kwh", *rows]))
    with pytest.raises(DocumentError, match=place):
        read_forecasts(path)
