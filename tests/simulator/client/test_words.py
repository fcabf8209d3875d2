"""What a station writes passes the standard's schema, and says what was meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.charge_point import camel_to_snake_case

from simulator.client.needs import write_needs_21, write_needs_201
from simulator.client.profiles import decode_profile_2, encode_composite, encode_profile_2
from simulator.client.schemas import find_violation, knows_action
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.composite import Allowance, Step
from simulator.station.messages import DirectNeeds, Needs
from simulator.station.profiles import Kind, Profile, Purpose, SchedulePeriod

BEGIN_S = 1_718_078_400.0
NEW = [Protocol.V201, Protocol.V21]


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Draw profiles that both versions of 2.x have words for."""
    kind = draw(st.sampled_from([Kind.ABSOLUTE, Kind.RELATIVE, Kind.RECURRING]))
    purpose = draw(st.sampled_from([Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX]))
    starts = sorted({0, *draw(st.lists(st.integers(1, 86_000), max_size=8))})
    limits = st.integers(0, 320).map(lambda tenths: tenths / 10)
    whole_s = st.integers(0, 10**6).map(lambda offset: BEGIN_S + offset)
    return Profile(
        id=draw(st.integers(1, 10**6)),
        stack_level=draw(st.integers(0, 9)),
        purpose=purpose,
        kind=kind,
        evse_id=0 if purpose is Purpose.STATION_MAX else draw(st.integers(1, 2)),
        unit=draw(st.sampled_from(["A", "W"])),
        periods=tuple(
            SchedulePeriod(start, limit=draw(limits), phases=draw(st.sampled_from([1, 3])))
            for start in starts
        ),
        start_s=None if kind is Kind.RELATIVE else draw(whole_s),
        duration_s=draw(st.none() | st.integers(1, 86_400)),
        valid_from_s=draw(st.none() | whole_s),
        valid_to_s=draw(st.none() | whole_s),
        transaction_id="tx-1" if purpose is Purpose.TX else None,
        recurrence_s=draw(st.sampled_from([86_400, 7 * 86_400])) if kind is Kind.RECURRING else None,
    )


needs = st.builds(
    Needs,
    energy_kwh=st.floats(-60.0, 120.0),
    min_energy_kwh=st.floats(-60.0, 120.0),
    max_energy_kwh=st.floats(0.0, 120.0),
    departure=st.none() | st.just(datetime(2024, 6, 11, 18, 0, tzinfo=UTC)),
    phases=st.sampled_from([1, 3]),
    min_current_a=st.floats(6.0, 10.0),
    max_current_a=st.floats(10.0, 32.0),
    voltage_v=st.just(230.0),
    max_discharge_kw=st.none() | st.floats(1.0, 22.0),
    min_discharge_kw=st.none() | st.floats(0.0, 1.0),
    target_soc_fraction=st.none() | st.floats(0.0, 1.0),
    direct=st.none()
    | st.builds(
        DirectNeeds,
        max_power_kw=st.floats(0.0, 400.0),
        soc_fraction=st.floats(0.0, 1.0),
        capacity_kwh=st.floats(5.0, 120.0),
        bulk_soc_fraction=st.floats(0.0, 1.0),
    ),
)


@given(profiles(), st.sampled_from(NEW))
def test_written_profile_reads_back_the_same(profile: Profile, protocol: Protocol) -> None:
    written = encode_profile_2(profile)
    payload = {
        "requestId": 1,
        "evseId": profile.evse_id,
        "chargingLimitSource": "CSO",
        "chargingProfile": [written],
    }
    assert find_violation(protocol, "ReportChargingProfiles", payload) is None
    assert decode_profile_2(profile.evse_id, camel_to_snake_case(written)) == profile


@given(needs)
def test_needs_pass_both_schemas(need: Needs) -> None:
    payload = {"evseId": 1, "chargingNeeds": write_needs_201(need)}
    assert find_violation(Protocol.V201, "NotifyEVChargingNeeds", payload) is None
    payload = {"evseId": 1, "chargingNeeds": write_needs_21(need)}
    assert find_violation(Protocol.V21, "NotifyEVChargingNeeds", payload) is None


@given(needs)
def test_needs_are_never_understated(need: Needs) -> None:
    written = write_needs_201(need)
    if need.direct is None:
        said = written["acChargingParameters"]
        assert said["evMaxCurrent"] <= need.max_current_a
    else:
        assert written["requestedEnergyTransfer"] == "DC"
        said = written["dcChargingParameters"]
        assert said["evMaxCurrent"] * said["evMaxVoltage"] <= said["evMaxPower"]
        assert said["evMaxPower"] <= need.direct.max_power_kw * 1000.0
    assert said["energyAmount"] >= need.energy_kwh * 1000.0


@given(needs)
def test_both_ways_is_the_dress_of_21_alone(need: Needs) -> None:
    transfer = write_needs_21(need)["requestedEnergyTransfer"]
    assert transfer.endswith("_BPT") == (need.max_discharge_kw is not None)
    assert transfer.startswith("DC") == (need.direct is not None)


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.floats(0.0, 40.0) | st.just(float("inf"))), min_size=1, max_size=6
    ),
    st.sampled_from(["A", "W"]),
    st.integers(0, 2),
    st.sampled_from(list(Protocol)),
)
def test_composite_on_the_wire_is_legal_and_never_above_the_truth(
    drawn: list[tuple[int, float]], unit: str, evse_id: int, protocol: Protocol
) -> None:
    setup = StationSetup("S", "C", protocol, (EvseSetup(1), EvseSetup(2)))
    steps = [Step(BEGIN_S, Allowance(drawn[0][1]))]
    steps += [Step(BEGIN_S + start, Allowance(current)) for start, current in sorted(dict(drawn[1:]).items())]
    periods = encode_composite(steps, evse_id, unit, setup, BEGIN_S)
    schedule: dict[str, Any] = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods, "duration": 6000}
    if protocol is Protocol.V16:
        payload = {"status": "Accepted", "connectorId": evse_id, "chargingSchedule": schedule}
    else:
        begin = {"scheduleStart": "2024-06-11T04:00:00Z", "evseId": evse_id}
        payload = {"status": "Accepted", "schedule": {**schedule, **begin}}
    assert find_violation(protocol, "GetCompositeSchedule", payload, answer=True) is None
    factor = 690.0 if unit == "W" else 1.0
    sockets = 2 if evse_id == 0 else 1
    for step, period in zip(steps, periods, strict=True):
        assert period["limit"] <= min(step.allowance.current_a, 16.0 * sockets) * factor + 1e-6


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("action", ["", "../x", "Nothing", "BootNotification.json"])
def test_no_file_but_a_message_of_the_standard_is_a_schema(protocol: Protocol, action: str) -> None:
    assert not knows_action(protocol, action)
    assert find_violation(protocol, action, {}) is not None
