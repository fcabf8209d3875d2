"""The battery, the window and the wishes that a session is planned with.

Steps are quarters from the start of the running one. A session is planned from what its battery held when
that quarter began, had it drawn all along what it draws now: so the energy of the first step, of which a part
is over, is right as long as the power stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from csms.control.sessions import ConnectedCar, InformationClass
from csms.ocpp.dialects import DischargeDialect
from csms.settings import ServiceConfig, UnknownSessionConfig
from grid.timegrid import QUARTER, QUARTER_HOURS

# Losses of a car that nobody knows, when its battery is: those of an ordinary on-board charger.
UNKNOWN_EFFICIENCY = 0.9
# Energy that was measured longer ago than this is not carried on.
_LONGEST_GAP = timedelta(minutes=15)
# Of a car that charges up to a limit of its own a little more is asked, so that the limit can rise.
_ROOM_TO_RISE = 1.05


@dataclass(frozen=True, slots=True)
class Battery:
    """What a session's battery holds and wants, at the start of the running quarter.

    Parameters
    ----------
    capacity_kwh, energy_kwh, wanted_kwh
        The most, what it holds, and what it must hold at departure [kWh].
    floor_kwh
        Never discharged below [kWh].
    charge_efficiency, discharge_efficiency
        Battery energy per energy at the socket, and the reverse when discharging [fraction].
    """

    capacity_kwh: float
    energy_kwh: float
    wanted_kwh: float
    floor_kwh: float
    charge_efficiency: float
    discharge_efficiency: float


@dataclass(frozen=True, slots=True)
class Powers:
    """What a session may be told [kW at the socket]; 0 as the most means that the direction is not there."""

    max_charge_kw: float
    min_charge_kw: float
    max_discharge_kw: float
    min_discharge_kw: float


def remaining_energy_kwh(config: UnknownSessionConfig, taken_kwh: float) -> float:
    """Return what a session that says nothing will still take, given what it took already [kWh].

    The planned quantile of the energy of those sessions that take at least so much, less that.
    """
    quantiles = config.energy_quantiles_kwh
    level = _level_of(quantiles, taken_kwh)
    planned = level + config.planned_quantile * (1.0 - level)
    return max(_value_at(quantiles, planned) - taken_kwh, 0.0)


def describe_battery(car: ConnectedCar, quarter: datetime, service: ServiceConfig) -> Battery:
    """Return a session's battery as its information class knows it.

    Parameters
    ----------
    car
        The session.
    quarter
        Start of the running quarter.
    service
        For the quantiles of those who say nothing.
    """
    if car.capacity_kwh is not None and car.soc_fraction is not None:
        return _known_battery(car, quarter, car.capacity_kwh, car.soc_fraction)
    imported_kwh = delivered_kwh(car, quarter)
    wanted_kwh = _wanted_at_socket_kwh(car)
    if wanted_kwh is None:
        least_kwh = describe_powers(car).max_charge_kw * QUARTER_HOURS
        taken_kwh = max(imported_kwh, 0.0)
        wanted_kwh = taken_kwh + max(remaining_energy_kwh(service.unknown_session, taken_kwh), least_kwh)
    target_kwh = 0.0 if car.information is InformationClass.NONE else wanted_kwh
    energy_kwh = min(max(imported_kwh, 0.0), wanted_kwh)
    # Measured at the socket, losses are inside what is wanted.
    return Battery(wanted_kwh, energy_kwh, target_kwh, 0.0, 1.0, 1.0)


def describe_powers(car: ConnectedCar) -> Powers:
    """Return what a session may be told: the socket, the car's word, what was observed, the permission."""
    kw_per_a = car.kw_per_a()
    least_kw = car.model.min_current_a * kw_per_a
    most_kw = car.model.max_current_a * kw_per_a
    needs, vehicle = car.session.needs, car.vehicle
    said = [needs.max_charge_kw if needs else None, vehicle.max_charge_kw if vehicle else None]
    own_kw = car.limits.own_limit_kw
    said.append(None if own_kw is None else own_kw * _ROOM_TO_RISE)
    most_kw = max(min([most_kw, *(each for each in said if each is not None)]), least_kw)
    give_kw = _discharge_kw(car)
    if give_kw < least_kw:
        return Powers(most_kw, least_kw, 0.0, 0.0)
    return Powers(most_kw, least_kw, give_kw, least_kw)


def delivered_kwh(car: ConnectedCar, at: datetime) -> float:
    """Return the energy that a session was given up to a moment, at its socket [kWh]."""
    return car.session.imported_kwh + max(car.session.power_kw, 0.0) * _since_sample_h(car, at)


def _known_battery(car: ConnectedCar, quarter: datetime, capacity_kwh: float, soc: float) -> Battery:
    vehicle, needs, declaration = car.vehicle, car.session.needs, car.session.declaration
    charge = vehicle.charge_efficiency if vehicle else UNKNOWN_EFFICIENCY
    discharge = vehicle.discharge_efficiency if vehicle else UNKNOWN_EFFICIENCY
    measured_kwh = soc * capacity_kwh
    if needs is not None and soc == needs.soc_fraction:
        # No sample has told anything since: what the car said holds for when it said so, at the beginning.
        measured_kwh += car.session.imported_kwh * charge - car.session.exported_kwh / discharge
    wanted_kwh = 0.0
    if car.booking is not None:
        wanted_kwh = car.booking.energy_kwh
    elif declaration is not None and declaration.target_soc_fraction is not None:
        wanted_kwh = declaration.target_soc_fraction * capacity_kwh
    elif declaration is not None and declaration.energy_kwh is not None:
        given_kwh = car.session.imported_kwh - car.session.exported_kwh
        wanted_kwh = measured_kwh + (declaration.energy_kwh - given_kwh) * charge
    elif needs is not None and needs.target_soc_fraction is not None:
        wanted_kwh = needs.target_soc_fraction * capacity_kwh
    elif needs is not None and needs.energy_kwh is not None:
        given_kwh = car.session.imported_kwh * charge - car.session.exported_kwh / discharge
        wanted_kwh = measured_kwh + needs.energy_kwh - given_kwh
    elif vehicle is None:
        wanted_kwh = capacity_kwh
    power_kw = car.session.power_kw
    stored_kw = power_kw * charge if power_kw > 0.0 else power_kw / discharge
    energy_kwh = measured_kwh + stored_kw * _since_sample_h(car, quarter)
    floor_kwh = _floor_fraction(car) * capacity_kwh
    return Battery(
        capacity_kwh=capacity_kwh,
        energy_kwh=min(max(energy_kwh, 0.0), capacity_kwh),
        wanted_kwh=min(max(wanted_kwh, 0.0), capacity_kwh),
        floor_kwh=floor_kwh,
        charge_efficiency=charge,
        discharge_efficiency=discharge,
    )


def _wanted_at_socket_kwh(car: ConnectedCar) -> float | None:
    """Return the energy that a session with an unknown battery wants in all; None when nobody said [kWh]."""
    declaration, needs = car.session.declaration, car.session.needs
    if declaration is not None and declaration.energy_kwh is not None:
        return declaration.energy_kwh
    if car.booking is not None:
        return car.booking.energy_kwh
    if needs is not None and needs.energy_kwh:
        return max(needs.energy_kwh, 0.0)
    return None


def _discharge_kw(car: ConnectedCar) -> float:
    """Return what a session may give back [kW]: nothing without a dialect, or with an unknown battery."""
    if car.model.discharge_dialect is DischargeDialect.NONE or not car.battery_is_known:
        return 0.0
    needs, vehicle = car.session.needs, car.vehicle
    most_kw = min(car.allowed_discharge_kw, car.model.max_current_a * car.kw_per_a())
    said = [needs.max_discharge_kw if needs else None, vehicle.max_discharge_kw if vehicle else None]
    return min([most_kw, *(each for each in said if each is not None)])


def _floor_fraction(car: ConnectedCar) -> float:
    declaration = car.session.declaration
    said = [
        car.vehicle.floor_soc_fraction if car.vehicle else None,
        declaration.floor_soc_fraction if declaration else None,
    ]
    return max((each for each in said if each is not None), default=0.0)


def _since_sample_h(car: ConnectedCar, at: datetime) -> float:
    """Return the time from the last sample to a moment, negative for an earlier one, bounded [h]."""
    sampled_at = car.session.sampled_at
    if sampled_at is None:
        return 0.0
    return min(max(at - sampled_at, -QUARTER), _LONGEST_GAP) / timedelta(hours=1)


def _level_of(quantiles: tuple[float, ...], value: float) -> float:
    """Return the probability of at most a value, between equally spaced quantiles."""
    steps = len(quantiles) - 1
    if value >= quantiles[-1]:
        return 1.0
    for index, (low, high) in enumerate(pairwise(quantiles)):
        if value < high:
            return (index + max(value - low, 0.0) / (high - low)) / steps
    return 1.0


def _value_at(quantiles: tuple[float, ...], level: float) -> float:
    steps = len(quantiles) - 1
    index = min(int(level * steps), steps - 1)
    return quantiles[index] + (level * steps - index) * (quantiles[index + 1] - quantiles[index])
