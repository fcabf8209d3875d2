"""The composite schedule, against the standard's rules applied second by second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.station.composite import Allowance, CompositeRules, Transaction, compute_composite
from simulator.station.offers import compute_offers, divide_current
from simulator.station.profiles import Kind, Profile, Purpose, SchedulePeriod

ORIGIN_S = 1_718_078_400.0
WINDOW_S = 400
NEW, OLD = CompositeRules(needs_period=True), CompositeRules(needs_period=False)
TRANSACTION = Transaction("tx-1", ORIGIN_S + 20.0)
times_s = st.integers(-200, WINDOW_S + 50).map(lambda offset: ORIGIN_S + offset)


@st.composite
def periods(draw: st.DrawFn) -> tuple[SchedulePeriod, ...]:
    starts = sorted({0, *draw(st.lists(st.integers(1, 300), max_size=4))})
    return tuple(
        SchedulePeriod(start, limit=float(draw(st.integers(0, 160))) / 10.0 * draw(st.sampled_from([1, 100])))
        for start in starts
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    purpose = draw(st.sampled_from(list(Purpose)))
    kind = draw(st.sampled_from([Kind.ABSOLUTE, Kind.RELATIVE, Kind.RECURRING]))
    station = purpose in {Purpose.STATION_MAX, Purpose.EXTERNAL}
    return Profile(
        id=draw(st.integers(1, 1000)),
        stack_level=draw(st.integers(0, 3)),
        purpose=purpose,
        kind=kind,
        evse_id=0 if station else draw(st.sampled_from([1, 2] if purpose is Purpose.TX else [0, 1, 2])),
        unit=draw(st.sampled_from(["A", "W"])),
        periods=draw(periods()),
        start_s=None if kind is Kind.RELATIVE else draw(times_s),
        duration_s=draw(st.none() | st.integers(50, 400)),
        valid_from_s=draw(st.none() | times_s),
        valid_to_s=draw(st.none() | times_s),
        transaction_id=draw(st.sampled_from(["tx-1", "tx-2"])) if purpose is Purpose.TX else None,
        recurrence_s=float(draw(st.sampled_from([120, 250]))) if kind is Kind.RECURRING else None,
    )


def _stack(items: Sequence[Profile]) -> list[Profile]:
    """Keep one profile of each level, purpose and place, as stores do."""
    return list({(one.purpose, one.stack_level, one.evse_id): one for one in items}.values())


installed = st.lists(profiles(), max_size=7).map(_stack)


# --- the standard, word by word -----------------------------------------------------------------------------


def _limit_of(profile: Profile, transaction: Transaction | None, at_s: float) -> float | None:
    """Return the amperes of a profile's period at one time, None when it has none."""
    begin_s = profile.start_s
    if profile.kind is Kind.RELATIVE:
        begin_s = None if transaction is None else transaction.started_s
    if begin_s is None or at_s < begin_s:
        return None
    since_s = at_s - begin_s
    if profile.recurrence_s is not None:
        since_s %= profile.recurrence_s
    if profile.duration_s is not None and since_s >= profile.duration_s:
        return None
    period = [one for one in profile.periods if one.start_s <= since_s][-1]
    assert period.limit is not None
    return period.limit if profile.unit == "A" else period.limit / (230.0 * period.phases)


def _valid(profile: Profile, at_s: float) -> bool:
    after = profile.valid_from_s is None or profile.valid_from_s <= at_s
    return after and (profile.valid_to_s is None or at_s < profile.valid_to_s)


def _winner(
    items: Sequence[Profile],
    purpose: Purpose,
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> float | None:
    own = [
        one for one in items if one.purpose is purpose and one.evse_id in {0, evse_id} and _valid(one, at_s)
    ]
    if purpose is Purpose.TX:
        own = [one for one in own if transaction is not None and one.transaction_id == transaction.id]
    if rules.needs_period:
        own = [one for one in own if _limit_of(one, transaction, at_s) is not None]
    if not own:
        return None
    return _limit_of(max(own, key=lambda one: (one.stack_level, one.evse_id)), transaction, at_s)


def _brute_force(
    items: Sequence[Profile],
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> float:
    bounds = [
        _winner(items, Purpose.STATION_MAX, 0, None, at_s, rules),
        _winner(items, Purpose.EXTERNAL, 0, None, at_s, rules),
    ]
    if evse_id:
        own = _winner(items, Purpose.TX, evse_id, transaction, at_s, rules)
        if own is None:
            own = _winner(items, Purpose.TX_DEFAULT, evse_id, transaction, at_s, rules)
        bounds.append(own)
    return min((one for one in bounds if one is not None), default=math.inf)


@settings(deadline=None)
@given(
    installed,
    st.sampled_from([0, 1, 2]),
    st.sampled_from([None, TRANSACTION]),
    st.sampled_from([NEW, OLD]),
)
def test_composite_is_the_standard_applied_at_every_second(
    items: list[Profile], evse_id: int, transaction: Transaction | None, rules: CompositeRules
) -> None:
    transaction = transaction if evse_id else None
    steps = compute_composite(items, evse_id, transaction, ORIGIN_S, WINDOW_S, rules)
    assert steps[0].start_s == ORIGIN_S
    for offset in range(0, WINDOW_S, 1):
        at_s = ORIGIN_S + offset
        step = [one for one in steps if one.start_s <= at_s][-1]
        expected = _brute_force(items, evse_id, transaction, at_s, rules)
        assert step.allowance.current_a == pytest.approx(expected)


@settings(deadline=None)
@given(installed, st.sampled_from([0, 1, 2]), st.sampled_from([NEW, OLD]))
def test_neighbouring_steps_differ(items: list[Profile], evse_id: int, rules: CompositeRules) -> None:
    steps = compute_composite(items, evse_id, None, ORIGIN_S, WINDOW_S, rules)
    assert all(one.allowance != other.allowance for one, other in pairwise(steps))
    assert [one.start_s for one in steps] == sorted({one.start_s for one in steps})


@settings(deadline=None)
@given(installed, st.sampled_from([NEW, OLD]))
def test_sockets_together_stay_within_the_station(items: list[Profile], rules: CompositeRules) -> None:
    running = {1: TRANSACTION, 2: Transaction("tx-2", ORIGIN_S)}
    offers = compute_offers(items, running, 16.0, ORIGIN_S, WINDOW_S, rules)
    for offset in range(0, WINDOW_S, 7):
        at_s = ORIGIN_S + offset
        current = [[one.offer.current_a for one in own if one.start_s <= at_s][-1] for own in offers.values()]
        assert sum(current) <= _brute_force(items, 0, None, at_s, rules) + 1e-9
        for evse_id, amperes in zip(offers, current, strict=True):
            assert amperes <= min(16.0, _brute_force(items, evse_id, running[evse_id], at_s, rules)) + 1e-9


@given(st.dictionaries(st.integers(1, 6), st.floats(0.0, 32.0), min_size=1), st.floats(0.0, 100.0))
def test_division_uses_what_there_is_and_wastes_nothing(asked_a: dict[int, float], limit_a: float) -> None:
    granted = divide_current(asked_a, limit_a)
    assert sum(granted.values()) <= max(limit_a, 0.0) + 1e-9 or granted == asked_a
    assert all(granted[one] <= asked_a[one] + 1e-9 for one in asked_a)
    if sum(asked_a.values()) > limit_a:
        assert sum(granted.values()) <= limit_a + 1e-9
        # Nobody is given a trickle that no car can use.
        assert all(one == 0.0 or one >= 6.0 - 1e-9 for one in granted.values())


def test_negative_limit_charges_nothing() -> None:
    """Some firmware reads a negative limit as none at all; ours never does."""
    profile = Profile(
        1, 0, Purpose.TX_DEFAULT, Kind.ABSOLUTE, 0, "A", (SchedulePeriod(0, limit=-5.0),), start_s=ORIGIN_S
    )
    (step,) = compute_composite([profile], 1, None, ORIGIN_S, 10, NEW)
    assert step.allowance == Allowance(0.0)


def test_setpoint_is_passed_on_in_kilowatts() -> None:
    profile = Profile(
        1,
        0,
        Purpose.TX,
        Kind.ABSOLUTE,
        1,
        "W",
        (SchedulePeriod(0, setpoint_w=-7000.0),),
        start_s=ORIGIN_S,
        transaction_id="tx-1",
    )
    (step,) = compute_composite([profile], 1, TRANSACTION, ORIGIN_S, 10, NEW)
    assert step.allowance.setpoint_kw == -7.0
