"""What a socket may do is never less than what it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.curve import PowerCurve, curve_of, worst_export_kw, worst_import_kw
from csms.ocpp.dialects import DischargeDialect, Steering
from csms.ocpp.vocabulary import ChargingProfile, Period, ProfilePurpose, RateUnit

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
CURVES = st.lists(st.tuples(st.integers(0, 5000), st.floats(-11.0, 11.0)), min_size=1, max_size=6).map(
    lambda pieces: PowerCurve(
        tuple(START + timedelta(seconds=offset) for offset, _ in sorted(pieces)),
        tuple(power for _, power in sorted(pieces)),
    )
)


@given(st.lists(CURVES, min_size=1, max_size=3), st.integers(0, 5000), st.integers(1, 5000), st.data())
def test_the_worst_is_never_exceeded_inside(
    curves: list[PowerCurve], begin_s: int, length_s: int, data: st.DataObject
) -> None:
    begin = START + timedelta(seconds=begin_s)
    end = begin + timedelta(seconds=length_s)
    moment = begin + timedelta(seconds=data.draw(st.integers(0, length_s - 1)))
    for curve in curves:
        assert -worst_export_kw(curves, begin, end) <= curve.at(moment) <= worst_import_kw(curves, begin, end)


def test_amperes_count_the_phases_of_the_car() -> None:
    profile = ChargingProfile(
        1,
        1,
        ProfilePurpose.TX,
        RateUnit.AMPERE,
        START,
        (Period(0, limit=16.0, phases=3), Period(900, limit=6.0, phases=1), Period(1800, limit=0.0)),
        duration_s=3600,
    )
    curve = curve_of(profile, Steering(RateUnit.AMPERE), unbounded_kw=11.04)
    at = [curve.at(START + timedelta(seconds=s)) for s in (0, 900, 1800, 3600)]
    assert [round(power, 6) for power in at] == [11.04, 1.38, 0.0, 11.04]


def test_a_setpoint_keeps_its_sign() -> None:
    profile = ChargingProfile(
        1,
        1,
        ProfilePurpose.TX,
        RateUnit.WATT,
        START,
        (Period(0, setpoint=-7400.0), Period(900, setpoint=0.0)),
    )
    steering = Steering(RateUnit.WATT, dialect=DischargeDialect.OCPP21_SETPOINT)
    curve = curve_of(profile, steering, unbounded_kw=0.0)
    assert worst_export_kw([curve], START, START + timedelta(hours=1)) == 7.4
    assert worst_import_kw([curve], START, START + timedelta(hours=1)) == 0.0
