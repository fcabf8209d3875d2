from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grid.errors import DocumentError
from grid.solar.clearness import (
    HIGH,
    LARGEST,
    LEVELS,
    LOW,
    MEDIAN,
    NEEDED,
    SEASONS,
    TERMS,
    THIRDS,
    ClearnessModel,
    Knowledge,
    Known,
    Moments,
    build_terms,
    in_order,
    stretch,
)
from grid.solar.model_file import read_models, render_models

SHIPPED = Path(__file__).parents[3] / "configs/data/clearness_models_de_bilt.csv"
MODELS = read_models(SHIPPED)
JUNE = [datetime(2024, 6, 21, hour, 30, tzinfo=UTC) for hour in range(4, 20)]
MOMENTS = Moments.of(JUNE, 5.18)
TYPICAL = {Known.YESTERDAY: 0.6, Known.DAY_BEFORE: 0.6, Known.CLOUD: 5.0, Known.FORECAST: 0.6}


def known(**changes: float) -> dict[Known, np.ndarray]:
    return {name: np.full(len(JUNE), changes.get(name.value, value)) for name, value in TYPICAL.items()}


def test_moments_follow_the_sun_of_the_place() -> None:
    noon = Moments.of([datetime(2024, 12, 21, 11, 40, tzinfo=UTC)], 5.0)
    assert noon.noon_distance[0] == pytest.approx(0.0, abs=1e-6)
    assert noon.season_angle[0] == pytest.approx(0.0, abs=0.02)
    months = Moments.of([datetime(2024, month, 15, 12, tzinfo=UTC) for month in range(1, 13)], 5.0)
    assert [SEASONS[index] for index in months.season] == [
        *["winter"] * 2,
        *["spring"] * 3,
        *["summer"] * 3,
        *["autumn"] * 3,
        "winter",
    ]


@pytest.mark.parametrize("knowledge", list(Knowledge))
def test_every_case_has_a_term_for_all_that_it_needs(knowledge: Knowledge) -> None:
    needed = {name: known()[name] for name in NEEDED[knowledge]}
    assert build_terms(knowledge, MOMENTS, needed).shape == (len(JUNE), len(TERMS[knowledge]))


@settings(max_examples=40)
@given(
    st.sampled_from(list(Knowledge)),
    st.floats(0.0, LARGEST),
    st.floats(0.0, LARGEST),
    st.floats(0.0, 8.0),
    st.floats(0.0, LARGEST),
)
def test_quantiles_ascend_within_what_can_be(
    knowledge: Knowledge, yesterday: float, before: float, cloud: float, forecast: float
) -> None:
    quantiles = MODELS[knowledge].predict(
        MOMENTS, known(yesterday=yesterday, day_before=before, cloud=cloud, forecast=forecast)
    )
    assert quantiles.shape == (len(JUNE), len(LEVELS))
    assert np.all(np.diff(quantiles, axis=1) >= -1e-12)
    assert quantiles.min() >= 0.0
    assert quantiles.max() <= LARGEST


def test_the_shipped_figures_know_what_weather_is() -> None:
    station, weather = MODELS[Knowledge.STATION], MODELS[Knowledge.WEATHER]

    def median(model: ClearnessModel, **changes: float) -> float:
        return float(model.bounds(MOMENTS, known(**changes)).median.mean())

    assert median(station, yesterday=0.9, cloud=1.0) > median(station, yesterday=0.2, cloud=8.0) + 0.1
    assert median(weather, forecast=0.95) > median(weather, forecast=0.3) + 0.3
    wide, narrow = (
        MODELS[knowledge].bounds(MOMENTS, known()) for knowledge in (Knowledge.METER, Knowledge.WEATHER)
    )
    assert (narrow.upper - narrow.lower).mean() < (wide.upper - wide.lower).mean()


@given(
    arrays(np.float64, (4, len(LEVELS)), elements=st.floats(0.0, LARGEST)),
    arrays(np.float64, (4, 2), elements=st.floats(0.0, 3.0)),
)
def test_stretching_keeps_order_and_median(values: np.ndarray, factors: np.ndarray) -> None:
    quantiles = in_order(values)
    moved = stretch(quantiles, factors)
    assert np.array_equal(moved[:, MEDIAN], quantiles[:, MEDIAN])
    assert np.all(np.diff(moved, axis=1) >= -1e-12)
    plain = stretch(quantiles, np.ones((4, 2)))
    assert np.allclose(plain, quantiles)


def test_each_side_is_stretched_by_its_own_factor() -> None:
    quantiles = np.linspace(0.5, 1.5, len(LEVELS))[np.newaxis]
    moved = stretch(quantiles, np.array([[0.5, 1.0]]))
    assert moved[0, LOW] == pytest.approx(1.0 - 0.5 * (1.0 - quantiles[0, LOW]))
    assert moved[0, HIGH] == quantiles[0, HIGH]


# the file


def test_a_table_that_was_written_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "models.csv"
    path.write_text(render_models(MODELS, ("where it comes from",)))
    assert path.read_text().startswith("# where it comes from\nknowledge,row,column,value\n")
    for knowledge, model in read_models(path).items():
        assert np.allclose(model.coefficients, MODELS[knowledge].coefficients, rtol=1e-5)
        assert model.third_stretch.shape == (len(THIRDS), 2)
        assert np.allclose(model.season_stretch, MODELS[knowledge].season_stretch, rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("meter,0.05,1,", "meter,0.07,1,", "meter,0.07,1 is no figure of a forecast: remove it"),
        ("meter,0.05,1,", "#", "meter,0.05,1 is missing: add its row"),
        ("meter,0.05,1,", "meter,0.05,1,1\nmeter,0.05,1,", "meter,0.05,1 stands twice"),
        ("meter,0.05,1,", "meter,0.05,1,nan\n#", "knowledge, row, column and a number"),
        ("knowledge,row", "knowledge,rows", "the header must be"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = SHIPPED.read_text()
    assert text.count(old) == 1
    path = tmp_path / "models.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(DocumentError) as caught:
        read_models(path)
    assert any(message in str(problem) for problem in caught.value.problems)


def test_a_day_later_is_hardly_another_season() -> None:
    later = Moments.of([moment + timedelta(days=1) for moment in JUNE], 5.18)
    one, other = (MODELS[Knowledge.METER].predict(each, known()) for each in (MOMENTS, later))
    assert np.allclose(one, other, atol=0.02)
