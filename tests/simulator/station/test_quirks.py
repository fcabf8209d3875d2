"""What quirks make of profiles and readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.build import build_settings
from simulator.station.composite import CompositeRules, allowance_at
from simulator.station.messages import Context, Measured, Reading
from simulator.station.profiles import Kind, Profile, ProfileRefusedError, Purpose, SchedulePeriod
from simulator.station.quirks import Quirk, Quirks
from simulator.station.settings import SettingStatus

NOW = datetime(2024, 6, 11, 4, tzinfo=UTC)
PROFILE = Profile(
    1,
    0,
    Purpose.TX_DEFAULT,
    Kind.ABSOLUTE,
    1,
    "A",
    (SchedulePeriod(0, 10.0), SchedulePeriod(600, 0.0, phases=1)),
    start_s=NOW.timestamp() + 60,
    duration_s=1200,
    valid_to_s=NOW.timestamp() + 3600,
)


def bend(profile: Profile, *quirks: Quirk, value: float = 1.0, writes: int = 0) -> Profile | None:
    return Quirks(dict.fromkeys(quirks, value)).bend_profile(profile, NOW, NOW, writes)


def test_without_quirks_nothing_is_bent() -> None:
    assert bend(PROFILE) == PROFILE
    reading = Reading(NOW, Context.CLOCK, 1, (Measured("SoC", 1.0, "Percent"),))
    assert Quirks().bend_reading(reading) is reading
    assert Quirks().written_instant(NOW, NOW) == NOW


@pytest.mark.parametrize(
    ("quirk", "value", "writes", "reason"),
    [
        (Quirk.REJECTS_ZERO, 1.0, 0, "InvalidValue"),
        (Quirk.MAX_PERIODS, 1.0, 0, "TooManyPeriods"),
        (Quirk.FLASH_WEARS_OUT, 5.0, 5, "InternalError"),
    ],
)
def test_what_is_refused(quirk: Quirk, value: float, writes: int, reason: str) -> None:
    with pytest.raises(ProfileRefusedError) as refused:
        bend(PROFILE, quirk, value=value, writes=writes)
    assert refused.value.reason == reason


def test_what_is_accepted_and_does_nothing() -> None:
    assert bend(PROFILE, Quirk.ACCEPTS_WITHOUT_APPLYING) is None
    assert bend(replace(PROFILE, unit="W"), Quirk.IGNORES_WATTS) is None
    assert bend(PROFILE, Quirk.IGNORES_WATTS) == PROFILE


def test_what_is_read_otherwise() -> None:
    at_once = bend(PROFILE, Quirk.IGNORES_START_SCHEDULE)
    assert at_once is not None
    assert at_once.start_s == NOW.timestamp()
    for_ever = bend(PROFILE, Quirk.NEVER_EXPIRES)
    assert for_ever is not None
    assert (for_ever.duration_s, for_ever.valid_to_s) == (None, None)
    phases = bend(PROFILE, Quirk.IGNORES_NUMBER_PHASES)
    assert phases is not None
    assert {one.phases for one in phases.periods} == {3}
    early = bend(PROFILE, Quirk.CLOCK_OFFSET, value=45.0)
    assert early is not None
    assert early.start_s == NOW.timestamp() + 15
    unlimited = bend(replace(PROFILE, periods=(SchedulePeriod(0, -1.0),)), Quirk.NEGATIVE_IS_UNLIMITED)
    assert unlimited is not None
    assert unlimited.periods[0].limit is None


def test_an_expired_profile_that_leaves_no_limit() -> None:
    bent = bend(PROFILE, Quirk.EXPIRES_TO_UNLIMITED)
    assert bent is not None
    below = replace(PROFILE, id=2, stack_level=0, periods=(SchedulePeriod(0, 6.0),), duration_s=None)
    above = replace(bent, stack_level=1, valid_to_s=None)
    later_s = NOW.timestamp() + 2000
    rules = CompositeRules()
    honest = replace(PROFILE, stack_level=1)
    assert allowance_at([below, above], 1, None, later_s, rules).current_a == float("inf")
    assert allowance_at([below, honest], 1, None, later_s, rules).current_a == 6.0


@given(days=st.floats(-30, 30), drift=st.floats(-60, 60))
def test_a_drifting_clock(days: float, drift: float) -> None:
    quirks = Quirks({Quirk.CLOCK_DRIFT: drift})
    at = NOW + timedelta(days=days)
    error_s = (quirks.written_instant(at, NOW) - at).total_seconds()
    assert error_s == pytest.approx(days * drift, abs=0.002)


READING = Reading(
    NOW,
    Context.CLOCK,
    1_234_567,
    (
        Measured("Energy.Active.Import.Register", 1_234_567, "Wh"),
        Measured("Energy.Active.Export.Register", 20_000, "Wh"),
        Measured("Power.Active.Export", 5_000.0, "W"),
        Measured("Current.Export", 7.2, "A", "L1"),
    ),
)


def read(*quirks: Quirk, value: float = 1.0) -> dict[str, float]:
    bent = Quirks(dict.fromkeys(quirks, value)).bend_reading(READING)
    assert bent.values
    return {one.measurand: one.value for one in bent.values} | {"import_wh": bent.import_wh}


def test_meters_that_err() -> None:
    assert read(Quirk.METER_ERROR, value=1.0)["import_wh"] == 1_246_912
    assert read(Quirk.METER_RESOLUTION, value=1000.0)["Energy.Active.Import.Register"] == 1_234_000
    assert read(Quirk.METER_ROLLOVER, value=1000.0)["Energy.Active.Import.Register"] == 234_567
    signed = read(Quirk.EXPORT_AS_NEGATIVE_IMPORT)
    assert (signed["Power.Active.Import"], signed["Current.Import"]) == (-5_000.0, -7.2)
    both = read(Quirk.EXPORT_IN_IMPORT)
    assert both["Energy.Active.Import.Register"] == both["import_wh"] == 1_254_567
    assert "Power.Active.Export" not in read(Quirk.NO_POWER)
    assert "Current.Export" not in read(Quirk.NO_CURRENT)


def test_a_reading_never_is_empty() -> None:
    reading = replace(READING, values=READING.values[2:3])
    (left,) = Quirks({Quirk.NO_POWER: 1.0}).bend_reading(reading).values
    assert left.measurand == "Energy.Active.Import.Register"


def test_a_liar_reads_back_what_it_was_told_and_goes_on_as_before() -> None:
    setup = StationSetup(
        "S", "p", Protocol.V16, (EvseSetup(1),), quirks=Quirks({Quirk.LIES_IN_CONFIGURATION: 1.0})
    )
    settings = build_settings(setup)
    assert settings.change("ClockAlignedDataInterval", "60") is SettingStatus.ACCEPTED
    assert settings.get("ClockAlignedDataInterval") == ("60", False)
    assert settings.get_variable("AlignedDataCtrlr", "Interval") == "60"
    assert settings.aligned_s == 300
    assert settings.change("NoSuchKey", "1") is SettingStatus.UNKNOWN
