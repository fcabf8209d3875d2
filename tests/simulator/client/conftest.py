"""A central system on the `ocpp` package, at the other end of a pair in memory."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import pytest
from ocpp.routing import on

from grid.clock import ManualClock, settle
from simulator.client.counters import WireCounters
from simulator.client.station import StationClient
from simulator.client.transport import MemoryTransport, Transport, TransportClosedError, memory_pair
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.build import build_firmware
from simulator.station.evse import PlugIn
from simulator.vehicle.charging import BatteryState
from simulator.vehicle.model import VehicleModel

START = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
ACCEPTED = {"status": "Accepted"}


class CentralBase:
    """Takes everything, remembers what it was told.

    Answers to boots come from ``boot_answers``, then they are accepted.
    """

    boot_answers: list[str]

    def _remember(self, action: str, payload: dict[str, Any]) -> None:
        central: Any = self
        central.seen.append((action, payload))

    def of(self, action: str) -> list[dict[str, Any]]:
        central: Any = self
        return [payload for name, payload in central.seen if name == action]

    @on("Heartbeat")
    def on_heartbeat(self, **payload: Any) -> Any:
        self._remember("Heartbeat", payload)
        central: Any = self
        return central._call_result.Heartbeat("2024-06-11T04:00:00Z")

    @on("StatusNotification")
    def on_status(self, **payload: Any) -> Any:
        self._remember("StatusNotification", payload)
        central: Any = self
        return central._call_result.StatusNotification()

    @on("MeterValues")
    def on_meter_values(self, **payload: Any) -> Any:
        self._remember("MeterValues", payload)
        central: Any = self
        return central._call_result.MeterValues()

    @on("BootNotification")
    def on_boot(self, **payload: Any) -> Any:
        self._remember("BootNotification", payload)
        central: Any = self
        status = central.boot_answers.pop(0) if central.boot_answers else "Accepted"
        interval_s = 300 if status == "Accepted" else 60
        return central._call_result.BootNotification("2024-06-11T04:00:00Z", interval_s, status)

    @on("FirmwareStatusNotification")
    def on_firmware_status(self, **payload: Any) -> Any:
        self._remember("FirmwareStatusNotification", payload)
        central: Any = self
        return central._call_result.FirmwareStatusNotification()


class Central16(CentralBase, ocpp.v16.ChargePoint):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.token_status = "Accepted"
        self._transactions = itertools.count(701)

    @on("Authorize")
    def on_authorize(self, **payload: Any) -> Any:
        self._remember("Authorize", payload)
        return ocpp.v16.call_result.Authorize({"status": self.token_status})

    @on("StartTransaction")
    def on_start(self, **payload: Any) -> Any:
        self._remember("StartTransaction", payload)
        return ocpp.v16.call_result.StartTransaction(next(self._transactions), {"status": self.token_status})

    @on("DiagnosticsStatusNotification")
    def on_diagnostics_status(self, **payload: Any) -> Any:
        self._remember("DiagnosticsStatusNotification", payload)
        return ocpp.v16.call_result.DiagnosticsStatusNotification()

    @on("StopTransaction")
    def on_stop(self, **payload: Any) -> Any:
        self._remember("StopTransaction", payload)
        return ocpp.v16.call_result.StopTransaction()


class CentralTwo(CentralBase):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.token_status = "Accepted"

    @on("Authorize")
    def on_authorize(self, **payload: Any) -> Any:
        self._remember("Authorize", payload)
        central: Any = self
        return central._call_result.Authorize({"status": self.token_status})

    @on("TransactionEvent")
    def on_transaction(self, **payload: Any) -> Any:
        self._remember("TransactionEvent", payload)
        central: Any = self
        return central._call_result.TransactionEvent()

    @on("NotifyEVChargingNeeds")
    def on_needs(self, **payload: Any) -> Any:
        self._remember("NotifyEVChargingNeeds", payload)
        central: Any = self
        return central._call_result.NotifyEVChargingNeeds("Accepted")

    @on("LogStatusNotification")
    def on_log_status(self, **payload: Any) -> Any:
        self._remember("LogStatusNotification", payload)
        central: Any = self
        return central._call_result.LogStatusNotification()

    @on("NotifyReport")
    def on_report(self, **payload: Any) -> Any:
        self._remember("NotifyReport", payload)
        central: Any = self
        return central._call_result.NotifyReport()

    @on("ReportChargingProfiles")
    def on_profiles(self, **payload: Any) -> Any:
        self._remember("ReportChargingProfiles", payload)
        central: Any = self
        return central._call_result.ReportChargingProfiles()


class Central201(CentralTwo, ocpp.v201.ChargePoint):  # type: ignore[misc]
    pass


class Central21(CentralTwo, ocpp.v21.ChargePoint):  # type: ignore[misc]
    pass


CENTRALS: dict[Protocol, Any] = {
    Protocol.V16: Central16,
    Protocol.V201: Central201,
    Protocol.V21: Central21,
}


@dataclass
class Bench:
    """One station, its central system, and a clock that the test moves."""

    setup: StationSetup
    clock: ManualClock
    station: StationClient
    counters: WireCounters
    centrals: list[Any] = field(default_factory=list)
    ends: list[MemoryTransport] = field(default_factory=list)
    reachable: bool = True
    boot_answers: list[str] = field(default_factory=list)

    @property
    def central(self) -> Any:
        return self.centrals[-1]

    async def quiet(self, turns: int = 60) -> None:
        """Let everything that can happen without time passing happen."""
        await settle(turns)

    async def advance(self, seconds: float) -> None:
        """Move on in steps of ten seconds, so that answers come in time."""
        left = seconds
        while left > 0:
            await self.clock.advance(min(10.0, left))
            await self.quiet()
            left -= 10.0

    def plug_in(self, model: VehicleModel, evse_id: int = 1, soc: float = 0.3, **plug: Any) -> None:
        battery = BatteryState(soc * model.capacity_kwh)
        self.station.firmware.plug_in(evse_id, PlugIn(model, battery, "TAG1", **plug), self.clock.now())
        self.station.wake()

    def unplug(self, evse_id: int = 1) -> BatteryState:
        battery = self.station.firmware.unplug(evse_id, self.clock.now())
        self.station.wake()
        return battery

    async def cut(self) -> None:
        await self.ends[-1].close()
        await self.quiet()

    async def ask(self, payload: Any) -> Any:
        """Let the central system call the station."""
        return await asyncio.wait_for(self.central.call(payload, suppress=False), 10)


@asynccontextmanager
async def _bench(protocol: Protocol, *, call_timeout_s: float = 10.0, **changes: Any) -> AsyncIterator[Bench]:
    setup = StationSetup(
        "CP-1",
        "pole-1",
        protocol,
        (EvseSetup(1), EvseSetup(2, "STR")),
        bidirectional=protocol is Protocol.V21,
        **changes,
    )
    clock, counters, ids = ManualClock(START), WireCounters(), itertools.count()
    firmware = build_firmware(setup, START, lambda: f"tx-{next(ids)}")
    async with AsyncExitStack() as stack:
        servers: list[asyncio.Task[None]] = []

        async def connect(_: StationSetup) -> Transport:
            if not bench.reachable:
                raise TransportClosedError("nobody there")
            ours, theirs = memory_pair()
            central = CENTRALS[protocol](setup.id, theirs)
            central.boot_answers = bench.boot_answers
            bench.centrals.append(central)
            bench.ends.append(theirs)
            servers.append(asyncio.ensure_future(central.start()))
            return ours

        station = StationClient(
            setup,
            firmware,
            clock,
            connect,
            lambda: f"m-{next(ids)}",
            random.Random(1),
            counters,
            call_timeout_s=call_timeout_s,
        )
        bench = Bench(setup, clock, station, counters)
        await stack.enter_async_context(station.running())
        await asyncio.wait_for(station.wait_ready(), 10)
        yield bench
    for server in servers:
        server.cancel()
    await asyncio.gather(*servers, return_exceptions=True)


@pytest.fixture
def open_bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    # The package validates in a thread of its own: the tests have one.
    monkeypatch.setattr("ocpp.messages.ASYNC_VALIDATION", False)
    return _bench


@pytest.fixture
def car() -> VehicleModel:
    return VehicleModel(
        name="Test car",
        capacity_kwh=50.0,
        phases=3,
        max_current_a=16.0,
        transition_soc_fraction=0.8,
        loss_fixed_kw=0.2,
        loss_fraction=0.06,
    )


@pytest.fixture
def bidirectional_car(car: VehicleModel) -> VehicleModel:
    return car.model_copy(update={"max_discharge_current_a": 16.0, "discharge_loss_fraction": 0.06})
