"""What drivers and fleet owners ask for: declarations of sessions and bookings of cars."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, select
from sqlmodel import Session

from csms.state.catalogue import Catalogue, fold_token
from csms.state.columns import table_of
from csms.state.errors import ConflictError, NotFoundError, RejectedError
from csms.state.events import BookingMade, SessionDeclared
from csms.state.models import BookingRow, DeclarationRow, SessionRow
from csms.state.records import Booking, Declaration
from csms.state.upserts import put

_SESSION, _DECLARATION, _BOOKING = map(table_of, (SessionRow, DeclarationRow, BookingRow))

LONGEST_STAY: Final = timedelta(days=14)
FURTHEST_BOOKING: Final = timedelta(days=366)
MOST_ENERGY_KWH: Final = 1000.0
_MAX_ID = 64


def record_declaration(
    session: Session, session_id: str, declaration: Declaration, now: datetime
) -> SessionDeclared:
    """Record what a driver declares of a running session; a later declaration replaces it.

    Raises
    ------
    NotFoundError
        When there is no such session.
    RejectedError
        When a value makes no sense, or the session has ended.
    """
    connection = session.connection()
    query = select(_SESSION.c.number, _SESSION.c.ended_at).where(_SESSION.c.id == session_id)
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(f"there is no session {session_id!r}: GET /api/v1/sessions lists them")
    if row.ended_at is not None:
        raise ConflictError("session_id", "this session has ended: declare the one that runs now")
    _check_declaration(declaration, now)
    values = {
        "departure": declaration.departure,
        "energy_kwh": declaration.energy_kwh,
        "target_soc_fraction": declaration.target_soc_fraction,
        "discharge_opt_in": declaration.discharge_opt_in,
        "floor_soc_fraction": declaration.floor_soc_fraction,
    }
    connection.execute(insert(_DECLARATION).values(session_number=row.number, at=now, **values))
    return SessionDeclared(
        session_id=session_id,
        at=now,
        departure=declaration.departure,
        energy_kwh=declaration.energy_kwh,
        target_soc_fraction=declaration.target_soc_fraction,
        discharge_opt_in=declaration.discharge_opt_in,
        floor_soc_fraction=declaration.floor_soc_fraction,
    )


def record_booking(
    session: Session, catalogue: Catalogue, booking_id: str, booking: Booking, now: datetime
) -> BookingMade:
    """Record a booking; the same id replaces its booking.

    Raises
    ------
    RejectedError
        When a value makes no sense, the car is unknown, or it is booked already at that time.
    """
    if not 0 < len(booking_id) <= _MAX_ID:
        raise RejectedError("booking_id", f"an id has 1 to {_MAX_ID} characters: choose another")
    _check_booking(catalogue, booking, now)
    clash = _find_clash(session, booking_id, booking)
    if clash is not None:
        raise ConflictError(
            "start", f"the car is booked already by {clash}: choose a time before or after it"
        )
    put(
        session.connection(),
        _BOOKING,
        {
            "id": booking_id,
            "token": booking.token,
            "token_folded": fold_token(booking.token),
            "starts_at": booking.start,
            "ends_at": booking.end,
            "energy_kwh": booking.energy_kwh,
            "made_at": now,
        },
    )
    return BookingMade(booking_id, booking.token, booking.start, booking.end, booking.energy_kwh, now)


def _check_declaration(declaration: Declaration, now: datetime) -> None:
    _check_aware("departure", declaration.departure)
    if declaration.departure <= now:
        raise RejectedError("departure", f"must be later than now ({now.isoformat()})")
    if declaration.departure > now + LONGEST_STAY:
        raise RejectedError("departure", f"must be within {LONGEST_STAY.days} days: declare again later")
    if (declaration.energy_kwh is None) == (declaration.target_soc_fraction is None):
        raise RejectedError("energy_kwh", "give either energy_kwh or target_soc_fraction")
    if declaration.energy_kwh is not None:
        _check_energy("energy_kwh", declaration.energy_kwh)
    for field in ("target_soc_fraction", "floor_soc_fraction"):
        value = getattr(declaration, field)
        if value is not None and not 0 <= value <= 1:
            raise RejectedError(field, f"is a fraction from 0 to 1, not {value}")
    if declaration.discharge_opt_in and declaration.floor_soc_fraction is None:
        raise RejectedError("floor_soc_fraction", "say how far the car may be discharged at the most")


def _check_booking(catalogue: Catalogue, booking: Booking, now: datetime) -> None:
    _check_aware("start", booking.start)
    _check_aware("end", booking.end)
    if booking.end <= booking.start:
        raise RejectedError("end", "must be later than start")
    if booking.end <= now:
        raise RejectedError("end", f"must be later than now ({now.isoformat()})")
    if booking.start > now + FURTHEST_BOOKING:
        raise RejectedError("start", f"must be within {FURTHEST_BOOKING.days} days")
    _check_energy("energy_kwh", booking.energy_kwh)
    vehicle = catalogue.vehicle_of(booking.token)
    if vehicle is None and not catalogue.open_door:
        raise RejectedError(
            "token", f"no car shows {booking.token!r}: make the car known under [[service.vehicles]]"
        )
    if vehicle is not None and booking.energy_kwh > vehicle.capacity_kwh:
        message = f"{vehicle.id} holds {vehicle.capacity_kwh:g} kWh: ask for that or less"
        raise RejectedError("energy_kwh", message)


def _check_aware(field: str, instant: datetime) -> None:
    if instant.tzinfo is None:
        raise RejectedError(field, "has no time zone: write it like 2024-06-11T18:00:00+02:00")


def _check_energy(field: str, energy_kwh: float) -> None:
    if not (math.isfinite(energy_kwh) and 0 <= energy_kwh <= MOST_ENERGY_KWH):
        raise RejectedError(field, f"must be from 0 to {MOST_ENERGY_KWH:g} kWh, not {energy_kwh}")


def _find_clash(session: Session, booking_id: str, booking: Booking) -> str | None:
    query = select(_BOOKING.c.id).where(
        _BOOKING.c.token_folded == fold_token(booking.token),
        _BOOKING.c.id != booking_id,
        _BOOKING.c.starts_at < booking.end,
        _BOOKING.c.ends_at > booking.start,
    )
    clash: str | None = session.connection().execute(query.limit(1)).scalar()
    return clash
