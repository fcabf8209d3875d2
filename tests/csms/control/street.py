"""Lombok, with what its cars, drivers and meters say in the hands of a test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from csms.control.ledger import EvseKey
from csms.control.nowcast import Nowcast, Told, compute_nowcast
from csms.control.observed import CarLimits
from csms.control.sessions import ConnectedCar, list_cars
from csms.control.snapshot import History, PlanningCase, build_problem, plan_grid
from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus
from csms.settings import (
    MeterConfig,
    MeterRole,
    ServiceConfig,
    StationConfig,
    StationModel,
    VehicleConfig,
)
from csms.state.catalogue import Catalogue
from csms.state.events import BookingMade, SessionDeclared
from csms.state.station_state import EvseState, MeterState, SessionState, StationState, StreetState
from grid.config import load_document, validate
from grid.street import GridSide, load_grid_side

CONFIGS = Path(__file__).parents[3] / "configs"
# Six in the morning, local time: when the demo begins.
NOW = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TWO_WAY_STATIONS = ("LMB-21", "LMB-22", "LMB-23", "LMB-24")


def resolve(name: str) -> Path:
    return CONFIGS / name


@cache
def load_lombok() -> GridSide:
    return load_grid_side(load_document(CONFIGS / "lombok.toml"), resolve)


def shared_car(index: int) -> VehicleConfig:
    return VehicleConfig(
        id=f"zoe-{index}",
        token=f"ZOE{index}",
        capacity_kwh=52.0,
        max_charge_kw=11.04,
        max_discharge_kw=11.04,
        discharge_opt_in=True,
        floor_soc_fraction=0.3,
        conformant_models=("bidirectional-duo-21",),
    )


METERS = (
    MeterConfig(id="transformer", role=MeterRole.NODE, node="lombok-transformer"),
    MeterConfig(id="sun", role=MeterRole.PV, node="lombok-transformer"),
)


@cache
def load_catalogue() -> Catalogue:
    document = load_document(CONFIGS / "lombok.toml")
    stations = document.array("stations", StationConfig)
    models = {
        name: validate(StationModel, load_document(CONFIGS / f"stations/{name}.toml").tables, source=name)
        for name in {station.model for station in stations}
    }
    service = ServiceConfig(vehicles=tuple(shared_car(index) for index in range(8)), meters=METERS)
    return Catalogue({each.id: each for each in stations}, models, load_lombok().topology, service)


@dataclass(frozen=True)
class Plugged:
    """A session for a test; ``departs`` is what the driver keeps to himself."""

    station_id: str
    evse_id: int = 1
    token: str | None = None
    started_at: datetime = NOW - HOUR
    imported_kwh: float = 0.0
    exported_kwh: float = 0.0
    power_kw: float = 0.0
    sampled_at: datetime | None = NOW
    soc_fraction: float | None = None
    needs: ChargingNeeds | None = None
    declaration: SessionDeclared | None = None
    charging_state: str = "Charging"
    departs: datetime | None = None

    @property
    def id(self) -> str:
        return f"s-{self.station_id}-{self.evse_id}"

    def state(self) -> SessionState:
        return SessionState(
            id=self.id,
            transaction_id=f"t-{self.id}",
            token=self.token,
            started_at=self.started_at,
            imported_kwh=self.imported_kwh,
            exported_kwh=self.exported_kwh,
            power_kw=self.power_kw,
            soc_fraction=self.soc_fraction,
            sampled_at=self.sampled_at,
            charging_state=self.charging_state,
            needs=self.needs,
            declaration=self.declaration,
        )


@dataclass(frozen=True)
class Street:
    cars: tuple[Plugged, ...] = ()
    bookings: tuple[BookingMade, ...] = ()
    readings: tuple[MeterState, ...] = ()
    history: History = field(default_factory=History)
    told: dict[str, Told] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=load_catalogue, repr=False)
    grid: GridSide = field(default_factory=load_lombok, repr=False)

    def state(self) -> StreetState:
        stations: dict[str, StationState] = {}
        for car in self.cars:
            station = stations.get(car.station_id) or StationState(car.station_id, connected=True)
            evse = EvseState(car.evse_id, ConnectorStatus.OCCUPIED, car.state())
            stations[car.station_id] = replace(station, evses=station.evses | {car.evse_id: evse})
        return StreetState(
            stations=stations,
            bookings={one.booking_id: one for one in self.bookings},
            meters={one.meter_id: one for one in self.readings},
        )

    def nowcast(self, now: datetime) -> Nowcast:
        steps = plan_grid(now, self.catalogue.service.horizon_h)
        return compute_nowcast(
            now,
            steps.starts,
            self.grid,
            self.catalogue.service.meters,
            self.state().meters,
            [car.state() for car in self.cars],
            self.told,
        )

    def case(self, now: datetime = NOW, **extra: object) -> PlanningCase:
        allowed = {EvseKey(name, evse): 11.04 for name in TWO_WAY_STATIONS for evse in (1, 2)}
        return build_problem(
            now,
            self.state(),
            self.catalogue,
            self.grid,
            self.nowcast(now),
            self.history,
            allowed_discharge_kw=extra.get("allowed_discharge_kw", allowed),  # type: ignore[arg-type]
            unsteered_kw=extra.get("unsteered_kw"),  # type: ignore[arg-type]
        )


def declared(car: Plugged, departure: datetime, energy_kwh: float) -> Plugged:
    return replace(car, declaration=SessionDeclared(car.id, NOW, departure, energy_kwh=energy_kwh))


def booked(token: str, start: datetime, end: datetime, energy_kwh: float = 30.0) -> BookingMade:
    return BookingMade(f"b-{token}-{start:%d%H%M}", token, start, end, energy_kwh, NOW)


def one_phase(car: Plugged) -> History:
    return History(limits={car.id: CarLimits(used_phases=frozenset({1}))})


def car_of(plugged: Plugged, limits: CarLimits | None = None, *bookings: BookingMade) -> ConnectedCar:
    street = Street((plugged,), bookings)
    known = {} if limits is None else {plugged.id: limits}
    (car,) = list_cars(NOW, street.state(), street.catalogue, known, {EvseKey("LMB-21", 1): 9.0})
    return car
