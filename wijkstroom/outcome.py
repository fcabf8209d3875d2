"""What a run over sockets came to: energy by the meters in the database, limits by the simulator's truth."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from sqlmodel import Session

from csms.settings import MeterRole
from csms.state.queries import (
    QuarterEnergy,
    StoredSession,
    energy_by_quarter,
    list_plans,
    list_sessions,
    meter_energy_by_quarter,
)
from grid.errors import WijkstroomError
from simulator.result import RunRecord, SessionOutcome
from wijkstroom.accounts import FloatArray, Metered
from wijkstroom.figures import Outcome
from wijkstroom.running import Running
from wijkstroom.scene import Scene

# Street seconds after the end in which the last telegrams come.
LAST_TELEGRAMS_S = 30.0
# Real seconds until somebody gives up on them.
PATIENCE_S = 10.0
# A session's start is dated by the station's clock, to the second.
CLOCK_TOLERANCE = timedelta(seconds=60)
MANY = 1_000_000


class OutcomeError(WijkstroomError):
    """The database does not hold what a run should have left there."""


@dataclass(frozen=True)
class Rows:
    """What the database says of a run.

    Parameters
    ----------
    sessions
        Every plug-in.
    sockets
        Energy of each EVSE per quarter.
    meters
        Energy of each street meter per quarter.
    plan_seconds
        Of every plan [s].
    """

    sessions: tuple[StoredSession, ...]
    sockets: Mapping[tuple[str, int], list[QuarterEnergy]]
    meters: Mapping[str, list[QuarterEnergy]]
    plan_seconds: tuple[float, ...]


async def collect_outcome(running: Running, record: RunRecord) -> Outcome:
    """Read what a finished run left in the database.

    Parameters
    ----------
    running
        The run, whose time is up.
    record
        The simulator's own book of it.

    Raises
    ------
    OutcomeError
        When a session is not in the database, or meters never came.
    """
    clock = running.clock.report()
    await _await_last_telegrams(running)
    scene, counters = running.scene, running.central.gateway.counters
    rows = await running.store.read(lambda session: read_rows(session, scene.start, scene.end))
    outcomes = tuple(_as_metered(scene, outcome, rows.sessions) for outcome in record.outcomes)
    faults = [f"{kind}: {count}" for kind, count in counters.errors.items() if count]
    faults += [f"{kind}: {text}" for kind, text in running.simulated.counters.faults.items()]
    faults += [f"{kind}: {text}" for kind, text in running.drivers.counters.faults.items()]
    return Outcome(
        replace(record, outcomes=outcomes),
        sum_up(scene, rows),
        rows.plan_seconds,
        counters.messages,
        counters.ocpp_errors,
        tuple(faults),
        clock,
    )


def read_rows(session: Session, start: datetime, end: datetime) -> Rows:
    """Read a run from the database."""
    return Rows(
        tuple(list_sessions(session, start=start, end=end, limit=MANY)),
        energy_by_quarter(session, start, end),
        meter_energy_by_quarter(session, start, end),
        tuple(plan.solve_seconds for plan in list_plans(session, start=start, end=end, limit=MANY)),
    )


def sum_up(scene: Scene, rows: Rows) -> Metered:
    """Sum the meters of a run up to the street's connection, its sun and its stations' connections.

    Raises
    ------
    OutcomeError
        When a meter has sent nothing.
    """
    connection_of = {station.id: station.connection for station in scene.street.stations}
    street = _meter(scene, rows, MeterRole.NODE)
    sun = _meter(scene, rows, MeterRole.PV)
    starts = tuple(one.quarter for one in street)
    imported: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts)))
    exported: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts)))
    for (station_id, _), quarters in rows.sockets.items():
        imported[connection_of[station_id]] += _imported(quarters)
        exported[connection_of[station_id]] += _exported(quarters)
    return Metered(
        starts, _imported(street), _exported(street), _exported(sun), dict(imported), dict(exported)
    )


def _meter(scene: Scene, rows: Rows, role: MeterRole) -> list[QuarterEnergy]:
    for meter in scene.street.service.meters:
        if meter.role is role and meter.id in rows.meters:
            return rows.meters[meter.id]
    message = f"no meter with role {role.value!r} has sent a telegram: name one under [[service.meters]]"
    raise OutcomeError(message)


def _imported(quarters: Iterable[QuarterEnergy]) -> FloatArray:
    return np.array([one.import_kwh for one in quarters])


def _exported(quarters: Iterable[QuarterEnergy]) -> FloatArray:
    return np.array([one.export_kwh for one in quarters])


def _as_metered(scene: Scene, outcome: SessionOutcome, stored: tuple[StoredSession, ...]) -> SessionOutcome:
    """Return an outcome with the energy that the database holds instead of the simulator's own."""
    session = next(one for one in scene.fleet.sessions if one.id == outcome.session_id)
    earliest, latest = session.arrival - CLOCK_TOLERANCE, session.departure + CLOCK_TOLERANCE
    own = [
        one
        for one in stored
        if (one.station_id, one.evse_id) == (session.station_id, session.evse_id)
        and one.token == session.token
        and earliest <= one.started_at <= latest
    ]
    if not own:
        raise OutcomeError(f"session {session.id} at {session.station_id} is not in the database")
    return replace(
        outcome,
        import_kwh=sum(one.imported_kwh for one in own),
        export_kwh=sum(one.exported_kwh for one in own),
    )


async def _await_last_telegrams(running: Running) -> None:
    """Wait until the street's meters have told what happened up to the end."""
    await running.clock.sleep(LAST_TELEGRAMS_S)
    service, end = running.central.service, running.scene.end
    async with asyncio.timeout(PATIENCE_S):
        with service.subscribe() as events:
            while any(service.state.meters[one.id].read_at < end for one in service.catalogue.service.meters):
                await anext(aiter(events))
