"""The folds, as properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus, Measurand, OcppVersion, Sample
from csms.state.events import (
    BookingMade,
    ChargingStateChanged,
    Event,
    MeterRead,
    NeedsReported,
    SamplesRecorded,
    SessionDeclared,
    SessionEnded,
    SessionStarted,
    StationBooted,
    StationConnected,
    StationDisconnected,
    StatusChanged,
)
from csms.state.station_state import SessionState, StreetState, fold
from tests.csms.state.said import exported, minutes, power, register
from tests.csms.state.street import NOW

stations = st.sampled_from(["A", "B"])
evse_ids = st.integers(1, 2)
session_ids = st.sampled_from(["s1", "s2", "s3"])
instants = st.integers(0, 600).map(lambda count: NOW + minutes(count))
amounts = st.floats(0, 1000)
samples = st.lists(
    st.builds(
        Sample,
        instants,
        st.sampled_from([str(one) for one in Measurand]),
        amounts,
        st.just(""),
        st.sampled_from([None, "L1", "L2-N", "L3", "N"]),
        st.sampled_from([None, "Outlet", "EV", "Inlet"]),
    ),
    max_size=4,
).map(tuple)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(StationConnected, stations, st.sampled_from(OcppVersion), instants),
    st.builds(StationDisconnected, stations, instants),
    st.builds(StationBooted, stations, instants, st.just("v"), st.just("m")),
    st.builds(
        StatusChanged, stations, st.integers(0, 2), st.just(1), st.sampled_from(ConnectorStatus), instants
    ),
    st.builds(
        SessionStarted,
        stations,
        evse_ids,
        session_ids,
        st.just("t"),
        st.none(),
        instants,
        st.none() | amounts,
    ),
    st.builds(SamplesRecorded, stations, evse_ids, st.none() | session_ids, samples, instants),
    st.builds(ChargingStateChanged, stations, evse_ids, session_ids, st.just("Charging"), instants),
    st.builds(SessionEnded, stations, evse_ids, session_ids, instants, st.none() | amounts),
    st.builds(
        NeedsReported,
        stations,
        evse_ids,
        st.none() | session_ids,
        st.builds(ChargingNeeds, evse_ids, st.just("AC_BPT")),
        instants,
    ),
    st.builds(SessionDeclared, session_ids, instants, instants, amounts),
    st.builds(BookingMade, session_ids, st.just("tag"), instants, instants, amounts, instants),
    st.builds(MeterRead, st.just("m"), instants, amounts, amounts, amounts),
)


def place_of(event: Event) -> tuple[str, int] | None:
    evse_id = getattr(event, "evse_id", None)
    return None if evse_id is None else (event.station_id, evse_id)  # type: ignore[union-attr]


@given(st.lists(events, max_size=25))
def test_states_stay_sound_whatever_happens(happened: list[Event]) -> None:
    state = StreetState()
    for event in happened:
        before = state
        state = fold(state, event)
        for key, station in state.stations.items():
            assert station.station_id == key
            assert 0 not in station.evses
            for number, evse in station.evses.items():
                assert evse.evse_id == number
                if evse.session is not None:
                    check_session(evse.session)
        if (place := place_of(event)) is not None:
            for key, station in before.stations.items():
                others = {n: e for n, e in station.evses.items() if (key, n) != place}
                assert all(state.stations[key].evses[n] is e for n, e in others.items())


def check_session(session: SessionState) -> None:
    assert session.imported_kwh >= -1e-9
    assert session.exported_kwh >= -1e-9
    assert session.soc_fraction is None or 0 <= session.soc_fraction <= 1
    assert set(session.phase_currents_a) <= {"L1", "L2", "L3"}


@given(st.lists(events, max_size=15), events)
def test_a_fold_changes_no_earlier_state(happened: list[Event], last: Event) -> None:
    state = reduce(fold, happened, StreetState())
    copy = replace(state, stations=dict(state.stations))
    fold(state, last)
    assert state == copy


@given(st.lists(events, max_size=15), st.sampled_from(ConnectorStatus), instants)
def test_the_last_status_counts(happened: list[Event], status: ConnectorStatus, at: datetime) -> None:
    state = reduce(fold, [*happened, StatusChanged("A", 1, 1, status, at)], StreetState())
    assert state.stations["A"].evses[1].status is status


def started(**more: object) -> SessionStarted:
    event = SessionStarted("A", 1, "s1", "t", None, NOW, 100.0, 11.0)
    return replace(event, **more)  # type: ignore[arg-type]


def after(*happened: Event) -> SessionState:
    session = reduce(fold, happened, StreetState()).stations["A"].evses[1].session
    assert session is not None
    return session


def sampled(at_minutes: float, *more: Sample, late: float = 0.0) -> SamplesRecorded:
    return SamplesRecorded("A", 1, "s1", more, NOW + minutes(at_minutes + late))


@given(rises=st.lists(st.floats(0, 0.9), min_size=1, max_size=20), order=st.randoms())
def test_energy_is_the_difference_of_registers_in_any_order(rises: list[float], order: Random) -> None:
    value, told = 100.0, []
    for index, rise in enumerate(rises, 1):
        value += rise
        told.append(sampled(5 * index, register(NOW + minutes(5 * index), value)))
    order.shuffle(told)
    assert after(started(), *told).imported_kwh == pytest.approx(value - 100.0)


@given(st.lists(st.floats(0, 0.9), min_size=3, max_size=12), st.floats(0, 1e6), st.data())
def test_one_wrong_register_makes_no_energy(rises: list[float], wrong: float, data: st.DataObject) -> None:
    values = [100.0 + sum(rises[:count]) for count in range(1, len(rises) + 1)]
    right = [sampled(5 * i, register(NOW + minutes(5 * i), value)) for i, value in enumerate(values, 1)]
    at = data.draw(st.integers(0, len(right) - 2))
    broken = [*right]
    broken[at] = sampled(5 * (at + 1), register(NOW + minutes(5 * (at + 1)), wrong))
    energy = after(started(), *broken).imported_kwh
    bound = sum(rises) + 2 * (2 * 11.0 * 10 / 60 + 0.25)
    assert -1e-9 <= energy <= bound


def test_a_sample_that_waited_says_nothing_about_now() -> None:
    at = NOW + minutes(5)
    session = after(started(), sampled(5, register(at, 100.5), power(at, 9.0), late=16))
    assert (session.imported_kwh, session.power_kw, session.sampled_at) == (0.5, 0.0, None)


def test_an_older_sample_does_not_replace_a_newer_one() -> None:
    session = after(
        started(),
        sampled(10, power(NOW + minutes(10), 7.0)),
        sampled(5, power(NOW + minutes(5), 3.0), late=5),
    )
    assert session.power_kw == 7.0


def test_power_comes_from_registers_when_nothing_else_tells() -> None:
    session = after(started(), sampled(6, register(NOW + minutes(6), 101.0)))
    assert session.power_kw == pytest.approx(10.0)


def test_discharging_is_negative_power_however_it_is_said() -> None:
    at = NOW + minutes(1)
    as_export = Sample(at, Measurand.POWER_EXPORT, 4.0, "kW")
    assert after(started(), sampled(1, as_export)).power_kw == -4.0
    assert after(started(), sampled(1, power(at, -4.0))).power_kw == -4.0
    assert after(started(), sampled(1, power(at, -4.0), as_export)).power_kw == -4.0
    assert after(started(), sampled(1, power(at, 0.0), as_export)).power_kw == -4.0
    currents = [Sample(at, Measurand.CURRENT_EXPORT, 10.0, "A", phase) for phase in ("L1", "L2", "L3")]
    session = after(started(), sampled(1, *currents))
    assert session.phase_currents_a == {"L1": -10.0, "L2": -10.0, "L3": -10.0}
    assert session.power_kw == pytest.approx(-6.9)


def test_phases_are_not_counted_twice() -> None:
    at = NOW + minutes(1)
    phases = [Sample(at, Measurand.POWER_IMPORT, 2.0, "kW", phase) for phase in ("L1", "L2", "L3")]
    assert after(started(), sampled(1, *phases)).power_kw == 6.0
    assert after(started(), sampled(1, *phases, power(at, 6.1))).power_kw == 6.1
    lines = [
        Sample(at, Measurand.VOLTAGE, 400.0, "V", "L1-L2"),
        Sample(at, Measurand.VOLTAGE, 231.0, "V", "L1"),
    ]
    assert after(started(), sampled(1, *lines)).voltage_v == 231.0


def test_export_counts_apart() -> None:
    first, second = NOW + minutes(5), NOW + minutes(10)
    session = after(started(), sampled(5, exported(first, 7.0)), sampled(10, exported(second, 7.5)))
    assert (session.export_start_kwh, session.exported_kwh, session.imported_kwh) == (7.0, 0.5, 0.0)


def test_a_start_that_comes_late_counts_from_its_register() -> None:
    unknown = started(at=NOW + minutes(5), meter_start_kwh=None)
    sample = sampled(5, register(NOW + minutes(5), 100.5))
    session = after(unknown, sample, started())
    assert (session.started_at, session.imported_kwh, session.meter_start_kwh) == (NOW, 0.5, 100.0)


def test_bookings_are_forgotten_a_day_after_they_end() -> None:
    old = BookingMade("old", "tag", NOW, NOW + minutes(60), 1.0, NOW)
    later = NOW + minutes(60) + timedelta(days=1)
    new = BookingMade("new", "tag", later + minutes(5), later + minutes(60), 1.0, later)
    assert set(reduce(fold, [old, new], StreetState()).bookings) == {"new"}
