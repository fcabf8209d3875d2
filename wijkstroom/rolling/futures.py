"""Scenarios of the coming day: paths of households and sun, departures of those who say nothing, new cars.

Paths wander between the forecast's own quantiles, in pairs that mirror each other, so that their mean is the
median. Cars that may come and stays are those of other fleets that are drawn from the same public tables: the
scenarios know the true distribution, which is the best case for planning on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csms.control.nowcast import FORGETTING
from csms.control.sessions import InformationClass as Told
from csms.control.snapshot import PlanningCase
from grid.timegrid import QUARTER, QUARTER_HOURS
from optimizer.problem import Ev, Problem
from optimizer.uncertain.problem import Scenario, Uncertain
from simulator.fleet.sessions import InformationClass
from simulator.noise import BOUND_DEVIATIONS
from wijkstroom.rolling.month import Stay
from wijkstroom.rolling.world import Guest

Floats = NDArray[np.float64]
# A car that says nothing is charged at two thirds of its power or more: it may leave at any time.
SILENT_SLACK = 1.5


@dataclass(frozen=True)
class Library:
    """What scenarios are drawn from.

    Parameters
    ----------
    fleets
        For each scenario the stays of one other fleet, by arrival.
    silent_stays
        Lengths of stays of those who say nothing, in all of them, ascending [quarters].
    seed
        What the paths follow from.
    """

    fleets: tuple[tuple[Stay, ...], ...]
    silent_stays: tuple[int, ...]
    seed: int

    @staticmethod
    def collect(fleets: Sequence[Sequence[Stay]], seed: int) -> Library:
        """Make a library of fleets."""
        silent = [
            stay.departure - stay.arrival
            for fleet in fleets
            for stay in fleet
            if stay.session.information is InformationClass.NONE
        ]
        return Library(tuple(tuple(fleet) for fleet in fleets), tuple(sorted(silent)), seed)


def draw_futures(
    case: PlanningCase, guests: dict[str, Guest], library: Library, quarter: int, shared_steps: int
) -> Uncertain:
    """Draw the scenarios of one plan.

    Parameters
    ----------
    case
        What the service plans with.
    guests
        Who is plugged in.
    library
        What is drawn from.
    quarter
        Now.
    shared_steps
        Steps until the next plan; in them the limits keep the forecast's quantiles in every scenario.
    """
    count = len(library.fleets)
    rng = np.random.default_rng([library.seed, quarter])
    problem = case.problem
    wander = _wander(count, problem.steps, rng), _wander(count, problem.steps, rng)
    scenarios = []
    for index, fleet in enumerate(library.fleets):
        changes = _paths(problem, wander[0][index], wander[1][index], shared_steps)
        evs = [
            _leave_early(ev, _draw_departure(guests[ev.id], library, quarter, (index + rng.random()) / count))
            if case.cars[ev.id].information is Told.NONE
            else ev
            for ev in problem.evs
        ]
        taken = {guests[ev.id].stay.socket: ev.departure_step for ev in evs}
        evs += _newcomers(problem, fleet, quarter, taken)
        changed = problem.model_copy(update={**changes, "evs": tuple(evs)})
        scenarios.append(Scenario(f"future-{index}", 1.0 / count, changed))
    return Uncertain(problem, tuple(scenarios), shared_steps)


def _wander(count: int, steps: int, rng: np.random.Generator) -> Floats:
    """Return paths of a deviation in standard normal units, each with its mirror, shape (count, steps)."""
    kept = math.exp(-QUARTER / FORGETTING)
    half = rng.standard_normal(((count + 1) // 2, steps))
    for step in range(1, steps):
        half[:, step] = kept * half[:, step - 1] + math.sqrt(1.0 - kept**2) * half[:, step]
    paths = np.concatenate([half, -half])[:count]
    if count % 2:
        paths[count - 1 - count // 2] = 0.0
    return np.asarray(paths)


def _paths(
    problem: Problem, base_deviation: Floats, pv_deviation: Floats, shared_steps: int
) -> dict[str, tuple[float, ...]]:
    """Return the arrays of one path; beyond the shared steps its limits count on the path itself."""
    changes: dict[str, tuple[float, ...]] = {}
    for name, deviation in (("base_load", base_deviation), ("pv", pv_deviation)):
        median, lower, upper = (
            np.asarray(getattr(problem, f"{name}_{kind}")) for kind in ("kw", "lower_kw", "upper_kw")
        )
        reach = np.where(deviation >= 0.0, upper - median, median - lower)
        path = np.maximum(0.0, median + reach * deviation / BOUND_DEVIATIONS)
        first = np.arange(problem.steps) < shared_steps
        path = np.where(first, np.clip(path, lower, upper), path)
        for kind, values in (
            ("kw", path),
            ("lower_kw", np.where(first, lower, path)),
            ("upper_kw", np.where(first, upper, path)),
        ):
            changes[f"{name}_{kind}"] = tuple(values.tolist())
    return changes


def _draw_departure(guest: Guest, library: Library, quarter: int, level: float) -> int:
    """Return a quantile of how many quarters somebody stays who has stayed so long and says nothing."""
    stayed = quarter - guest.stay.arrival
    longer = library.silent_stays[int(np.searchsorted(library.silent_stays, stayed, side="right")) :]
    return max(1, longer[int(level * len(longer))] - stayed) if longer else 1


def _leave_early(ev: Ev, departure_step: int) -> Ev:
    """Let a session end before it is expected to; what it is owed by then is its wish."""
    if departure_step >= ev.departure_step:
        return ev
    due_kwh = 0.0 if ev.min_delivered_kwh is None else ev.min_delivered_kwh[departure_step]
    wanted_kwh = min(ev.departure_energy_kwh, ev.initial_energy_kwh + due_kwh * ev.charge_efficiency)
    return ev.model_copy(update={"departure_step": departure_step, "departure_energy_kwh": wanted_kwh})


def _newcomers(
    problem: Problem, fleet: Sequence[Stay], quarter: int, taken: dict[tuple[str, int], int]
) -> list[Ev]:
    """Return the visitors of another fleet who come within the horizon and find their socket free."""
    evs = []
    for stay in fleet:
        arrival = stay.arrival - quarter
        if arrival <= 0 or stay.session.information is InformationClass.BOOKING:
            continue
        if arrival >= problem.steps:
            break
        if taken.get(stay.socket, 0) <= arrival:
            evs.append(expect(stay, arrival, problem.steps, f"new-{stay.id}"))
    return evs


def expect(stay: Stay, arrival_step: int, steps: int, name: str) -> Ev:
    """Return a stay that begins in the horizon as a session of a problem.

    Parameters
    ----------
    stay
        Who; it is known what it needs.
    arrival_step
        First step with it.
    steps
        Of the horizon.
    name
        Of the session.
    """
    session, efficiency = stay.session, stay.efficiency
    length = stay.departure - stay.arrival
    wanted_kwh = max(session.target_energy_kwh, session.start_energy_kwh)
    if session.information is InformationClass.NONE:
        needed = (wanted_kwh - session.start_energy_kwh) / (stay.max_kw * efficiency * QUARTER_HOURS)
        length = min(length, math.ceil(SILENT_SLACK * needed) + 1)
    # What is left for after the horizon, at full power.
    after_kwh = max(0, arrival_step + length - steps) * stay.max_kw * efficiency * QUARTER_HOURS
    least_kwh = stay.least_kw * efficiency * QUARTER_HOURS
    return Ev(
        id=name,
        arrival_step=arrival_step,
        departure_step=min(arrival_step + length, steps),
        capacity_kwh=max(wanted_kwh, session.start_energy_kwh + least_kwh),
        initial_energy_kwh=session.start_energy_kwh,
        departure_energy_kwh=max(session.start_energy_kwh, wanted_kwh - after_kwh),
        max_charge_kw=stay.max_kw,
        min_charge_kw=stay.least_kw,
        charge_efficiency=efficiency,
        discharge_efficiency=efficiency,
    )
