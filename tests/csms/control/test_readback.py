"""After a restart nothing is sent before a station said what it holds; what it says is held against orders."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from csms.control.ledger import EvseKey, Ledger
from csms.control.loop import ControlLoop
from csms.control.readback import ReadBack
from csms.ocpp.vocabulary import (
    Accepted,
    Boot,
    Command,
    CompositeSchedule,
    Failed,
    GetComposite,
    IdToken,
    OcppVersion,
    Outcome,
    Period,
    Priority,
    RateUnit,
    SetProfile,
    TransactionPhase,
    TransactionReport,
)
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from optimizer.workers import InlineExecutor
from wijkstroom.running import build_catalogue
from wijkstroom.street import load_street

MORNING = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
STATION, KEY = "LMB-01", EvseKey("LMB-01", 1)
STREET = load_street()


@dataclass
class Pole:
    """Says what it is let say, and takes every profile."""

    clock: ManualClock
    limits_a: list[float] = field(default_factory=lambda: [16.0])
    unable: bool = False
    told: list[Command] = field(default_factory=list)

    async def call(
        self, station_id: str, command: Command, *, priority: Priority = Priority.CONTROL
    ) -> Outcome:
        del station_id, priority
        self.told.append(command)
        if not isinstance(command, GetComposite):
            return Accepted({})
        if self.unable:
            return Failed("NotImplemented", "")
        limit = self.limits_a.pop(0) if len(self.limits_a) > 1 else self.limits_a[0]
        periods = (Period(0, limit=limit),)
        return Accepted(
            {}, CompositeSchedule(1, self.clock.now(), RateUnit.AMPERE, periods, command.duration_s)
        )

    def kinds(self) -> list[type[Command]]:
        return [type(each) for each in self.told]


@asynccontextmanager
async def serving(
    store: Store, clock: ManualClock, pole: Pole
) -> AsyncIterator[tuple[StateService, ControlLoop]]:
    numbers = itertools.count(1)
    service = StateService(store, clock, build_catalogue(STREET), new_id=lambda: f"id-{next(numbers)}")
    await service.start()
    loop = ControlLoop(
        service, pole.call, InlineExecutor(), clock, STREET.grid, new_id=lambda: f"p{clock.now():%H%M%S%f}"
    )
    running = asyncio.create_task(loop.run())
    await clock.advance(0)
    try:
        yield service, loop
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("unable", [False, True])
async def test_a_restarted_service_asks_before_it_sends_anything(unable: bool) -> None:
    clock, store = ManualClock(MORNING), open_store("sqlite://", inline=True)
    async with serving(store, clock, Pole(clock)) as (service, _):
        await service.connected(STATION, OcppVersion.V16)
        await service.handle(STATION, OcppVersion.V16, Boot("Wijk", "Duo AC"))
        await service.handle(
            STATION,
            OcppVersion.V16,
            TransactionReport(
                TransactionPhase.STARTED, MORNING, None, evse_id=1, id_token=IdToken("A"), meter_start_kwh=1.0
            ),
        )
    pole = Pole(clock, [9.0], unable)
    async with serving(store, clock, pole) as (service, loop):
        await service.connected(STATION, OcppVersion.V16)
        hardware_kw = 16.0 * 0.69
        assert loop.safety.find_headroom().worst[KEY].import_kw[0] == pytest.approx(hardware_kw)
        await clock.advance(19)
        assert pole.told == []
        await clock.advance(2)
        assert pole.kinds()[0] is GetComposite
        held_kw = hardware_kw if unable else 9.0 * 0.69
        assert loop.safety.find_headroom().worst[KEY].import_kw[0] == pytest.approx(held_kw)
        await clock.advance(60)
        assert SetProfile in pole.kinds(), "then it is told"
    await store.close()


async def test_a_station_that_says_more_is_told_again_and_counts_with_its_hardware() -> None:
    clock, store = ManualClock(MORNING), open_store("sqlite://", inline=True)
    service = StateService(store, clock, build_catalogue(STREET), new_id=lambda: "x")
    await service.start()
    ledger = Ledger({EvseKey(STATION, number): 11.04 for number in (1, 2)})
    pole = Pole(clock, [6.0, 16.0, 16.0])
    readback = ReadBack(service, pole.call, clock, ledger)
    assert await readback.verify(STATION) is False
    assert pole.told == [], "nobody knows what it should hold"
    for number in (1, 2):
        ledger.guard(EvseKey(STATION, number), 4.14)
    assert await readback.verify(STATION) is True
    assert ledger.mismatched == {EvseKey(STATION, 2)}
    sent = [each.evse_id for each in pole.told if isinstance(each, SetProfile)]
    assert sent == [2, 0], "its fallback and its ceiling"
    pole.limits_a = [6.0]
    assert await readback.verify(STATION) is True
    assert ledger.mismatched == set()
    pole.unable = True
    asked = pole.kinds().count(GetComposite)
    assert await readback.verify(STATION) is False
    assert pole.kinds().count(GetComposite) == asked + 1, "who cannot say is asked once"
    await store.close()
