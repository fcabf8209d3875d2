"""What a run was: outcomes of sessions, meters per quarter, and the figures that follow from them.

The planned run and every baseline are recorded and counted by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid
from simulator.fleet.sessions import Fleet, InformationClass, Session
from simulator.meter.register import WH_PER_KWH, Registers
from simulator.truth import SECONDS_PER_QUARTER, Truth, TruthFigures, evaluate_limits

FloatArray = NDArray[np.float64]
# A session is satisfied this far below what it should have had: the larger of the two.
TOLERANCE_KWH = 0.1
TOLERANCE_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a session went.

    Parameters
    ----------
    session_id
        Which.
    arrived_kwh, left_kwh
        Energy in the battery at arrival, and at departure or the end of the run [kWh].
    import_kwh, export_kwh
        What the socket's meter counted meanwhile [kWh].
    ended
        Whether it ended in the run.
    """

    session_id: str
    arrived_kwh: float
    left_kwh: float
    import_kwh: float
    export_kwh: float
    ended: bool


@dataclass(frozen=True, eq=False)
class MeterRecord:
    """What the meters counted in every quarter; the last one may be cut.

    Parameters
    ----------
    starts
        Starts of the quarters (UTC).
    import_kwh, export_kwh
        The street, shape (quarters,) [kWh].
    pv_kwh
        The sun, shape (quarters,) [kWh].
    connection_import_kwh, connection_export_kwh
        The sockets behind each connection, by its id [kWh].
    """

    starts: tuple[datetime, ...]
    import_kwh: FloatArray
    export_kwh: FloatArray
    pv_kwh: FloatArray
    connection_import_kwh: dict[str, FloatArray]
    connection_export_kwh: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A whole run.

    Parameters
    ----------
    outcomes
        Of every session that began.
    meters
        Energy per quarter.
    limits
        How far limits were exceeded.
    """

    outcomes: tuple[SessionOutcome, ...]
    meters: MeterRecord
    limits: TruthFigures

    @property
    def stored_kwh(self) -> float:
        """Energy in the batteries that are connected at the end [kWh]."""
        return sum(outcome.left_kwh for outcome in self.outcomes if not outcome.ended)


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Figures of a run that the simulator knows, in the names of the demo's document.

    Parameters
    ----------
    sessions
        Those that ended in the run; the next four count them only.
    energy_required_kwh, energy_delivered_kwh, energy_shortfall_kwh
        What they needed; what the meters counted into their cars; what was short at departure [kWh].
    sessions_satisfied_fraction, sessions_satisfied_fraction_none
        Of classes driver, car and booking, and of class none; None without such sessions.
    limit_exceeded_kwh, uncontrollable_kwh
        Above limits, and above limits with charging at zero [kWh].
    pv_generated_kwh
        Sun [kWh].
    """

    sessions: int
    energy_required_kwh: float
    energy_delivered_kwh: float
    energy_shortfall_kwh: float
    sessions_satisfied_fraction: float | None
    sessions_satisfied_fraction_none: float | None
    limit_exceeded_kwh: float
    uncontrollable_kwh: float
    pv_generated_kwh: float


def record_run(truth: Truth, grid: GridSide, outcomes: Sequence[SessionOutcome]) -> RunRecord:
    """Read the meters of a finished run and judge it.

    Parameters
    ----------
    truth
        Power of every second.
    grid
        Its limits.
    outcomes
        Of every session that began.
    """
    return RunRecord(tuple(outcomes), read_meters(truth), evaluate_limits(truth, grid))


def read_meters(truth: Truth) -> MeterRecord:
    """Read what the meters counted in every quarter from the truth, which begins with a quarter.

    Parameters
    ----------
    truth
        Power of every second.
    """
    quarters = -(-truth.seconds // SECONDS_PER_QUARTER)
    street = _count(truth.net_kw(0, truth.seconds))
    names = list(dict.fromkeys(place.connection_id for place in truth.places))
    imported = {name: np.zeros(quarters) for name in names}
    exported = {name: np.zeros(quarters) for name in names}
    for row, place in enumerate(truth.places):
        own = _count(truth.power_kw[row])
        imported[place.connection_id] += own[0]
        exported[place.connection_id] += own[1]
    pv = _count(truth.pv_kw.astype(np.float64))
    starts = TimeGrid(truth.start, QUARTER, quarters).starts
    return MeterRecord(starts, street[0], street[1], pv[0], imported, exported)


def _count(power_kw: FloatArray) -> FloatArray:
    """Return what a meter's registers gain in each quarter, import and export, shape (2, quarters) [kWh]."""
    registers = Registers()
    readings = [(0, 0)]
    for begin in range(0, len(power_kw), SECONDS_PER_QUARTER):
        registers.add(power_kw[begin : begin + SECONDS_PER_QUARTER])
        readings.append((registers.import_wh, registers.export_wh))
    return np.asarray(np.diff(np.array(readings), axis=0).T / WH_PER_KWH)


def shortfall_kwh(fleet: Fleet, session: Session, outcome: SessionOutcome) -> float:
    """Return what a session lacked at departure, at the socket [kWh].

    A booking asks for energy in the battery and is judged by it; any other need is told and judged at the
    meter.
    """
    if session.information is InformationClass.BOOKING:
        return fleet.at_socket_kwh(session, max(0.0, session.target_energy_kwh - outcome.left_kwh))
    return max(0.0, fleet.need_kwh(session) - (outcome.import_kwh - outcome.export_kwh))


def is_satisfied(fleet: Fleet, session: Session, outcome: SessionOutcome, possible_kwh: float) -> bool:
    """Say whether a session got what it needed, or what was possible.

    Parameters
    ----------
    fleet, session, outcome
        Who, and how it went.
    possible_kwh
        What it got in the run with hindsight [kWh].
    """
    need_kwh = fleet.need_kwh(session, outcome.arrived_kwh)
    tolerance_kwh = max(TOLERANCE_KWH, TOLERANCE_FRACTION * need_kwh)
    served_kwh = need_kwh - shortfall_kwh(fleet, session, outcome)
    return served_kwh >= min(need_kwh, possible_kwh) - tolerance_kwh


def compute_figures(fleet: Fleet, record: RunRecord, possible_kwh: Mapping[str, float]) -> RunFigures:
    """Count a run.

    Parameters
    ----------
    fleet
        Who came.
    record
        How it went.
    possible_kwh
        What every session got in the run with hindsight, by session id [kWh].
    """
    by_id = {session.id: session for session in fleet.sessions}
    ended = [(by_id[outcome.session_id], outcome) for outcome in record.outcomes if outcome.ended]
    satisfied = {
        session.id: is_satisfied(fleet, session, outcome, possible_kwh[session.id])
        for session, outcome in ended
    }
    silent = [satisfied[one.id] for one, _ in ended if one.information is InformationClass.NONE]
    telling = [satisfied[one.id] for one, _ in ended if one.information is not InformationClass.NONE]
    return RunFigures(
        sessions=len(ended),
        energy_required_kwh=sum(fleet.need_kwh(one, outcome.arrived_kwh) for one, outcome in ended),
        energy_delivered_kwh=sum(outcome.import_kwh for _, outcome in ended),
        energy_shortfall_kwh=sum(shortfall_kwh(fleet, one, outcome) for one, outcome in ended),
        sessions_satisfied_fraction=_share(telling),
        sessions_satisfied_fraction_none=_share(silent),
        limit_exceeded_kwh=float(record.limits.limit_exceeded_kwh),
        uncontrollable_kwh=float(record.limits.uncontrollable_kwh),
        pv_generated_kwh=float(record.meters.pv_kwh.sum()),
    )


def _share(satisfied: Sequence[bool]) -> float | None:
    return sum(satisfied) / len(satisfied) if satisfied else None
