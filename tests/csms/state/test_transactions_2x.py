"""Transactions of OCPP 2.x: numbered events in any order, twice, late (E09 to E14 of the reference)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csms.ocpp.vocabulary import AuthorizationStatus, IdToken, TransactionPhase, TransactionReport
from csms.state.events import ChargingStateChanged, SamplesRecorded, SessionEnded, SessionStarted
from csms.state.models import NoticeKind
from csms.state.queries import list_notices, list_sessions
from csms.state.service import StateService
from grid.clock import ManualClock
from tests.csms.state.said import event_2x, minutes, power, register, say
from tests.csms.state.street import NOW, build_service, quick_store

STARTED, UPDATED, ENDED = TransactionPhase.STARTED, TransactionPhase.UPDATED, TransactionPhase.ENDED


def story() -> list[TransactionReport]:
    """A session of an hour: 0.0 to 7.0 kWh."""
    begin = register(NOW, 50.0, context="Transaction.Begin")
    end = NOW + minutes(60)
    return [
        event_2x(0, phase=STARTED, id_token=IdToken("ANNA"), samples=(begin,), meter_start_kwh=50.0),
        event_2x(1, NOW + minutes(1), charging_state="Charging"),
        event_2x(2, NOW + minutes(20), samples=(register(NOW + minutes(20), 52.0),)),
        event_2x(3, NOW + minutes(40), samples=(register(NOW + minutes(40), 55.0),)),
        event_2x(
            4,
            end,
            phase=ENDED,
            samples=(register(end, 57.0, context="Transaction.End"),),
            meter_stop_kwh=57.0,
        ),
    ]


async def test_a_session_from_start_to_end(service: StateService, clock: ManualClock) -> None:
    with service.subscribe() as events:
        for report in story():
            await clock.advance_to(report.timestamp)
            answer = await say(service, report)
            assert answer is not None
        kinds = [type(event) for event in events.take_all()]
    assert kinds == [
        SessionStarted,
        SamplesRecorded,
        ChargingStateChanged,
        SamplesRecorded,
        SamplesRecorded,
        SamplesRecorded,
        SessionEnded,
    ]
    (stored,) = await service.store.read(list_sessions)
    assert (stored.imported_kwh, stored.meter_start_kwh, stored.meter_stop_kwh) == (7.0, 50.0, 57.0)
    assert (stored.transaction_id, stored.token, stored.evse_id) == ("tx-1", "ANNA", 1)
    assert await service.store.read(list_notices) == []


async def test_a_replay_gets_the_same_answer_and_is_not_published(service: StateService) -> None:
    start = story()[0]
    first = await say(service, start)
    assert first is not None
    assert first.token_status is AuthorizationStatus.ACCEPTED
    with service.subscribe() as events:
        assert await say(service, start) == first
        assert events.take_all() == []


@given(order=st.permutations(range(5)), repeats=st.lists(st.integers(0, 4), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_order_with_repeats_stores_the_same_session(order: list[int], repeats: list[int]) -> None:
    store = quick_store()
    clock = ManualClock(NOW + minutes(61))
    service = build_service(store, clock)
    await service.start()
    reports = story()
    for index in itertools.chain(order, repeats):
        await say(service, _late(reports[index]))
    (stored,) = await store.read(list_sessions)
    assert stored.imported_kwh == pytest.approx(7.0)
    assert (stored.started_at, stored.ended_at) == (NOW, NOW + minutes(60))
    assert (stored.meter_start_kwh, stored.token) == (50.0, "ANNA")
    assert await store.read(list_notices) == []
    assert service.state.stations["NEW-1"].evses[1].session is None
    await store.close()


def _late(report: TransactionReport) -> TransactionReport:
    return TransactionReport(
        **{name: getattr(report, name) for name in report.__slots__ if name != "offline"}, offline=True
    )


async def test_a_missing_number_is_noticed_until_it_comes(service: StateService, clock: ManualClock) -> None:
    await clock.advance_to(NOW + minutes(61))
    reports = [_late(report) for report in story()]
    for index in (0, 1, 3, 4):
        await say(service, reports[index])
    (notice,) = await service.store.read(list_notices)
    assert notice.kind == NoticeKind.SEQUENCE_GAP
    await say(service, reports[2])
    assert await service.store.read(list_notices) == []


async def test_a_number_that_names_two_events_loses_neither(
    service: StateService, clock: ManualClock
) -> None:
    start, *_ = story()
    await say(service, start)
    await clock.advance_to(NOW + minutes(5))
    at = NOW + minutes(5)
    await say(service, event_2x(0, at, samples=(register(at, 50.5),)))
    (stored,) = await service.store.read(list_sessions)
    assert stored.imported_kwh == 0.5
    assert [one.kind for one in await service.store.read(list_notices)] == [NoticeKind.SEQUENCE_REUSED]


async def test_a_session_gets_its_evse_when_the_station_says_it(service: StateService) -> None:
    with service.subscribe() as events:
        await say(service, event_2x(0, phase=STARTED, evse_id=None, id_token=IdToken("ANNA")))
        assert events.take_all() == []
        await say(service, event_2x(1, evse_id=2))
        (started,) = events.take_all()
    assert isinstance(started, SessionStarted)
    assert (started.evse_id, started.token) == (2, "ANNA")


async def test_a_token_that_comes_late_is_told(service: StateService) -> None:
    await say(service, event_2x(0, phase=STARTED))
    with service.subscribe() as events:
        await say(service, event_2x(1, id_token=IdToken("ANNA")))
        (refined,) = events.take_all()
    assert isinstance(refined, SessionStarted)
    assert refined.token == "ANNA"
    session = service.state.stations["NEW-1"].evses[1].session
    assert session is not None
    assert session.token == "ANNA"


async def test_what_comes_days_late_is_kept_but_says_nothing_about_now(
    service: StateService, clock: ManualClock
) -> None:
    await say(service, story()[0])
    await clock.advance_to(NOW + minutes(3 * 24 * 60))
    at = NOW + minutes(10)
    late = event_2x(1, at, offline=True, samples=(register(at, 51.0), power(at, 9.0)))
    await say(service, late)
    session = service.state.stations["NEW-1"].evses[1].session
    assert session is not None
    assert (session.imported_kwh, session.power_kw, session.sampled_at) == (1.0, 0.0, NOW)


async def test_a_clock_two_hours_behind_is_noticed_and_ours_counts(service: StateService) -> None:
    at = NOW - minutes(120)
    await say(service, event_2x(0, at, STARTED, samples=(register(at, 50.0), power(at, 9.0))))
    session = service.state.stations["NEW-1"].evses[1].session
    assert session is not None
    assert (session.started_at, session.sampled_at, session.power_kw) == (NOW, NOW, 9.0)
    assert [one.kind for one in await service.store.read(list_notices)] == [NoticeKind.CLOCK_OFF]
