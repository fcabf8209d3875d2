"""Discharge ends with its lease, in every second; charging stays what was planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.lease import LEASE, TRUSTED_OFFSET, ClockOffsets, lease_discharge
from csms.ocpp.vocabulary import ChargingProfile, Period, ProfilePurpose, RateUnit, Sample
from csms.state.events import SamplesRecorded

START = datetime(2024, 6, 11, 16, tzinfo=UTC)
QUARTER_S = 900


def profile_of(powers_kw: list[float], tail_kw: float = 4.14) -> ChargingProfile:
    periods = tuple(
        Period(number * QUARTER_S, setpoint=power * 1000)
        for number, power in enumerate([*powers_kw, tail_kw])
    )
    return ChargingProfile(201, 1, ProfilePurpose.TX, RateUnit.WATT, START, periods)


def power_w(profile: ChargingProfile, second: int) -> float:
    holding = [each for each in profile.periods if each.start_s <= second][-1]
    assert holding.setpoint is not None
    return holding.setpoint


@given(
    st.lists(st.integers(-11, 11).map(float), min_size=1, max_size=6),
    st.integers(0, QUARTER_S - 1),
    st.integers(4, 8),
)
def test_nothing_is_discharged_after_the_lease_and_nothing_is_added(
    powers_kw: list[float], since_s: int, max_periods: int
) -> None:
    plan, now = profile_of(powers_kw), START + timedelta(seconds=since_s)
    max_periods = max(max_periods, len(plan.periods))
    leased, until = lease_discharge(plan, now, max_periods)
    assert len(leased.periods) <= max_periods
    end_s = since_s + int(LEASE.total_seconds())
    for second in range(since_s, QUARTER_S * (len(powers_kw) + 1), 30):
        planned_w, told_w = power_w(plan, second), power_w(leased, second)
        if planned_w < 0.0:
            assert told_w in {planned_w, 0.0}
            assert told_w == 0.0 or second <= end_s
            assert told_w == planned_w or second >= end_s - 60 - QUARTER_S
        else:
            assert told_w == planned_w or (told_w == 0.0 and len(plan.periods) == max_periods)
    assert (until is not None) is any(each.setpoint < 0.0 for each in leased.periods if each.setpoint)
    assert until in {None, now + LEASE}


def test_a_lease_goes_on_when_it_is_given_again() -> None:
    plan = profile_of([-5.0] * 4)
    first, until = lease_discharge(plan, START, 96)
    assert until == START + LEASE
    assert [(each.start_s, each.setpoint) for each in first.periods] == [
        (0, -5000.0),
        (900, 0.0),
        (3600, 4140.0),
    ]
    second, until = lease_discharge(plan, START + LEASE / 2, 96)
    assert until == START + LEASE * 1.5
    assert second.periods[1].start_s == 1350


def test_charging_needs_no_lease() -> None:
    plan = profile_of([7.0, 0.0, 11.0])
    assert lease_discharge(plan, START, 4) == (plan, None)


def heard(offset_s: float) -> SamplesRecorded:
    sample = Sample(START + timedelta(seconds=offset_s), "SoC", 0.5, "Percent")
    return SamplesRecorded("S", 1, "s", (sample,), START)


def test_a_station_that_is_wrong_about_the_time_gets_no_lease_until_it_is_right_again() -> None:
    clocks = ClockOffsets()
    assert clocks.is_trusted("S"), "nothing is known against it"
    limit_s = TRUSTED_OFFSET.total_seconds()
    for offset_s in (-3600.0, -3000.0, -0.5):
        clocks.see(heard(offset_s))
    assert clocks.is_trusted("S"), "the old ones waited in its queue"
    for _ in range(5):
        clocks.see(heard(-limit_s - 1.0))
    assert clocks.untrusted == {"S"}
    clocks.see(heard(-1.0))
    assert clocks.is_trusted("S")
    clocks.see(heard(limit_s + 5.0))
    assert not clocks.is_trusted("S"), "nobody's samples come from the future"
