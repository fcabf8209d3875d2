"""Words of a fleet: who comes when, with what car, needing what, telling what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from simulator.vehicle.charging import BatteryState, energy_at_socket_kwh
from simulator.vehicle.model import VehicleModel

# A car never comes back emptier than this: its driver has charged on the way.
EMPTIEST_FRACTION = 0.02


class InformationClass(StrEnum):
    """What the service learns of a session's need and departure."""

    NONE = "none"
    DRIVER = "driver"
    CAR = "car"
    BOOKING = "booking"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a driver declares.

    Parameters
    ----------
    at
        When.
    energy_kwh
        Need, at the socket [kWh].
    departure
        When the car should be ready; it leaves then or some minutes later.
    """

    at: datetime
    energy_kwh: float
    departure: datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """A trip of a shared car.

    Parameters
    ----------
    id
        Its name.
    token
        The car's card.
    announced_at
        When it is made known.
    start, end
        When the car is away.
    energy_kwh
        What must be in the battery at the start [kWh].
    trip_kwh
        What the trip takes out of it; only the driver knows [kWh].
    """

    id: str
    token: str
    announced_at: datetime
    start: datetime
    end: datetime
    energy_kwh: float
    trip_kwh: float


@dataclass(frozen=True, slots=True)
class Session:
    """One plug-in.

    Parameters
    ----------
    id
        Its name in the simulation; the service does not know it.
    station_id, evse_id
        Its socket.
    token
        The driver's card.
    vehicle
        Name of the car's model in the fleet.
    arrival, departure
        When it is plugged in and out (UTC, whole seconds).
    information
        What the service learns.
    start_energy_kwh
        Energy in the battery at arrival; for a car that comes back, if it left with its target exactly [kWh].
    target_energy_kwh
        Energy in the battery wanted at departure [kWh].
    limit_fraction
        State of charge at which the car itself stops charging.
    declaration
        What the driver declares, class ``driver`` only.
    booking
        The trip that it leaves for, class ``booking`` only.
    follows
        Id of the same car's session before; it returns with what it left with, less ``driven_kwh``.
    driven_kwh
        Energy used since then [kWh].
    ready_by
        When somebody who opts out of steering says that the car must be ready: as soon as it can be; None for
        everybody else.
    """

    id: str
    station_id: str
    evse_id: int
    token: str
    vehicle: str
    arrival: datetime
    departure: datetime
    information: InformationClass
    start_energy_kwh: float
    target_energy_kwh: float
    limit_fraction: float
    declaration: Declaration | None = None
    booking: Booking | None = None
    follows: str | None = None
    driven_kwh: float = 0.0
    ready_by: datetime | None = None

    @property
    def told_departure(self) -> datetime | None:
        """When the service is told that the car leaves, None when it is told nothing."""
        match self.information:
            case InformationClass.NONE:
                return None
            case InformationClass.DRIVER:
                return None if self.declaration is None else self.declaration.departure
            case InformationClass.CAR:
                return self.ready_by or self.departure
            case InformationClass.BOOKING:
                return self.departure

    def retimed(self, move: Callable[[datetime], datetime]) -> Session:
        """Return the same session at other times.

        Parameters
        ----------
        move
            Takes every instant of it to where it shall be.
        """
        told, booking = self.declaration, self.booking
        if told is not None:
            told = replace(told, at=move(told.at), departure=move(told.departure))
        if booking is not None:
            begin, end = move(booking.start), move(booking.end)
            booking = replace(booking, announced_at=move(booking.announced_at), start=begin, end=end)
        return replace(
            self,
            arrival=move(self.arrival),
            departure=move(self.departure),
            declaration=told,
            booking=booking,
            ready_by=None if self.ready_by is None else move(self.ready_by),
        )


@dataclass(frozen=True)
class Fleet:
    """All that happens on a street in a run.

    Parameters
    ----------
    start
        Begin of the run (UTC).
    sessions
        By arrival.
    bookings
        By announcement; the last ones lie beyond the end of the run.
    models
        The cars' models by name.
    diverted
        Visitors who found no free socket.
    """

    start: datetime
    sessions: tuple[Session, ...]
    bookings: tuple[Booking, ...]
    models: Mapping[str, VehicleModel]
    diverted: int

    def model_of(self, session: Session) -> VehicleModel:
        """Return the model of a session's car."""
        return self.models[session.vehicle]

    def battery_at_arrival(self, session: Session, left_with_kwh: Mapping[str, float]) -> BatteryState:
        """Return the battery that a car arrives with.

        Parameters
        ----------
        session
            The plug-in.
        left_with_kwh
            Energy in the batteries at the end of earlier sessions, by session id [kWh].
        """
        energy_kwh = session.start_energy_kwh
        if session.follows is not None and session.follows in left_with_kwh:
            least_kwh = EMPTIEST_FRACTION * self.model_of(session).capacity_kwh
            energy_kwh = max(least_kwh, left_with_kwh[session.follows] - session.driven_kwh)
        return BatteryState(energy_kwh, session.limit_fraction)

    def need_kwh(self, session: Session, start_energy_kwh: float | None = None) -> float:
        """Return what a session needs, at the socket [kWh].

        Parameters
        ----------
        session
            The plug-in.
        start_energy_kwh
            Energy in the battery at arrival; None: as drawn [kWh].
        """
        start_kwh = session.start_energy_kwh if start_energy_kwh is None else start_energy_kwh
        return self.at_socket_kwh(session, max(0.0, session.target_energy_kwh - start_kwh))

    def at_socket_kwh(self, session: Session, battery_kwh: float) -> float:
        """Return what the socket delivers for some energy in the battery of a session's car [kWh]."""
        return energy_at_socket_kwh(self.model_of(session), battery_kwh, phases=3)
