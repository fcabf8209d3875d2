"""The simulated station against the standard's own table of states, whatever happens to it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.build import build_firmware
from simulator.station.evse import Defect, PlugIn
from simulator.station.firmware import Firmware
from simulator.station.messages import (
    AuthorizeToken,
    ConnectorState,
    StatusChange,
    TransactionEnded,
    TransactionMessage,
    TransactionStarted,
    Trigger,
)
from simulator.station.profiles import Kind, Profile, Purpose, SchedulePeriod
from simulator.station.transitions import FOLLOWERS, find_violations, path_between
from simulator.vehicle.charging import BatteryState
from simulator.vehicle.model import VehicleModel

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
CAR = VehicleModel(
    name="Test car",
    capacity_kwh=20.0,
    phases=3,
    max_current_a=16.0,
    transition_soc_fraction=0.8,
    loss_fixed_kw=0.2,
    loss_fraction=0.06,
)
DEEDS = (
    "plug",
    "unplug",
    "tap",
    "accept",
    "refuse",
    "stop",
    "out",
    "in",
    "break",
    "mend",
    "pause",
    "free",
    "off",
    "on",
)


def do(firmware: Firmware, deed: str, now: datetime) -> None:  # noqa: C901 - one case a deed
    evse = firmware.evses[1]
    match deed:
        case "plug" if evse.plug is None:
            firmware.plug_in(1, PlugIn(CAR, BatteryState(15.0), "TAG"), now)
        case "unplug" if evse.plug is not None:
            firmware.unplug(1, now)
        case "tap":
            firmware.tap_card(1, "TAG", now)
        case "accept" | "refuse":
            asked = [one for one in firmware.outbox.waiting if isinstance(one, AuthorizeToken)]
            if asked:
                firmware.authorized(1, asked[-1].token, accepted=deed == "accept", now=now)
        case "stop" if evse.record is not None:
            firmware.end_transaction(1, Trigger.REMOTE_STOP, "Remote", now)
        case "out" | "in":
            firmware.set_availability(1, now, operative=deed == "in")
        case "break":
            firmware.break_socket(1, "rcd", Defect("GroundFailure", reason="GroundFault"), now)
        case "mend":
            firmware.mend_socket(1, "rcd", now)
        case "pause" | "free":
            limit = 0.0 if deed == "pause" else 16.0
            period = (SchedulePeriod(0, limit),)
            kind = Kind.ABSOLUTE
            profile = Profile(1, 0, Purpose.TX_DEFAULT, kind, 1, "A", period, start_s=0.0)
            firmware.set_profile(profile, now)
        case "off":
            firmware.lose_power(now)
        case "on":
            firmware.rebooted(now)
            firmware.go_online(now)


@settings(max_examples=150, deadline=None)
@given(
    script=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 2000)), max_size=25),
    protocol=st.sampled_from(Protocol),
)
def test_every_life_is_in_the_table(script: list[tuple[str, int]], protocol: Protocol) -> None:
    numbers = itertools.count()
    setup = StationSetup("S", "pole", protocol, (EvseSetup(1),))
    firmware = build_firmware(setup, START, lambda: f"tx-{next(numbers)}")
    firmware.go_online(START)
    told, now = [], START
    for deed, wait_s in script:
        do(firmware, deed, now)
        now += timedelta(seconds=wait_s)
        firmware.tick(now)
        told += firmware.outbox.waiting
        firmware.outbox.waiting = [one for one in firmware.outbox.waiting if isinstance(one, AuthorizeToken)]
    states = [one.state for one in told if isinstance(one, StatusChange)]
    assert list(find_violations([ConnectorState.AVAILABLE, *states])) == []
    check_transactions([one for one in told if isinstance(one, TransactionMessage)])


def check_transactions(told: list[TransactionMessage]) -> None:
    """Started comes first and once, Ended last and once, numbers without gaps."""
    by_record: dict[str, list[TransactionMessage]] = {}
    for one in told:
        by_record.setdefault(one.record.id, []).append(one)
    for own in by_record.values():
        assert [one.sequence for one in own] == list(range(len(own)))
        assert [isinstance(one, TransactionStarted) for one in own] == [True] + [False] * (len(own) - 1)
        assert not any(isinstance(one, TransactionEnded) for one in own[:-1])
        assert all(before.at <= after.at for before, after in itertools.pairwise(own))


@pytest.mark.parametrize("before", list(ConnectorState))
@pytest.mark.parametrize("after", list(ConnectorState))
def test_there_is_a_way_from_every_state_to_every_other(
    before: ConnectorState, after: ConnectorState
) -> None:
    if before is after:
        return
    path = path_between(before, after)
    assert path[-1] is after
    assert list(find_violations([before, *path])) == []
    if after in FOLLOWERS[before]:
        assert path == (after,)


def test_what_the_table_does_not_know_is_found() -> None:
    states = [ConnectorState.AVAILABLE, ConnectorState.FINISHING, ConnectorState.AVAILABLE]
    assert list(find_violations(states)) == [(ConnectorState.AVAILABLE, ConnectorState.FINISHING)]
