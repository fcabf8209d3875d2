"""What is remembered from plan to plan, and the case that is planned now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from csms.control.curve import PowerCurve, worst_import_kw
from csms.control.headroom import find_free
from csms.control.ledger import EvseKey, Ledger
from csms.control.nowcast import Told, compute_nowcast
from csms.control.observed import CarLimits, observe
from csms.control.snapshot import History, PlanningCase, build_problem, plan_grid
from csms.control.watch import MeterWatch
from csms.state.catalogue import Catalogue
from csms.state.permission import discharge_permission
from csms.state.station_state import SessionState, StreetState
from grid.street import GridSide


@dataclass(slots=True)
class Memory:
    """The history of the control loop; forgotten at a restart, and learnt again within some samples.

    Parameters
    ----------
    history
        What was learnt of cars, peaks and fairness.
    told
        By session, what it was told when it was last planned.
    """

    history: History = field(default_factory=History)
    told: Mapping[str, Told] = field(default_factory=dict)

    def remember(self, case: PlanningCase) -> None:
        """Carry what a plan was made with to the next one."""
        self.history = replace(self.history, fairness=case.fairness)


def build_case(
    now: datetime,
    state: StreetState,
    catalogue: Catalogue,
    grid: GridSide,
    ledger: Ledger,
    memory: Memory,
    watch: MeterWatch,
    ignoring: Collection[EvseKey] = (),
    unleased: Collection[str] = (),
) -> PlanningCase:
    """Build the case of this moment.

    Parameters
    ----------
    now
        The moment of planning.
    state, catalogue, grid
        The street.
    ledger
        What every socket was told.
    memory
        What was learnt of the cars; brought up to date.
    watch
        The running quarter and the month's peaks, by the street's own meter.
    ignoring
        Sockets that do not follow their orders: their power is taken as given, with all that they can draw.
    unleased
        Stations that get no lease: nothing is discharged there.
    """
    running = list(_running(state, catalogue))
    _learn(now, running, catalogue, ledger, memory, watch)
    steps = plan_grid(now, catalogue.service.horizon_h)
    sessions = [session for _, session in running]
    meters = {name: one for name, one in state.meters.items() if name not in watch.doubted}
    config = catalogue.service.meters
    nowcast = compute_nowcast(now, steps.starts, grid, config, meters, sessions, memory.told)
    horizon = now + timedelta(hours=catalogue.service.horizon_h)
    return build_problem(
        now,
        state,
        catalogue,
        grid,
        nowcast,
        memory.history,
        allowed_discharge_kw={
            key: _allowed_kw(catalogue, state, key) for key, _ in running if key.station_id not in unleased
        },
        unsteered_kw={
            session.id: worst_import_kw(_curves(ledger, key, session, ignoring), now, horizon)
            for key, session in running
            if key in ignoring or not state.stations[key.station_id].connected
        },
        silent_kw=_silent_kw(state, ledger, {key for key, _ in running}, now, horizon),
    )


def _learn(
    now: datetime,
    running: Collection[tuple[EvseKey, SessionState]],
    catalogue: Catalogue,
    ledger: Ledger,
    memory: Memory,
    watch: MeterWatch,
) -> None:
    """Bring up to date what cars were told and showed, and what the street's meter says."""
    told = {session.id: told for key, session in running if (told := _told(ledger, key, session, now))}
    limits = {
        session.id: _observe(
            memory.history.limits.get(session.id), session, told.get(session.id), catalogue, key
        )
        for key, session in running
    }
    memory.told = told
    memory.history = replace(
        memory.history,
        limits=limits,
        realised_peak_kw=watch.realised_peak_kw(now),
        budget=watch.fresh_budget(now),
    )


def _curves(
    ledger: Ledger, key: EvseKey, session: SessionState, ignoring: Collection[EvseKey]
) -> tuple[PowerCurve, ...]:
    return (ledger.hardware(key),) if key in ignoring else ledger.curves(key, session.id)


def _silent_kw(
    state: StreetState, ledger: Ledger, running: Collection[EvseKey], now: datetime, horizon: datetime
) -> dict[EvseKey, float]:
    """Return what cars may draw that plug in at silent stations: nobody would tell [kW]."""
    free = find_free(state, ledger.keys, ledger)
    return {
        key: worst_import_kw(ledger.curves(key, None), now, horizon)
        for key in ledger.keys
        if key not in free and key not in running
    }


def _running(state: StreetState, catalogue: Catalogue) -> Iterator[tuple[EvseKey, SessionState]]:
    for station in state.stations.values():
        if not catalogue.knows(station.station_id):
            continue
        for evse in station.evses.values():
            if evse.session is not None:
                yield EvseKey(station.station_id, evse.evse_id), evse.session


def _told(ledger: Ledger, key: EvseKey, session: SessionState, now: datetime) -> Told | None:
    told = ledger.told(key, session.id, now)
    return None if told is None else Told(*told)


def _observe(
    known: CarLimits | None, session: SessionState, told: Told | None, catalogue: Catalogue, key: EvseKey
) -> CarLimits:
    model, known = catalogue.model_of(key.station_id), known or CarLimits()
    phases = known.phases or model.phases
    least_kw = model.min_current_a * phases * catalogue.topology.voltage_v / 1000.0
    return observe(known, session, told, least_kw)


def _allowed_kw(catalogue: Catalogue, state: StreetState, key: EvseKey) -> float:
    return discharge_permission(catalogue, state, key.station_id, key.evse_id).export_limit_kw
