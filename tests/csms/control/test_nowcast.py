from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.control.nowcast import SETTLING, Drawn, Nowcast, Told, compute_nowcast, correct, estimate_drawn
from csms.control.snapshot import plan_grid
from csms.state.station_state import MeterState
from grid.load import Quantiles
from tests.csms.control.street import HOUR, METERS, NOW, Plugged, load_lombok

NOON = NOW + 6 * HOUR
STARTS = plan_grid(NOON, 24.0).starts


def reading(meter_id: str, power_kw: float, age_s: float = 5.0) -> MeterState:
    return MeterState(meter_id, NOON - timedelta(seconds=age_s), power_kw, 1000.0, 10.0)


def nowcast(
    *readings: MeterState, cars: tuple[Plugged, ...] = (), told: dict[str, Told] | None = None
) -> Nowcast:
    by_id = {each.meter_id: each for each in readings}
    sessions = [car.state() for car in cars]
    return compute_nowcast(NOON, STARTS, load_lombok(), METERS, by_id, sessions, told or {})


def same(first: Quantiles, second: Quantiles) -> bool:
    pairs = ((first.lower, second.lower), (first.median, second.median), (first.upper, second.upper))
    return all(np.allclose(one, other) for one, other in pairs)


FORECAST = nowcast()


def test_without_readings_it_is_the_forecast() -> None:
    assert not FORECAST.base_measured
    assert not FORECAST.pv_measured
    assert FORECAST.pv_kw.median[0] > 50.0


@pytest.mark.parametrize("broken", [{"age_s": 61.0}, {"power_kw": float("nan")}])
def test_a_stale_or_senseless_reading_changes_nothing(broken: dict[str, float]) -> None:
    stale = nowcast(
        MeterState(
            "sun", NOON - timedelta(seconds=broken.get("age_s", 1.0)), broken.get("power_kw", -10.0), 0, 0
        ),
        reading("transformer", 300.0),
    )
    # By day the households cannot be told from the sun without its meter.
    assert not stale.base_measured
    assert same(stale.base_load_kw, FORECAST.base_load_kw)
    assert same(stale.pv_kw, FORECAST.pv_kw)


def test_base_load_is_what_is_left_at_the_transformer() -> None:
    car = Plugged("LMB-01", power_kw=11.0, sampled_at=NOON)
    giving = Plugged("LMB-21", power_kw=-8.0, sampled_at=NOON)
    expected_kw = float(FORECAST.base_load_kw.median[0])
    at_node_kw = expected_kw + 11.0 - 8.0 - 70.0
    known = nowcast(reading("transformer", at_node_kw), reading("sun", -70.0), cars=(car, giving))
    assert known.base_measured
    assert known.base_load_kw.median == pytest.approx(FORECAST.base_load_kw.median)
    more = nowcast(reading("transformer", at_node_kw + 20.0), reading("sun", -70.0), cars=(car, giving))
    lift_kw = more.base_load_kw.median - FORECAST.base_load_kw.median
    assert 15.0 < lift_kw[0] < 20.0
    assert 0.0 < lift_kw[8] < 4.0
    assert lift_kw[-1] == pytest.approx(0.0, abs=1e-6)


def test_a_reading_narrows_now_and_not_later() -> None:
    expected_kw = float(FORECAST.base_load_kw.median[0])
    known = nowcast(reading("transformer", expected_kw - 70.0), reading("sun", -70.0))
    before = FORECAST.base_load_kw.upper - FORECAST.base_load_kw.median
    after = known.base_load_kw.upper - known.base_load_kw.median
    assert after[0] < 0.6 * before[0]
    assert np.all(after <= before + 1e-9)
    assert after[-1] == pytest.approx(before[-1])


def test_an_order_since_the_last_sample_counts_and_is_in_doubt() -> None:
    old = Plugged("LMB-01", power_kw=0.0, sampled_at=NOON - 3 * SETTLING)
    told = {old.id: Told(NOON - 2 * SETTLING, 11.0)}
    drawn = estimate_drawn([old.state()], told, NOON)
    assert [drawn.power_kw, drawn.doubt_kw] == pytest.approx([11.0, 3.3])
    assert estimate_drawn([old.state()], {}, NOON) == Drawn(0.0, 0.0)
    fresh = Plugged("LMB-01", power_kw=10.5, sampled_at=NOON)
    assert estimate_drawn([fresh.state()], told, NOON) == Drawn(10.5, 0.0)
    # An order that came after the meter was read is not in the reading.
    assert estimate_drawn([old.state()], told, NOON - 3 * SETTLING) == Drawn(0.0, 0.0)


def test_what_is_told_does_not_become_households() -> None:
    car = Plugged("LMB-01", power_kw=0.0, sampled_at=NOON - 3 * SETTLING)
    at_node_kw = float(FORECAST.base_load_kw.median[0]) + 11.0 - 70.0
    told = {car.id: Told(NOON - 2 * SETTLING, 11.0)}
    known = nowcast(reading("transformer", at_node_kw), reading("sun", -70.0), cars=(car,), told=told)
    assert known.base_load_kw.median == pytest.approx(FORECAST.base_load_kw.median)


def test_clouds_stay_for_a_while_and_night_stays_night() -> None:
    half_kw = float(FORECAST.pv_kw.median[0]) / 2.0
    cloudy = nowcast(reading("sun", -half_kw)).pv_kw
    assert cloudy.median[0] < 0.7 * FORECAST.pv_kw.median[0]
    before_kw = FORECAST.pv_kw.median[0] - FORECAST.pv_kw.lower[0]
    assert cloudy.median[0] - cloudy.lower[0] < 0.7 * before_kw
    assert np.all(cloudy.upper <= load_lombok().sun.peak_kw)
    dark = FORECAST.pv_kw.upper == 0.0
    assert dark.any()
    assert np.all(cloudy.upper[dark] == 0.0)


powers = st.floats(-400.0, 400.0)


@settings(max_examples=40, deadline=None)
@given(powers, powers, st.floats(0.0, 80.0))
def test_quantiles_stay_in_order_whatever_the_meters_say(node_kw: float, sun_kw: float, age_s: float) -> None:
    known = nowcast(reading("transformer", node_kw, age_s), reading("sun", sun_kw, age_s))
    for each in (known.base_load_kw, known.pv_kw):
        assert np.all(each.lower >= 0.0)
        assert np.all(each.lower <= each.median)
        assert np.all(each.median <= each.upper)
    assert np.all(known.pv_kw.upper <= load_lombok().sun.peak_kw)


@given(
    st.floats(0.0, 100.0),
    st.floats(0.0, 30.0),
    st.floats(-50.0, 50.0),
    st.floats(0.0, 30.0),
    st.floats(0.0, 30.0),
)
def test_a_correction_never_goes_further_than_the_error(
    median_kw: float, spread_kw: float, error_kw: float, doubt_kw: float, age_h: float
) -> None:
    values = np.array([median_kw])
    forecast = Quantiles(np.maximum(values - spread_kw, 0.0), values, values + spread_kw)
    corrected = correct(forecast, error_kw, doubt_kw, np.array([age_h]))
    low, high = sorted((median_kw, max(median_kw + error_kw, 0.0)))
    assert low - 1e-9 <= corrected.median[0] <= high + 1e-9
    assert corrected.upper[0] - corrected.median[0] <= spread_kw + 1e-9
