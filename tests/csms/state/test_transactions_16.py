"""Transactions of OCPP 1.6: our ids, replays, orphans, strangers (E03 to E08, E17 of the reference)."""

from __future__ import annotations

from functools import partial

import pytest

from csms.ocpp.vocabulary import AuthorizationStatus, MeterReport, TransactionAnswer
from csms.state.events import SamplesRecorded, SessionEnded, SessionStarted
from csms.state.models import NoticeKind
from csms.state.queries import list_notices, list_samples, list_sessions
from csms.state.service import StateService
from grid.clock import ManualClock
from tests.csms.state.said import TAG, begin_16, minutes, power, register, say, start_16, stop_16
from tests.csms.state.street import NOW


async def test_a_start_makes_a_session(service: StateService) -> None:
    with service.subscribe() as events:
        answer = await say(service, start_16())
        assert answer is not None
        assert answer.token_status is AuthorizationStatus.ACCEPTED
        assert 0 < int(answer.transaction_id) < 2**31
        (started,) = events.take_all()
    assert isinstance(started, SessionStarted)
    assert (started.station_id, started.evse_id, started.token) == ("OLD-1", 1, TAG.value)
    assert started.transaction_id == answer.transaction_id
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert (session.id, session.meter_start_kwh) == (started.session_id, 100.0)


async def test_the_same_start_gets_the_same_answer_and_no_second_session(service: StateService) -> None:
    first = await say(service, start_16())
    with service.subscribe() as events:
        assert await say(service, start_16()) == first
        assert events.take_all() == []
    assert len(await service.store.read(list_sessions)) == 1


async def test_equal_starts_of_two_stations_are_two_sessions(service: StateService) -> None:
    first, second = await say(service, start_16()), await say(service, start_16(), "OLD-2")
    assert first is not None
    assert second is not None
    assert first.transaction_id != second.transaction_id


async def test_samples_reach_the_session(service: StateService, clock: ManualClock) -> None:
    transaction_id = await begin_16(service)
    at = NOW + minutes(5)
    samples = (register(at, 100.5), power(at, 6.0))
    with service.subscribe() as events:
        await say(service, MeterReport(1, transaction_id, samples), clock=clock)
        (recorded,) = events.take_all()
        assert isinstance(recorded, SamplesRecorded)
        await say(service, MeterReport(1, transaction_id, samples), clock=clock)
        assert events.take_all() == []
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert (session.imported_kwh, session.power_kw, session.sampled_at) == (0.5, 6.0, at)


async def test_values_without_a_transaction_belong_to_the_one_that_runs(
    service: StateService, clock: ManualClock
) -> None:
    await begin_16(service)
    await say(service, MeterReport(1, None, (register(NOW + minutes(5), 101.0),)), clock=clock)
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.imported_kwh == 1.0


async def test_a_stop_ends_it_and_a_second_stop_changes_nothing(
    service: StateService, clock: ManualClock
) -> None:
    transaction_id = await begin_16(service)
    stop = stop_16(transaction_id, NOW + minutes(60), 107.0)
    with service.subscribe() as events:
        first = await say(service, stop, clock=clock)
        assert first == TransactionAnswer(transaction_id)
        (ended,) = events.take_all()
        assert isinstance(ended, SessionEnded)
        assert ended.meter_stop_kwh == 107.0
        assert await say(service, stop_16(transaction_id, NOW + minutes(90), 999.0), clock=clock) == first
        assert events.take_all() == []
    (stored,) = await service.store.read(list_sessions)
    assert (stored.ended_at, stored.meter_stop_kwh, stored.imported_kwh) == (NOW + minutes(60), 107.0, 7.0)
    assert service.state.stations["OLD-1"].evses[1].session is None


async def test_a_stop_of_nothing_is_answered_and_noticed(service: StateService) -> None:
    assert await say(service, stop_16("4711", NOW, 12.0)) == TransactionAnswer("4711")
    (notice,) = await service.store.read(list_notices)
    assert notice.kind == NoticeKind.UNKNOWN_TRANSACTION
    assert "12.0 kWh" in notice.detail


async def test_nobody_ends_the_session_of_another_station(service: StateService) -> None:
    transaction_id = await begin_16(service)
    with service.subscribe() as events:
        await say(service, stop_16(transaction_id, NOW, 12.0), "OLD-2")
        assert events.take_all() == []
    (notice,) = await service.store.read(list_notices)
    assert (notice.station_id, notice.kind) == ("OLD-2", NoticeKind.FOREIGN_TRANSACTION)
    assert service.state.stations["OLD-1"].evses[1].session is not None


async def test_a_new_session_ends_the_one_that_still_runs(service: StateService, clock: ManualClock) -> None:
    first = await begin_16(service)
    await say(service, MeterReport(1, first, (register(NOW + minutes(30), 103.0),)), clock=clock)
    await clock.advance_to(NOW + minutes(60))
    with service.subscribe() as events:
        await say(service, start_16(NOW + minutes(60), kwh=104.0))
        ended, started = events.take_all()
    assert isinstance(ended, SessionEnded)
    assert isinstance(started, SessionStarted)
    assert ended.at == NOW + minutes(60)
    newer, older = await service.store.read(list_sessions)
    assert (older.end_presumed, older.ended_at, older.imported_kwh) == (True, NOW + minutes(60), 3.0)
    assert newer.ended_at is None
    await say(service, stop_16(first, NOW + minutes(59), 104.0))
    _, older = await service.store.read(list_sessions)
    assert (older.end_presumed, older.ended_at, older.imported_kwh) == (False, NOW + minutes(59), 4.0)
    running = service.state.stations["OLD-1"].evses[1].session
    assert running is not None
    assert running.id == newer.id


async def test_a_session_of_yesterday_never_replaces_the_one_that_runs(service: StateService) -> None:
    await begin_16(service)
    with service.subscribe() as events:
        await say(service, start_16(NOW - minutes(300), kwh=90.0))
        assert events.take_all() == []
    yesterday, running = await service.store.read(list_sessions)
    assert (yesterday.ended_at, yesterday.end_presumed) == (NOW, True)
    assert running.ended_at is None


async def test_tags_compare_without_case(service: StateService) -> None:
    vehicle = service.catalogue.vehicle_of("zoe-tag")
    assert vehicle is not None
    assert vehicle.id == "zoe-1"


async def test_a_start_with_a_wrong_clock_begins_now(service: StateService, clock: ManualClock) -> None:
    await begin_16(service, at=NOW.replace(year=2099))
    await begin_16(service, at=NOW.replace(year=1970), evse_id=2)
    sessions = await service.store.read(list_sessions)
    assert [one.started_at for one in sessions] == [NOW, NOW]


async def test_values_of_a_transaction_belong_to_its_evse_whatever_they_name(
    service: StateService, clock: ManualClock
) -> None:
    transaction_id = await begin_16(service)
    await say(service, MeterReport(2, transaction_id, (register(NOW + minutes(5), 100.5),)), clock=clock)
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.imported_kwh == 0.5


@pytest.mark.parametrize(
    ("registers", "kinds", "imported_kwh"),
    [
        ([100.5, 101.0], [], 1.0),
        ([100.5, 0.0, 0.5], [NoticeKind.REGISTER_DECREASED], 1.0),
        ([100.5, 9999.0, 101.5], [NoticeKind.REGISTER_DECREASED, NoticeKind.REGISTER_TOO_FAST], 0.5),
    ],
)
async def test_registers_without_sense_are_kept_and_noticed(
    service: StateService,
    clock: ManualClock,
    registers: list[float],
    kinds: list[NoticeKind],
    imported_kwh: float,
) -> None:
    transaction_id = await begin_16(service)
    for count, kwh in enumerate(registers, 1):
        report = MeterReport(1, transaction_id, (register(NOW + minutes(5 * count), kwh),))
        await say(service, report, clock=clock)
    assert sorted(one.kind for one in await service.store.read(list_notices)) == kinds
    (stored,) = await service.store.read(list_sessions)
    samples = await service.store.read(partial(list_samples, session_id=stored.id))
    assert [sample.value for sample in samples] == registers
    assert stored.imported_kwh == imported_kwh
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.imported_kwh == imported_kwh
