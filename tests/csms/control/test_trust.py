"""A meter is believed while its registers count what its power says, and not when it is frozen or flipped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.trust import MeterTrust
from csms.state.events import MeterRead

NOW = datetime(2024, 6, 11, 16, tzinfo=UTC)
STEP_S = 10
POWERS = st.lists(st.floats(-80.0, 80.0), min_size=2, max_size=60)


def readings(powers: list[float], start: int = 0) -> Iterator[MeterRead]:
    """Read a meter whose registers count what flowed, to the watt-hour."""
    imported = exported = 0.0
    for index, power in enumerate(powers):
        before = powers[max(index - 1, 0)]
        energy = (power + before) / 2.0 * STEP_S / 3600.0
        imported, exported = imported + max(energy, 0.0), exported + max(-energy, 0.0)
        at = NOW + timedelta(seconds=STEP_S * (start + index))
        yield MeterRead("t", at, power, round(imported, 3), round(exported, 3))


@given(POWERS)
def test_an_honest_meter_is_believed(powers: list[float]) -> None:
    trust = MeterTrust()
    assert not any(trust.see(each) for each in readings(powers))


def test_a_frozen_meter_is_found_within_two_minutes_and_believed_when_it_thaws() -> None:
    trust, frozen = MeterTrust(), MeterRead("t", NOW, 30.0, 100.0, 0.0)
    said = [
        trust.see(MeterRead("t", NOW + timedelta(seconds=STEP_S * n), 30.0, 100.0, 0.0)) for n in range(13)
    ]
    assert said.count(True) == 1
    assert trust.doubted == {frozen.meter_id}
    assert sum(trust.see(each) for each in readings([30.0] * 20, start=100)) == 1
    assert not trust.doubted


def test_a_flipped_sign_is_found() -> None:
    trust = MeterTrust()
    for each in readings([40.0] * 13):
        trust.see(MeterRead("t", each.at, -each.power_kw, each.import_kwh, each.export_kwh))
    assert trust.doubted == {"t"}


def test_a_quiet_street_says_nothing() -> None:
    trust = MeterTrust()
    for n in range(60):
        trust.see(MeterRead("t", NOW + timedelta(seconds=STEP_S * n), 1.0, 100.0, 0.0))
    assert not trust.doubted
