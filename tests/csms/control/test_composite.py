"""Our composite schedule against one that looks at every second, and what a station may say beside it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.control.composite import (
    Allowance,
    Composite,
    compute_composite,
    curve_of_composite,
    find_excess,
    read_composite,
)
from csms.ocpp.vocabulary import ChargingProfile, CompositeSchedule, Period, ProfilePurpose, RateUnit

NOW = datetime(2024, 6, 11, 16, tzinfo=UTC)
VOLTAGE_V, KW_PER_A = 230.0, 0.69
WINDOW_S = 120


@st.composite
def profiles(draw: st.DrawFn) -> ChargingProfile:
    starts = sorted(draw(st.sets(st.integers(1, 90), max_size=3)))
    unit = draw(st.sampled_from(RateUnit))
    periods = [
        Period(start, setpoint=float(draw(st.integers(-11, 11))) * 1000)
        if draw(st.booleans()) and unit is RateUnit.WATT
        else Period(start, limit=float(draw(st.integers(0, 32))), phases=draw(st.sampled_from([None, 1, 3])))
        for start in (0, *starts)
    ]
    return ChargingProfile(
        id=draw(st.integers(1, 9)),
        stack_level=draw(st.integers(0, 9)),
        purpose=draw(st.sampled_from(ProfilePurpose)),
        unit=unit,
        start=NOW + timedelta(seconds=draw(st.integers(-60, 60))),
        periods=tuple(periods),
        duration_s=draw(st.none() | st.integers(91, 150)),
        valid_to=draw(st.none() | st.integers(0, 100).map(lambda s: NOW + timedelta(seconds=s))),
    )


def look(installed: list[ChargingProfile], moment: datetime, *, needs_period: bool) -> Allowance:
    """Say what holds in one second, as the standard's table reads."""

    def of(purpose: ProfilePurpose) -> Allowance | None:
        valid = [
            (one.stack_level, holding(one, moment), one.unit)
            for one in installed
            if one.purpose is purpose and (one.valid_to is None or moment < one.valid_to)
        ]
        if needs_period:
            valid = [each for each in valid if each[1] is not None]
        _, period, unit = max(valid, key=lambda each: each[0], default=(0, None, RateUnit.AMPERE))
        return None if period is None else read(period, unit)

    own = of(ProfilePurpose.TX) or of(ProfilePurpose.TX_DEFAULT) or Allowance()
    ceiling = of(ProfilePurpose.STATION_MAX) or Allowance()
    return Allowance(min(own.current_a, ceiling.current_a), own.setpoint_kw)


def holding(profile: ChargingProfile, moment: datetime) -> Period | None:
    if profile.duration_s is not None and moment >= profile.start + timedelta(seconds=profile.duration_s):
        return None
    begun = [each for each in profile.periods if moment >= profile.start + timedelta(seconds=each.start_s)]
    return begun[-1] if begun else None


def read(period: Period, unit: RateUnit) -> Allowance:
    setpoint_kw = None if period.setpoint is None else period.setpoint / 1000
    if period.limit is None:
        return Allowance(math.inf, setpoint_kw)
    per_phase = 1.0 if unit is RateUnit.AMPERE else VOLTAGE_V * (period.phases or 3)
    return Allowance(period.limit / per_phase, setpoint_kw)


@given(st.lists(profiles(), max_size=5, unique_by=lambda one: (one.purpose, one.stack_level)), st.booleans())
def test_the_composite_is_the_brute_force_one_in_every_second(
    installed: list[ChargingProfile], needs_period: bool
) -> None:
    composite = compute_composite(installed, NOW, WINDOW_S, voltage_v=VOLTAGE_V, needs_period=needs_period)
    assert composite.starts[0] == NOW
    assert composite.end == NOW + timedelta(seconds=WINDOW_S)
    for second in range(WINDOW_S):
        moment = NOW + timedelta(seconds=second)
        assert composite.at(moment) == look(installed, moment, needs_period=needs_period)


@given(st.lists(profiles(), max_size=5, unique_by=lambda one: (one.purpose, one.stack_level)), st.booleans())
def test_a_station_that_says_the_same_says_no_more(
    installed: list[ChargingProfile], needs_period: bool
) -> None:
    composite = compute_composite(installed, NOW, WINDOW_S, voltage_v=VOLTAGE_V, needs_period=needs_period)
    assert find_excess(composite, composite, KW_PER_A) is None


def composite_of(*steps: tuple[int, Allowance]) -> Composite:
    starts = tuple(NOW + timedelta(seconds=start) for start, _ in steps)
    return Composite(starts, tuple(each for _, each in steps), NOW + timedelta(seconds=WINDOW_S))


@pytest.mark.parametrize(
    ("told", "said", "exceeds"),
    [
        (Allowance(6.0), Allowance(6.1), False),
        (Allowance(6.0), Allowance(16.0), True),
        (Allowance(6.0), Allowance(), True),
        (Allowance(6.0), Allowance(0.0), False),
        (Allowance(), Allowance(16.0), False),
        (Allowance(), Allowance(), True),
        (Allowance(6.0), Allowance(setpoint_kw=-1.0), True),
        (Allowance(setpoint_kw=-5.0), Allowance(setpoint_kw=-5.0), False),
        (Allowance(setpoint_kw=-5.0), Allowance(setpoint_kw=-6.0), True),
        (Allowance(setpoint_kw=-5.0), Allowance(6.0), True),
        (Allowance(setpoint_kw=5.0), Allowance(setpoint_kw=6.0), True),
    ],
)
def test_more_is_told_from_less(told: Allowance, said: Allowance, exceeds: bool) -> None:
    first = find_excess(composite_of((0, told)), composite_of((0, said)), KW_PER_A, 16.0)
    assert (first is not None) is exceeds


def test_a_change_that_comes_some_seconds_late_is_a_matter_of_clocks() -> None:
    told = composite_of((0, Allowance(16.0)), (60, Allowance(6.0)))
    assert find_excess(told, composite_of((0, Allowance(16.0)), (62, Allowance(6.0))), KW_PER_A) is None
    late = find_excess(told, composite_of((0, Allowance(16.0)), (90, Allowance(6.0))), KW_PER_A)
    assert late == NOW + timedelta(seconds=60)


def test_what_a_station_says_becomes_power_and_its_hardware_after_that() -> None:
    said = CompositeSchedule(
        1, NOW, RateUnit.WATT, (Period(0, limit=6900.0, phases=3), Period(30, setpoint=-4000.0)), 60
    )
    composite = read_composite(said, VOLTAGE_V)
    curve = curve_of_composite(composite, KW_PER_A, 11.04)
    at = [round(curve.at(NOW + timedelta(seconds=second)), 6) for second in (0, 30, 59, 60)]
    assert at == [6.9, -4.0, -4.0, 11.04]
