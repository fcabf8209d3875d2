"""Plans that a simple controller would make, step by step: baselines, and the fallback of the planner.

Nobody looks ahead or discharges. A car asks until it has the energy that it wants at departure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from optimizer.allocation import (
    NEGLIGIBLE_KW,
    Demand,
    GroupHeadroom,
    allocate_earliest_deadline,
    allocate_equal_share,
)
from optimizer.coefficients import Floats, base_load_bounds_kw, pv_bounds_kw
from optimizer.evaluate import Powers, build_plan
from optimizer.plan import Plan, PlanStatus, Proof, Stop
from optimizer.problem import Ev, Group, Problem

__all__ = [
    "Demand",
    "GroupHeadroom",
    "allocate_earliest_deadline",
    "allocate_equal_share",
    "plan_earliest_deadline",
    "plan_equal_share",
    "plan_idle",
    "plan_uncontrolled",
]

STATUS = PlanStatus(proof=Proof.FALLBACK, stop=Stop.SEARCH_ENDED)


class Allocate(Protocol):
    """Divides one step's headroom."""

    def __call__(
        self, demands: Sequence[Demand], headroom_kw: float, groups: Sequence[GroupHeadroom]
    ) -> dict[str, float]:
        """Return the power of every demand [kW]."""
        ...


def plan_uncontrolled(problem: Problem) -> Plan:
    """Let every car charge at its most from arrival, whatever the limits say: it may break them."""
    charge = np.zeros((len(problem.evs), problem.steps))
    for index, (row, ev) in enumerate(zip(charge, problem.evs, strict=True)):
        energy, full_kwh = ev.initial_energy_kwh, _stored_kwh(problem, ev, ev.max_charge_kw)
        # Steps at full power need no look at the battery, apart from the last.
        steps = int(max(0.0, _target_kwh(ev) - energy) / full_kwh) - 1 if full_kwh > 0.0 else 0
        first = min(ev.departure_step, ev.arrival_step + max(0, steps))
        row[ev.arrival_step : first] = ev.max_charge_kw
        energy += full_kwh * (first - ev.arrival_step)
        for step in range(first, ev.departure_step):
            row[step] = _demand(problem, index, energy).max_kw
            if row[step] == 0.0:
                break
            energy += _stored_kwh(problem, ev, float(row[step]))
    _, curtailed = _headroom_kw(problem)
    return build_plan(problem, Powers(charge, np.zeros_like(charge), curtailed), STATUS)


def plan_equal_share(problem: Problem) -> Plan:
    """Divide what the limits leave equally in each step; who gets the least takes turns."""
    return _run(problem, allocate_equal_share, take_turns=True)


def plan_earliest_deadline(problem: Problem) -> Plan:
    """Serve who leaves first."""
    return _run(problem, allocate_earliest_deadline)


def plan_idle(problem: Problem) -> Plan:
    """Let nobody charge: within every limit of the sessions, always."""
    return _run(problem, lambda _demands, _headroom, _groups: {})


def _run(problem: Problem, allocate: Allocate, *, take_turns: bool = False) -> Plan:
    headroom, curtailed = _headroom_kw(problem)
    charge = np.zeros((len(problem.evs), problem.steps))
    energy = [ev.initial_energy_kwh for ev in problem.evs]
    for step in range(problem.steps):
        present = [i for i, ev in enumerate(problem.evs) if ev.arrival_step <= step < ev.departure_step]
        if not present:
            continue
        turn = step % len(present) if take_turns else 0
        demands = [_demand(problem, i, energy[i]) for i in (*present[turn:], *present[:turn])]
        ids = {demand.id for demand in demands}
        groups = [each for group in problem.groups if (each := _group_headroom(group, step, ids)) is not None]
        power = allocate(demands, float(headroom[step]), groups)
        for i in present:
            charge[i, step] = power.get(problem.evs[i].id, 0.0)
            energy[i] += _stored_kwh(problem, problem.evs[i], float(charge[i, step]))
    return build_plan(problem, Powers(charge, np.zeros_like(charge), curtailed), STATUS)


def _headroom_kw(problem: Problem) -> tuple[Floats, Floats]:
    """Return what the connection leaves for charging, and the sun that must be turned down, in each step."""
    base_lower, base_upper = base_load_bounds_kw(problem)
    pv_lower, pv_upper = pv_bounds_kw(problem)
    room = np.maximum(0.0, np.asarray(problem.import_limit_kw) - base_upper + pv_lower)
    curtailed = np.zeros(problem.steps)
    if problem.pv_curtailable:
        over = pv_upper - base_lower - np.asarray(problem.export_limit_kw)
        curtailed = np.clip(over, 0.0, np.minimum(problem.pv_kw, room))
    return room - curtailed, curtailed


def _stored_kwh(problem: Problem, ev: Ev, power_kw: float) -> float:
    """Return what a step at a power brings to the battery [kWh]."""
    stored_kw = ev.charge_efficiency * power_kw - ev.charge_loss_kw
    return problem.step_h * stored_kw if power_kw > 0.0 else 0.0


def _demand(problem: Problem, index: int, energy_kwh: float) -> Demand:
    ev = problem.evs[index]
    per_kw = problem.step_h * ev.charge_efficiency
    lost_kwh = problem.step_h * ev.charge_loss_kw
    missing_kwh = _target_kwh(ev) - energy_kwh
    wanted_kw = (missing_kwh + lost_kwh) / per_kw if missing_kwh > 0.0 else 0.0
    room_kw = (ev.capacity_kwh - energy_kwh + lost_kwh) / per_kw
    # A rest below the least is charged at the least, where the battery has room for it.
    most_kw = 0.0
    if wanted_kw > NEGLIGIBLE_KW:
        most_kw = min(ev.max_charge_kw, room_kw, max(wanted_kw, ev.min_charge_kw))
    if most_kw < ev.min_charge_kw:
        most_kw = 0.0
    return Demand(ev.id, max_kw=max(0.0, most_kw), min_kw=ev.min_charge_kw, deadline=ev.departure_step)


def _target_kwh(ev: Ev) -> float:
    """Return the energy at which a car stops asking: its wish, or its floor when that is more [kWh]."""
    target = ev.departure_energy_kwh
    if ev.min_delivered_kwh is not None:
        floor = ev.min_delivered_kwh[ev.departure_step]
        target = max(target, ev.initial_energy_kwh + ev.charge_efficiency * floor)
    return min(target, ev.capacity_kwh)


def _group_headroom(group: Group, step: int, present: set[str]) -> GroupHeadroom | None:
    if group.import_limit_kw is None:
        return None
    limits = group.import_limit_kw
    members = tuple(member for member in group.members if member in present)
    limit_kw = limits[step] if len(limits) > 1 else limits[0]
    return GroupHeadroom(members, limit_kw, group.weights) if members else None


HEURISTICS: dict[str, Callable[[Problem], Plan]] = {
    "earliest deadline": plan_earliest_deadline,
    "equal share": plan_equal_share,
    "idle": plan_idle,
}
