"""From the street as it is to the one problem that the optimizer solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from csms.control.budget import QuarterBudget
from csms.control.equal_share import Fairness, build_floor_kwh, divide_headroom
from csms.control.evs import PlannedSession, build_ev, describe_session
from csms.control.groups import build_connection_groups
from csms.control.ledger import EvseKey
from csms.control.limits import StreetLimits, build_node_groups, compute_street_limits
from csms.control.nowcast import Nowcast
from csms.control.observed import CarLimits
from csms.control.prices import build_peak_bands, lowest_later_eur_per_kwh, waiting_eur_per_kwh
from csms.control.sessions import ConnectedCar, InformationClass, list_cars
from csms.control.shortfall import derive_shortfall_eur_per_kwh
from csms.settings import ServiceConfig
from csms.state.catalogue import Catalogue
from csms.state.station_state import StreetState
from grid.street import GridSide
from grid.timegrid import QUARTER, QUARTER_HOURS, TimeGrid, floor_quarter, quarter_number
from optimizer.allocation import GroupHeadroom
from optimizer.problem import Ev, Group, Problem

# Of a plan's budget the search may take so much: the rest is for the checker and the way back.
SEARCH_FRACTION = 0.6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Where a session of the plan is charged."""

    station_id: str
    evse_id: int
    session_id: str

    @property
    def evse(self) -> EvseKey:
        """Its socket."""
        return EvseKey(self.station_id, self.evse_id)


@dataclass(frozen=True, slots=True)
class History:
    """What the control loop remembers from plan to plan beside the state.

    Parameters
    ----------
    limits
        What was observed of each session's car (`csms.control.observed.observe`).
    fairness
        Entitlements of those who said nothing.
    realised_peak_kw
        Highest quarter-hour mean of import per tariff band that the street's meter saw this month; what the
        street file states counts when it is more [kW].
    budget
        What the running quarter has used, when the street's meter tells.
    """

    limits: Mapping[str, CarLimits] = field(default_factory=dict)
    fairness: Fairness = field(default_factory=Fairness)
    realised_peak_kw: Mapping[str, float] = field(default_factory=dict)
    budget: QuarterBudget | None = None


@dataclass(frozen=True, slots=True)
class PlanningCase:
    """One problem, and what is needed to carry out its plan.

    Parameters
    ----------
    problem
        For the optimizer; its first step is the running quarter.
    sessions
        By id of an ev of the problem.
    cars
        By the same id: everything that is known of the session, for the way in which it is steered.
    standby
        Sessions whose cars have stopped asking: they keep the fallback rate.
    unsteered
        Sessions that cannot be told anything now: their power is taken as given.
    fairness
        To be carried to the next plan.
    """

    problem: Problem
    sessions: Mapping[str, SessionKey]
    cars: Mapping[str, ConnectedCar]
    standby: tuple[ConnectedCar, ...]
    unsteered: tuple[SessionKey, ...]
    fairness: Fairness


def plan_grid(now: datetime, horizon_h: float) -> TimeGrid:
    """Return the steps of a plan: quarters from the running one on."""
    start = floor_quarter(now)
    return TimeGrid(start, QUARTER, int(timedelta(hours=horizon_h) / QUARTER))


def build_problem(
    now: datetime,
    state: StreetState,
    catalogue: Catalogue,
    grid: GridSide,
    nowcast: Nowcast,
    history: History,
    *,
    allowed_discharge_kw: Mapping[EvseKey, float] | None = None,
    unsteered_kw: Mapping[str, float] | None = None,
    silent_kw: Mapping[EvseKey, float] | None = None,
) -> PlanningCase:
    """Build the problem of a street.

    Parameters
    ----------
    now
        The moment of planning.
    state, catalogue
        The street.
    grid
        Limits, prices and tariff.
    nowcast
        Base load and sun for the steps of `plan_grid`.
    history
        What is carried from plan to plan.
    allowed_discharge_kw
        By socket, what the permission allows now [kW].
    unsteered_kw
        By session that cannot be told anything (its station is silent), the most that it may draw [kW].
    silent_kw
        By socket without a session at a silent station, the most that a car may draw there [kW].
    """
    silent_kw = silent_kw or {}
    unsteered_kw = dict(unsteered_kw or {})
    steps = plan_grid(now, catalogue.service.horizon_h)
    cars = list_cars(now, state, catalogue, history.limits, allowed_discharge_kw or {})
    standby = [car for car in cars if car.is_standby and car.session.id not in unsteered_kw]
    given_kw = unsteered_kw | {car.session.id: _fallback_kw(car, catalogue.service) for car in standby}
    planned = [car for car in cars if car.session.id not in given_kw]
    sessions = [describe_session(car, now, steps, catalogue.service) for car in planned]
    limits = compute_street_limits(
        now,
        steps,
        grid,
        nowcast,
        catalogue.service,
        free_sockets=_count_sockets(catalogue) - len(planned) - len(silent_kw),
        fixed_kw=sum(unsteered_kw.get(car.session.id, 0.0) for car in cars),
        budget=history.budget,
        signals=state.signals,
        silent_kw=sum(silent_kw.values()),
    )
    groups = [
        *build_connection_groups(cars, catalogue, catalogue.service.fallback_current_a, given_kw),
        *build_node_groups(planned, grid, steps, catalogue.service, state.signals, now),
    ]
    fairness, floors = _share(now, steps, sessions, limits, groups, history.fairness)
    evs = _build_evs(now, steps, grid, sessions, floors, catalogue.service)
    return PlanningCase(
        problem=_assemble(now, steps, grid, nowcast, history, limits, evs, tuple(groups), catalogue.service),
        sessions={car.session.id: _key(car) for car in planned},
        cars={car.session.id: car for car in planned},
        standby=tuple(standby),
        unsteered=tuple(_key(car) for car in cars if car.session.id in unsteered_kw),
        fairness=fairness,
    )


def _key(car: ConnectedCar) -> SessionKey:
    return SessionKey(car.key.station_id, car.key.evse_id, car.session.id)


def _fallback_kw(car: ConnectedCar, service: ServiceConfig) -> float:
    return service.fallback_current_a * car.kw_per_a()


def _count_sockets(catalogue: Catalogue) -> int:
    return sum(len(station.evses) for station in catalogue.stations.values())


def _share(
    now: datetime,
    steps: TimeGrid,
    sessions: Sequence[PlannedSession],
    limits: StreetLimits,
    groups: Sequence[Group],
    fairness: Fairness,
) -> tuple[Fairness, dict[str, Floats]]:
    """Count entitlements up to now, and return the floor of each session that said nothing [kWh]."""
    silent = [each for each in sessions if each.car.information is InformationClass.NONE]
    fairness = fairness.advance(now, {each.id: each.taken() for each in silent})
    if not silent:
        return fairness, {}
    last = max(each.last_step for each in silent)
    turn = quarter_number(steps.start)
    shares = divide_headroom(
        [each.sharer() for each in sessions], limits.room_kw[:last].tolist(), _rooms(groups), turn
    )
    rest_fraction = 1.0 - (now - steps.start) / QUARTER
    floors = {}
    for each in silent:
        name = each.id
        share_kw = np.zeros(steps.steps)
        share_kw[:last] = shares[name]
        floors[name] = build_floor_kwh(
            fairness.entitled_kwh[name], each.delivered_kwh, share_kw, rest_fraction
        )
    return fairness.sharing({name: float(share[0]) for name, share in shares.items()}), floors


def _build_evs(
    now: datetime,
    steps: TimeGrid,
    grid: GridSide,
    sessions: Sequence[PlannedSession],
    floors: Mapping[str, Floats],
    service: ServiceConfig,
) -> tuple[Ev, ...]:
    """Build the problem's cars; energy left at departure is worth the lowest price that follows it."""
    worth = lowest_later_eur_per_kwh(grid.prices, steps, now)
    return tuple(
        build_ev(each, floors.get(each.id), steps, float(worth[each.last_step]), service) for each in sessions
    )


def _rooms(groups: Sequence[Group]) -> list[GroupHeadroom]:
    """Return the import side of groups for equal sharing: the lowest of their limits over the steps."""
    return [
        GroupHeadroom(group.members, min(group.import_limit_kw), group.weights)
        for group in groups
        if group.import_limit_kw is not None
    ]


def _assemble(
    now: datetime,
    steps: TimeGrid,
    grid: GridSide,
    nowcast: Nowcast,
    history: History,
    limits: StreetLimits,
    evs: tuple[Ev, ...],
    groups: tuple[Group, ...],
    service: ServiceConfig,
) -> Problem:
    import_price = grid.prices.import_price_eur_per_kwh(steps.starts, now)
    import_price = import_price - grid.tariff.shifted_reward_eur_per_kwh(steps.starts, grid.tz)
    export_price = grid.prices.export_price_eur_per_kwh(steps.starts, now)
    if grid.imbalance is not None:
        premium = grid.imbalance.premium_eur_per_kwh(steps.starts, now, grid.prices)
        import_price, export_price = import_price + premium, export_price + premium
    waiting = waiting_eur_per_kwh(steps)
    bands = build_peak_bands(grid, steps, history.realised_peak_kw)
    dearest = max((band.price_eur_per_kw for band in bands), default=0.0)
    base, pv = nowcast.base_load_kw, nowcast.pv_kw
    return Problem(
        start=steps.start,
        step_minutes=QUARTER / timedelta(minutes=1),
        steps=steps.steps,
        import_price_eur_per_kwh=_numbers(import_price + waiting),
        export_price_eur_per_kwh=_numbers(export_price + waiting),
        base_load_kw=_numbers(base.median + limits.fixed_kw),
        base_load_upper_kw=_numbers(base.upper + limits.fixed_kw),
        base_load_lower_kw=_numbers(base.lower),
        pv_kw=_numbers(pv.median),
        pv_lower_kw=_numbers(pv.lower),
        pv_upper_kw=_numbers(pv.upper),
        import_limit_kw=_numbers(limits.import_limit_kw),
        export_limit_kw=_numbers(limits.export_limit_kw),
        import_limit_source=limits.import_source,
        pv_curtailable=False,
        netting=limits.netting,
        peak_bands=bands,
        evs=evs,
        groups=groups,
        shortfall_eur_per_kwh=derive_shortfall_eur_per_kwh(
            import_price, export_price, dearest, QUARTER_HOURS
        ),
        gap=service.plan_gap,
        time_limit_s=SEARCH_FRACTION * service.plan_budget_s,
    )


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
