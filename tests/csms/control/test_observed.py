from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.nowcast import Told
from csms.control.observed import CarLimits, observe
from csms.state.station_state import SessionState
from tests.csms.control.street import NOW, Plugged

LEAST_KW = 4.14
OFFER = Told(NOW, 11.04)
FIVE_MINUTES = timedelta(minutes=5)


def sample(count: int, power_kw: float, currents_a: tuple[float, ...] = ()) -> SessionState:
    car = Plugged("LMB-01", power_kw=power_kw, sampled_at=NOW + count * FIVE_MINUTES).state()
    return replace(car, phase_currents_a={f"L{index + 1}": each for index, each in enumerate(currents_a)})


def watch(*samples: SessionState, told: Told | None = OFFER) -> CarLimits:
    known = CarLimits()
    for each in samples:
        known = observe(known, each, told, LEAST_KW)
    return known


def test_currents_tell_the_phases() -> None:
    assert watch(sample(1, 3.68, (16.0, 0.0, 0.0))).used_phases == {1}
    assert watch(sample(1, 11.0, (16.0, 16.0, 15.9))).phases == 3
    assert watch(sample(1, 7.36, (16.0, 16.0, 0.1))).used_phases == {1, 2}
    assert watch(sample(1, 0.2, (0.9, 0.0, 0.0))).phases is None


def test_a_pause_does_not_make_the_phases_forgotten() -> None:
    known = watch(sample(1, 3.68, (16.0, 0.0, 0.0)), sample(2, 0.0, (0.0, 0.0, 0.0)))
    assert known.used_phases == {1}


def test_a_car_with_a_limit_of_its_own_is_believed_after_two_samples() -> None:
    assert watch(sample(1, 7.0)).own_limit_kw is None
    assert watch(sample(1, 7.0), sample(2, 7.4)).own_limit_kw == 7.4
    assert not watch(sample(1, 7.0)).took_all


def test_a_limit_is_given_up_when_the_car_takes_all_again() -> None:
    known = watch(sample(1, 7.0), sample(2, 7.0), sample(3, 10.9))
    assert known.own_limit_kw is None
    assert known.took_all


def test_a_limit_learnt_with_other_phases_is_forgotten() -> None:
    # Told 16 A on three phases, a one-phase car seems to have a limit of its own: it has not.
    known = watch(sample(1, 3.68), sample(2, 3.68), sample(3, 3.68, (16.0, 0.0, 0.0)))
    assert known.own_limit_kw is None
    assert known.phases == 1


def test_idle_needs_two_samples_without_power_under_an_offer() -> None:
    assert not watch(sample(1, 0.0)).is_idle
    assert watch(sample(1, 0.0), sample(2, 0.05)).is_idle
    assert not watch(sample(1, 0.0), sample(2, 0.05), sample(3, 5.0)).is_idle


@given(st.lists(st.floats(0.0, 11.0), max_size=6))
def test_a_paused_car_tells_nothing(powers_kw: list[float]) -> None:
    pause = Told(NOW, 0.0)
    known = watch(*(sample(index + 1, each) for index, each in enumerate(powers_kw)), told=pause)
    assert known.own_limit_kw is None
    assert not known.is_idle


def test_the_same_sample_counts_once() -> None:
    assert watch(*[sample(1, 0.0)] * 5).idle_count == 1


def test_a_sample_before_the_car_could_follow_is_not_held_against_it() -> None:
    early = replace(sample(0, 0.0), sampled_at=NOW + timedelta(seconds=5))
    assert watch(early).idle_count == 0


def test_while_nothing_was_told_the_fallback_rate_is_the_offer() -> None:
    assert watch(sample(1, 4.1), told=None).took_all
    assert watch(sample(1, 2.0), sample(2, 2.0), told=None).own_limit_kw == 2.0
