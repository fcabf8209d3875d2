"""One session as the optimizer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from csms.control.battery import Battery, Powers, delivered_kwh, describe_battery, describe_powers
from csms.control.equal_share import Sharer, Taken
from csms.control.sessions import ConnectedCar
from csms.control.window import (
    departure_step,
    expected_departure,
    hurry,
    make_reachable,
    probe_kwh,
    prorate_kwh,
    ready_step,
)
from csms.settings import ServiceConfig
from grid.timegrid import TimeGrid
from optimizer.problem import Ev

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A session that is planned.

    Parameters
    ----------
    car
        What is known of it.
    battery, powers
        What it holds and wants, and what it may be told.
    departure
        When it is expected to end; None for a shared car that nobody has booked.
    last_step
        First step after that.
    delivered_kwh
        What it had got at its socket when the running quarter began [kWh].
    overdue
        Whether it should have left.
    """

    car: ConnectedCar
    battery: Battery
    powers: Powers
    departure: datetime | None
    last_step: int
    delivered_kwh: float
    overdue: bool

    @property
    def id(self) -> str:
        """The session's id, which is the ev's."""
        return self.car.session.id

    def taken(self) -> Taken:
        """Return what it got so far, for its entitlement."""
        session = self.car.session
        return Taken(session.imported_kwh, session.power_kw, self.car.limits.took_all)

    def sharer(self) -> Sharer:
        """Return it as equal sharing sees it."""
        missing_kwh = max(self.battery.capacity_kwh - self.battery.energy_kwh, 0.0)
        return Sharer(
            id=self.id,
            max_kw=self.powers.max_charge_kw,
            min_kw=self.powers.min_charge_kw,
            needed_kwh=missing_kwh / self.battery.charge_efficiency,
            departure_step=self.last_step,
        )


def describe_session(
    car: ConnectedCar, now: datetime, steps: TimeGrid, service: ServiceConfig
) -> PlannedSession:
    """Return a session as it is planned in some steps."""
    departure = expected_departure(car, now, service.unknown_session)
    last_step = departure_step(departure, now, steps)
    powers, battery = describe_powers(car), describe_battery(car, steps.start, service)
    if last_step == 1 and departure is not None:
        end = steps.edges[1] if departure <= now else min(departure, steps.edges[1])
        battery = hurry(battery, car, now, steps.start, end)
    return PlannedSession(
        car=car,
        battery=make_reachable(battery, powers),
        powers=powers,
        departure=departure,
        last_step=last_step,
        delivered_kwh=delivered_kwh(car, steps.start),
        overdue=departure is not None and departure <= now,
    )


def build_ev(
    planned: PlannedSession,
    floor_kwh: Floats | None,
    steps: TimeGrid,
    worth_eur_per_kwh: float,
    service: ServiceConfig,
) -> Ev:
    """Build the optimizer's view of a session.

    Parameters
    ----------
    planned
        The session.
    floor_kwh
        Its equal share at each time point; None for one that said what it needs [kWh].
    steps
        Of the plan.
    worth_eur_per_kwh
        What a kWh at its socket costs later at the least [EUR/kWh].
    service
        For the wear of discharging.
    """
    battery, powers = planned.battery, planned.powers
    # Below its floor, and after its time, a car only charges.
    gives = powers.max_discharge_kw > 0.0 and not planned.overdue and battery.energy_kwh >= battery.floor_kwh
    # What is left in a car that drives off for good is worth nothing to the street.
    stays = planned.car.booking is not None or planned.car.vehicle is not None or gives
    return Ev(
        id=planned.id,
        arrival_step=0,
        departure_step=_departure_step(planned, floor_kwh, steps),
        capacity_kwh=battery.capacity_kwh,
        min_energy_kwh=battery.floor_kwh if gives else 0.0,
        initial_energy_kwh=battery.energy_kwh,
        departure_energy_kwh=_wanted_kwh(planned, floor_kwh, steps),
        max_charge_kw=powers.max_charge_kw,
        max_discharge_kw=powers.max_discharge_kw if gives else 0.0,
        min_charge_kw=powers.min_charge_kw,
        min_discharge_kw=powers.min_discharge_kw if gives else 0.0,
        charge_efficiency=battery.charge_efficiency,
        discharge_efficiency=battery.discharge_efficiency,
        degradation_eur_per_kwh=service.degradation_eur_per_kwh,
        min_delivered_kwh=_least_delivered_kwh(planned, floor_kwh, steps),
        final_energy_value_eur_per_kwh=worth_eur_per_kwh / battery.charge_efficiency if stays else 0.0,
    )


def _departure_step(planned: PlannedSession, floor_kwh: Floats | None, steps: TimeGrid) -> int:
    if floor_kwh is not None or planned.last_step == steps.steps:
        return planned.last_step
    return ready_step(planned.last_step, planned.battery, planned.powers)


def _wanted_kwh(planned: PlannedSession, floor_kwh: Floats | None, steps: TimeGrid) -> float:
    battery = planned.battery
    if floor_kwh is not None:
        due_kwh = float(floor_kwh[planned.last_step]) * battery.charge_efficiency
        return min(battery.energy_kwh + due_kwh, battery.capacity_kwh)
    most_kw = planned.powers.max_charge_kw * battery.charge_efficiency
    return prorate_kwh(battery.wanted_kwh, planned.departure, steps.end, most_kw)


def _least_delivered_kwh(
    planned: PlannedSession, floor_kwh: Floats | None, steps: TimeGrid
) -> tuple[float, ...] | None:
    if floor_kwh is not None:
        return tuple(float(floor_kwh[min(point, planned.last_step)]) for point in range(steps.steps + 1))
    probe = probe_kwh(planned.car, planned.battery, planned.powers, planned.last_step)
    return (0.0, *([probe] * steps.steps)) if probe > 0.0 else None
