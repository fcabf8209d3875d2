"""The idle clock, rule by rule, a minute at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.tariffs.driver import IdleFeeConfig
from grid.tariffs.idle import IdleClock, Observation, is_excused, observe

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOON = datetime(2024, 6, 11, 10, tzinfo=UTC)  # 12:00 in the street
LONG_AGO = NOON - timedelta(days=1)
TODAY = date(2024, 6, 11)
FEE = IdleFeeConfig()
NO_NIGHT = IdleFeeConfig(night_from=time(0), night_to=time(0))
MINUTE = timedelta(minutes=1)


def seen(minute: float, **changes: object) -> Observation:
    """Return a full car that is offered 11 kW and takes nothing."""
    full = Observation(NOON + minute * MINUTE, 11.0, LONG_AGO, 4.14, 0.0)
    return replace(full, **changes)  # type: ignore[arg-type]


def watch(
    minutes: int, change: Callable[[int], dict[str, object]] = lambda _: {}, fee: IdleFeeConfig = FEE
) -> IdleClock:
    """Look once a minute from noon on."""
    observations = [seen(minute, **change(minute)) for minute in range(minutes + 1)]
    return reduce(lambda clock, one: observe(clock, one, fee, AMSTERDAM), observations, IdleClock())


def counted(clock: IdleClock) -> float:
    return sum(clock.counted.values(), timedelta()) / MINUTE


def test_it_is_announced_after_a_quarter_of_refusing_and_runs_a_notice_later() -> None:
    assert watch(14).announced_at is None
    announced = watch(15)
    assert announced.announced_at == NOON + 15 * MINUTE
    assert counted(watch(30)) == 0
    assert counted(watch(31)) == 1
    assert watch(90).fee_eur(FEE) == {TODAY: Decimal("3.00")}


@pytest.mark.parametrize(
    "held",
    [
        {"offered_kw": 4.0},  # the plan or a limit offers less than the car can take
        {"offered_kw": 0.0},
        {"offered_kw": None},  # nobody knows what it is offered
        {"drawn_kw": None},  # nobody knows what it draws
        {"drawn_kw": 7.0},  # it charges
        {"drawn_kw": -5.0},  # it gives back
        {"two_way": True},
    ],
)
def test_it_never_runs_while_the_car_is_held_or_charges_or_nobody_knows(held: dict[str, object]) -> None:
    clock = watch(300, lambda _: held)
    assert (clock.announced_at, clock.counted) == (None, {})


def test_a_minute_in_which_it_was_held_begins_everything_anew() -> None:
    clock = watch(60, lambda minute: {"offered_kw": 2.0} if minute == 40 else {})
    assert counted(clock) == 9  # minutes 30 to 39
    assert clock.announced_at == NOON + 56 * MINUTE
    later = watch(90, lambda minute: {"offered_kw": 2.0} if minute == 40 else {})
    assert counted(later) == 9 + 19  # from 71 on


def test_what_was_offered_before_the_last_order_does_not_count() -> None:
    clock = watch(60, lambda minute: {"offered_since": NOON + 49.5 * MINUTE} if minute >= 50 else {})
    assert counted(clock) == 29
    assert clock.announced_at == NOON + 15 * MINUTE


def test_a_gap_in_the_observations_is_not_counted() -> None:
    clock = observe(watch(60), seen(70), FEE, AMSTERDAM)
    assert (counted(clock), clock.announced_at, clock.refused_since) == (30, None, NOON + 70 * MINUTE)
    assert observe(clock, seen(65), FEE, AMSTERDAM) is clock


def test_it_never_runs_inside_a_declared_stay() -> None:
    stay: dict[str, object] = {"stay_until": NOON + 45.5 * MINUTE}
    assert watch(45, lambda _: stay).announced_at is None
    clock = watch(120, lambda _: stay)
    assert clock.announced_at == NOON + 46 * MINUTE
    assert counted(clock) == 120 - 61
    # Declared while the fee runs: nothing from then on, and nothing of the minute before.
    assert (
        counted(watch(120, lambda minute: {} if minute < 50 else {"stay_until": NOON + 600 * MINUTE})) == 19
    )


def test_it_never_runs_at_night_and_the_next_day_has_its_own_cap() -> None:
    clock = watch(24 * 60)  # 21:00 to 08:00 is night
    assert sum(clock.counted.values(), timedelta()) == timedelta(hours=8.5 + 4)
    assert clock.fee_eur(FEE) == {TODAY: Decimal("6.00"), TODAY + timedelta(days=1): Decimal("6.00")}
    assert is_excused(datetime(2024, 6, 11, 23, tzinfo=UTC), None, FEE, AMSTERDAM)
    noon_rest = IdleFeeConfig(night_from=time(12), night_to=time(13))
    assert counted(watch(120, fee=noon_rest)) == 120 - 60 - 15


def test_without_night_hours_midnight_parts_the_days() -> None:
    clock = watch(13 * 60, fee=NO_NIGHT)
    assert clock.counted == {
        TODAY: timedelta(hours=11.5),
        TODAY + timedelta(days=1): timedelta(hours=1),
    }


minutes_of = st.lists(
    st.tuples(
        st.sampled_from([0.0, 4.0, 4.14, 11.0, None]),
        st.sampled_from([0.0, 0.05, 3.0, None]),
        st.booleans(),
        st.sampled_from([None, 20.0, 70.0]),
    ),
    min_size=1,
    max_size=5,
)


@given(minutes_of, st.lists(st.integers(1, 60), min_size=5, max_size=5), st.sampled_from([FEE, NO_NIGHT]))
def test_every_counted_minute_was_refused_for_a_quarter_and_announced(
    pieces: Sequence[tuple[float | None, float | None, bool, float | None]],
    lengths: list[int],
    fee: IdleFeeConfig,
) -> None:
    """Judge each minute by hand: the 30 minutes before it and it itself must all have been refused."""
    per_minute = [piece for piece, length in zip(pieces, lengths, strict=False) for _ in range(length)]

    def change(minute: int) -> dict[str, object]:
        offered, drawn, two_way, stay = per_minute[minute]
        until = None if stay is None else NOON + stay * MINUTE
        return {"offered_kw": offered, "drawn_kw": drawn, "two_way": two_way, "stay_until": until}

    def refused(minute: int) -> bool:
        return seen(minute, **change(minute)).is_refused

    last = len(per_minute) - 1
    clock = watch(last, change, fee)
    allowed = 0
    for minute in range(1, last + 1):
        long_enough = minute >= 31 and all(refused(each) for each in range(minute - 31, minute + 1))
        stays = [change(each)["stay_until"] for each in (minute - 1, minute)]
        inside = any(isinstance(stay, datetime) and NOON + (minute - 1) * MINUTE < stay for stay in stays)
        allowed += long_enough and not inside
    assert counted(clock) <= allowed
    assert all(amount <= Decimal("6.00") for amount in clock.fee_eur(fee).values())
