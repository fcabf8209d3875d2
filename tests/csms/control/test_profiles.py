from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.curve import curve_of
from csms.control.profiles import (
    LOOK_AHEAD,
    compile_profile,
    fallback_profile,
    needs_sending,
    station_max_profile,
    steering_of,
    tx_profile_id,
)
from csms.ocpp.dialects import DischargeDialect, Steering
from csms.ocpp.vocabulary import ChargingProfile, OcppVersion, ProfilePurpose, RateUnit
from csms.settings import StationModel

START = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PLAIN = StationModel(protocol=OcppVersion.V16, vendor="v", model="m", max_periods=24, max_stack_level=10)
TWO_WAY = StationModel(
    protocol=OcppVersion.V21,
    vendor="v",
    model="m",
    rate_unit=RateUnit.WATT,
    max_periods=96,
    max_stack_level=10,
    discharge_dialect=DischargeDialect.OCPP21_SETPOINT,
)
STEERINGS = [
    steering_of(PLAIN),
    steering_of(PLAIN, 1),
    steering_of(TWO_WAY),
    steering_of(TWO_WAY, may_discharge=True),
    steering_of(TWO_WAY, 1, may_discharge=True),
]
steerings = st.sampled_from(STEERINGS)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Steering, list[float]]:
    steering = draw(steerings)
    two_way = steering.dialect is not DischargeDialect.NONE
    power = st.floats(-11.04 if two_way else 0.0, 11.04, allow_subnormal=False)
    repeated = st.lists(st.tuples(power, st.integers(1, 6)), min_size=1, max_size=40)
    return steering, [kw for kw, times in draw(repeated) for _ in range(times)]


def compiled(
    power_kw: list[float], steering: Steering, max_periods: int = 24, tail_a: float = 6.0
) -> ChargingProfile:
    return compile_profile(
        power_kw,
        START,
        QUARTER,
        steering=steering,
        max_periods=max_periods,
        profile_id=tx_profile_id(1),
        transaction_id="7",
        tail_current_a=tail_a,
    )


@given(plans(), st.integers(1, 100))
def test_never_above_the_plan_in_either_direction(plan: tuple[Steering, list[float]], most: int) -> None:
    steering, power_kw = plan
    profile = compiled(power_kw, steering, most)
    curve = curve_of(profile, steering, unbounded_kw=1000.0)
    for index, planned_kw in enumerate(power_kw):
        begin = START + index * QUARTER
        for told_kw in curve.between(begin, begin + QUARTER):
            assert min(planned_kw, 0.0) - 2e-5 <= told_kw <= max(planned_kw, 0.0) + 2e-5


@given(plans(), st.integers(1, 100))
def test_a_schedule_that_every_model_can_store(plan: tuple[Steering, list[float]], most: int) -> None:
    steering, power_kw = plan
    profile = compiled(power_kw, steering, most)
    starts = [period.start_s for period in profile.periods]
    assert len(starts) <= most
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    for period in profile.periods:
        assert (period.limit is None) != (period.setpoint is None)
        if period.limit is not None and period.limit > 0.0:
            least = 6.0 if profile.unit is RateUnit.AMPERE else 6.0 * steering.kw_per_a * 1000
            assert period.limit >= least - 1e-6
            assert round(period.limit, 1) == period.limit


@given(plans())
def test_ends_in_the_tail_and_only_there(plan: tuple[Steering, list[float]]) -> None:
    steering, power_kw = plan
    curve = curve_of(compiled(power_kw, steering, 100), steering, unbounded_kw=1000.0)
    end = START + len(power_kw) * QUARTER
    assert curve.at(end + timedelta(days=3)) <= 6.0 * steering.kw_per_a + 1e-6
    assert curve.at(end) == pytest.approx(6.0 * steering.kw_per_a, abs=0.01)


@given(plans())
def test_enough_periods_lose_only_rounding(plan: tuple[Steering, list[float]]) -> None:
    steering, power_kw = plan
    curve = curve_of(compiled(power_kw, steering, 1000), steering, unbounded_kw=1000.0)
    for index, planned_kw in enumerate(power_kw):
        told_kw = curve.at(START + index * QUARTER)
        if planned_kw >= 6.0 * steering.kw_per_a + 1e-6:
            assert told_kw >= planned_kw - 0.1 * steering.kw_per_a - 0.006
        elif planned_kw >= 0.0:
            assert told_kw == 0.0


def test_discharge_is_told_as_a_setpoint_and_rounded_towards_zero() -> None:
    profile = compiled([-5.55555], steering_of(TWO_WAY, may_discharge=True))
    assert profile.unit is RateUnit.WATT
    assert profile.periods[0].setpoint == -5555.5


def test_a_session_that_may_not_discharge_gets_limits() -> None:
    profile = compiled([11.04, 0.0], steering_of(TWO_WAY))
    assert [period.setpoint for period in profile.periods] == [None] * 3
    assert [period.limit for period in profile.periods] == [11040.0, 0.0, 4140.0]


def test_a_one_phase_car_is_told_amperes_of_its_one_phase() -> None:
    profile = compiled([3.68], steering_of(PLAIN, 1))
    assert profile.periods[0].limit == 16.0
    assert profile.periods[0].phases == 1


def test_the_near_future_keeps_its_shape_when_periods_are_few() -> None:
    power_kw = [4.2, 11.0] * 12
    profile = compiled(power_kw, STEERINGS[0], max_periods=6)
    curve = curve_of(profile, STEERINGS[0], unbounded_kw=1000.0)
    assert curve.at(START + QUARTER) > 10.9
    assert curve.at(START + 23 * QUARTER) < 4.3


def test_the_ceiling_of_a_station_is_its_fuse_or_its_sockets() -> None:
    assert station_max_profile(PLAIN, 2, 25.0, START).periods[0].limit == 25.0
    assert station_max_profile(PLAIN, 1, 25.0, START).periods[0].limit == 16.0
    assert station_max_profile(TWO_WAY, 2, 25.0, START).periods[0].limit == 17250.0


def test_the_fallback_stands_below_every_other() -> None:
    profile = fallback_profile(PLAIN, 2, 6.0, START)
    assert (profile.purpose, profile.stack_level) == (ProfilePurpose.TX_DEFAULT, 0)
    assert profile.periods[0].limit == 6.0
    assert fallback_profile(PLAIN, 2, 5.9, START).periods[0].limit == 0.0
    ids = {fallback_profile(PLAIN, evse, 6.0, START).id for evse in (1, 2)} | {
        tx_profile_id(evse) for evse in (1, 2)
    }
    assert len(ids) == 4


@given(plans(), st.integers(0, 8))
def test_an_unchanged_plan_is_not_sent_again(plan: tuple[Steering, list[float]], later: int) -> None:
    steering, power_kw = plan
    confirmed = compiled(power_kw, steering, 1000)
    assert not needs_sending(confirmed, confirmed, START)
    # The next plan begins later and agrees as far as both look ahead.
    now = START + later * QUARTER
    rest = power_kw[later:]
    if len(rest) * QUARTER > LOOK_AHEAD:
        moved = compile_profile(
            rest,
            now,
            QUARTER,
            steering=steering,
            max_periods=1000,
            profile_id=confirmed.id,
            transaction_id="7",
            tail_current_a=6.0,
        )
        assert not needs_sending(confirmed, moved, now)


@given(plans(), st.data())
def test_a_change_that_is_near_is_sent(plan: tuple[Steering, list[float]], data: st.DataObject) -> None:
    steering, power_kw = plan
    at = data.draw(st.integers(0, min(len(power_kw), LOOK_AHEAD // QUARTER) - 1))
    changed = list(power_kw)
    changed[at] = 0.0 if abs(power_kw[at]) >= 6.0 * steering.kw_per_a + 0.2 else 11.04
    if changed[at] > 0.0 and steering.phases == 1:
        changed[at] = 3.68
    if abs(changed[at] - power_kw[at]) > 0.5:
        assert needs_sending(compiled(power_kw, steering, 1000), compiled(changed, steering, 1000), START)


def test_another_transaction_and_a_lost_profile_are_sent() -> None:
    profile = compiled([4.2], STEERINGS[0])
    assert needs_sending(None, profile, START)
    assert needs_sending(replace(profile, transaction_id="8"), profile, START)


@given(steerings, st.floats(-1e-6, 1e-6))
def test_the_least_power_of_a_solver_is_no_pause(steering: Steering, error_kw: float) -> None:
    least_kw = 6.0 * steering.kw_per_a
    signs = (1.0,) if steering.dialect is DischargeDialect.NONE else (1.0, -1.0)
    for sign in signs:
        profile = compiled([sign * (least_kw + error_kw)], steering, tail_a=0.0)
        told = curve_of(profile, steering, unbounded_kw=1000.0).at(START)
        assert told == pytest.approx(sign * least_kw, abs=1e-6)
