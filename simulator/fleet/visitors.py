"""Visitors of public sockets: ElaadNL's arrivals, stays and energies, a car, and what its driver tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from simulator.fleet.joint import Draws
from simulator.fleet.sessions import Declaration, InformationClass, Session
from simulator.fleet.setup import FleetSetup, SocketKey
from simulator.vehicle.charging import BatteryState, Offer, advance, energy_at_socket_kwh, requested_power_kw
from simulator.vehicle.model import VehicleModel

STREAM = 1
# Nobody plugs in for less.
SHORTEST_STAY = timedelta(minutes=10)
# Time between a departure and the next arrival at a socket.
TURNOVER = timedelta(minutes=3)
# How long after the departure that they declared drivers leave at the most [s].
LATEST_LEAVING_S = 600
# States of charge at which drivers let their cars stop, and the least with which cars arrive (assumptions).
TARGET_FRACTIONS = (0.8, 0.9, 0.95)
TARGET_SHARES = (0.5, 0.2, 0.3)
LEAST_START_FRACTION = 0.05
_WEEKEND = 5


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who wants to plug in.

    Parameters
    ----------
    arrival, departure
        When (UTC).
    energy_kwh
        Energy wished, at the socket [kWh].
    wish
        What the driver would tell.
    """

    arrival: datetime
    departure: datetime
    energy_kwh: float
    wish: InformationClass


def draw_visitors(
    setup: FleetSetup, start: datetime, days: Sequence[date], seed: int
) -> tuple[list[Session], int]:
    """Draw the visitors of some local days from an instant on.

    Parameters
    ----------
    setup
        The street and its statistics.
    start
        Begin of the run: the sockets are free, earlier arrivals are left out.
    days
        Local days, consecutive.
    seed
        Days are drawn each for itself: the same day of another run wants the same.

    Returns
    -------
    tuple
        Sessions by arrival, and how many visitors found no free socket.
    """
    free_from = dict.fromkeys(setup.visitor_sockets, start)
    sessions: list[Session] = []
    diverted = 0
    for day in days:
        rng = np.random.default_rng([seed, day.toordinal(), STREAM])
        for number, visit in enumerate(
            sorted(_draw_visits(setup, day, rng), key=lambda visit: visit.arrival)
        ):
            own = np.random.default_rng([seed, day.toordinal(), STREAM, number])
            if visit.arrival < start:
                continue
            socket = _choose_socket(free_from, visit, own)
            if socket is None:
                diverted += 1
                continue
            free_from[socket] = visit.departure + TURNOVER
            sessions.append(_build_session(setup, visit, socket, f"{day:%m%d}-{number:03d}", own))
    return sessions, diverted


def _draw_visits(setup: FleetSetup, day: date, rng: np.random.Generator) -> Iterator[Visit]:
    draws, count = _draw_day(setup, day, rng)
    shares = setup.config.class_shares
    wishes = (InformationClass.NONE, InformationClass.DRIVER, InformationClass.CAR)
    weights = np.array([shares.none, shares.driver, shares.car])
    picks = rng.choice(len(wishes), count, p=weights / weights.sum())
    seconds = rng.integers(0, 900, count)
    for row in range(count):
        quarter = int(draws.quarter[row])
        local = datetime.combine(day, time(quarter // 4, quarter % 4 * 15), setup.tz)
        arrival = local.astimezone(UTC) + timedelta(seconds=int(seconds[row]))
        stay = max(SHORTEST_STAY, timedelta(seconds=round(float(draws.stay_h[row]) * 3600.0)))
        yield Visit(arrival, arrival + stay, float(draws.energy_kwh[row]), wishes[picks[row]])


def _draw_day(setup: FleetSetup, day: date, rng: np.random.Generator) -> tuple[Draws, int]:
    """Draw the sessions of one day out of a week's."""
    count = int(rng.poisson(setup.config.sessions_per_day))
    weekend = day.weekday() >= _WEEKEND
    share = setup.sampler.weekend_share if weekend else 1.0 - setup.sampler.weekend_share
    # Four standard deviations more than are needed on average, and some for small numbers.
    draws = setup.sampler.draw(int((count + 4.0 * count**0.5 + 20.0) / max(share, 0.05)), rng)
    of_day = np.flatnonzero(draws.weekend == weekend)[:count]
    kept = Draws(draws.quarter[of_day], draws.weekend[of_day], draws.stay_h[of_day], draws.energy_kwh[of_day])
    return kept, len(of_day)


def _choose_socket(
    free_from: dict[SocketKey, datetime], visit: Visit, rng: np.random.Generator
) -> SocketKey | None:
    free = [socket for socket, instant in free_from.items() if instant <= visit.arrival]
    if visit.wish is InformationClass.CAR:
        free = [socket for socket in free if socket.listens] or free
    return free[int(rng.integers(len(free)))] if free else None


def _build_session(
    setup: FleetSetup, visit: Visit, socket: SocketKey, name: str, rng: np.random.Generator
) -> Session:
    speaks = visit.wish is InformationClass.CAR and socket.listens
    information = InformationClass.NONE if visit.wish is InformationClass.CAR and not speaks else visit.wish
    vehicle = _choose_vehicle(setup, rng, speaks=speaks)
    model = setup.models[vehicle]
    ready = visit.departure
    if information is InformationClass.DRIVER:
        slack_s = min(LATEST_LEAVING_S, (visit.departure - visit.arrival).total_seconds() / 4.0)
        ready -= timedelta(seconds=int(rng.uniform(0.0, slack_s)))
    usable_s = int((ready - visit.arrival).total_seconds() * setup.config.usable_fraction)
    start_kwh, target_kwh = _draw_battery(model, visit.energy_kwh, usable_s, socket.max_current_a, rng)
    declaration = None
    if information is InformationClass.DRIVER:
        delay_s = int(rng.integers(0, setup.config.declaration_delay_s + 1))
        need_kwh = energy_at_socket_kwh(model, target_kwh - start_kwh, phases=3)
        declaration = Declaration(visit.arrival + timedelta(seconds=delay_s), need_kwh, ready)
    return Session(
        id=f"visitor-{name}",
        station_id=socket.station_id,
        evse_id=socket.evse_id,
        token=f"NLWIJ{name.replace('-', '')}",
        vehicle=vehicle,
        arrival=visit.arrival,
        departure=visit.departure,
        information=information,
        start_energy_kwh=start_kwh,
        target_energy_kwh=target_kwh,
        limit_fraction=target_kwh / model.capacity_kwh,
        declaration=declaration,
    )


def _choose_vehicle(setup: FleetSetup, rng: np.random.Generator, *, speaks: bool) -> str:
    """Draw a car; one that speaks when its driver leaves the telling to it."""
    among = [one for one in setup.config.vehicles if not speaks or setup.models[one.file].reports_soc]
    weights = np.array([one.share for one in among])
    return among[int(rng.choice(len(among), p=weights / weights.sum()))].file


def _draw_battery(
    model: VehicleModel, energy_kwh: float, usable_s: int, max_current_a: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return energy at arrival and at the driver's limit, as the wish and the stay allow [kWh]."""
    target_fraction = float(rng.choice(TARGET_FRACTIONS, p=TARGET_SHARES))
    smallest_kwh = LEAST_START_FRACTION * model.capacity_kwh
    wish_kwh = energy_kwh / energy_at_socket_kwh(model, 1.0, phases=3)
    target_kwh = max(target_fraction * model.capacity_kwh, smallest_kwh + wish_kwh)
    target_kwh = min(target_kwh, max(TARGET_FRACTIONS) * model.capacity_kwh)
    start_kwh = max(smallest_kwh, target_kwh - wish_kwh)
    power_kw = requested_power_kw(model, Offer(max_current_a), phases=3)
    charged = advance(model, BatteryState(start_kwh), power_kw, usable_s)
    return start_kwh, min(target_kwh, float(charged.energy_kwh[-1]))
