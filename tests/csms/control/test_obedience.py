"""A socket that does not follow is found within two samples, one that follows never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.ledger import EvseKey
from csms.control.obedience import Obedience, Observation

NOW = datetime(2024, 6, 11, 16, tzinfo=UTC)
KEY = EvseKey("S", 1)


def seen(power_kw: float, told_kw: float, minutes: float = 5.0) -> Observation:
    return Observation(KEY, NOW + timedelta(minutes=minutes), power_kw, NOW, told_kw, 11.04)


@given(st.floats(0.0, 11.0), st.floats(0.0, 1.0), st.floats(0.9, 1.1))
def test_who_stays_below_what_he_is_told_is_never_caught(told: float, part: float, voltage: float) -> None:
    obedience = Obedience()
    for _ in range(5):
        assert not obedience.judge(seen(told * part * voltage, told))


def test_two_samples_in_a_row_catch_and_two_that_follow_clear() -> None:
    obedience = Obedience()
    assert not obedience.judge(seen(11.0, 4.14))
    assert not obedience.judge(seen(4.0, 4.14))
    assert not obedience.judge(seen(11.0, 4.14))
    assert obedience.judge(seen(11.0, 4.14))
    assert obedience.ignoring == {KEY}
    obedience.forget(KEY)
    assert not obedience.judge(seen(4.0, 4.14))
    assert obedience.judge(seen(4.0, 4.14))
    assert not obedience.ignoring


def test_what_is_measured_before_a_car_could_follow_says_nothing() -> None:
    obedience = Obedience()
    assert not any(obedience.judge(seen(11.0, 0.0, minutes=0.2)) for _ in range(5))


def test_a_car_that_takes_nothing_proves_nothing() -> None:
    obedience = Obedience()
    for _ in range(2):
        obedience.judge(seen(11.0, 4.14))
    assert not any(obedience.judge(seen(0.0, 4.14)) for _ in range(5))
    assert not any(obedience.judge(seen(11.0, 11.04)) for _ in range(5))
    assert obedience.ignoring == {KEY}


def test_giving_back_more_than_asked_counts_as_well() -> None:
    obedience = Obedience()
    assert [obedience.judge(seen(-9.0, -5.0)) for _ in range(2)] == [False, True]
