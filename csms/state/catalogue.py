"""What is configured: stations, their models, connections and cars; looked up by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from csms.ocpp.vocabulary import OcppVersion
from csms.settings import EvseConfig, PhaseRotation, ServiceConfig, StationConfig, StationModel, VehicleConfig
from csms.state.errors import NotFoundError
from grid.errors import DocumentError, Problem
from grid.topology import Connection, Topology

UNKNOWN_MODEL_NAME = "unknown"
# What is taken for granted of a station that nobody described: 3x16 A, and it cannot discharge.
UNKNOWN_MODEL = StationModel(
    protocol=OcppVersion.V16, vendor="unknown", model="unknown", max_periods=16, max_stack_level=1
)


def fold_token(value: str) -> str:
    """Return a token without its case: tokens compare without it in every version."""
    return value.casefold()


@dataclass(frozen=True)
class Catalogue:
    """Everything that the configuration says about stations and cars.

    Parameters
    ----------
    stations
        By id.
    models
        By name.
    topology
        The network with its connections.
    service
        How the service works.
    open_door
        Take in stations that nobody configured (``--try``), on the first connection, with the model unknown.

    Raises
    ------
    DocumentError
        When a station names a connection or a model that is not there, or a token is used twice.
    """

    stations: dict[str, StationConfig]
    models: dict[str, StationModel]
    topology: Topology
    service: ServiceConfig
    open_door: bool = False
    _vehicles: dict[str, VehicleConfig] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = _check(self)
        if problems:
            raise DocumentError("catalogue", problems)
        vehicles = {fold_token(vehicle.token): vehicle for vehicle in self.service.vehicles}
        object.__setattr__(self, "_vehicles", vehicles)

    def knows(self, station_id: str) -> bool:
        """Say whether a station may connect."""
        return station_id in self.stations or self.open_door

    def station(self, station_id: str) -> StationConfig:
        """Return a station's configuration; an unknown one gets an assumed one behind an open door.

        Raises
        ------
        NotFoundError
            When it is not configured.
        """
        station = self.stations.get(station_id)
        if station is not None:
            return station
        if not self.open_door:
            raise NotFoundError(f"station {station_id!r} is not configured: add it under [[stations]]")
        evse = EvseConfig(id=1, emi3=f"{station_id}*1", phase_rotation=PhaseRotation.UNKNOWN)
        return StationConfig(
            id=station_id, connection=self.topology.connections[0].id, model=UNKNOWN_MODEL_NAME, evses=(evse,)
        )

    def model_of(self, station_id: str) -> StationModel:
        """Return the model entry of a station (`NotFoundError` when it is not configured)."""
        name = self.station(station_id).model
        return self.models.get(name, UNKNOWN_MODEL)

    def connection_of(self, station_id: str) -> Connection:
        """Return the connection that a station hangs on (`NotFoundError` when it is not configured)."""
        return self.topology.connection(self.station(station_id).connection)

    def vehicle_of(self, token: str | None) -> VehicleConfig | None:
        """Return the car that shows a token, None when nobody made one known."""
        return None if token is None else self._vehicles.get(fold_token(token))


def _check(catalogue: Catalogue) -> list[Problem]:
    problems: list[Problem] = []
    connections = {one.id for one in catalogue.topology.connections}
    if catalogue.open_door and not connections:
        problems.append(Problem("connections", "an open door needs one: unknown stations hang on the first"))
    for key, station in catalogue.stations.items():
        if station.connection not in connections:
            known = ", ".join(sorted(connections)) or "none"
            message = f"there is no connection {station.connection!r}: known are {known}"
            problems.append(Problem(f"stations.{key}.connection", message))
        if station.model not in catalogue.models:
            known = ", ".join(sorted(catalogue.models)) or "none"
            message = f"there is no model {station.model!r}: known are {known}"
            problems.append(Problem(f"stations.{key}.model", message))
    seen: set[str] = set()
    for index, vehicle in enumerate(catalogue.service.vehicles):
        if fold_token(vehicle.token) in seen:
            message = f"{vehicle.token!r} is used twice: case does not tell tokens apart"
            problems.append(Problem(f"service.vehicles[{index}].token", message))
        seen.add(fold_token(vehicle.token))
    return problems
