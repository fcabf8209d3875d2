"""Stop the service in the middle of everything; a new one on the same database knows the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from csms.ocpp.vocabulary import (
    Boot,
    ChargingNeeds,
    ConnectorStatus,
    IdToken,
    MeterReport,
    OcppVersion,
    StatusReport,
    TransactionPhase,
)
from csms.state.records import Booking, Declaration
from csms.state.service import StateService
from csms.state.station_state import StreetState
from csms.state.store import open_store
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from tests.csms.state.said import begin_16, event_2x, exported, minutes, power, register, say, stop_16
from tests.csms.state.street import NOW, build_service

V16, V21 = OcppVersion.V16, OcppVersion.V21


async def live(service: StateService, clock: ManualClock) -> str:
    """Half a morning; returns the transaction that still runs at OLD-1."""
    await service.connected("OLD-1", V16)
    await service.connected("NEW-1", V21)
    await service.handle("OLD-1", V16, Boot("Wijk", "Duo AC"))
    done = await begin_16(service, evse_id=2)
    transaction_id = await begin_16(service)
    await service.handle("OLD-1", V16, StatusReport(1, 1, ConnectorStatus.CHARGING, NOW))
    needs = ChargingNeeds(1, "AC_BPT", energy_kwh=20.0, soc_fraction=0.4, capacity_kwh=52.0)
    await service.handle("NEW-1", V21, needs)
    await say(
        service,
        event_2x(0, phase=TransactionPhase.STARTED, id_token=IdToken("ZOE-TAG"), charging_state="Charging"),
    )
    for count in range(1, 5):
        at = NOW + minutes(5 * count)
        await clock.advance_to(at)
        await say(service, MeterReport(1, transaction_id, (register(at, 100 + count), power(at, 9.0))))
        samples = (register(at, 50.0), exported(at, 10.0 + count / 4), power(at, -3.0))
        await say(service, event_2x(count, at, samples=samples))
        await service.record_reading("transformer", MeterReading(at, 1000.0 + count, 5.0, 60.0))
    await say(service, stop_16(done, NOW + minutes(20), 101.0))
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    declaration = Declaration(NOW + minutes(300), energy_kwh=8.0)
    await service.declare(session.id, replace(declaration, energy_kwh=4.0))
    await service.declare(session.id, declaration)
    await service.book("trip", Booking("ZOE-TAG", NOW + minutes(400), NOW + minutes(500), 30.0))
    await service.disconnected("OLD-1")
    return transaction_id


def after_restart(state: StreetState) -> StreetState:
    """What can be known after a restart: nobody is connected; when stations spoke last is not stored."""
    stations = {key: replace(one, connected=False, seen_at=None) for key, one in state.stations.items()}
    return replace(state, stations=stations)


async def test_nothing_is_lost_in_the_middle_of_sessions(database_url: str, clock: ManualClock) -> None:
    store = open_store(database_url)
    service = build_service(store, clock)
    await service.start()
    transaction_id = await live(service, clock)
    before = service.state
    await service.close()
    await store.close()

    store = open_store(database_url)
    service = build_service(store, clock)
    await service.start()
    assert after_restart(service.state) == after_restart(before)
    assert not any(one.connected for one in service.state.stations.values())
    with service.subscribe() as events:
        await say(service, stop_16(transaction_id, NOW + minutes(21), 105.0))
        assert len(events.take_all()) == 1
    assert service.state.stations["OLD-1"].evses[1].session is None
    await store.close()


async def test_a_second_rebuild_is_the_same(service: StateService, clock: ManualClock) -> None:
    await live(service, clock)
    await service.start()
    once = service.state
    await service.start()
    assert service.state == once


WRITER = """
import asyncio, sys
from datetime import timedelta
from csms.ocpp.vocabulary import MeterReport
from csms.state.store import open_store
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, power, register, say
from tests.csms.state.street import NOW, build_service

async def main() -> None:
    clock = ManualClock(NOW)
    service = build_service(open_store(sys.argv[1]), clock)
    await service.start()
    transactions = {(station, evse): await begin_16(service, evse_id=evse) for station in ("OLD-1",) for evse in (1, 2)}
    async def report(evse: int, count: int) -> None:
        at = NOW + timedelta(seconds=count)
        samples = (register(at, 100 + count / 1000), power(at, 3.6))
        await say(service, MeterReport(evse, transactions["OLD-1", evse], samples))
        sys.stdout.write(f"{evse} {count}\\n")
        sys.stdout.flush()
    for count in range(1, 1_000_000):
        await clock.advance_to(NOW + timedelta(seconds=count))
        await asyncio.gather(report(1, count), report(2, count))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 150])
def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    database = tmp_path / "street.db"
    tree = Path(__file__).resolve().parents[3]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, f"sqlite:///{database}"],
        stdout=subprocess.PIPE,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        text=True,
    )
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(acknowledged)]
    writer.send_signal(signal.SIGKILL)
    lines += writer.stdout.readlines()
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    told = {tuple(map(int, line.split())) for line in lines if line.endswith("\n")}
    assert len(told) >= acknowledged

    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = """SELECT evse_id, station_at FROM meter_value JOIN evse ON evse.key = evse_key"""
        rows = connection.execute(query).fetchall()
    connection.close()
    start_s = NOW.timestamp()
    stored = [(evse, round(at / 1e6 - start_s)) for evse, at in rows]
    assert told <= set(stored)
    assert len(stored) == len(set(stored))
