"""A simulated fleet on any central system: ours or another."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from grid.clock import Clock, ScaledClock, SystemClock
from grid.errors import DocumentError, Problem
from grid.timegrid import floor_quarter
from simulator.client.counters import WireCounters
from simulator.fleet.sessions import Fleet
from simulator.result import RunRecord
from simulator.street import SimulatedStreet
from wijkstroom.progress import shown_progress
from wijkstroom.scene import Scene, build_world, draw_scene
from wijkstroom.street import Street, load_street

# Cars that are there when a run begins now are plugged in one after the other.
BETWEEN_PLUG_INS = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What was asked on the command line.

    Parameters
    ----------
    address
        The central system, to which ``/STATION_ID`` is added.
    config
        Street file; None: the default.
    date
        Local day, from 06:00 on; None: now.
    hours
        Length [h].
    speed
        Simulated seconds per real second.
    seed
        Of everything random.
    stations
        Only the first so many; None: all.
    """

    address: str
    config: Path | None
    date: date | None
    hours: float
    speed: float
    seed: int
    stations: int | None


def run_simulate(options: SimulateOptions) -> None:
    """Run a fleet and say what came of it.

    Raises
    ------
    DocumentError
        When the street file or the address is refused.
    """
    if not options.address.startswith(("ws://", "wss://")):
        message = f"{options.address!r} is no address of a central system: write ws://HOST:PORT/PATH"
        raise DocumentError("simulate", [Problem("URL", message)])
    street = load_street(options.config)
    if options.stations is not None:
        street = street.limited_to(each.id for each in street.stations[: options.stations])
    scene = _begin_scene(street, options, datetime.now(UTC))
    console = Console(stderr=True)
    record, counters = asyncio.run(_run(scene, options, console))
    Console().print("\n".join(summarise(record, counters)), highlight=False)


def _begin_scene(street: Street, options: SimulateOptions, now: datetime) -> Scene:
    if options.date is not None:
        return draw_scene(street, options.date, options.hours, options.seed)
    now = now.replace(microsecond=0)
    yesterday = now.astimezone(street.grid.tz).date() - timedelta(days=1)
    scene = draw_scene(street, yesterday, 48.0 + options.hours, options.seed)
    end = now + timedelta(hours=options.hours)
    start = floor_quarter(now)  # meters count whole quarters
    hours = (end - start) / timedelta(hours=1)
    return replace(scene, start=start, hours=hours, fleet=cut_fleet(scene.fleet, now, end))


def cut_fleet(fleet: Fleet, start: datetime, end: datetime) -> Fleet:
    """Return the part of a fleet between two instants; cars that are there at the first are plugged in again.

    Parameters
    ----------
    fleet
        Of a longer run.
    start, end
        Of the shorter one (UTC).
    """
    there = [one for one in fleet.sessions if one.departure > start and one.arrival < end]
    kept = {one.id for one in there}
    sessions = []
    for index, one in enumerate(there):
        arrival = max(one.arrival, start + index * BETWEEN_PLUG_INS)
        if one.departure > arrival:
            follows = one.follows if one.follows in kept else None
            sessions.append(replace(one, arrival=arrival, follows=follows))
    sessions.sort(key=lambda one: (one.arrival, one.id))
    bookings = tuple(one for one in fleet.bookings if one.end > start and one.announced_at < end)
    return replace(fleet, start=start, sessions=tuple(sessions), bookings=bookings)


async def _run(scene: Scene, options: SimulateOptions, console: Console) -> tuple[RunRecord, WireCounters]:
    clock: Clock
    async with AsyncExitStack() as stack:
        if options.date is None and options.speed == 1.0:
            clock = SystemClock()
        else:
            clock = await stack.enter_async_context(ScaledClock(scene.start, options.speed).running())
        simulated = SimulatedStreet(
            build_world(scene),
            clock,
            options.address,
            seed=scene.seed,
            meter_interval_s=scene.simulation.meter_interval_s,
            p1_host=None,
        )
        await stack.enter_async_context(simulated)
        line = lambda: compose_line(simulated)  # noqa: E731 - too short for a name of its own
        async with shown_progress(console, scene.start, scene.end, clock.now, line):
            record = await simulated.run_to_end()
        return record, simulated.counters


def compose_line(simulated: SimulatedStreet) -> str:
    """Return the progress line: time, cars, power, what went over the wire; why nobody connects, if so."""
    glance, counters = simulated.glance(), simulated.counters
    online = sum(station.online for station in simulated.stations.values())
    local = glance.at.astimezone(simulated.setup.grid.tz)
    parts = [
        f"{local:%a %H:%M}",
        f"{online} of {len(simulated.stations)} stations",
        f"{glance.cars} cars {glance.charging_kw:.1f} kW",
        f"{counters.messages} messages, {counters.errors} errors",
    ]
    if online == 0 and "connect" in counters.faults:
        parts.append(counters.faults["connect"])
    return "  ".join(parts)


def summarise(record: RunRecord, counters: WireCounters) -> list[str]:
    """Return what is printed at the end, line by line."""
    ended = [one for one in record.outcomes if one.ended]
    errors = (
        f"{counters.call_errors} CALLERRORs, {counters.schema_failures} schema failures, "
        f"{counters.timeouts} timeouts"
    )
    lines = [
        f"sessions      {len(record.outcomes)}, of which {len(ended)} ended",
        f"charged       {sum(one.import_kwh for one in record.outcomes):.1f} kWh",
        f"discharged    {sum(one.export_kwh for one in record.outcomes):.1f} kWh",
        f"messages      {counters.messages}",
        f"errors        {errors}",
        f"connections   {counters.connections}, {counters.refusals} refused",
    ]
    return lines + [f"first {kind}: {text}" for kind, text in counters.faults.items()]
