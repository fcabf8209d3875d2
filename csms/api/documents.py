"""What the API says: documents in the words of the street, units in their names."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from csms.control.sessions import InformationClass
from csms.ocpp.vocabulary import ConnectorStatus, OcppVersion
from csms.state.events import BookingMade, SessionDeclared
from csms.state.station_state import MeterState, SessionState

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """A part of a list.

    Parameters
    ----------
    items
        At most as many as were asked for.
    next_cursor
        Ask again with it for the next ones; None at the end.
    """

    items: list[ItemT]
    next_cursor: str | None = None


class EvseDocument(BaseModel):
    """One socket; ``status`` is None until the station has said something about it."""

    evse_id: int
    emi3: str | None
    status: ConnectorStatus | None
    session_id: str | None
    power_kw: float = Field(description="> 0 charges, < 0 discharges")


class StationDocument(BaseModel):
    """One charging station."""

    id: str
    connection: str
    model: str
    configured: bool
    connected: bool
    version: OcppVersion | None
    booted_at: datetime | None
    seen_at: datetime | None
    evses: list[EvseDocument]


class DeclarationDocument(BaseModel):
    """What a driver said."""

    declared_at: datetime
    departure: datetime
    energy_kwh: float | None
    target_soc_fraction: float | None
    discharge_opt_in: bool
    floor_soc_fraction: float | None

    @classmethod
    def of(cls, declared: SessionDeclared) -> DeclarationDocument:
        """Say what an event says."""
        return cls(
            declared_at=declared.at,
            departure=declared.departure,
            energy_kwh=declared.energy_kwh,
            target_soc_fraction=declared.target_soc_fraction,
            discharge_opt_in=declared.discharge_opt_in,
            floor_soc_fraction=declared.floor_soc_fraction,
        )


class RunningDocument(BaseModel):
    """What is known of a session while it runs."""

    power_kw: float = Field(description="last measured, > 0 charges")
    soc_fraction: float | None
    charging_state: str | None
    sampled_at: datetime | None
    information: InformationClass = Field(description="who told about it: none, driver, car or booking")
    departure_by_car: datetime | None
    declaration: DeclarationDocument | None

    @classmethod
    def of(cls, session: SessionState, information: InformationClass) -> RunningDocument:
        """Say what the state knows."""
        declared = session.declaration
        return cls(
            power_kw=session.power_kw,
            soc_fraction=session.soc_fraction,
            charging_state=session.charging_state,
            sampled_at=session.sampled_at,
            information=information,
            departure_by_car=None if session.needs is None else session.needs.departure,
            declaration=None if declared is None else DeclarationDocument.of(declared),
        )


class SessionDocument(BaseModel):
    """One plug-in, with its energy at the station's meter. No card number: those are not told."""

    id: str
    station_id: str
    evse_id: int | None
    active: bool
    started_at: datetime
    ended_at: datetime | None
    imported_kwh: float
    exported_kwh: float
    running: RunningDocument | None


class BookingDocument(BaseModel):
    """A shared car is needed."""

    id: str
    token: str
    start: datetime
    end: datetime
    energy_kwh: float
    made_at: datetime

    @classmethod
    def of(cls, booking: BookingMade) -> BookingDocument:
        """Say what an event says."""
        return cls(
            id=booking.booking_id,
            token=booking.token,
            start=booking.start,
            end=booking.end,
            energy_kwh=booking.energy_kwh,
            made_at=booking.at,
        )


class MeterDocument(BaseModel):
    """One meter of the street; readings are None until it has said something."""

    id: str
    role: str
    node: str
    stale: bool
    read_at: datetime | None = None
    power_kw: float | None = Field(default=None, description="> 0 is taken from the grid")
    import_kwh: float | None = None
    export_kwh: float | None = None

    def read(self, state: MeterState) -> MeterDocument:
        """Return it with a reading."""
        reading = {
            "read_at": state.read_at,
            "power_kw": state.power_kw,
            "import_kwh": state.import_kwh,
            "export_kwh": state.export_kwh,
        }
        return self.model_copy(update=reading)


class LimitDocument(BaseModel):
    """A bound that holds at a place, with who says so; None: nothing bounds it."""

    place: str
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    import_limit_kw: float | None
    import_source: str
    export_limit_kw: float | None
    export_source: str


class PlanSummary(BaseModel):
    """A plan that was made."""

    id: str
    at: datetime
    trigger: str
    status: str
    objective_eur: float | None
    gap: float | None
    solve_seconds: float


class PlanDocument(PlanSummary):
    """A plan with the documents that went in and came out: those of `wijkstroom plan`."""

    problem: dict[str, Any]
    plan: dict[str, Any] | None


class KeyDocument(BaseModel):
    """A station's new password, told once."""

    station_id: str
    key: str
