"""What was possible: one plan of the whole run by somebody who knows everything, shortfall avoided first.

Sessions that end in the run are planned with their true windows, against the true base load and sun, within
the same limits. Windows are rounded outwards to quarters and the least power of a charger is left away, so
that no controller can serve more in all; what a car gains is then held to what it draws at full power in its
true stay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.errors import WijkstroomError
from grid.timegrid import QUARTER, TimeGrid
from optimizer.plan import Proof
from optimizer.planner import plan
from optimizer.problem import Ev, Group, Problem
from simulator.fleet.sessions import Session
from simulator.headroom import list_bounds, list_fuse_groups
from simulator.truth import SECONDS_PER_QUARTER, quarter_means
from simulator.vehicle.charging import BatteryState, Offer, advance, requested_power_kw
from simulator.world import StreetSetup

Floats = NDArray[np.float64]
# A missing kWh costs more than any difference of prices is worth [EUR/kWh].
SHORTFALL_EUR_PER_KWH = 100.0
TIME_LIMIT_S = 60.0
# The groups carry all limits: the site itself has none [kW].
UNLIMITED_KW = 1e5


class HindsightError(WijkstroomError):
    """The run with hindsight could not be solved."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session that ends in the run, and what its socket can do.

    Parameters
    ----------
    session
        Who.
    row
        Its socket.
    phases
        Phases that it uses.
    max_kw
        Full power at the socket [kW].
    efficiency
        Battery energy per energy at the socket, as needs are converted [fraction].
    """

    session: Session
    row: int
    phases: int
    max_kw: float
    efficiency: float


def compute_possible(setup: StreetSetup) -> dict[str, float]:
    """Compute what every session of a run could have got, by session id [kWh at the socket].

    A session that lasts beyond the run makes no claim in it: it can charge afterwards, and gets 0.

    Parameters
    ----------
    setup
        The street, who comes, and how households and sun really are, from the begin of a quarter on.

    Raises
    ------
    HindsightError
        When the solver finds no plan.
    """
    possible_kwh = dict.fromkeys((session.id for session in setup.fleet.sessions), 0.0)
    candidates = list_candidates(setup)
    if not candidates:
        return possible_kwh
    answer = plan(build_problem(setup, candidates))
    if answer.status.proof is Proof.FALLBACK:
        raise HindsightError(f"no plan with hindsight ({answer.status}): {' '.join(answer.explanation)}")
    for candidate, ev in zip(candidates, answer.evs, strict=True):
        session = candidate.session
        gained_kwh = min(ev.energy_kwh[-1] - session.start_energy_kwh, _most_gained_kwh(setup, candidate))
        possible_kwh[session.id] = max(0.0, gained_kwh / candidate.efficiency)
    return possible_kwh


def list_candidates(setup: StreetSetup) -> list[Candidate]:
    """List the sessions that end in a run."""
    hardware = [station for station in setup.stations for _ in station.evses]
    rows = setup.rows
    candidates = []
    for session in setup.fleet.sessions:
        if session.departure <= setup.end:
            row = rows[session.station_id, session.evse_id]
            model = setup.fleet.model_of(session)
            phases = min(hardware[row].phases, model.phases)
            current_a = min(hardware[row].max_current_a, model.max_current_a)
            max_kw = model.power_kw(current_a, phases, setup.grid.voltage_v)
            efficiency = 1.0 / setup.fleet.at_socket_kwh(session, 1.0)
            candidates.append(Candidate(session, row, phases, max_kw, efficiency))
    return candidates


def build_problem(setup: StreetSetup, candidates: Sequence[Candidate]) -> Problem:
    """Build the problem of the run in quarters.

    Parameters
    ----------
    setup
        As in `compute_possible`.
    candidates
        From `list_candidates`.
    """
    steps = -(-setup.seconds // SECONDS_PER_QUARTER)
    starts = TimeGrid(setup.start, QUARTER, steps).starts
    base_kw, pv_kw = (
        quarter_means(series.astype(np.float64), setup.start)
        for series in (setup.uncontrolled.base_kw, setup.uncontrolled.pv_kw)
    )
    groups = [
        *_node_groups(setup, candidates, starts, base_kw, pv_kw),
        *_fuse_groups(setup, candidates, steps),
    ]
    return Problem.model_validate(
        {
            "start": setup.start,
            "step_minutes": 15.0,
            "steps": steps,
            "import_price_eur_per_kwh": setup.grid.prices.import_price_eur_per_kwh(starts),
            "export_price_eur_per_kwh": setup.grid.prices.export_price_eur_per_kwh(starts),
            "base_load_kw": base_kw,
            "pv_kw": pv_kw,
            "import_limit_kw": UNLIMITED_KW,
            "export_limit_kw": UNLIMITED_KW,
            "evs": tuple(_build_ev(setup, candidate) for candidate in candidates),
            "groups": tuple(groups),
            "shortfall_eur_per_kwh": SHORTFALL_EUR_PER_KWH,
            "time_limit_s": TIME_LIMIT_S,
        }
    )


def _build_ev(setup: StreetSetup, candidate: Candidate) -> Ev:
    session = candidate.session
    begin, end = (
        (instant - setup.start).total_seconds() / SECONDS_PER_QUARTER
        for instant in (session.arrival, session.departure)
    )
    wanted_kwh = max(session.target_energy_kwh, session.start_energy_kwh)
    return Ev(
        id=session.id,
        arrival_step=math.floor(begin),
        departure_step=math.ceil(end),
        capacity_kwh=wanted_kwh,
        initial_energy_kwh=session.start_energy_kwh,
        departure_energy_kwh=wanted_kwh,
        max_charge_kw=candidate.max_kw,
        charge_efficiency=candidate.efficiency,
        discharge_efficiency=1.0,
    )


def _node_groups(
    setup: StreetSetup,
    candidates: Sequence[Candidate],
    starts: Sequence[datetime],
    base_kw: Floats,
    pv_kw: Floats,
) -> list[Group]:
    """Return what the limits of nodes leave to cars, at power factor 1 as the truth judges."""
    groups = []
    for number, bound in enumerate(list_bounds(setup.grid, setup.places, starts, power_factor=1.0)):
        members = tuple(one.session.id for one in candidates if one.row in bound.rows)
        left_kw = bound.limit_kw - bound.base_load * base_kw + bound.sun * pv_kw
        left_kw = np.clip(left_kw, 0.0, UNLIMITED_KW)
        if members:
            groups.append(Group(id=f"node-{number}", members=members, import_limit_kw=left_kw))
    return groups


def _fuse_groups(setup: StreetSetup, candidates: Sequence[Candidate], steps: int) -> list[Group]:
    """Return the fuses, with everybody who ever stands behind them: windows keep guests of a socket apart."""
    cars = {one.session.id: (one.row, one.phases) for one in candidates}
    return [
        Group(
            id=f"fuse-{number}",
            members=group.members,
            import_limit_kw=(group.headroom_kw,) * steps,
            weights=dict(group.weights),
        )
        for number, group in enumerate(list_fuse_groups(setup.grid, setup.places, cars))
    ]


def _most_gained_kwh(setup: StreetSetup, candidate: Candidate) -> float:
    """Return what a car gains at full power in its true stay [kWh in the battery]."""
    session = candidate.session
    model = setup.fleet.model_of(session)
    current_a = candidate.max_kw * 1000.0 / (setup.grid.voltage_v * candidate.phases)
    power_kw = requested_power_kw(model, Offer(current_a), candidate.phases, setup.grid.voltage_v)
    seconds = int((session.departure - session.arrival).total_seconds())
    battery = BatteryState(session.start_energy_kwh, session.limit_fraction)
    return float(advance(model, battery, power_kw, seconds).energy_kwh[-1]) - session.start_energy_kwh
