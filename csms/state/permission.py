"""May this socket discharge? Only when everything is on record; every missing thing is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from csms.ocpp.dialects import DischargeDialect
from csms.ocpp.vocabulary import OcppVersion
from csms.settings import VehicleConfig
from csms.state.catalogue import Catalogue
from csms.state.errors import NotFoundError
from csms.state.events import SessionDeclared
from csms.state.station_state import StreetState

BIDIRECTIONAL = "AC_BPT"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a socket may discharge.

    Parameters
    ----------
    allowed
        True only without reasons.
    reasons
        What is missing, each with its remedy.
    export_limit_kw
        What the connection may feed in, 0 unless allowed [kW].
    """

    allowed: bool
    reasons: tuple[str, ...]
    export_limit_kw: float


def discharge_permission(
    catalogue: Catalogue, state: StreetState, station_id: str, evse_id: int
) -> Permission:
    """Return whether the session that runs on an EVSE may discharge."""
    station = state.stations.get(station_id)
    evse = None if station is None else station.evses.get(evse_id)
    session = None if evse is None else evse.session
    if session is None:
        return Permission(allowed=False, reasons=("no session runs on this EVSE",), export_limit_kw=0.0)
    return token_permission(catalogue, station_id, session.token, session.declaration)


def token_permission(
    catalogue: Catalogue, station_id: str, token: str | None, declaration: SessionDeclared | None = None
) -> Permission:
    """Return whether a car with this token may discharge at a station."""
    try:
        reasons = (
            *_missing_at_station(catalogue, station_id),
            *_missing_of_vehicle(catalogue, station_id, token, declaration),
        )
    except NotFoundError as error:
        reasons = (str(error),)
    export_limit_kw = 0.0 if reasons else catalogue.connection_of(station_id).export_limit_kw
    return Permission(not reasons, reasons, export_limit_kw)


def list_energy_transfers(
    catalogue: Catalogue, station_id: str, token: str, version: OcppVersion
) -> tuple[str, ...]:
    """Return the energy transfers of OCPP 2.1 that a token may use at a station; older versions have none."""
    if version is not OcppVersion.V21:
        return ()
    phases = catalogue.model_of(station_id).phases
    plain = ("AC_single_phase",) if phases == 1 else ("AC_single_phase", "AC_three_phase")
    allowed = token_permission(catalogue, station_id, token).allowed
    return (*plain, BIDIRECTIONAL) if allowed else plain


def _missing_at_station(catalogue: Catalogue, station_id: str) -> Iterator[str]:
    model, connection = catalogue.model_of(station_id), catalogue.connection_of(station_id)
    if model.discharge_dialect is DischargeDialect.NONE:
        yield "the station's model has no proven discharge dialect: set discharge_dialect in its entry"
    if not model.grid_code_conformant:
        yield "the station's model does not conform to the grid code: set grid_code_conformant when it does"
    if not connection.feed_in_registered:
        yield f"feed-in is not registered for connection {connection.id}: register it with the grid operator"
    elif connection.export_limit_kw <= 0:
        yield f"connection {connection.id} has an export limit of 0 kW: record what may be fed in"


def _missing_of_vehicle(
    catalogue: Catalogue, station_id: str, token: str | None, declaration: SessionDeclared | None
) -> Iterator[str]:
    vehicle = catalogue.vehicle_of(token)
    if vehicle is None:
        yield "the car is not known: make it known under [[service.vehicles]]"
    else:
        if vehicle.max_discharge_kw <= 0:
            yield f"{vehicle.id} cannot discharge: its max_discharge_kw is 0"
        model = catalogue.station(station_id).model
        if model not in vehicle.conformant_models:
            yield f"{vehicle.id} is not known to conform to the grid code with {model}: conformant_models"
    if not _opted_in(vehicle, declaration):
        yield "nobody opted in to discharging with a floor: declare discharge_opt_in, floor_soc_fraction"


def _opted_in(vehicle: VehicleConfig | None, declaration: SessionDeclared | None) -> bool:
    """Say whether an opt-in and a floor are on record; what a driver declares wins, both ways."""
    if declaration is not None:
        return declaration.discharge_opt_in and declaration.floor_soc_fraction is not None
    return vehicle is not None and vehicle.discharge_opt_in and vehicle.floor_soc_fraction is not None
