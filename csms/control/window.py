"""When a session must be ready, and what that asks of the next steps."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from csms.control.battery import Battery, Powers
from csms.control.sessions import ConnectedCar
from csms.settings import UnknownSessionConfig
from grid.timegrid import QUARTER, QUARTER_HOURS, TimeGrid

# A car that takes its time is planned this many steps ahead of now, again and again.
_OVERDUE_STEPS = 1
# Where the need leaves time for it, charging ends so many steps early, at most this share of the stay: cars
# draw a little less than they are told, and the last tenth of a battery takes an hour or two more than its
# energy says. What is short then is made good in what was kept.
_MARGIN_STEPS = 6
_MARGIN_SHARE = 2
# A car whose phases nobody knows may need three times as long: with less time to spare than this it gets full
# power until its currents have told [h], or it has taken so much that its station will never tell them [kWh].
_SPARE_H = 0.75
_PROBE_KWH = 3.0
# A smaller rest of a need is not worth a step at the least power [kWh].
_WORTH_A_STEP_KWH = 0.05
# A shorter rest of a session counts as this long.
_SHORTEST_REST = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
# Of a step: what rounding may add to the steps that a need takes.
_ROUNDING = 1e-6


def expected_departure(car: ConnectedCar, now: datetime, config: UnknownSessionConfig) -> datetime | None:
    """Return when a session is expected to end (UTC); None for a shared car that nobody has booked.

    A driver's own word counts before the car's. Who says nothing is expected to stay some hours from now on,
    whenever one asks.
    """
    if car.booking is not None:
        return car.booking.start
    declaration, needs = car.session.declaration, car.session.needs
    if declaration is not None:
        return declaration.departure
    if needs is not None and needs.departure is not None:
        return needs.departure
    if car.vehicle is not None:
        return None
    return now + timedelta(hours=config.stay_h)


def departure_step(departure: datetime | None, now: datetime, grid: TimeGrid) -> int:
    """Return the first step after a session; one that is overdue is planned for the running step only."""
    if departure is None or departure >= grid.end:
        return grid.steps
    if departure <= now:
        return _OVERDUE_STEPS
    return max((departure - grid.start) // grid.step, 1)


def ready_step(last_step: int, battery: Battery, powers: Powers) -> int:
    """Return the step before which a session should be ready: some steps early where that is possible.

    Parameters
    ----------
    last_step
        First step after the session.
    battery, powers
        What it wants, and how fast that goes.
    """
    early = last_step - min(_MARGIN_STEPS, last_step // _MARGIN_SHARE)
    step_kwh = QUARTER_HOURS * powers.max_charge_kw * battery.charge_efficiency
    needed_steps = math.ceil((battery.wanted_kwh - battery.energy_kwh) / step_kwh - _ROUNDING)
    return min(max(early, needed_steps), last_step)


def probe_kwh(car: ConnectedCar, battery: Battery, powers: Powers, last_step: int) -> float:
    """Return what a session should take in the running quarter so that its currents tell its phases [kWh].

    A car with one phase, planned as one with three, would be started too late. The least power tells; a car
    that could not do with one phase in its time gets full power until it is known.
    """
    needs = car.session.needs
    said = car.limits.phases or (needs and needs.phases) or (car.vehicle and car.vehicle.phases)
    missing_kwh = (battery.wanted_kwh - battery.energy_kwh) / battery.charge_efficiency
    if said or car.model.phases == 1 or missing_kwh <= 0.0 or car.session.imported_kwh > _PROBE_KWH:
        return 0.0
    one_phase_kw = powers.max_charge_kw / car.phases
    urgent = missing_kwh > one_phase_kw * (last_step * QUARTER_HOURS - _SPARE_H)
    power_kw = powers.max_charge_kw if urgent else powers.min_charge_kw
    return power_kw * QUARTER_HOURS


def make_reachable(battery: Battery, powers: Powers) -> Battery:
    """Return a battery that can take the least power for a step where less is missing than that.

    A car takes no less than its least power. Where a rest of its need is smaller, it gets a little more than
    it needs; when it is full it stops by itself.
    """
    least_kwh = powers.min_charge_kw * QUARTER_HOURS * battery.charge_efficiency
    if battery.wanted_kwh - battery.energy_kwh < _WORTH_A_STEP_KWH:
        return battery
    return replace(battery, capacity_kwh=max(battery.capacity_kwh, battery.energy_kwh + least_kwh))


def hurry(battery: Battery, car: ConnectedCar, now: datetime, quarter: datetime, end: datetime) -> Battery:
    """Return a battery whose need is met when the running quarter is all that is left of the session.

    The step counts as a whole quarter, of which only the time until the departure is left: what is missing is
    raised in that proportion, so that the power is right.

    Parameters
    ----------
    battery
        At the start of the quarter.
    car
        The session.
    now, quarter
        The moment of planning, and the start of the running quarter.
    end
        Until when it can be charged: its departure, or the end of the quarter.
    """
    power_kw = max(car.session.power_kw, 0.0)
    held_kwh = battery.energy_kwh + power_kw * battery.charge_efficiency * (now - quarter) / _HOUR
    missing_kwh = battery.wanted_kwh - held_kwh
    if missing_kwh <= 0.0:
        return battery
    wanted_kwh = held_kwh + missing_kwh * (QUARTER / max(end - now, _SHORTEST_REST))
    capacity_kwh = max(battery.capacity_kwh, wanted_kwh)
    return replace(battery, energy_kwh=held_kwh, wanted_kwh=wanted_kwh, capacity_kwh=capacity_kwh)


def prorate_kwh(wanted_kwh: float, departure: datetime | None, end: datetime, most_kw: float) -> float:
    """Return what must be stored at the end of the horizon so that the rest is possible after it [kWh].

    Parameters
    ----------
    wanted_kwh
        Wanted at departure [kWh].
    departure
        When that is; None when nobody knows: then nothing is wanted yet.
    end
        End of the horizon.
    most_kw
        Largest power into the battery [kW].
    """
    if departure is None:
        return 0.0
    after_h = max((departure - end) / timedelta(hours=1), 0.0)
    return max(wanted_kwh - after_h * most_kw, 0.0)
