"""A service with a street, in line and on a clock that tests move."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from csms.api.application import build_application
from csms.api.context import ApiContext
from csms.api.pricing import build_pricing
from csms.control.ledger import Ledger
from csms.control.pricing import PriceDesk
from csms.gateway.counters import Counters
from csms.ocpp.vocabulary import (
    Accepted,
    Boot,
    Command,
    ConnectorStatus,
    IdToken,
    Measurand,
    MeterReport,
    OcppVersion,
    Outcome,
    Priority,
    Sample,
    StatusReport,
    TransactionPhase,
    TransactionReport,
)
from csms.state.catalogue import Catalogue
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from wijkstroom.street import Street

TOKEN = "operator-token-of-a-test"
NOW = datetime(2024, 6, 11, 15, 30, tzinfo=UTC)
STATION = "LMB-17"  # OCPP 2.0.1


class Actor:
    """Whoever plugs cars in.

    Needs what every service has: itself and its clock.
    """

    service: StateService
    clock: ManualClock

    async def connect(self, station_id: str = STATION, version: OcppVersion = OcppVersion.V201) -> None:
        await self.service.connected(station_id, version)
        await self.service.handle(station_id, version, Boot("Wijk", "Duo"))

    async def plug_in(
        self, transaction: str = "t-1", evse_id: int = 1, token: str = "CARD-1", station_id: str = STATION
    ) -> str:
        """Begin a session at 10 kWh on the register and return its id."""
        await self._status(station_id, evse_id, ConnectorStatus.OCCUPIED)
        await self._report(TransactionPhase.STARTED, transaction, evse_id, 10.0, 0, station_id, token)
        session = self.service.state.stations[station_id].evses[evse_id].session
        assert session is not None
        return session.id

    async def charge(
        self, transaction: str = "t-1", evse_id: int = 1, to_kwh: float = 12.0, minutes: float = 30.0
    ) -> None:
        await self.clock.advance(60 * minutes)
        sample = Sample(self.clock.now(), Measurand.ENERGY_IMPORT_REGISTER, to_kwh, "kWh")
        power = Sample(self.clock.now(), Measurand.POWER_IMPORT, 4.0, "kW")
        report = MeterReport(evse_id, transaction, (sample, power))
        await self.service.handle(STATION, OcppVersion.V201, report)

    async def unplug(self, transaction: str = "t-1", evse_id: int = 1, at_kwh: float = 12.0) -> None:
        await self._report(TransactionPhase.ENDED, transaction, evse_id, at_kwh, 9, STATION, "CARD-1")
        await self._status(STATION, evse_id, ConnectorStatus.AVAILABLE)

    async def _status(self, station_id: str, evse_id: int, status: ConnectorStatus) -> None:
        report = StatusReport(evse_id, 1, status, self.clock.now())
        await self.service.handle(station_id, OcppVersion.V201, report)

    async def _report(
        self,
        phase: TransactionPhase,
        transaction: str,
        evse_id: int,
        register_kwh: float,
        seq_no: int,
        station_id: str,
        token: str,
    ) -> None:
        now = self.clock.now()
        sample = Sample(now, Measurand.ENERGY_IMPORT_REGISTER, register_kwh, "kWh")
        report = TransactionReport(
            phase,
            now,
            transaction,
            evse_id=evse_id,
            connector_id=1,
            id_token=IdToken(token),
            seq_no=seq_no,
            samples=(sample,),
        )
        await self.service.handle(station_id, OcppVersion.V201, report)


@dataclass
class World(Actor):
    """The service and a client with the operator's token."""

    street: Street
    store: Store = field(default_factory=lambda: open_store("sqlite://", inline=True))
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    reasons: list[str] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    open_door: bool = False
    told: list[tuple[str, Command]] = field(default_factory=list)
    outcome: Outcome = field(default_factory=lambda: Accepted({"status": "Accepted"}))
    ledger: Ledger = field(default_factory=lambda: Ledger({}))

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        catalogue = Catalogue(
            stations={station.id: station for station in self.street.stations},
            models=self.street.models,
            topology=self.street.grid.topology,
            service=self.street.service,
            open_door=self.open_door,
        )
        self.service = StateService(
            self.store, self.clock, catalogue, new_id=lambda: f"session-{next(numbers):04d}"
        )
        self.context = ApiContext(
            self.service,
            self.street.grid,
            self.clock,
            self.counters,
            self.call,
            TOKEN,
            lambda: self.reasons,
        )
        self.app = build_application(self.context)
        self.prices = PriceDesk(self.service, self.street.grid, self.clock, self.ledger, lambda _: None)
        self.app.include_router(build_pricing(self.prices, self.service, TOKEN, self.service.identify))

    async def call(
        self,
        station_id: str,
        command: Command,
        *,
        priority: Priority = Priority.CONTROL,
        deadline_s: float | None = None,
    ) -> Outcome:
        self.told.append((station_id, command))
        return self.outcome

    def client(self, token: str | None = TOKEN) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://street", headers=headers)


def later(hours: float) -> str:
    """Return an instant from the beginning of the test on."""
    return (NOW + timedelta(hours=hours)).isoformat()
