"""What counts as above a limit: every second for fuses, quarter-hour means for transformers and signals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.street import GridSide
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.truth import Truth, TruthFigures, evaluate_limits, list_places, quarter_means
from wijkstroom.street import Street

# 17:00 local time: the evening signal of 110 kW begins.
EVENING = datetime(2024, 6, 11, 15, 0, tzinfo=UTC)
NOON = datetime(2024, 6, 11, 10, 0, tzinfo=UTC)
STATIONS = (
    StationSetup("S-1", "pole-01", Protocol.V16, (EvseSetup(1, "RST"), EvseSetup(2, "STR"))),
    StationSetup("S-2", "pole-21", Protocol.V21, (EvseSetup(1, "RST"), EvseSetup(2, "TRS"))),
)
SECONDS = 1800
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _truth(start: datetime = NOON, base_kw: float = 0.0, pv_kw: float = 0.0, seconds: int = SECONDS) -> Truth:
    full = np.ones(seconds, dtype=np.float32)
    return Truth(start, seconds, list_places(STATIONS), base_kw * full, pv_kw * full)


def _charge(
    truth: Truth, row: int, power_kw: float, phases: int, begin_s: int = 0, end_s: int = SECONDS
) -> None:
    truth.power_kw[row, begin_s:end_s] = power_kw
    truth.write_phases(row, 0, phases)


def _owners(figures: TruthFigures) -> set[str]:
    return {one.owner for one in figures.excesses}


@pytest.fixture
def grid(street: Street) -> GridSide:
    return street.grid


def test_two_cars_of_sixteen_amperes_blow_a_fuse_of_twenty_five(grid: GridSide) -> None:
    truth = _truth()
    for row in (0, 1):
        _charge(truth, row, 11.04, 3)
    figures = evaluate_limits(truth, grid)
    # Seven amperes too many on each of three phases, for half an hour.
    assert figures.limit_exceeded_kwh == pytest.approx(7 * 0.23 * 3 * 0.5)
    assert _owners(figures) == {"pole-01"}


def test_phase_rotation_keeps_single_phase_cars_apart(grid: GridSide) -> None:
    truth = _truth()
    for row in (0, 1):
        _charge(truth, row, 25 * 0.23, 1)
    assert evaluate_limits(truth, grid).limit_exceeded_kwh == 0.0
    assert truth.phase_kw("pole-01")[:, 0] == pytest.approx([5.75, 5.75, 0.0])


def test_one_second_is_enough_for_a_fuse(grid: GridSide) -> None:
    truth = _truth()
    _charge(truth, 0, 11.04, 3)
    _charge(truth, 1, 11.04, 3, 100, 101)
    assert evaluate_limits(truth, grid).limit_exceeded_kwh == pytest.approx(7 * 0.23 * 3 / 3600.0)


def test_transformer_bears_a_peak_within_a_quarter(grid: GridSide) -> None:
    calm = _truth(base_kw=390.0)
    _charge(calm, 0, 17.0, 3, 0, 500)
    assert "lombok-transformer" not in _owners(evaluate_limits(calm, grid))
    long = _truth(base_kw=390.0)
    _charge(long, 0, 17.0, 3, 0, 900)
    figures = evaluate_limits(long, grid)
    (excess,) = [one for one in figures.excesses if one.owner == "lombok-transformer"]
    assert excess.exceeded_kwh == pytest.approx(7.0 * 0.25, rel=1e-4)


def test_signal_holds_in_its_window_only(grid: GridSide) -> None:
    for start, expected in ((EVENING, 3.0), (NOON, 0.0)):
        truth = _truth(start, base_kw=105.0)
        _charge(truth, 0, 11.0, 3)
        assert evaluate_limits(truth, grid).limit_exceeded_kwh == pytest.approx(expected, abs=1e-3)


def test_what_households_alone_exceed_is_not_the_controllers_fault(grid: GridSide) -> None:
    truth = _truth(EVENING, base_kw=120.0)
    _charge(truth, 0, 6.0, 3)
    figures = evaluate_limits(truth, grid)
    assert figures.uncontrollable_kwh == pytest.approx(10.0 * 0.5, rel=1e-4)
    assert figures.limit_exceeded_kwh == pytest.approx(6.0 * 0.5, rel=1e-4)


def test_discharge_that_relieves_is_not_held_against_anybody(grid: GridSide) -> None:
    truth = _truth(EVENING, base_kw=120.0)
    _charge(truth, 2, -10.0, 3)
    figures = evaluate_limits(truth, grid)
    assert figures.limit_exceeded_kwh == figures.uncontrollable_kwh == 0.0


def test_feed_in_needs_a_registered_connection(grid: GridSide) -> None:
    truth = _truth(base_kw=50.0)
    _charge(truth, 0, -5.0, 3)
    _charge(truth, 2, -5.0, 3)
    figures = evaluate_limits(truth, grid)
    assert _owners(figures) == {"pole-01"}
    assert figures.limit_exceeded_kwh == pytest.approx(2.5)


def test_export_of_the_sun_counts_at_the_transformer(grid: GridSide) -> None:
    figures = evaluate_limits(_truth(pv_kw=410.0), grid)
    assert figures.uncontrollable_kwh == pytest.approx(5.0, rel=1e-4)
    assert figures.limit_exceeded_kwh == 0.0


@relaxed
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-11.0, 11.0), st.sampled_from([1, 3])), max_size=4),
    st.floats(0.0, 450.0),
    st.integers(0, 1800),
)
def test_signal_and_transformer_against_plain_sums(
    grid: GridSide, charges: list[tuple[int, float, int]], base_kw: float, begin_s: int
) -> None:
    """Quarter by quarter with Python's own arithmetic, from a second in the middle of a quarter."""
    start = EVENING + timedelta(seconds=begin_s)
    truth = _truth(start, base_kw=base_kw)
    for row, power_kw, phases in charges:
        _charge(truth, row, power_kw, phases)
    expected = hopeless = 0.0
    net = [float(truth.net_kw(second, second + 1)[0]) for second in range(SECONDS)]
    quarters: dict[int, list[int]] = {}
    for second in range(SECONDS):
        quarters.setdefault((begin_s + second) // 900, []).append(second)
    for seconds in quarters.values():
        mean = sum(net[second] for second in seconds) / len(seconds)
        alone = float(truth.base_kw[0])
        for bound in (110.0, 400.0):
            over = max(0.0, mean - bound)
            helpless = min(over, max(0.0, alone - bound))
            expected += (over - helpless) * len(seconds) / 3600.0
            hopeless += helpless * len(seconds) / 3600.0
    figures = evaluate_limits(truth, grid)
    own = [one for one in figures.excesses if one.owner == "lombok-transformer"]
    assert sum(one.exceeded_kwh for one in own) == pytest.approx(expected, abs=1e-5)
    assert sum(one.uncontrollable_kwh for one in own) == pytest.approx(hopeless, abs=1e-5)


@given(st.integers(1, 4000), st.integers(0, 899))
def test_quarter_means_weigh_every_second_once(seconds: int, skipped_s: int) -> None:
    values = np.sin(np.arange(seconds))
    start = NOON + timedelta(seconds=skipped_s)
    means = quarter_means(values, start)
    lengths = quarter_means(np.ones(seconds), start, total=True)
    assert lengths.sum() == seconds
    assert lengths.max() <= 900
    assert (means * lengths).sum() == pytest.approx(values.sum())
