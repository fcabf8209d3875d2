"""A fleet file's stations on any central system, thousands of them in one process."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console

from grid.clock import Clock, SystemClock
from grid.errors import DocumentError, Problem
from simulator.client.transport import connect_websocket
from simulator.control.app import serving_control
from simulator.crowd import Crowd, CrowdSetup, spread_first
from simulator.drivers import DriverCounters, Drivers, connect_api
from simulator.faults.scenario import NO_SCENARIO, Scenario, load_scenario
from simulator.faults.schedule import draw_faults, draw_quirks
from simulator.fleet.file import FleetPlan, load_fleet
from simulator.fleet.groups import FleetDraw, compress
from simulator.fleet.sessions import Booking, Fleet, Session
from wijkstroom.progress import shown_progress
from wijkstroom.resources import find_config, resolver

# Files that a process needs besides one for each station.
OTHER_FILES = 256
# What is counted of what people told a service.
TOLD = ("declared", "booked", "refused", "given_up")


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What was asked on the command line.

    Parameters
    ----------
    fleet
        The fleet file.
    csms
        The central system, to which ``/STATION_ID`` is added.
    stations
        How many stations in all; None: as the file says.
    hours
        Length of the run [h of the wall].
    speed
        Fleet hours per hour: people come and go faster, clocks and power stay real.
    seed
        Of everything random.
    scenario
        What goes wrong; None: nothing.
    control_port
        Port of the control page on loopback, 0 for any; None: no page.
    report
        Where to write the report as JSON; None: nowhere.
    api
        Our service's API, where people declare and book; None: they tell only what OCPP carries.
    """

    fleet: Path
    csms: str
    stations: int | None = None
    hours: float = 24.0
    speed: float = 1.0
    seed: int = 1
    scenario: Path | None = None
    control_port: int | None = None
    report: Path | None = None
    api: str | None = None


class ApiEnvironment(BaseSettings):
    """The secret of who tells a service something, from the environment.

    Parameters
    ----------
    operator_token
        ``WIJKSTROOM_OPERATOR_TOKEN``, as the service has it.
    """

    model_config = SettingsConfigDict(env_prefix="WIJKSTROOM_")

    operator_token: SecretStr = SecretStr("")


def run_fleet(options: FleetOptions) -> None:
    """Run a fleet and say what came of it.

    Raises
    ------
    DocumentError
        When a file or the address is refused.
    """
    if not options.csms.startswith(("ws://", "wss://")):
        message = f"{options.csms!r} is no address of a central system: write ws://HOST:PORT/PATH"
        raise DocumentError("simulate", [Problem("--csms", message)])
    token = _read_token(options.api)
    path = find_config("fleets", options.fleet)
    plan = load_fleet(path, resolver(path.parent), options.stations)
    scenario = NO_SCENARIO
    if options.scenario is not None:
        scenario = load_scenario(find_config("scenarios", options.scenario))
    allow_files(len(plan.stations))
    setup = build_crowd_setup(plan, scenario, options, datetime.now(UTC))
    report = asyncio.run(_run(setup, options, token))
    Console().print("\n".join(compose_report(report)), highlight=False)
    if options.report is not None:
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _read_token(api: str | None) -> str:
    """Return the secret for an API, nothing without one."""
    if api is None:
        return ""
    token = ApiEnvironment().operator_token.get_secret_value()
    problems = []
    if not api.startswith(("http://", "https://")):
        problems.append(Problem("--api", f"{api!r} is no address of an API: write http://HOST:PORT"))
    if not token:
        problems.append(Problem("--api", "needs WIJKSTROOM_OPERATOR_TOKEN: set it as the service has it"))
    if problems:
        raise DocumentError("simulate", problems)
    return token


def build_crowd_setup(
    plan: FleetPlan, scenario: Scenario, options: FleetOptions, now: datetime
) -> CrowdSetup:
    """Draw who comes to a fleet's stations from now on, and what breaks.

    Parameters
    ----------
    plan, scenario, options
        What was asked.
    now
        Begin of the run (UTC).
    """
    now = now.replace(microsecond=0)
    today = now.astimezone(plan.tz).date()
    length = timedelta(hours=options.hours)
    last = (now + length * options.speed).astimezone(plan.tz).date()
    days = [today + timedelta(days=offset) for offset in range(-1, (last - today).days + 2)]
    drawn = FleetDraw(plan, options.seed).sessions(plan.stations, days)
    fast = compress(drawn, now, now, options.speed)
    here = [one for one in spread_first(fast, now, options.seed) if one.arrival < now + length]
    models = dict(plan.mix.models)
    models |= {
        crew.group.vehicle: crew.model
        for crew in plan.crews
        if crew.model is not None and crew.group.vehicle is not None
    }
    return CrowdSetup(
        stations=[replace(one, quirks=draw_quirks(scenario, one, options.seed)) for one in plan.stations],
        fleet=Fleet(now, tuple(here), _bookings(here), models, diverted=0),
        events=draw_faults(scenario, plan.stations, length.total_seconds(), options.seed),
        start=now,
        meter_interval_s=plan.file.fleet.meter_interval_s,
        seed=options.seed,
    )


def _bookings(sessions: Sequence[Session]) -> tuple[Booking, ...]:
    found = [one.booking for one in sessions if one.booking is not None]
    return tuple(sorted(found, key=lambda booking: (booking.announced_at, booking.id)))


def allow_files(stations: int) -> None:
    """Let the process open a socket for every station, as far as the system allows it.

    Raises
    ------
    DocumentError
        When it does not.
    """
    needed = stations + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    if hard < needed:
        message = f"{stations} stations need {needed} open files, the system allows {hard}: raise ulimit -n"
        raise DocumentError("simulate", [Problem("--stations", message)])
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def _run(setup: CrowdSetup, options: FleetOptions, token: str) -> dict[str, Any]:
    connect = connect_websocket(options.csms)
    console, clock = Console(stderr=True), SystemClock()
    end = setup.start + timedelta(hours=options.hours)
    async with AsyncExitStack() as stack:
        crowd = await stack.enter_async_context(Crowd(setup, clock, connect))
        if options.control_port is not None:
            port = await stack.enter_async_context(serving_control(crowd, options.control_port))
            console.print(f"control page: http://127.0.0.1:{port}/", highlight=False)
        counters = None
        if options.api is not None:
            client = await stack.enter_async_context(connect_api(options.api, token))
            drivers = Drivers(setup.fleet, clock, client)
            counters = drivers.counters
            await stack.enter_async_context(_aside(drivers.run()))
        await stack.enter_async_context(_aside(spare_collector(crowd)))
        line = lambda: compose_line(crowd, clock)  # noqa: E731 - too short for a name of its own
        async with shown_progress(console, setup.start, end, clock.now, line):
            await crowd.wait_until(end)
        return build_report(crowd, counters)


@asynccontextmanager
async def _aside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something go on for the length of the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()


async def spare_collector(crowd: Crowd) -> None:
    """Wait until everybody is online; the collector then passes over what lives as long as the run."""
    await crowd.wait_online()
    gc.collect()
    gc.freeze()


def compose_line(crowd: Crowd, clock: Clock) -> str:
    """Return the live counters: stations, cars, power, messages, errors, faults; why nobody connects."""
    counters = crowd.counters
    parts = [
        f"{clock.now():%H:%M:%S}",
        f"{crowd.online} of {len(crowd.patients)} stations",
        f"{crowd.cars} cars {crowd.power_kw():.1f} kW",
        f"{counters.messages} messages, {counters.errors} errors",
        f"{len(crowd.injector.happened)} faults",
    ]
    if crowd.online == 0 and "connect" in counters.faults:
        parts.append(counters.faults["connect"])
    return "  ".join(parts)


def build_report(crowd: Crowd, told: DriverCounters | None = None) -> dict[str, Any]:
    """Return what a run came to, as plain data.

    Parameters
    ----------
    crowd
        At the end of its run.
    told
        What people told the service's API; None when there was none.
    """
    counters, tally, sessions = crowd.counters, asdict(crowd.tally), crowd.setup.fleet.sessions
    wishes = Counter(one.information.value for one in sessions)
    return {
        "stations": len(crowd.patients),
        "online": crowd.online,
        "sessions": {"begun": tally["begun"], "ended": tally["ended"], "diverted": tally["diverted"]},
        "wishes": dict(wishes) | {"opted_out": sum(one.ready_by is not None for one in sessions)},
        "told": None if told is None else asdict(told),
        "import_kwh": round(tally["import_kwh"], 3),
        "export_kwh": round(tally["export_kwh"], 3),
        "standby_kwh": round(crowd.standby_kwh, 3),
        "violations": tally["violations"],
        "messages": counters.messages,
        "waiting": crowd.waiting,
        "sent": dict(sorted(counters.sent.items())),
        "call_errors": counters.call_errors,
        "schema_failures": counters.schema_failures,
        "timeouts": counters.timeouts,
        "connections": counters.connections,
        "refusals": counters.refusals,
        "first_errors": dict(counters.faults),
        "faults": dict(Counter(log.event.kind.value for log in crowd.injector.happened)),
        "quirks": dict(
            Counter(
                quirk.value for one in crowd.patients.values() for quirk in one.client.setup.quirks.values
            )
        ),
    }


def compose_report(report: dict[str, Any]) -> list[str]:
    """Return a report line by line."""
    sessions = report["sessions"]
    faults = ", ".join(f"{count} {kind}" for kind, count in report["faults"].items()) or "none"
    wishes = ", ".join(f"{count} {way.replace('_', ' ')}" for way, count in report["wishes"].items())
    lines = [
        f"stations      {report['stations']}, of which {report['online']} online at the end",
        (
            f"sessions      {sessions['begun']} begun, {sessions['ended']} ended, "
            f"{sessions['diverted']} diverted"
        ),
        f"wishes        {wishes}",
        f"charged       {report['import_kwh']:.1f} kWh",
        f"discharged    {report['export_kwh']:.1f} kWh",
        f"standby       {report['standby_kwh']:.1f} kWh",
        f"messages      {report['messages']}, {report['waiting']} waiting",
        (
            f"errors        {report['call_errors']} CALLERRORs, {report['schema_failures']} schema failures, "
            f"{report['timeouts']} timeouts"
        ),
        f"connections   {report['connections']}, {report['refusals']} refused",
        f"faults        {faults}",
        f"invariants    {len(report['violations'])} violated",
    ]
    if (told := report["told"]) is not None:
        counts = ", ".join(f"{told[key]} {key.replace('_', ' ')}" for key in TOLD)
        lines += [f"told          {counts}", *(f"{key}: {text}" for key, text in told["faults"].items())]
    lines += [f"first {kind}: {text}" for kind, text in report["first_errors"].items()]
    return lines + [f"violated: {text}" for text in report["violations"][:10]]
