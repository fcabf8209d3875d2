"""Shared cars: each has a socket of its own, goes on booked trips and comes back emptier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from simulator.config import BookingsTable, SharedCarTable
from simulator.fleet.sessions import Booking, InformationClass, Session
from simulator.fleet.setup import FleetSetup, SocketKey
from simulator.vehicle.charging import Offer, requested_power_kw
from simulator.vehicle.model import VehicleModel

STREAM = 2
# A car is plugged in so long after its trip has ended, or the run has begun, at the most [s].
LATEST_PLUG_IN_S = 300
# A car's least part of what its socket gives: its neighbour behind the same fuses needs the other.
FUSE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Trip:
    """One trip of a car.

    Parameters
    ----------
    start, end
        When it is away (UTC).
    energy_kwh
        What the trip takes out of the battery [kWh].
    plug_in_after_s
        How long after its end the car is plugged in again [s].
    """

    start: datetime
    end: datetime
    energy_kwh: float
    plug_in_after_s: int


def draw_shared(setup: FleetSetup, start: datetime, days: Sequence[date], seed: int) -> list[Session]:
    """Draw the trips of the shared cars and the sessions between them.

    Parameters
    ----------
    setup
        The street and its cars.
    start
        Begin of the run: every car stands at its socket.
    days
        Local days, consecutive; the last one's trips end the last sessions.
    seed
        Each car and day is drawn for itself.
    """
    table = setup.config.bookings
    if table is None:
        return []
    sessions: list[Session] = []
    for number, (car, socket) in enumerate(zip(setup.config.shared_cars, setup.shared_sockets, strict=True)):
        streams = {day: [seed, day.toordinal(), STREAM, number] for day in days}
        trips = [
            trip
            for day, stream in streams.items()
            for trip in _draw_trips(setup, table, day, np.random.default_rng(stream))
            if trip.start >= start + timedelta(hours=table.plugged_hours_min)
        ]
        rng = np.random.default_rng([*streams[days[0]], 0])
        sessions += _chain(setup, table, car, socket, start, trips, rng)
    return sessions


def _draw_trips(
    setup: FleetSetup, table: BookingsTable, day: date, rng: np.random.Generator
) -> Iterator[Trip]:
    """Draw a day's trips: what is left of the day beside trips and charging falls between them at random."""
    count = int(rng.integers(table.per_day_min, table.per_day_max + 1))
    most_h = table.day_hours / count - table.plugged_hours_min
    longest_h = max(table.duration_hours_min, min(table.duration_hours_max, most_h))
    duration_h = rng.uniform(table.duration_hours_min, longest_h, count)
    spare_h = table.day_hours - float(duration_h.sum()) - count * table.plugged_hours_min
    waits_h = rng.dirichlet(np.ones(count + 1))[:count] * spare_h
    first = datetime.combine(day, table.first_local_time, setup.tz).astimezone(UTC)
    at_h = 0.0
    for wait_h, away_h in zip(waits_h, duration_h, strict=True):
        begin = first + timedelta(minutes=round(60.0 * (at_h + wait_h)))
        end = begin + timedelta(minutes=round(60.0 * away_h))
        energy_kwh = round(float(rng.uniform(table.energy_kwh_min, table.energy_kwh_max)), 1)
        yield Trip(begin, end, energy_kwh, int(rng.integers(10, LATEST_PLUG_IN_S)))
        at_h += wait_h + away_h + table.plugged_hours_min


def _chain(
    setup: FleetSetup,
    table: BookingsTable,
    car: SharedCarTable,
    socket: SocketKey,
    start: datetime,
    trips: Sequence[Trip],
    rng: np.random.Generator,
) -> Iterator[Session]:
    """Yield the sessions before each trip; a trip takes no more than the time before it can charge."""
    model = setup.models[car.file]
    floor_kwh = table.floor_soc_fraction * model.capacity_kwh
    fraction = rng.uniform(table.start_soc_fraction_min, table.start_soc_fraction_max)
    energy_kwh = float(fraction) * model.capacity_kwh
    arrival = start + timedelta(seconds=int(rng.integers(10, LATEST_PLUG_IN_S)))
    follows, driven_kwh = None, 0.0
    for trip in trips:
        most_kwh = energy_kwh + _chargeable_kwh(setup, model, socket, trip.start - arrival)
        most_kwh = min(most_kwh, model.full_soc_fraction * model.capacity_kwh)
        booking = _build_booking(table, car, trip, start, floor_kwh, most_kwh)
        session = Session(
            id=f"{car.token.lower()}-{arrival:%m%d%H%M}",
            station_id=socket.station_id,
            evse_id=socket.evse_id,
            token=car.token,
            vehicle=car.file,
            arrival=arrival,
            departure=trip.start,
            information=InformationClass.BOOKING,
            start_energy_kwh=energy_kwh,
            target_energy_kwh=booking.energy_kwh,
            limit_fraction=1.0,
            booking=booking,
            follows=follows,
            driven_kwh=driven_kwh,
        )
        yield session
        follows, driven_kwh = session.id, booking.trip_kwh
        energy_kwh = max(energy_kwh, session.target_energy_kwh) - driven_kwh
        arrival = trip.end + timedelta(seconds=trip.plug_in_after_s)


def _build_booking(
    table: BookingsTable, car: SharedCarTable, trip: Trip, start: datetime, floor_kwh: float, most_kwh: float
) -> Booking:
    # In tenths, rounded down: what is announced can be served.
    trip_kwh = max(0.0, min(trip.energy_kwh, int((most_kwh - floor_kwh) * 10.0) / 10.0))
    return Booking(
        id=f"{car.token}-{trip.start:%m%d%H%M}",
        token=car.token,
        announced_at=max(start, trip.start - timedelta(hours=table.announced_hours_ahead)),
        start=trip.start,
        end=trip.end,
        energy_kwh=floor_kwh + trip_kwh,
        trip_kwh=trip_kwh,
    )


def _chargeable_kwh(setup: FleetSetup, model: VehicleModel, socket: SocketKey, plugged: timedelta) -> float:
    """Return what a car certainly gets into its battery while it is plugged in [kWh]."""
    power_kw = FUSE_SHARE * requested_power_kw(model, Offer(socket.max_current_a), phases=3)
    return model.battery_power_kw(power_kw) * setup.config.usable_fraction * (plugged / timedelta(hours=1))
