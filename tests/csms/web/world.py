from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from csms.ocpp.vocabulary import ConnectorStatus, OcppVersion
from csms.settings import EvseConfig, MeterConfig, MeterRole, ServiceConfig, StationConfig
from csms.state.events import SessionDeclared
from csms.state.station_state import EvseState, MeterState, SessionState, StationState, StreetState
from csms.web.feed import LiveSource
from csms.web.view import PlanView
from grid.clock import ManualClock
from grid.street import GridSide

NOW = datetime(2024, 6, 11, 15, 30, tzinfo=UTC)  # 17:30 in the street: the evening signal holds
METERS = (
    MeterConfig(id="node", role=MeterRole.NODE, node="lombok-transformer"),
    MeterConfig(id="pv", role=MeterRole.PV, node="lombok-transformer"),
)


def make_stations(count: int) -> dict[str, StationConfig]:
    return {
        f"ST-{number:04d}": StationConfig(
            id=f"ST-{number:04d}",
            connection="pole-01",
            model="public-duo-16",
            evses=tuple(EvseConfig(id=evse, emi3=f"NL*WIJ*E{number:04d}*{evse}") for evse in (1, 2)),
        )
        for number in range(1, count + 1)
    }


def make_session(number: int, power_kw: float = 7.4) -> SessionState:
    return SessionState(
        id=f"session-{number}",
        transaction_id=f"transaction-{number}",
        token=f"CARD{number}",
        started_at=NOW - timedelta(hours=1),
        imported_kwh=6.2,
        exported_kwh=1.5 if power_kw < 0 else 0.0,
        power_kw=power_kw,
        soc_fraction=0.62 if power_kw < 0 else None,
        declaration=SessionDeclared(
            f"session-{number}", NOW, departure=NOW + timedelta(hours=14), energy_kwh=22.0
        ),
    )


def make_state(stations: dict[str, StationConfig]) -> StreetState:
    states = {}
    for index, station_id in enumerate(stations):
        session = make_session(index, -5.0 if index % 4 == 3 else 7.4)
        evses = {
            1: EvseState(1, ConnectorStatus.CHARGING, session),
            2: EvseState(2, ConnectorStatus.FAULTED if index == 1 else ConnectorStatus.AVAILABLE),
        }
        states[station_id] = StationState(
            station_id, connected=index != 2, version=OcppVersion.V16, seen_at=NOW, evses=evses
        )
    meters = {
        "node": MeterState("node", NOW, 84.2, 100.0, 0.0),
        "pv": MeterState("pv", NOW, -31.5, 0.0, 50.0),
    }
    return StreetState(stations=states, meters=meters)


@dataclass
class World:
    """A street that tests change by hand."""

    grid: GridSide
    stations: dict[str, StationConfig]
    state: StreetState
    clock: ManualClock
    plan: PlanView | None = None
    plan_fetches: int = field(default=0)

    @property
    def source(self) -> LiveSource:
        service = ServiceConfig(meters=METERS)
        return LiveSource(lambda: self.state, self.stations, service, self.grid, self.clock, self._fetch)

    def set_session(self, station_id: str, session: SessionState | None) -> None:
        station = self.state.stations[station_id]
        status = ConnectorStatus.AVAILABLE if session is None else ConnectorStatus.CHARGING
        evses = {**station.evses, 1: EvseState(1, status, session)}
        stations = {**self.state.stations, station_id: replace(station, evses=evses)}
        self.state = replace(self.state, stations=stations)

    async def _fetch(self, known: PlanView | None) -> PlanView | None:
        self.plan_fetches += 1
        return self.plan
