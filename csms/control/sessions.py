"""What is known of each running session.

The service knows what OCPP, a driver's declaration and bookings carry, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from csms.control.ledger import EvseKey
from csms.control.observed import CarLimits
from csms.ocpp.vocabulary import ConnectorStatus
from csms.settings import EvseConfig, PhaseRotation, StationModel, VehicleConfig
from csms.state.catalogue import Catalogue, fold_token
from csms.state.events import BookingMade
from csms.state.station_state import EvseState, SessionState, StreetState
from grid.topology import NOMINAL_VOLTAGE_V

SUSPENDED_BY_CAR = "SuspendedEV"
NOTHING_OBSERVED = CarLimits()


class InformationClass(StrEnum):
    """Who told the service about a session."""

    NONE = "none"
    DRIVER = "driver"
    CAR = "car"
    BOOKING = "booking"


@dataclass(frozen=True, slots=True)
class ConnectedCar:
    """A running session with everything that is known of it.

    Parameters
    ----------
    key, connection_id
        Its socket, and the connection behind that.
    session
        What the station measured and said.
    model, evse
        Its station's model entry, and the socket's configuration.
    vehicle
        The car, when its owner made it known.
    booking
        The booking that it is needed for next, running ones that it has not left for included.
    limits
        What was observed of the car in this session.
    allowed_discharge_kw
        0 unless everything that discharging needs is on record [kW].
    suspended
        Whether the station says that the car does not take what it is offered.
    """

    key: EvseKey
    connection_id: str
    session: SessionState
    model: StationModel
    evse: EvseConfig
    vehicle: VehicleConfig | None = None
    booking: BookingMade | None = None
    limits: CarLimits = NOTHING_OBSERVED
    allowed_discharge_kw: float = 0.0
    suspended: bool = False

    @property
    def information(self) -> InformationClass:
        """Who told about it: the owner's bookings before the car, the car before the driver."""
        if self.booking is not None:
            return InformationClass.BOOKING
        needs = self.session.needs
        if needs is not None and (needs.energy_kwh or self.soc_fraction is not None):
            return InformationClass.CAR
        if self.session.declaration is not None:
            return InformationClass.DRIVER
        return InformationClass.NONE

    @property
    def phases(self) -> int:
        """Phases that the car uses: observed, else as said by the car or its owner, else the socket's."""
        needs = self.session.needs
        said = (
            self.limits.phases,
            None if needs is None else needs.phases,
            None if self.vehicle is None else self.vehicle.phases,
        )
        return min(next((each for each in said if each), self.model.phases), self.model.phases)

    @property
    def used_phases(self) -> frozenset[int]:
        """Phases of the socket that carry its current, the first ones unless observed."""
        return self.limits.used_phases or frozenset(range(1, self.phases + 1))

    @property
    def soc_fraction(self) -> float | None:
        """State of charge by protocol, None when nobody said [fraction]."""
        if self.session.soc_fraction is not None:
            return self.session.soc_fraction
        return None if self.session.needs is None else self.session.needs.soc_fraction

    @property
    def capacity_kwh(self) -> float | None:
        """Battery capacity, as said by the car or its owner [kWh]."""
        needs = self.session.needs
        if needs is not None and needs.capacity_kwh:
            return needs.capacity_kwh
        return None if self.vehicle is None else self.vehicle.capacity_kwh

    @property
    def battery_is_known(self) -> bool:
        """Whether capacity and state of charge are known."""
        return self.capacity_kwh is not None and self.soc_fraction is not None

    @property
    def is_standby(self) -> bool:
        """Whether it has stopped asking: it keeps the fallback rate, so that it can resume, and no plan."""
        return self.suspended and self.limits.is_idle and not self.battery_is_known

    def kw_per_a(self, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
        """Return the power of one ampere on each phase that it uses [kW]."""
        return voltage_v * self.phases / 1000.0


def list_cars(
    now: datetime,
    state: StreetState,
    catalogue: Catalogue,
    limits: Mapping[str, CarLimits],
    allowed_discharge_kw: Mapping[EvseKey, float],
) -> tuple[ConnectedCar, ...]:
    """Return the running sessions, in the order in which they began.

    Parameters
    ----------
    now
        Tells which booking is the next one.
    state
        The street.
    catalogue
        What is configured.
    limits
        What was observed, by session.
    allowed_discharge_kw
        By socket; one that is missing may not discharge [kW].
    """
    cars = [
        _build_car(now, state, catalogue, EvseKey(station.station_id, evse.evse_id), evse, limits)
        for station in state.stations.values()
        if catalogue.knows(station.station_id)
        for evse in station.evses.values()
        if evse.session is not None
    ]
    cars = [_allow(car, allowed_discharge_kw.get(car.key, 0.0)) for car in cars]
    return tuple(sorted(cars, key=lambda car: (car.session.started_at, car.session.id)))


def find_booking(
    bookings: Mapping[str, BookingMade], token: str | None, started_at: datetime, now: datetime
) -> BookingMade | None:
    """Return the booking that a session's car is needed for next.

    One that has begun counts while it lasts unless the session began after it: then the car is back early.
    """
    if token is None:
        return None
    own = [one for one in bookings.values() if fold_token(one.token) == fold_token(token)]
    due = [one for one in own if one.end > now and one.start >= min(started_at, now)]
    return min(due, key=lambda one: (one.start, one.booking_id), default=None)


def _build_car(
    now: datetime,
    state: StreetState,
    catalogue: Catalogue,
    key: EvseKey,
    evse: EvseState,
    limits: Mapping[str, CarLimits],
) -> ConnectedCar:
    session = evse.session
    assert session is not None, "only sockets with a session are asked for"
    station = catalogue.station(key.station_id)
    # Stations behind an open door may have more sockets than anyone configured.
    unknown = EvseConfig(
        id=max(key.evse_id, 1), emi3=f"{key.station_id}*{key.evse_id}", phase_rotation=PhaseRotation.UNKNOWN
    )
    return ConnectedCar(
        key=key,
        connection_id=station.connection,
        session=session,
        model=catalogue.model_of(key.station_id),
        evse=station.evse(key.evse_id) or unknown,
        vehicle=catalogue.vehicle_of(session.token),
        booking=find_booking(state.bookings, session.token, session.started_at, now),
        limits=limits.get(session.id, NOTHING_OBSERVED),
        suspended=session.charging_state == SUSPENDED_BY_CAR or evse.status is ConnectorStatus.SUSPENDED_EV,
    )


def _allow(car: ConnectedCar, allowed_kw: float) -> ConnectedCar:
    """Grant discharge to a car whose battery is known: without its state of charge there is no floor."""
    return replace(car, allowed_discharge_kw=allowed_kw if car.battery_is_known else 0.0)
