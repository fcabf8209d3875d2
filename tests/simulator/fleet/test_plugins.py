"""Plug-ins keep the data's marginals after physical limits, and every car can do what it is drawn to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from simulator.fleet.behaviour import HABITS, Habits, shift_arrivals, shorten_stays
from simulator.fleet.describe import (
    PlaceReport,
    compare_workplace,
    describe_place,
    ks_distance,
    ks_shares,
    read_mean_energy,
)
from simulator.fleet.joint import DriverClass, JointSampler, Place, load_session_tables
from simulator.fleet.mix import EvMix, load_mix
from simulator.fleet.plugins import CLASSES, Circumstances, PlugInSampler
from simulator.vehicle.charging import BatteryState, Offer, advance, requested_power_kw
from tests.real_data import DATA
from wijkstroom.resources import configs_directory

CONFIGS = configs_directory()
REAL_SESSIONS = DATA / "ev_sessions_workplace_us_cc0.csv"


def load(year: float) -> EvMix:
    return load_mix(CONFIGS / "fleets" / "ev-mix.toml", year, lambda name: CONFIGS / name)


@pytest.fixture(scope="module", params=list(Place))
def sampler(request: pytest.FixtureRequest) -> PlugInSampler:
    place = Place(request.param)
    return PlugInSampler(JointSampler(place, load_session_tables(CONFIGS / "data")[place]), load(2025))


@pytest.fixture(scope="module")
def report(sampler: PlugInSampler) -> PlaceReport:
    energy = read_mean_energy(CONFIGS / "data" / "elaad_mean-demand-per-arrival.csv")
    drawn = sampler.draw(50_000, np.random.default_rng(11))
    return describe_place(sampler, drawn, energy[sampler.joint.place])


def test_marginals_hold_after_physical_limits(report: PlaceReport) -> None:
    assert max(report.ks_arrival, report.ks_arrival_weekday, report.ks_arrival_weekend) < 0.03
    assert report.ks_stay < 0.03
    assert report.ks_energy < 0.03
    assert abs(report.worst_hour_deviation) < 0.10


def test_what_the_data_disagree_about_is_reported_and_not_fitted(report: PlaceReport) -> None:
    assert report.mean_stay_h == pytest.approx(report.table_mean_stay_h, rel=0.03)
    assert report.mean_energy_kwh == pytest.approx(report.table_mean_energy_kwh, rel=0.05)
    if report.place == Place.PUBLIC:
        assert report.stay_levels_ratio == pytest.approx(0.9, abs=0.03)
        assert report.energy_levels_ratio == pytest.approx(1.31, abs=0.05)


def test_the_classes_of_a_place(report: PlaceReport) -> None:
    expected = {"home": {"resident"}, "work": {"commuter"}, "public": {one.value for one in DriverClass}}
    assert set(report.classes) == expected[report.place]
    assert sum(report.classes.values()) == pytest.approx(1.0)
    assert sum(report.cars.values()) == pytest.approx(1.0)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), month=st.none() | st.integers(1, 12))
def test_every_car_takes_what_it_was_drawn_to_take(
    sampler: PlugInSampler, seed: int, month: int | None
) -> None:
    """The truth of the matter: charge each car at full power for its stay and see."""
    drawn = sampler.draw(60, np.random.default_rng(seed), Circumstances(month))
    models = list(sampler.mix.models.values())
    for row in range(60):
        model = models[drawn.car[row]]
        start_kwh, target_kwh = float(drawn.start_kwh[row]), float(drawn.target_kwh[row])
        assert 0.0 < start_kwh <= target_kwh <= model.capacity_kwh
        power_kw = requested_power_kw(model, Offer(16.0), 3)
        seconds = int(drawn.stay_h[row] * 3600)
        begin = BatteryState(start_kwh, target_kwh / model.capacity_kwh)
        charged_kwh = advance(model, begin, power_kw, seconds).power_kw.sum() / 3600.0
        # In the taper a car loses some percent more than at full power.
        assert 0.98 * drawn.energy_kwh[row] - 0.02 <= charged_kwh <= 1.06 * drawn.energy_kwh[row] + 0.02


def test_seasons_move_energy_and_leave_the_year_as_it_is(sampler: PlugInSampler) -> None:
    winter, summer = (
        sampler.draw(20_000, np.random.default_rng(1), Circumstances(month)).energy_kwh.mean()
        for month in (1, 7)
    )
    year = sampler.draw(20_000, np.random.default_rng(1)).energy_kwh.mean()
    assert summer < year < winter


def test_dear_evenings_move_residents_and_few_visitors() -> None:
    prices = np.full(96, 0.20)
    prices[68:84] = 0.60
    quarter = np.full(20_000, 72)
    rng = np.random.default_rng(1)
    moved = {
        name: float((shift_arrivals(quarter, prices, HABITS[name], rng) != 72).mean()) for name in CLASSES
    }
    expected = 0.30 * (1.0 - 2.0**-4.0)
    assert moved[DriverClass.RESIDENT] == pytest.approx(expected, abs=0.01)
    assert moved[DriverClass.RESIDENT] > moved[DriverClass.VISITOR]
    assert moved[DriverClass.SHARED] == 0.0
    assert (shift_arrivals(quarter, np.full(96, 0.2), HABITS[DriverClass.RESIDENT], rng) == 72).all()


@given(st.floats(0.1, 20.0), st.floats(0.0, 20.0))
def test_nobody_stays_longer_because_the_car_is_full(stay_h: float, full_h: float) -> None:
    habits = Habits(leaves_when_full_fraction=1.0, patience_h=0.5)
    stays = shorten_stays(np.full(50, stay_h), np.full(50, full_h), habits, np.random.default_rng(1))
    assert (stays <= stay_h).all()
    assert (stays >= min(stay_h, full_h)).all()
    kept = shorten_stays(np.full(9, stay_h), np.full(9, full_h), Habits(), np.random.default_rng(1))
    assert (kept == stay_h).all()


def test_drivers_who_leave_full_cars_make_room() -> None:
    sampler = PlugInSampler(
        JointSampler(Place.PUBLIC, load_session_tables(CONFIGS / "data")[Place.PUBLIC]), load(2025)
    )
    drawn = sampler.draw(1000, np.random.default_rng(5), Circumstances(leaves_when_full=True))
    plain = sampler.draw(1000, np.random.default_rng(5))
    assert (drawn.stay_h <= plain.stay_h).all()
    assert drawn.stay_h.sum() < 0.97 * plain.stay_h.sum()


def test_the_mix_changes_with_the_years() -> None:
    now, between, later, last = (load(year) for year in (2020, 2027, 2030, 2060))
    names = [mix.files for mix in (now, between, later, last)]
    assert "vehicles/renault-5.toml" not in names[0]
    assert "vehicles/renault-5.toml" in names[1]

    def share(mix: EvMix, file: str) -> float:
        return float(mix.shares[mix.files.index(file)])

    hybrid = "vehicles/plug-in-hybrid.toml"
    assert share(now, hybrid) > share(between, hybrid) > share(later, hybrid) > share(last, hybrid)
    assert share(between, hybrid) == pytest.approx((share(now, hybrid) + share(later, hybrid)) / 2)
    assert all(mix.shares.sum() == pytest.approx(1.0) for mix in (now, between, later, last))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("years = []", "years"),
        ('[[years]]\nyear = 2024\nshares = { "a" = 0.0 }', "at least one model"),
        (
            '[[years]]\nyear = 2024\nshares = { "a" = 1.0 }\n[[years]]\nyear = 2020\nshares = { "a" = 1.0 }',
            "ascend",
        ),
        ('[[years]]\nyear = 2024\nshares = { "nowhere.toml" = 1.0 }', "cannot be read"),
    ],
)
def test_mistakes_of_a_mix_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mix.toml"
    path.write_text(text)
    with pytest.raises(DocumentError, match=said):
        load_mix(path, 2025, lambda name: tmp_path / name)


def test_distances_by_hand() -> None:
    assert ks_distance(np.array([1.0, 2.0, 3.0, 4.0]), np.linspace(0.0, 4.0, 5)) == pytest.approx(0.25)
    # Half of the data round to zero: a sample of zeros and ones meets them exactly.
    assert ks_distance(np.array([0.0, 0.04, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0, 1.0])) == pytest.approx(
        0.25
    )
    assert ks_shares(np.array([1.0, 3.0]), np.array([0.5, 0.5])) == pytest.approx(0.25)


@pytest.mark.skipif(
    not REAL_SESSIONS.is_file(), reason=f"{REAL_SESSIONS} is not there: WIJKSTROOM_TEST_DATA names the folder"
)
def test_real_workplace_sessions_have_the_correlation_that_is_assumed() -> None:
    tables = load_session_tables(CONFIGS / "data")[Place.WORK]
    real = compare_workplace(REAL_SESSIONS, tables)
    assert real["sessions"] == 3395
    assert real["rank_stay_energy"] == pytest.approx(0.45, abs=0.02)
    assert real["rank_stay_arrival"] == pytest.approx(-0.10, abs=0.02)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    tables = load_session_tables(CONFIGS / "data")[Place.WORK]
    with pytest.raises(DocumentError, match="Asensio"):
        compare_workplace(tmp_path / "none.csv", tables)
