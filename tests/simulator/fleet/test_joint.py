"""Joint draws keep every marginal that ElaadNL gives, and the mean stay by hour of arrival."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from grid.errors import DocumentError
from simulator.fleet.joint import DriverClass, JointSampler, Place, classify, load_session_tables
from wijkstroom.resources import configs_directory

COUNT = 60_000


@pytest.fixture(scope="module", params=list(Place))
def sampler(request: pytest.FixtureRequest) -> JointSampler:
    place = Place(request.param)
    return JointSampler(place, load_session_tables(configs_directory() / "data")[place])


@pytest.mark.parametrize("rank", [10, 25, 50, 75, 90, 99])
def test_percentiles_of_stay_and_energy_hold(sampler: JointSampler, rank: int) -> None:
    draws = sampler.draw(COUNT, np.random.default_rng(1))
    assert np.percentile(draws.stay_h, rank) == pytest.approx(sampler.tables.stay_h[rank], rel=0.06, abs=0.15)
    expected_kwh = sampler.tables.energy_kwh[rank]
    assert np.percentile(draws.energy_kwh, rank) == pytest.approx(expected_kwh, rel=0.08, abs=0.4)


def test_arrivals_follow_their_table(sampler: JointSampler) -> None:
    draws = sampler.draw(COUNT, np.random.default_rng(2))
    weekday = np.bincount(draws.quarter[~draws.weekend], minlength=96) / (~draws.weekend).sum()
    assert np.abs(np.cumsum(weekday - sampler.tables.weekday_arrivals)).max() < 0.012
    assert draws.weekend.mean() == pytest.approx(sampler.weekend_share, abs=0.01)


def test_stay_depends_on_the_hour_of_arrival(sampler: JointSampler) -> None:
    draws = sampler.draw(200_000, np.random.default_rng(3))
    for half_hour in np.flatnonzero(sampler.half_hour_shares > 0.02):
        mean_h = draws.stay_h[draws.quarter // 2 == half_hour].mean()
        assert mean_h == pytest.approx(sampler.target_mean_stay_h[half_hour], rel=0.1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(0, 500))
def test_nobody_takes_more_than_the_socket_gives(sampler: JointSampler, seed: int, count: int) -> None:
    draws = sampler.draw(count, np.random.default_rng(seed))
    assert len(draws.quarter) == len(draws.stay_h) == len(draws.energy_kwh) == count
    assert ((draws.quarter >= 0) & (draws.quarter < 96)).all()
    assert (draws.stay_h > 0.0).all()
    assert (draws.energy_kwh <= sampler.socket_kw * draws.stay_h).all()


def test_who_stays_longer_takes_more(sampler: JointSampler) -> None:
    draws = sampler.draw(COUNT, np.random.default_rng(4))
    correlation = spearmanr(draws.stay_h, draws.energy_kwh).statistic
    assert correlation == pytest.approx(sampler.correlation, abs=0.12)


def test_classes_are_labels_of_what_sessions_look_like() -> None:
    sampler = JointSampler(Place.PUBLIC, load_session_tables(configs_directory() / "data")[Place.PUBLIC])
    rng = np.random.default_rng(5)
    draws = sampler.draw(COUNT, rng)
    classes = np.array(list(DriverClass))[classify(draws, rng.random(COUNT))]
    evening = (draws.quarter >= 72) & (draws.stay_h >= 6.0)
    assert (classes[evening] == DriverClass.RESIDENT).mean() == pytest.approx(0.94, abs=0.02)
    short = (draws.stay_h < 2.0) & (draws.quarter > 40) & (draws.quarter < 60)
    assert (classes[short] == DriverClass.VISITOR).mean() == pytest.approx(0.70, abs=0.02)


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load_session_tables(tmp_path)
    for file in (configs_directory() / "data").glob("elaad_*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "elaad_distribution-of-energy-demand.csv").write_text('"Percentage","private"\n0,1\n')
    with pytest.raises(DocumentError, match="no such column"):
        load_session_tables(tmp_path)
