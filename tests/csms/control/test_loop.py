"""The loop on a virtual clock: what stations say goes in, what they are told comes out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from csms.control.dispatch import Dispatched
from csms.control.fleet import FleetSwitch
from csms.control.ledger import EvseKey, Order
from csms.control.loop import ControlLoop
from csms.ocpp.vocabulary import (
    Accepted,
    Boot,
    Command,
    IdToken,
    MeterReport,
    OcppVersion,
    Outcome,
    Priority,
    ProfilePurpose,
    Sample,
    SetProfile,
    TimedOut,
    TransactionPhase,
    TransactionReport,
)
from csms.settings import ServiceConfig, StationConfig, StationModel
from csms.state.catalogue import Catalogue
from csms.state.records import Declaration
from csms.state.service import StateService
from csms.state.store import open_store
from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.clock import ManualClock
from grid.config import load_document, validate
from grid.street import GridSide, load_grid_side
from grid.topology import Direction
from optimizer.workers import InlineExecutor

CONFIGS = Path(__file__).parents[3] / "configs"
MORNING = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
STATION = "LMB-01"


@pytest.fixture(scope="module")
def grid() -> GridSide:
    return load_grid_side(load_document(CONFIGS / "lombok.toml"), lambda name: CONFIGS / name)


@pytest.fixture(scope="module")
def catalogue(grid: GridSide) -> Catalogue:
    document = load_document(CONFIGS / "lombok.toml")
    stations = {station.id: station for station in document.array("stations", StationConfig)}
    models = {
        name: validate(StationModel, load_document(CONFIGS / f"stations/{name}.toml").tables, source=name)
        for name in {station.model for station in stations.values()}
    }
    return Catalogue(stations, models, grid.topology, document.table("service", ServiceConfig))


class Stations:
    """Take every command, unless told otherwise."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Command, Priority]] = []
        self.outcome: Outcome = Accepted({})

    async def call(
        self, station_id: str, command: Command, *, priority: Priority = Priority.CONTROL
    ) -> Outcome:
        self.commands.append((station_id, command, priority))
        return self.outcome

    def profiles(self, purpose: ProfilePurpose) -> list[SetProfile]:
        return [
            command
            for _, command, _ in self.commands
            if isinstance(command, SetProfile) and command.profile.purpose is purpose
        ]


class Street:
    """A service with its loop."""

    def __init__(
        self, service: StateService, loop: ControlLoop, stations: Stations, clock: ManualClock
    ) -> None:
        self.service, self.loop, self.stations, self.clock = service, loop, stations, clock

    async def boot(self) -> None:
        await self.service.connected(STATION, OcppVersion.V16)
        await self.service.handle(STATION, OcppVersion.V16, Boot("Wijk", "Duo AC"))
        await self.clock.advance(2)

    async def measure(self, power_kw: float, evse_id: int = 1) -> None:
        session = self.service.state.stations[STATION].evses[evse_id].session
        assert session is not None
        sample = Sample(self.clock.now(), "Power.Active.Import", power_kw, "kW")
        report = MeterReport(evse_id, session.transaction_id, (sample,))
        await self.service.handle(STATION, OcppVersion.V16, report)
        await self.clock.advance(0)

    async def end(self, evse_id: int = 1) -> None:
        session = self.service.state.stations[STATION].evses[evse_id].session
        assert session is not None
        await self.service.handle(
            STATION,
            OcppVersion.V16,
            TransactionReport(
                TransactionPhase.ENDED,
                self.clock.now(),
                session.transaction_id,
                evse_id=evse_id,
                meter_stop_kwh=110.0,
            ),
        )

    async def plug_in(self, evse_id: int = 1) -> str:
        await self.service.handle(
            STATION,
            OcppVersion.V16,
            TransactionReport(
                TransactionPhase.STARTED,
                self.clock.now(),
                None,
                evse_id=evse_id,
                id_token=IdToken(f"CARD{evse_id}"),
                meter_start_kwh=100.0,
            ),
        )
        session = self.service.state.stations[STATION].evses[evse_id].session
        assert session is not None
        return session.id


@asynccontextmanager
async def street(
    catalogue: Catalogue, grid: GridSide, switch: FleetSwitch | None = None
) -> AsyncIterator[Street]:
    clock, stations, numbers = ManualClock(MORNING), Stations(), itertools.count(1)
    store = open_store("sqlite://", inline=True)
    service = StateService(store, clock, catalogue, new_id=lambda: f"id-{next(numbers)}")
    await service.start()
    loop = ControlLoop(
        service,
        stations.call,
        InlineExecutor(),
        clock,
        grid,
        new_id=lambda: f"plan-{next(numbers)}",
        switch=switch,
    )
    running = asyncio.create_task(loop.run())
    await clock.advance(0)
    try:
        yield Street(service, loop, stations, clock)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()


async def test_a_station_is_guarded_before_it_is_steered(catalogue: Catalogue, grid: GridSide) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        first = it.stations.commands[0][1]
        assert isinstance(first, SetProfile)
        assert first.profile.purpose is ProfilePurpose.TX_DEFAULT
        assert [each.evse_id for each in it.stations.profiles(ProfilePurpose.TX_DEFAULT)] == [1, 2]
        (ceiling,) = it.stations.profiles(ProfilePurpose.STATION_MAX)
        assert ceiling.evse_id == 0
        assert ceiling.profile.periods[0].limit == 25.0


async def test_an_arrival_is_planned_within_the_delay(catalogue: Catalogue, grid: GridSide) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        await it.plug_in()
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        (order,) = it.stations.profiles(ProfilePurpose.TX)
        assert order.evse_id == 1
        assert order.profile.transaction_id is not None
        assert order.profile.periods[-1].limit == catalogue.service.fallback_current_a


async def test_a_declared_stay_moves_charging_to_the_cheap_hours(
    catalogue: Catalogue, grid: GridSide
) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        session_id = await it.plug_in()
        departure = MORNING + timedelta(hours=12)
        await it.service.declare(session_id, Declaration(departure, energy_kwh=20.0))
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        plan = it.loop.last_plan
        assert plan is not None
        (ev,) = plan.evs
        assert ev.shortfall_kwh == pytest.approx(0.0, abs=1e-6)
        charged_at = [step for step, power in enumerate(ev.power_kw) if power > 0.0]
        prices = grid.prices.import_price_eur_per_kwh(
            [MORNING + step * timedelta(minutes=15) for step in range(48)], MORNING
        )
        assert max(prices[step] for step in charged_at) < max(prices)


async def test_what_is_unchanged_is_not_told_again(catalogue: Catalogue, grid: GridSide) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        session_id = await it.plug_in()
        await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=10), energy_kwh=20.0))
        await it.clock.advance(3600)
        plans = it.loop.plans
        assert plans >= 4
        assert len(it.stations.profiles(ProfilePurpose.TX)) < plans


async def test_a_plan_that_a_station_does_not_take_is_tried_again(
    catalogue: Catalogue, grid: GridSide
) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        it.stations.outcome = TimedOut(1.0)
        await it.plug_in()
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        tried = len(it.stations.profiles(ProfilePurpose.TX))
        it.stations.outcome = Accepted({})
        await it.clock.advance(61)
        assert len(it.stations.profiles(ProfilePurpose.TX)) == tried + 1


async def test_an_order_without_room_is_tried_again_after_five_minutes(
    catalogue: Catalogue, grid: GridSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def withhold(orders: tuple[Order, ...], *_: object) -> Dispatched:
        return Dispatched(withheld=orders)

    monkeypatch.setattr("csms.control.loop.dispatch", withhold)
    async with street(catalogue, grid) as it:
        await it.boot()
        await it.plug_in()
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        plans = it.loop.plans
        await it.clock.advance(290)
        assert it.loop.plans == plans
        await it.clock.advance(10)
        assert it.loop.plans == plans + 1


async def test_a_fleet_that_is_held_gets_its_fallback(catalogue: Catalogue, grid: GridSide) -> None:
    store = open_store("sqlite://", inline=True)
    switch = FleetSwitch(store, ManualClock(MORNING))
    async with street(catalogue, grid, switch) as it:
        await it.boot()
        session_id = await it.plug_in()
        await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=2), energy_kwh=22.0))
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        assert it.stations.profiles(ProfilePurpose.TX)[-1].profile.periods[0].limit == 16.0
        await switch.turn_on("Ada")
        await it.clock.advance(1)
        assert [each.limit for each in it.stations.profiles(ProfilePurpose.TX)[-1].profile.periods] == [6.0]
        for person in ("Ada", "Noor"):
            await switch.release(person)
        await it.clock.advance(1)
        assert it.stations.profiles(ProfilePurpose.TX)[-1].profile.periods[0].limit == 16.0
    await store.close()


async def test_two_cars_on_a_pole_stay_under_its_fuse(catalogue: Catalogue, grid: GridSide) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        for evse_id in (1, 2):
            session_id = await it.plug_in(evse_id)
            await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=2), energy_kwh=22.0))
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        plan = it.loop.last_plan
        assert plan is not None
        for first_kw, second_kw in zip(*(ev.power_kw for ev in plan.evs), strict=True):
            assert first_kw + second_kw <= 25.0 * 0.69 + 1e-6


async def test_a_signal_lowers_the_plan_at_once_and_its_fallback_rules_in_silence(
    catalogue: Catalogue, grid: GridSide
) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        session_id = await it.plug_in()
        await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=2), energy_kwh=16.0))
        await it.clock.advance(60)
        for name, kind, limit_kw in (("s", SignalKind.LIMIT, 9.0), ("f", SignalKind.FALLBACK, 5.0)):
            block = Block(MORNING, MORNING + timedelta(hours=2), limit_kw)
            await it.service.receive_signal(
                CapacitySignal(
                    name,
                    SignalSource.MANUAL,
                    "Stedin",
                    "pole-01",
                    Direction.IMPORT,
                    kind,
                    (block,),
                    it.clock.now(),
                )
            )
        await it.clock.advance(60)
        assert _highest_kw(it) == pytest.approx(9.0, abs=0.1)
        await it.service.hear_sender("Stedin", it.clock.now() + timedelta(minutes=3))
        await it.clock.advance(120)
        assert _highest_kw(it) == pytest.approx(9.0, abs=0.1)
        await it.clock.advance(120)
        assert _highest_kw(it) == pytest.approx(5.0, abs=0.1)


def _highest_kw(it: Street) -> float:
    """Return the highest power of the first two hours of the last plan."""
    plan = it.loop.last_plan
    assert plan is not None
    return max(max(ev.power_kw[:8]) for ev in plan.evs)


async def test_a_station_that_says_yes_and_does_nothing_is_found_within_two_samples(
    catalogue: Catalogue, grid: GridSide
) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        session_id = await it.plug_in()
        await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=20), energy_kwh=5.0))
        await it.clock.advance(catalogue.service.replan_delay_s + 61)
        order = it.stations.profiles(ProfilePurpose.TX)[-1]
        assert order.profile.periods[0].limit in {0.0, 6.0}, "the energy is cheaper later"
        key = EvseKey(STATION, 1)
        for count in (1, 2):
            await it.clock.advance(60)
            await it.measure(11.0)
            assert (key in it.loop.safety.ignoring) is (count == 2)
        await it.clock.advance(5)
        assert any("does not follow its limits" in concern for concern in it.loop.safety.concerns())
        told = len(it.stations.profiles(ProfilePurpose.TX))
        await it.clock.advance(1800)
        assert len(it.stations.profiles(ProfilePurpose.TX)) == told, "nobody plans what does not listen"
        await it.end()
        await it.plug_in()
        for _ in range(2):
            await it.clock.advance(60)
            await it.measure(4.0)
        assert key not in it.loop.safety.ignoring, "it keeps to its fallback again"


async def test_a_silent_station_counts_with_what_it_was_told(catalogue: Catalogue, grid: GridSide) -> None:
    async with street(catalogue, grid) as it:
        await it.boot()
        session_id = await it.plug_in()
        await it.service.declare(session_id, Declaration(MORNING + timedelta(hours=2), energy_kwh=20.0))
        await it.clock.advance(catalogue.service.replan_delay_s + 61)
        await it.service.disconnected(STATION)
        await it.clock.advance(catalogue.service.replan_delay_s + 1)
        worst = it.loop.safety.find_headroom().worst
        assert worst[EvseKey(STATION, 1)].import_kw.max() > 8.0
        assert worst[EvseKey(STATION, 2)].import_kw[0] == pytest.approx(6.0 * 0.69)
        assert it.loop.safety.excesses == ()
