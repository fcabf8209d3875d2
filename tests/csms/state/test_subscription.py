"""A slow reader misses the oldest, holds up nobody, and knows how much it missed."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.vocabulary import Heartbeat, HeartbeatAnswer, MeterReport, OcppVersion
from csms.state.events import Event, StationDisconnected
from csms.state.service import StateService
from csms.state.store import open_store
from csms.state.subscription import Subscription
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, register
from tests.csms.state.street import NOW, build_service


def events(count: int) -> list[Event]:
    return [StationDisconnected(f"S{number}", NOW) for number in range(count)]


@given(st.integers(0, 30), st.integers(1, 10))
def test_what_is_missed_is_counted(count: int, capacity: int) -> None:
    subscription = Subscription(lambda _: None, capacity)
    for event in events(count):
        subscription.put(event)
    taken = subscription.take_all()
    assert taken == events(count)[-capacity:]
    assert subscription.missed == count - len(taken)


async def test_iteration_waits_and_ends_when_it_is_closed() -> None:
    subscription = Subscription(lambda _: None)
    read: list[Event] = []

    async def reader() -> None:
        async for event in subscription:
            read.append(event)  # noqa: PERF401 - what came is looked at while it waits

    task = asyncio.create_task(reader())
    first, second = events(2)
    subscription.put(first)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert read == [first]
    subscription.put(second)
    subscription.close()
    await task
    assert read == [first, second]


async def test_who_left_gets_nothing(service: StateService) -> None:
    with service.subscribe() as subscription:
        pass
    await service.connected("OLD-1", OcppVersion.V16)
    assert subscription.take_all() == []


async def test_what_is_recorded_is_published_even_if_the_station_left(database_url: str) -> None:
    store, clock = open_store(database_url), ManualClock(NOW)
    service = build_service(store, clock)
    await service.start()
    transaction_id = await begin_16(service)
    report = MeterReport(1, transaction_id, (register(NOW, 100.1),))
    with service.subscribe() as subscription:
        asking = asyncio.create_task(service.handle("OLD-1", OcppVersion.V16, report))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await service.close()
        assert len(subscription.take_all()) == 1
    assert asking.cancelled()
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.sampled_at == NOW
    await store.close()


async def test_a_heartbeat_does_not_touch_the_disk(service: StateService) -> None:
    await service.store.close()
    assert await service.handle("OLD-1", OcppVersion.V16, Heartbeat()) == HeartbeatAnswer(NOW)
