"""Powers to periods and back: nothing is rounded up, below the minimum is zero, discharge needs a dialect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp import v16, v21, v201
from csms.ocpp.codec import codec_of
from csms.ocpp.dialects import DischargeDialect, Steering, limit_period, power_period, read_power_kw
from csms.ocpp.errors import CommandError
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import (
    ChargingProfile,
    OcppVersion,
    Period,
    ProfilePurpose,
    RateUnit,
    SetConfiguration,
    SetProfile,
)

STEERINGS = st.builds(
    Steering,
    unit=st.sampled_from(list(RateUnit)),
    phases=st.sampled_from([1, 2, 3]),
    voltage_v=st.floats(200, 250),
)
POWERS = st.floats(0, 44, allow_nan=False)


@given(POWERS, STEERINGS)
def test_a_limit_is_never_above_the_plan_and_close_to_it(power_kw: float, steering: Steering) -> None:
    period = limit_period(0, power_kw, steering)
    sent_kw = read_power_kw(period, steering.unit, steering)
    assert sent_kw is not None
    assert sent_kw <= power_kw + 1e-6
    if power_kw < 6.0 * steering.kw_per_a - 1e-6:
        assert sent_kw == 0
    elif sent_kw:
        assert sent_kw >= power_kw - 0.1001 * steering.kw_per_a


@given(POWERS, STEERINGS)
def test_what_is_sent_survives_the_wire_unchanged(power_kw: float, steering: Steering) -> None:
    """A limit of the dialect has one decimal already: the codec's own rounding changes nothing."""
    period = limit_period(0, power_kw, steering)
    for codec in (v16, v201, v21):
        _, payload = codec.encode_command(_set_profile(period, steering.unit))
        profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
        schedule = profile["chargingSchedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        assert schedule["chargingSchedulePeriod"][0]["limit"] == period.limit


@given(st.floats(0, 1e5, allow_nan=False), st.sampled_from(list(OcppVersion)))
def test_any_limit_passes_the_schema_and_is_not_rounded_up(limit: float, version: OcppVersion) -> None:
    """1.6 wants multiples of 0.1: a float's own error must not break the schema of either reading."""
    action, payload = codec_of(version).encode_command(_set_profile(Period(0, limit=limit), RateUnit.WATT))
    schemas_of(version).check_request(action, payload)


@given(st.floats(-22, 22, allow_nan=False))
def test_setpoints_are_rounded_toward_zero(power_kw: float) -> None:
    steering = Steering(RateUnit.WATT, dialect=DischargeDialect.OCPP21_SETPOINT)
    period = power_period(0, power_kw, steering)
    assert period.limit is None
    assert period.setpoint is not None
    assert abs(period.setpoint) <= abs(power_kw) * 1000 + 1e-3
    assert period.setpoint * power_kw >= 0
    if not 0 < power_kw < 4.14:
        assert abs(period.setpoint - power_kw * 1000) < 0.1001
    else:
        assert period.setpoint == 0


def test_discharge_without_a_dialect_is_refused() -> None:
    with pytest.raises(CommandError, match="dialect"):
        power_period(0, -1.0, Steering(RateUnit.WATT))
    with pytest.raises(CommandError, match="0 or more"):
        limit_period(0, -1.0, Steering(RateUnit.AMPERE))


def test_a_limit_without_phases_counts_three_as_the_standard_does() -> None:
    steering = Steering(RateUnit.AMPERE)
    assert read_power_kw(Period(0, limit=16.0), RateUnit.AMPERE, steering) == pytest.approx(11.04)
    assert read_power_kw(Period(0, limit=16.0, phases=1), RateUnit.AMPERE, steering) == pytest.approx(3.68)
    assert read_power_kw(Period(0), RateUnit.WATT, steering) is None


@pytest.mark.parametrize("version", [OcppVersion.V16, OcppVersion.V201])
@pytest.mark.parametrize("period", [Period(0, setpoint=-1.0), Period(0, limit=-1.0), Period(0)])
def test_old_versions_have_no_words_for_discharge(version: OcppVersion, period: Period) -> None:
    with pytest.raises(CommandError):
        codec_of(version).encode_command(_set_profile(period, RateUnit.WATT))


@pytest.mark.parametrize(
    ("period", "unit"),
    [
        (Period(0, setpoint=-10.0), RateUnit.AMPERE),
        (Period(0, setpoint=-10.0, limit=1.0), RateUnit.WATT),
        (Period(0, limit=-1.0), RateUnit.WATT),
    ],
)
def test_21_refuses_what_the_standard_forbids(period: Period, unit: RateUnit) -> None:
    with pytest.raises(CommandError):
        v21.encode_command(_set_profile(period, unit))


def test_a_variable_needs_a_component() -> None:
    with pytest.raises(CommandError, match=r"Component\.Variable"):
        v201.encode_command(SetConfiguration("HeartbeatInterval", "300"))


def _set_profile(period: Period, unit: RateUnit) -> SetProfile:
    start = datetime(2024, 6, 11, 6, tzinfo=UTC)
    return SetProfile(1, ChargingProfile(1, 0, ProfilePurpose.TX_DEFAULT, unit, start, (period,)))
