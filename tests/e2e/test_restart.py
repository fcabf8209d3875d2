"""The service stops in the middle of sessions and comes back: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session, select

from csms.state.models import NoticeKind, NoticeRow, TransactionEventRow
from csms.state.queries import StoredSession, list_sessions
from csms.state.store import Store
from grid.clock import ScaledClock
from optimizer.workers import Executor
from simulator.client.transport import Transport, connect_websocket
from simulator.fleet.sessions import Session as SimulatedSession
from simulator.result import SessionOutcome
from simulator.setup import StationSetup
from wijkstroom.running import (
    RunOptions,
    central_system,
    find_meters,
    new_ids,
    ocpp_url,
    opened_store,
    paced_by_meters,
    simulated_street,
    solving,
)
from wijkstroom.scene import Scene
from wijkstroom.street import Street

RESOLUTION_KWH = 0.002
DOWN = timedelta(minutes=20)
# Nothing holds time between a station's attempts to come back: faster, and the machine's delays are hours.
SPEED = 900.0
# A boot notification that the scaled clock overtook is not what this test is about.
HARMLESS = {NoticeKind.CLOCK_OFF}


class Line:
    """The way to the service, as long as there is one."""

    def __init__(self) -> None:
        self.url: str | None = None

    async def connect(self, setup: StationSetup) -> Transport:
        if self.url is None:
            raise ConnectionRefusedError("nobody listens")
        return await connect_websocket(self.url)(setup)


@dataclass(frozen=True)
class Stage:
    """What stays when the service goes."""

    scene: Scene
    street: Street
    clock: ScaledClock
    executor: Executor
    line: Line
    database: str

    @asynccontextmanager
    async def serving(self, seed: int) -> AsyncIterator[Store]:
        """Serve the street for the block; time waits until both ports accept."""
        async with AsyncExitStack() as stack:
            with self.clock.hold(0.0):
                store = await stack.enter_async_context(opened_store(self.database))
                new_id = new_ids(seed)
                central = await stack.enter_async_context(
                    central_system(
                        self.street, store, self.clock, self.executor, new_id(), new_id, RunOptions()
                    )
                )
                self.line.url = ocpp_url(central)
                await stack.enter_async_context(paced_by_meters(central, self.clock))
            yield store
            self.line.url = None


@pytest.mark.slow
@pytest.mark.parametrize("model", ["public-duo-16", "public-duo-201", "bidirectional-duo-21"])
async def test_a_restart_in_the_middle_of_sessions_loses_nothing(
    scene_of: Callable[..., Scene], tmp_path: Path, model: str
) -> None:
    scene = scene_of(model, 3, 5.0)
    clock, line = ScaledClock(scene.start, math.inf), Line()
    stop_at = scene.start + timedelta(hours=3)
    with solving() as executor:
        async with simulated_street(scene, clock, line.connect) as simulated, clock.running():
            clock.speed = SPEED
            street = find_meters(scene.street, simulated)
            stage = Stage(scene, street, clock, executor, line, f"sqlite:///{tmp_path}/street.db")
            async with stage.serving(1) as store:
                await clock.sleep_until(stop_at)
                before = {one.id: one for one in await read_sessions(store) if one.ended_at is None}
            await clock.sleep_until(stop_at + DOWN)
            async with stage.serving(2) as store:
                record = await simulated.run_to_end()
                stored = await read_sessions(store)
                sequences = await store.read(read_sequences)
                notices = await store.read(read_notices)

    assert before, "sessions ran when the service stopped"
    after = {one.id: one for one in stored}
    assert set(before) <= set(after), "a session keeps its name"
    assert all(after[one.id].transaction_id == one.transaction_id for one in before.values())
    assert_each_session_once(scene, record.outcomes, stored)
    assert not {kind for kind, count in notices.items() if count} - HARMLESS, notices
    if model != "public-duo-16":
        assert len(sequences) == len(stored)
    for numbers in sequences.values():
        assert numbers == list(range(len(numbers))), "every event of a transaction, in order, once"


def assert_each_session_once(
    scene: Scene, outcomes: Sequence[SessionOutcome], stored: Sequence[StoredSession]
) -> None:
    """Compare socket by socket, in order of time."""
    by_id = {one.id: one for one in scene.fleet.sessions}
    true = sorted(outcomes, key=lambda one: key_of(by_id[one.session_id]))
    own = sorted(stored, key=lambda one: (one.station_id, one.evse_id or 0, one.started_at))
    assert [socket_of(one) for one in own] == [socket_of(by_id[one.session_id]) for one in true]
    for outcome, session in zip(true, own, strict=True):
        assert (session.ended_at is not None) == outcome.ended
        if outcome.ended:
            assert session.imported_kwh == pytest.approx(outcome.import_kwh, abs=RESOLUTION_KWH)
            assert session.exported_kwh == pytest.approx(outcome.export_kwh, abs=RESOLUTION_KWH)


def socket_of(one: StoredSession | SimulatedSession) -> tuple[str, int | None]:
    return one.station_id, one.evse_id


def key_of(session: SimulatedSession) -> tuple[str, int, datetime]:
    return session.station_id, session.evse_id, session.arrival


async def read_sessions(store: Store) -> list[StoredSession]:
    return await store.read(partial(list_sessions, limit=1000))


def read_sequences(session: Session) -> dict[int, list[int]]:
    numbers: dict[int, list[int]] = defaultdict(list)
    query = select(TransactionEventRow.session_number, TransactionEventRow.seq_no)
    for number, sequence in session.exec(query.order_by("session_number", "seq_no")):
        numbers[number].append(sequence)
    return numbers


def read_notices(session: Session) -> dict[str, int]:
    return {row.kind: row.count for row in session.exec(select(NoticeRow))}
