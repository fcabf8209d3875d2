"""The whole fleet of a run, from a date and a seed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from simulator.fleet.sessions import Fleet
from simulator.fleet.setup import FleetSetup
from simulator.fleet.shared import draw_shared
from simulator.fleet.visitors import draw_visitors

# The run begins when the street is quiet and the day's bookings are known.
START_LOCAL_TIME = time(6)


def start_of_run(setup: FleetSetup, day: date) -> datetime:
    """Return when a run on a local day begins (UTC)."""
    return datetime.combine(day, START_LOCAL_TIME, setup.tz).astimezone(UTC)


def draw_fleet(setup: FleetSetup, day: date, seed: int, hours: float = 24.0) -> Fleet:
    """Draw everybody who plugs in during a run.

    A longer run begins with the same people, and the same date and seed give the same fleet everywhere.

    Parameters
    ----------
    setup
        What it is drawn from.
    day
        Local day on which the run begins.
    seed
        The only source of randomness.
    hours
        Length of the run [h].
    """
    start = start_of_run(setup, day)
    end = start + timedelta(hours=hours)
    last_day = end.astimezone(setup.tz).date()
    # One day more, so that every shared car has a trip to be ready for when the run ends.
    days = [day + timedelta(days=offset) for offset in range((last_day - day).days + 2)]
    visitors, diverted = draw_visitors(setup, start, days[:-1], seed)
    shared = draw_shared(setup, start, days, seed)
    bookings = [session.booking for session in shared if session.booking is not None]
    sessions = sorted([*visitors, *shared], key=lambda session: (session.arrival, session.id))
    return Fleet(
        start=start,
        sessions=tuple(session for session in sessions if session.arrival < end),
        bookings=tuple(
            sorted(
                (booking for booking in bookings if booking.announced_at < end),
                key=lambda booking: (booking.announced_at, booking.id),
            )
        ),
        models=dict(setup.models),
        diverted=diverted,
    )
