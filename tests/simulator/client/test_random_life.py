"""Whatever people, networks and central systems do to a station: no message is lost, doubled or out of order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from simulator.client.profiles import format_instant
from simulator.setup import Protocol
from simulator.vehicle.model import VehicleModel

STEPS = 60


class Life:
    """Random events at one station, and what must be true afterwards."""

    def __init__(self, bench: Any, car: VehicleModel, seed: int) -> None:
        self.bench, self.car = bench, car
        self.random = random.Random(seed)
        self.plugged: set[int] = set()
        self.sessions = 0
        self.profiles = 0

    async def live(self) -> None:
        acts = [
            self.plug,
            self.plug,
            self.unplug,
            self.cut,
            self.heal,
            self.profile,
            self.profile,
            self.clear,
        ]
        for _ in range(STEPS):
            await self.random.choice(acts)()
            await self.bench.quiet()
            await self.bench.advance(self.random.choice([1, 7, 60, 301, 900]))
        for evse_id in list(self.plugged):
            self.bench.unplug(evse_id)
        await self.heal()
        await self.bench.advance(400)

    async def plug(self) -> None:
        evse_id = self.random.choice([1, 2])
        if evse_id not in self.plugged:
            self.plugged.add(evse_id)
            self.sessions += 1
            self.bench.plug_in(self.car, evse_id, self.random.uniform(0.1, 0.9))

    async def unplug(self) -> None:
        if self.plugged:
            evse_id = self.random.choice(sorted(self.plugged))
            self.plugged.remove(evse_id)
            self.bench.unplug(evse_id)

    async def cut(self) -> None:
        self.bench.reachable = self.random.random() < 0.5
        await self.bench.cut()

    async def heal(self) -> None:
        self.bench.reachable = True

    async def profile(self) -> None:
        """Push a random default profile straight into the firmware, as a central system would."""
        if not self.bench.station.online:
            return
        self.profiles += 1
        limits = [self.random.choice([0.0, 5.0, 6.0, 9.5, 16.0, 32.0]) for _ in range(3)]
        periods = [{"startPeriod": 120 * index, "limit": limit} for index, limit in enumerate(limits)]
        begin = format_instant(self.bench.clock.now())
        schedule = {"startSchedule": begin, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
        common: dict[str, Any] = {
            "stackLevel": self.random.choice([0, 1]),
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
        }
        number = 10 * common["stackLevel"] + 1
        calls = self.bench.central._call
        if self.bench.setup.protocol is Protocol.V16:
            profile = {"chargingProfileId": number, **common, "chargingSchedule": schedule}
            request = calls.SetChargingProfile(connector_id=0, cs_charging_profiles=profile)
        else:
            profile = {"id": number, **common, "chargingSchedule": [{"id": 1, **schedule}]}
            request = calls.SetChargingProfile(evse_id=0, charging_profile=profile)
        assert (await self.bench.ask(request)).status == "Accepted"

    async def clear(self) -> None:
        if self.bench.station.online:
            await self.bench.ask(self.bench.central._call.ClearChargingProfile())

    def told(self, action: str) -> list[dict[str, Any]]:
        """Return what all central systems of this life were told, in order."""
        return [payload for central in self.bench.centrals for payload in central.of(action)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("protocol", [Protocol.V201, Protocol.V21])
async def test_life_of_2(open_bench: Any, car: VehicleModel, protocol: Protocol, seed: int) -> None:
    async with open_bench(protocol) as bench:
        life = Life(bench, car, seed)
        await life.live()
    by_transaction: dict[str, list[dict[str, Any]]] = {}
    for event in life.told("TransactionEvent"):
        by_transaction.setdefault(event["transaction_info"]["transaction_id"], []).append(event)
    assert len(by_transaction) == life.sessions
    for events in by_transaction.values():
        numbers = [one["seq_no"] for one in events]
        assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
        assert events[0]["event_type"] == "Started"
        assert events[-1]["event_type"] == "Ended"
        times = [one["timestamp"] for one in events]
        assert times == sorted(times)
        registers = [
            sample["value"]
            for event in events
            for value in event.get("meter_value", [])
            for sample in value["sampled_value"]
            if sample["measurand"] == "Energy.Active.Import.Register"
        ]
        assert registers == sorted(registers)
    assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("seed", range(6))
async def test_life_of_16(open_bench: Any, car: VehicleModel, seed: int) -> None:
    async with open_bench(Protocol.V16) as bench:
        life = Life(bench, car, seed)
        await life.live()
    starts, stops = life.told("StartTransaction"), life.told("StopTransaction")
    keys = {(one["connector_id"], one["timestamp"], one["meter_start"]) for one in starts}
    assert len(keys) == life.sessions
    assert len({(one["timestamp"], one["meter_stop"]) for one in stops}) == life.sessions
    assert bench.counters.errors == 0, bench.counters.faults
