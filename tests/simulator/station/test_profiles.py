"""What a station installs, replaces, refuses and forgets, by the rules of its version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.station.profiles import (
    Kind,
    Profile,
    ProfileRefusedError,
    ProfileRules,
    ProfileStore,
    Purpose,
    SchedulePeriod,
)

OLD = ProfileRules(max_periods=24, same_level_replaces=True, needs_period=False, keeps_tx_profiles=True)
NEW = ProfileRules(max_periods=24, same_level_replaces=False, needs_period=True, keeps_tx_profiles=False)
DEFAULT = Profile(
    1, 0, Purpose.TX_DEFAULT, Kind.ABSOLUTE, 0, "A", (SchedulePeriod(0, limit=6.0),), start_s=0.0
)
OWN = replace(DEFAULT, id=2, purpose=Purpose.TX, evse_id=1, transaction_id="tx-1", stack_level=1)
MAXIMUM = replace(DEFAULT, id=3, purpose=Purpose.STATION_MAX)


@pytest.mark.parametrize("rules", [OLD, NEW])
def test_same_id_replaces(rules: ProfileRules) -> None:
    store = ProfileStore(rules)
    store.install(DEFAULT, [])
    changed = replace(DEFAULT, periods=(SchedulePeriod(0, limit=10.0),))
    store.install(changed, [])
    assert store.profiles == (changed,)


def test_k04_same_level_replaces_in_16_and_is_refused_in_2() -> None:
    other = replace(DEFAULT, id=9)
    old, new = ProfileStore(OLD), ProfileStore(NEW)
    for store in (old, new):
        store.install(DEFAULT, [])
    old.install(other, [])
    assert old.profiles == (other,)
    with pytest.raises(ProfileRefusedError) as refused:
        new.install(other, [])
    assert refused.value.reason == "DuplicateProfile"
    assert new.profiles == (DEFAULT,)


def test_same_level_with_other_validity_stands_beside_in_2() -> None:
    store = ProfileStore(NEW)
    early = replace(DEFAULT, valid_to_s=100.0)
    late = replace(DEFAULT, id=9, valid_from_s=100.0)
    store.install(early, [])
    store.install(late, [])
    assert store.profiles == (early, late)


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (replace(OWN, transaction_id="tx-9"), "TxNotFound"),
        (replace(DEFAULT, transaction_id="tx-1"), "InvalidProfile"),
        (replace(DEFAULT, stack_level=11), "InvalidStackLevel"),
        (replace(DEFAULT, periods=(SchedulePeriod(5, limit=6.0),)), "InvalidSchedule"),
        (replace(DEFAULT, periods=()), "InvalidSchedule"),
        (replace(DEFAULT, periods=(SchedulePeriod(0, 6.0), SchedulePeriod(0, 7.0))), "InvalidSchedule"),
        (replace(DEFAULT, periods=tuple(SchedulePeriod(n, 6.0) for n in range(25))), "TooManyPeriods"),
        (replace(DEFAULT, start_s=None), "InvalidSchedule"),
        (replace(DEFAULT, kind=Kind.RELATIVE), "InvalidSchedule"),
        (replace(MAXIMUM, evse_id=1), "InvalidProfile"),
        (replace(DEFAULT, purpose=Purpose.EXTERNAL), "InvalidProfile"),
    ],
)
@pytest.mark.parametrize("rules", [OLD, NEW])
def test_refuses_what_the_standard_forbids(rules: ProfileRules, profile: Profile, reason: str) -> None:
    store = ProfileStore(rules)
    store.install(MAXIMUM, [])
    with pytest.raises(ProfileRefusedError) as refused:
        store.install(profile, ["tx-1"])
    assert refused.value.reason == reason
    assert store.profiles == (MAXIMUM,)


def test_reboot_keeps_a_transactions_profile_in_16_only() -> None:
    for rules, left in ((OLD, {1, 2, 3}), (NEW, {1, 3})):
        store = ProfileStore(rules)
        for profile in (DEFAULT, OWN, MAXIMUM):
            store.install(profile, ["tx-1"])
        store.reboot()
        assert {one.id for one in store.profiles} == left


def test_end_of_a_transaction_takes_its_profiles() -> None:
    store = ProfileStore(NEW)
    for profile in (DEFAULT, OWN):
        store.install(profile, ["tx-1"])
    store.end_transaction("tx-1")
    assert store.profiles == (DEFAULT,)


def test_clear_by_id_and_by_criteria() -> None:
    store = ProfileStore(NEW)
    for profile in (DEFAULT, OWN, MAXIMUM):
        store.install(profile, ["tx-1"])
    assert store.clear(profile_id=77) == 0
    assert store.clear(profile_id=1) == 1
    assert store.clear(purpose=Purpose.TX, evse_id=2) == 0
    assert store.clear(purpose=Purpose.TX, evse_id=1) == 1
    assert store.clear() == 1
    assert store.profiles == ()


def test_dynamic_profile_takes_a_new_period_and_begins_anew() -> None:
    store = ProfileStore(NEW)
    dynamic = replace(OWN, kind=Kind.DYNAMIC, duration_s=600.0)
    store.install(dynamic, ["tx-1"])
    assert store.update(dynamic.id, SchedulePeriod(0, setpoint_w=-3000.0), 500.0)
    (updated,) = store.profiles
    assert (updated.start_s, updated.periods[0].setpoint_w) == (500.0, -3000.0)
    assert not store.update(DEFAULT.id, SchedulePeriod(0, limit=1.0), 500.0)
