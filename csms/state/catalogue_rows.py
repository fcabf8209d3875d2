"""The catalogue into rows: what the configuration says wins, what stations and operators added stays."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select
from sqlmodel import Session

from csms.ocpp.vocabulary import ConnectorStatus
from csms.settings import StationConfig, StationModel, VehicleConfig
from csms.state.catalogue import UNKNOWN_MODEL, UNKNOWN_MODEL_NAME, Catalogue, fold_token
from csms.state.columns import table_of
from csms.state.models import (
    ConnectionRow,
    EvseRow,
    StationModelRow,
    StationRow,
    TokenRow,
    VehicleConformityRow,
    VehicleRow,
)
from csms.state.upserts import insert_new, put

_CONNECTION, _MODEL, _STATION, _EVSE = map(table_of, (ConnectionRow, StationModelRow, StationRow, EvseRow))
_VEHICLE, _CONFORMITY, _TOKEN = map(table_of, (VehicleRow, VehicleConformityRow, TokenRow))


def write_catalogue(session: Session, catalogue: Catalogue) -> None:
    """Write everything that is configured."""
    connection = session.connection()
    for one in catalogue.topology.connections:
        put(connection, _CONNECTION, {**one.model_dump(exclude={"kind", "supplier"}), "kind": one.kind.value})
    for name, model in catalogue.models.items():
        _write_model(connection, name, model)
    if catalogue.open_door and UNKNOWN_MODEL_NAME not in catalogue.models:
        _write_model(connection, UNKNOWN_MODEL_NAME, UNKNOWN_MODEL)
    for station in catalogue.stations.values():
        _write_station(connection, station)
    for vehicle in catalogue.service.vehicles:
        _write_vehicle(connection, vehicle)


def write_guest_station(session: Session, station: StationConfig) -> None:
    """Take in a station that came through an open door."""
    connection = session.connection()
    known = connection.execute(select(_STATION.c.id).where(_STATION.c.id == station.id)).first()
    if known is None:
        _write_station(connection, station)


def _write_model(connection: Connection, name: str, model: StationModel) -> None:
    # The table holds what rows refer to; how a model is treated may stand in its file alone.
    columns = {column.name for column in _MODEL.c}
    put(connection, _MODEL, {"name": name, **model.model_dump(mode="json", include=columns)})


def _write_station(connection: Connection, station: StationConfig) -> None:
    row = {"id": station.id, "connection_id": station.connection, "model_name": station.model}
    put(connection, _STATION, row)
    present = set(
        connection.execute(select(_EVSE.c.evse_id).where(_EVSE.c.station_id == station.id)).scalars()
    )
    new = [evse for evse in station.evses if evse.id not in present]
    insert_new(
        connection,
        _EVSE,
        [
            {"station_id": station.id, "evse_id": evse.id, "status": ConnectorStatus.AVAILABLE.value}
            | {"phase_rotation": evse.phase_rotation.value, "emi3": evse.emi3, "configured": True}
            for evse in new
        ],
    )
    for evse in station.evses:
        if evse.id in present:
            connection.execute(
                _EVSE.update()
                .where(_EVSE.c.station_id == station.id, _EVSE.c.evse_id == evse.id)
                .values(emi3=evse.emi3, phase_rotation=evse.phase_rotation.value, configured=True)
            )


def _write_vehicle(connection: Connection, vehicle: VehicleConfig) -> None:
    row: dict[str, Any] = vehicle.model_dump(exclude={"token", "conformant_models"})
    put(connection, _VEHICLE, row)
    connection.execute(delete(_CONFORMITY).where(_CONFORMITY.c.vehicle_id == vehicle.id))
    insert_new(
        connection,
        _CONFORMITY,
        [{"vehicle_id": vehicle.id, "model_name": name} for name in sorted(set(vehicle.conformant_models))],
    )
    # a status that somebody set, like Blocked, is kept
    folded = fold_token(vehicle.token)
    token = {"folded": folded, "value": vehicle.token, "kind": "ISO14443", "status": "Accepted"}
    insert_new(connection, _TOKEN, [token])
    connection.execute(_TOKEN.update().where(_TOKEN.c.folded == folded).values(vehicle_id=vehicle.id))
