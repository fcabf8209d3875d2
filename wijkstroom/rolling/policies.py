"""The ways to plan that are compared; each gives orders for the quarters until it is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from csms.control.prices import build_peak_bands, lowest_later_eur_per_kwh
from csms.control.shortfall import derive_shortfall_eur_per_kwh
from csms.control.snapshot import PlanningCase, plan_grid
from grid.capacity.envelope import compute_envelope
from grid.timegrid import QUARTER_HOURS
from optimizer.planner import plan
from optimizer.problem import LARGEST, Ev, Group, Netting, Problem
from optimizer.uncertain.planner import plan_uncertain
from simulator.fleet.sessions import InformationClass
from wijkstroom.rolling.futures import Library, draw_futures, expect
from wijkstroom.rolling.month import Month, Stay
from wijkstroom.rolling.service import Service
from wijkstroom.rolling.world import Guest, World

# Quarters after which somebody who knows everything looks further.
KNOWN_FOR = 24


@dataclass(frozen=True, slots=True)
class Orders:
    """What cars are told for some quarters.

    Parameters
    ----------
    power_kw
        By session, one number a quarter [kW].
    room_kw
        What is left for cars that come meanwhile, in each of the quarters [kW].
    """

    power_kw: Mapping[str, tuple[float, ...]]
    room_kw: tuple[float, ...]


class Policy(Protocol):
    """A way to plan."""

    def decide(self, quarter: int, length: int) -> Orders:
        """Return orders for so many quarters."""
        ...


class Uncontrolled:
    """Every car charges as fast as it can, whatever the limits."""

    def __init__(self, world: World) -> None:
        self._month = world.month

    def decide(self, quarter: int, length: int) -> Orders:
        """Return full power for everybody who is there or comes; see `Policy`."""
        power_kw = {
            stay.id: (stay.max_kw,) * length
            for stay in self._month.stays
            if stay.arrival < quarter + length and stay.departure > quarter
        }
        return Orders(power_kw, (0.0,) * length)


class Deterministic:
    """What the service does: medians for money, quantiles for limits, cars that are there."""

    def __init__(self, world: World) -> None:
        self._service = Service(world)

    def decide(self, quarter: int, length: int) -> Orders:
        """Return the first steps of the plan; see `Policy`."""
        case = self._service.build_case(quarter)
        answer = plan(case.problem)
        return _orders(case, {ev.id: ev.power_kw[:length] for ev in answer.evs}, length)


class OnScenarios:
    """The same problem, planned on scenarios of what may come."""

    def __init__(self, world: World, library: Library) -> None:
        self._world, self._library = world, library
        self._service = Service(world)

    def decide(self, quarter: int, length: int) -> Orders:
        """Return the steps that all scenarios share; see `Policy`."""
        case = self._service.build_case(quarter)
        futures = draw_futures(case, self._world.guests, self._library, quarter, length)
        answer = plan_uncertain(futures, compare=False)
        return _orders(case, {each.id: each.power_kw for each in answer.first_steps}, length)


class Foresight:
    """The same horizon, but households, sun, cars and needs are known as they will be.

    It has no news from hour to hour, and plans again only to look further.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._planned_at = 0
        self._power_kw: dict[str, tuple[float, ...]] = {}

    def decide(self, quarter: int, length: int) -> Orders:
        """Return the next steps of a plan that knows everything; see `Policy`."""
        if quarter % KNOWN_FOR == 0:
            answer = plan(build_known_problem(self._world, quarter))
            self._planned_at, self._power_kw = quarter, {ev.id: ev.power_kw for ev in answer.evs}
        first = quarter - self._planned_at
        power_kw = {name: powers[first : first + length] for name, powers in self._power_kw.items()}
        return Orders(power_kw, (0.0,) * length)


def _orders(case: PlanningCase, power_kw: Mapping[str, tuple[float, ...]], length: int) -> Orders:
    """Return orders, and what the forecast's bounds leave beside them."""
    problem = case.problem
    room = np.asarray(problem.import_limit_kw) - np.asarray(
        problem.base_load_upper_kw or problem.base_load_kw
    )
    room = (room + np.asarray(problem.pv_lower_kw or problem.pv_kw))[:length]
    for powers in power_kw.values():
        room = room - np.maximum(0.0, powers)
    return Orders(dict(power_kw), tuple(np.maximum(0.0, room).tolist()))


def build_known_problem(world: World, quarter: int) -> Problem:
    """Build the problem of somebody who knows the whole horizon.

    Parameters
    ----------
    world
        The run, its future included.
    quarter
        Now.
    """
    month = world.month
    grid, service = month.grid, month.catalogue.service
    steps = plan_grid(month.at(quarter), service.horizon_h)
    seen = slice(quarter, quarter + steps.steps)
    import_price, export_price = month.import_price_eur_per_kwh[seen], month.export_price_eur_per_kwh[seen]
    period = f"{steps.start.astimezone(grid.tz):%Y-%m}"
    peaks = {band: peak for (name, band), peak in world.peaks_kw.items() if name == period}
    bands = build_peak_bands(grid, steps, peaks)
    worth = lowest_later_eur_per_kwh(grid.prices, steps, steps.start)
    limits = compute_envelope(
        grid.topology, grid.topology.root.id, steps.starts, grid.tz, service.power_factor
    )
    stays = [
        stay for stay in month.stays if stay.arrival < quarter + steps.steps and stay.departure > quarter
    ]
    evs = tuple(_known_ev(world, stay, quarter, steps.steps, worth.tolist()) for stay in stays)
    dearest = max((band.price_eur_per_kw for band in bands), default=0.0)
    return Problem(
        start=steps.start,
        step_minutes=15.0,
        steps=steps.steps,
        import_price_eur_per_kwh=import_price,
        export_price_eur_per_kwh=export_price,
        base_load_kw=month.base_kw[seen],
        pv_kw=month.pv_kw[seen],
        import_limit_kw=np.minimum(limits.import_limit_kw, LARGEST),
        export_limit_kw=np.minimum(limits.export_limit_kw, LARGEST),
        netting=Netting.NONE,
        peak_bands=bands,
        evs=evs,
        groups=tuple(_fuses(month, stays)),
        shortfall_eur_per_kwh=derive_shortfall_eur_per_kwh(
            import_price, export_price, dearest, QUARTER_HOURS
        ),
        gap=service.plan_gap,
        time_limit_s=service.plan_budget_s,
    )


def _known_ev(world: World, stay: Stay, quarter: int, steps: int, worth: list[float]) -> Ev:
    """Return a stay as it is, from now on."""
    guest = world.guests.get(stay.id)
    arrival = max(0, stay.arrival - quarter)
    departure = min(stay.departure - quarter, steps)
    ev = expect(stay, arrival, steps, stay.id)
    start_kwh = ev.initial_energy_kwh if guest is None else guest.energy_kwh
    after_kwh = max(0, stay.departure - quarter - steps) * stay.max_kw * stay.efficiency * QUARTER_HOURS
    wanted_kwh = stay.session.target_energy_kwh - after_kwh
    update: dict[str, float | int] = {
        "departure_step": departure,
        "initial_energy_kwh": start_kwh,
        "departure_energy_kwh": max(0.0, wanted_kwh),
        "capacity_kwh": max(ev.capacity_kwh, start_kwh, _least_reach_kwh(stay, start_kwh)),
    }
    if stay.session.information is InformationClass.BOOKING:
        update |= _two_way(world.month, stay, guest) | {
            "final_energy_value_eur_per_kwh": worth[departure] / stay.efficiency
        }
    return ev.model_copy(update=update)


def _least_reach_kwh(stay: Stay, energy_kwh: float) -> float:
    """Return a capacity into which the least power fits for a step, unless the need is met [kWh]."""
    missing = stay.session.target_energy_kwh - energy_kwh
    least_kwh = stay.least_kw * stay.efficiency * QUARTER_HOURS
    return energy_kwh + least_kwh if missing > 0.05 else energy_kwh  # noqa: PLR2004 - not worth a step


def _two_way(month: Month, stay: Stay, guest: Guest | None) -> dict[str, float | int]:
    """Return what a shared car may do beside charging: give back, and be filled."""
    vehicle = month.catalogue.vehicle_of(stay.session.token)
    connection = month.catalogue.connection_of(stay.session.station_id)
    if vehicle is None:
        return {}
    floor_kwh = (vehicle.floor_soc_fraction or 0.0) * vehicle.capacity_kwh
    held_kwh = stay.session.start_energy_kwh if guest is None else guest.energy_kwh
    gives = held_kwh >= floor_kwh
    return {
        "capacity_kwh": vehicle.capacity_kwh,
        "min_energy_kwh": floor_kwh if gives else 0.0,
        "max_discharge_kw": min(vehicle.max_discharge_kw, connection.export_limit_kw) if gives else 0.0,
        "min_discharge_kw": stay.least_kw if gives else 0.0,
        "charge_efficiency": vehicle.charge_efficiency,
        "discharge_efficiency": vehicle.discharge_efficiency,
        "degradation_eur_per_kwh": month.catalogue.service.degradation_eur_per_kwh,
    }


def _fuses(month: Month, stays: list[Stay]) -> list[Group]:
    """Return the fuses as limits of power: windows keep guests of a socket apart."""
    members: dict[str, list[str]] = {}
    for stay in stays:
        members.setdefault(month.catalogue.station(stay.session.station_id).connection, []).append(stay.id)
    return [
        Group(
            id=name,
            members=tuple(ids),
            import_limit_kw=(month.grid.topology.connection(name).fuse_power_kw(month.grid.voltage_v),),
            export_limit_kw=(month.grid.topology.connection(name).export_limit_kw,),
        )
        for name, ids in members.items()
    ]
