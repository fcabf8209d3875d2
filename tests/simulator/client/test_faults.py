"""Faults act on running stations, and end; no transaction is lost, whatever happens."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.client.station import StationClient
from simulator.faults.behaviours import Patient
from simulator.faults.inject import Injector
from simulator.faults.link import Link, connect_over
from simulator.faults.scenario import FaultKind
from simulator.faults.schedule import FaultEvent
from simulator.setup import Protocol
from simulator.station.quirks import Quirk, Quirks
from simulator.vehicle.model import VehicleModel

Bench = Any


@asynccontextmanager
async def faulty(open_bench: Any, protocol: Protocol, **changes: Any) -> Any:
    """Open a bench whose station reaches its central system over a link that may fail."""
    async with open_bench(protocol, **changes) as bench:
        station: StationClient = bench.station
        link = Link()
        station._connect = connect_over(station._connect, link, bench.clock, random.Random(1))
        patient = Patient(station, link, bench.unplug)
        injector = Injector({"CP-1": patient}, bench.clock)
        station.reboot()  # the next connection goes over the link
        await bench.advance(30)
        assert station.online
        yield bench, injector, patient
        injector.stop()


def event(kind: FaultKind, lasts_s: float, value: float = 0.0) -> FaultEvent:
    return FaultEvent(0.0, lasts_s, "CP-1", 1, kind, value)


def last_status(bench: Bench, protocol: Protocol) -> tuple[str, str | None]:
    said = [one for one in bench.central.of("StatusNotification") if one.get("connector_id", 0) == 1]
    if protocol is Protocol.V16:
        return said[-1]["status"], said[-1]["error_code"]
    said = [one for one in said if one["evse_id"] == 1]
    return said[-1]["connector_status"], None


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    ("kind", "error"),
    [(FaultKind.RCD_TRIP, "GroundFailure"), (FaultKind.EMERGENCY_STOP, "OtherError")],
)
async def test_what_trips_ends_the_transaction_and_is_reported(
    open_bench: Any,
    car: VehicleModel,
    protocol: Protocol,
    kind: FaultKind,
    error: str,
) -> None:
    async with faulty(open_bench, protocol) as (bench, injector, _):
        bench.plug_in(car)
        await bench.advance(60)
        await injector.begin(event(kind, 300))
        await bench.advance(20)
        assert last_status(bench, protocol) == ("Faulted", error if protocol is Protocol.V16 else None)
        assert bench.station.firmware.evses[1].socket.power_kw(120) == 0.0
        name = "StopTransaction" if protocol is Protocol.V16 else "TransactionEvent"
        ended = bench.central.of(name)[-1]
        reason = ended["reason"] if protocol is Protocol.V16 else ended["transaction_info"]["stopped_reason"]
        expected = {FaultKind.RCD_TRIP: "GroundFault", FaultKind.EMERGENCY_STOP: "EmergencyStop"}[kind]
        assert reason in {expected, "Other"}
        await bench.advance(400)
        assert last_status(bench, protocol)[0] in {"Finishing", "Occupied"}
        assert bench.counters.schema_failures == 0, bench.counters.faults


async def test_a_socket_that_cannot_lock_takes_no_car_until_it_can(
    open_bench: Any,
    car: VehicleModel,
) -> None:
    async with faulty(open_bench, Protocol.V16) as (bench, injector, _):
        await injector.begin(event(FaultKind.LOCK_FAILURE, 120))
        bench.plug_in(car)
        await bench.advance(60)
        assert last_status(bench, Protocol.V16) == ("Faulted", "ConnectorLockFailure")
        assert bench.central.of("StartTransaction") == []
        await bench.advance(120)
        assert len(bench.central.of("StartTransaction")) == 1
        assert last_status(bench, Protocol.V16)[0] == "Charging"


async def test_heat_takes_part_of_the_current(open_bench: Any, car: VehicleModel) -> None:
    async with faulty(open_bench, Protocol.V201) as (bench, injector, _):
        bench.plug_in(car)
        await bench.advance(60)
        socket = bench.station.firmware.evses[1].socket

        def power_kw() -> float:
            second = bench.station.firmware.second_of(bench.clock.now())
            return float(socket.power_kw(second))

        assert power_kw() == pytest.approx(11.04)
        await injector.begin(event(FaultKind.OVER_TEMPERATURE, 300, 0.5))
        await bench.advance(30)
        assert power_kw() == pytest.approx(5.52)
        await bench.advance(300)
        assert power_kw() == pytest.approx(11.04)


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.LINK_DROP,
        FaultKind.RECONNECT_STORM,
        FaultKind.LINK_DUPLICATES,
        FaultKind.LINK_SLOW,
        FaultKind.LINK_REORDER,
        FaultKind.REBOOT,
    ],
)
async def test_a_session_under_a_faulty_link_is_told_whole(
    open_bench: Any,
    car: VehicleModel,
    protocol: Protocol,
    kind: FaultKind,
) -> None:
    async with faulty(open_bench, protocol) as (bench, injector, _):
        bench.plug_in(car)
        await bench.advance(60)
        await injector.begin(event(kind, 300, 1.0))
        await bench.advance(120)
        bench.unplug()
        await bench.advance(1200)
        assert bench.station.online
        assert bench.station.firmware.outbox.waiting == []
        starts = "StartTransaction" if protocol is Protocol.V16 else "TransactionEvent"
        stops = "StopTransaction" if protocol is Protocol.V16 else "TransactionEvent"
        begun = [one for central in bench.centrals for one in central.of(starts)]
        ended = [one for central in bench.centrals for one in central.of(stops)]
        assert begun[0].get("event_type", "Started") == "Started"
        assert ended[-1].get("event_type", "Ended") == "Ended"
        assert bench.counters.schema_failures == 0, bench.counters.faults


async def test_a_half_open_link_is_noticed_by_its_silence(open_bench: Any, car: VehicleModel) -> None:
    async with faulty(open_bench, Protocol.V21) as (bench, injector, patient):
        await injector.begin(event(FaultKind.LINK_HALF_OPEN, 60))
        bench.plug_in(car)
        await bench.quiet()
        connections = bench.counters.connections
        await bench.advance(20)
        assert bench.counters.connections == connections
        await bench.advance(30)
        assert bench.counters.connections > connections
        await bench.advance(300)
        assert bench.station.online
        assert patient.link.half_open == 0
        assert bench.central.of("TransactionEvent")


async def test_power_loss_ends_what_runs_and_boots_afterwards(open_bench: Any, car: VehicleModel) -> None:
    async with faulty(open_bench, Protocol.V201) as (bench, injector, _):
        bench.plug_in(car)
        await bench.advance(60)
        await injector.begin(event(FaultKind.POWER_LOSS, 120))
        await bench.advance(60)
        assert not bench.station.online
        await bench.advance(600)
        assert bench.station.online
        assert bench.central.of("BootNotification")[-1]["reason"] == "PowerUp"
        ended = bench.central.of("TransactionEvent")[-1]
        assert ended["transaction_info"]["stopped_reason"] == "PowerLoss"
        assert ended["offline"] is True


async def test_a_watchdog_is_the_reason_of_its_reboot(open_bench: Any) -> None:
    async with faulty(open_bench, Protocol.V201) as (bench, _, _patient):
        assert bench.central.of("BootNotification")[-1]["reason"] == "Watchdog"


async def test_a_frozen_meter_says_the_same_until_it_thaws(open_bench: Any, car: VehicleModel) -> None:
    async with faulty(open_bench, Protocol.V16) as (bench, injector, _):
        bench.plug_in(car)
        await bench.advance(60)
        await injector.begin(event(FaultKind.METER_FROZEN, 900))
        await bench.advance(900)
        frozen = {
            one["meter_value"][0]["sampled_value"][0]["value"] for one in bench.central.of("MeterValues")
        }
        assert len(frozen) == 1
        await bench.advance(600)
        assert (
            bench.central.of("MeterValues")[-1]["meter_value"][0]["sampled_value"][0]["value"] not in frozen
        )


async def test_a_pulled_cable_and_a_blocked_bay(open_bench: Any, car: VehicleModel) -> None:
    async with faulty(open_bench, Protocol.V16) as (bench, injector, patient):
        bench.plug_in(car)
        await bench.advance(60)
        await injector.begin(event(FaultKind.BLOCKED_BAY, 60))
        assert patient.blocked == {1}
        await injector.begin(event(FaultKind.CABLE_PULLED, 0))
        await bench.advance(90)
        assert patient.blocked == set()
        assert bench.central.of("StopTransaction")[-1]["reason"] == "EVDisconnected"


async def test_a_wrong_clock_and_zone_are_on_the_wire(open_bench: Any, car: VehicleModel) -> None:
    quirks = Quirks({Quirk.CLOCK_OFFSET: 90.0, Quirk.WRONG_ZONE: 2.0})
    async with open_bench(Protocol.V16, quirks=quirks) as bench:
        bench.plug_in(car)
        await bench.quiet()
        assert bench.central.of("StartTransaction")[0]["timestamp"] == "2024-06-11T06:01:30.000Z"
