"""Why a plan is as it is, in sentences: warnings first, then what binds, then what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Floats, base_load_bounds_kw, pv_bounds_kw
from optimizer.heuristics import plan_uncontrolled
from optimizer.plan import EvPlan, Plan, PlanStatus, Proof, Uncontrolled
from optimizer.problem import Ev, Group, Netting, Problem

Steps = npt.NDArray[np.int64]
# Energy that nobody misses [kWh].
NOTABLE_KWH = 0.01
# Power below this is rounding [kW].
NOTABLE_KW = 1e-3
# Money that is shown, and the limits whose worth is told.
NOTABLE_EUR = 0.005
MOST_LIMITS = 3


@dataclass(frozen=True, slots=True)
class _Room:
    """What was left under the limits for one more kW of charge, shape (steps,) [kW]."""

    name: str
    members: frozenset[str]
    left_kw: Floats


def explain(problem: Problem, plan: Plan, status: PlanStatus) -> tuple[str, ...]:
    """Say what is unusual about a plan, what limits it, and what it costs.

    Parameters
    ----------
    problem
        What was asked.
    plan
        What is answered.
    status
        What was proven.
    """
    warnings = [*_session_warnings(problem, plan), *_site_warnings(plan)]
    return (*warnings, *_peaks(problem, plan), _cost(plan, status), *_saving(plan), *_limits(plan))


def compare(problem: Problem, plan: Plan) -> Uncontrolled:
    """Return what the site would do and pay without any control, and what the plan saves."""
    other = plan_uncontrolled(problem)
    return Uncontrolled(
        money_eur=other.money_eur,
        saving_eur=_worth_eur(problem, other) - _worth_eur(problem, plan),
        limit_excess_kwh=problem.step_h * sum(other.limit_excess_kw),
        peak_import_kw=max(other.import_kw),
    )


def _worth_eur(problem: Problem, plan: Plan) -> float:
    """Return money, missing energy priced, energy that is left valued [EUR]."""
    short_kwh = sum(ev.shortfall_kwh for ev in plan.evs)
    return plan.money_eur + problem.shortfall_eur_per_kwh * short_kwh - plan.final_energy_value_eur


def _rooms(problem: Problem, plan: Plan) -> list[_Room]:
    power = np.array([ev.power_kw for ev in plan.evs]).reshape(-1, problem.steps)
    rooms = [_connection_room(problem, plan, power)]
    return rooms + [room for group in problem.groups if (room := _group_room(problem, group, power))]


def _connection_room(problem: Problem, plan: Plan, power: Floats) -> _Room:
    _, base_upper = base_load_bounds_kw(problem)
    pv_lower, _ = pv_bounds_kw(problem)
    flow = np.maximum(power, 0.0).sum(axis=0)
    if problem.netting is Netting.CONFIRMED:
        flow = power.sum(axis=0)
    left = np.asarray(problem.import_limit_kw) - base_upper + pv_lower - plan.curtailed_kw - flow
    return _Room("the connection's import limit", frozenset(ev.id for ev in problem.evs), left)


def _group_room(problem: Problem, group: Group, power: Floats) -> _Room | None:
    if group.import_limit_kw is None:
        return None
    members = frozenset(group.members)
    weights = np.array([group.weights.get(ev.id, 1.0) if ev.id in members else 0.0 for ev in problem.evs])
    counted = power if group.netting is Netting.CONFIRMED else np.maximum(power, 0.0)
    return _Room(f"the limit of {group.id}", members, np.asarray(group.import_limit_kw) - weights @ counted)


def _session_warnings(problem: Problem, plan: Plan) -> Iterator[str]:
    short = any(planned.shortfall_kwh > NOTABLE_KWH for planned in plan.evs)
    rooms = _rooms(problem, plan) if short else []
    for ev, planned in zip(problem.evs, plan.evs, strict=True):
        if planned.shortfall_kwh > NOTABLE_KWH:
            yield _shortfall(problem, plan, ev, planned, rooms)
        if planned.min_energy_shortfall_kwh > NOTABLE_KWH:
            yield (
                f"Warning: {ev.id} arrives with {ev.initial_energy_kwh:.1f} kWh, below its least of "
                f"{ev.min_energy_kwh:.1f} kWh."
            )
        if planned.undelivered_kwh > NOTABLE_KWH:
            yield (
                f"Warning: {ev.id} stays up to {planned.undelivered_kwh:.2f} kWh below its floor of "
                "delivered energy: no plan within the limits keeps it."
            )


def _shortfall(problem: Problem, plan: Plan, ev: Ev, planned: EvPlan, rooms: list[_Room]) -> str:
    text = f"Warning: {ev.id} leaves {planned.shortfall_kwh:.2f} kWh short"
    beyond_kwh = ev.departure_energy_kwh - ev.capacity_kwh
    if beyond_kwh > NOTABLE_KWH:
        text += f" ({beyond_kwh:.2f} kWh are more than its battery holds)"
    return f"{text}, {_cause(problem, plan, ev, planned, rooms)}."


def _cause(problem: Problem, plan: Plan, ev: Ev, planned: EvPlan, rooms: list[_Room]) -> str:
    """Say what keeps a car from charging more."""
    window = np.arange(ev.arrival_step, ev.departure_step)
    power = np.asarray(planned.power_kw)[window]
    usable = power < ev.max_charge_kw - NOTABLE_KW
    if ev.max_charge_kw == 0.0 or not window.size:
        return "since it cannot charge in its window"
    if not usable.any():
        return "though it charges at its most all the time: its stay is too short"
    own = [room for room in rooms if ev.id in room.members]
    added_kw = np.where(power > NOTABLE_KW, NOTABLE_KW, max(ev.min_charge_kw, NOTABLE_KW))
    fits = usable & np.all([room.left_kw[window] >= added_kw for room in own], axis=0)
    if not fits.any():
        tightest = min(own, key=lambda room: float(room.left_kw[window][usable].sum()))
        return f"because of {tightest.name}"
    if bands := _binding_bands(problem, plan, ev, window[fits]):
        return f"because of the peak price of {' and '.join(bands)}: charging would raise that peak"
    return _cause_alone(problem, ev, planned)


def _cause_alone(problem: Problem, ev: Ev, planned: EvPlan) -> str:
    """Say what keeps a car from charging more where limits and peaks would let it."""
    missing_kwh = min(ev.departure_energy_kwh, ev.capacity_kwh) - planned.energy_kwh[ev.departure_step]
    if missing_kwh <= NOTABLE_KWH:
        return "with a full battery"
    if missing_kwh <= problem.step_h * (ev.min_charge_kw * ev.charge_efficiency - ev.charge_loss_kw):
        return "less than its smallest power gives in a step"
    return "since energy is dearer than the shortfall price in the steps that are left"


def _binding_bands(problem: Problem, plan: Plan, ev: Ev, steps: Steps) -> list[str]:
    """Return the bands whose peak a car would raise by charging in steps where the limits would let it."""
    margin_kw = max(ev.min_charge_kw, NOTABLE_KW)
    fitting = set(steps.tolist())
    return [
        band.name
        for band, planned in zip(problem.peak_bands, plan.peak_bands, strict=True)
        if band.price_eur_per_kw > 0.0
        and any(plan.import_kw[step] > planned.peak_kw - margin_kw for step in fitting & set(band.steps))
    ]


def _site_warnings(plan: Plan) -> Iterator[str]:
    over = [step for step, excess in enumerate(plan.limit_excess_kw) if excess > NOTABLE_KW]
    if over:
        worst = max(over, key=lambda step: plan.limit_excess_kw[step])
        yield (
            f"Warning: base load or sun alone breaks the connection's limit in {len(over)} step(s), by "
            f"{plan.limit_excess_kw[worst]:.1f} kW in step {worst}; no session adds to it."
        )


def _peaks(problem: Problem, plan: Plan) -> Iterator[str]:
    for band, planned in zip(problem.peak_bands, plan.peak_bands, strict=True):
        if band.price_eur_per_kw <= 0.0:
            continue
        made = (
            "which was made before"
            if planned.peak_kw <= band.realised_kw + NOTABLE_KW
            else "made by this plan"
        )
        yield f"The peak of {band.name} is {planned.peak_kw:.1f} kW, {made}: {planned.cost_eur:.2f} EUR."


def _limits(plan: Plan) -> Iterator[str]:
    """Say what one more kW is worth, where it is worth most."""
    if plan.values is None:
        return
    sides = [
        (sum(values), each.id, direction, int(np.argmax(values)))
        for each in (plan.values.connection, *plan.values.groups)
        for direction, values in (("import", each.import_eur_per_kw), ("export", each.export_eur_per_kw))
        if values
    ]
    for total_eur, name, direction, step in sorted(sides, reverse=True)[:MOST_LIMITS]:
        if total_eur > NOTABLE_EUR:
            yield f"One more kW of {direction} at {name} would save {total_eur:.2f} EUR, most in step {step}."


def _saving(plan: Plan) -> Iterator[str]:
    if plan.uncontrolled is None or not plan.evs:
        return
    other = plan.uncontrolled
    broken = ""
    if other.limit_excess_kwh > NOTABLE_KWH:
        broken = f", and break the connection's limits by {other.limit_excess_kwh:.1f} kWh"
    yield (
        f"Uncontrolled charging would cost {other.money_eur:.2f} EUR{broken}; the plan saves "
        f"{other.saving_eur:.2f} EUR, shortfalls priced and energy left over valued in both."
    )


def _cost(plan: Plan, status: PlanStatus) -> str:
    text = f"Energy, wear and peaks cost {plan.money_eur:.2f} EUR"
    if status.proof is Proof.OPTIMAL:
        return f"{text}; no plan is better."
    if status.proof is Proof.CERTIFIED:
        return f"{text}; no plan is better by more than the wanted gap."
    return f"{text}; how much better a plan could be is not proven." if plan.bound_eur is None else f"{text}."
