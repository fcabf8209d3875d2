"""The writer forgets what was rolled back; what it remembers is what stands in the rows."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest
from sqlmodel import Session

from csms.ocpp.vocabulary import MeterReport, OcppVersion
from csms.state.memory import Memory, memory_of
from csms.state.queries import list_samples, list_sessions
from csms.state.session_rows import change, find_session
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, minutes, register
from tests.csms.state.street import NOW, build_service


def fail(_: Session) -> None:
    raise ValueError("mine")


async def test_a_group_that_fails_takes_nothing_along_that_others_build_on(database_url: str) -> None:
    """The first message with a new shape of samples is in a group with a work that fails."""
    store, clock = open_store(database_url), ManualClock(NOW + minutes(5))
    service = build_service(store, clock)
    await service.start()
    transaction_id = await begin_16(service)
    gate = threading.Event()
    blocking = asyncio.create_task(store.write(lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    samples = (register(NOW + minutes(5), 100.5, location="Outlet"),)
    report = MeterReport(1, transaction_id, samples)
    reporting = asyncio.create_task(service.handle("OLD-1", OcppVersion.V16, report))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    failing = asyncio.create_task(store.write(fail))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(blocking, reporting)
    with pytest.raises(ValueError, match="mine"):
        await failing
    (session,) = await store.read(list_sessions)
    assert session.imported_kwh == 0.5
    assert tuple(await store.read(partial(list_samples, session_id=session.id))) == samples
    await store.close()


async def test_a_change_is_seen_by_who_asks_next(store: Store, clock: ManualClock) -> None:
    service = build_service(store, clock)
    await service.start()
    transaction_id = await begin_16(service)

    def work(session: Session) -> tuple[str | None, str | None]:
        before = find_session(session, "OLD-1", transaction_id)
        assert before is not None
        change(session, before.number, charging_state="Charging")
        after = find_session(session, "OLD-1", transaction_id)
        assert after is not None
        return before.charging_state, after.charging_state

    assert await store.write(work) == (None, "Charging")


async def test_who_only_reads_remembers_nothing(store: Store) -> None:
    def work(session: Session) -> Memory:
        memory_of(session).shapes.add(1)
        return memory_of(session)

    first, second = await store.read(work), await store.read(memory_of)
    assert first.shapes == {1}
    assert second.shapes == set()
    written = await store.write(memory_of)
    assert await store.write(memory_of) is written
