"""A second opinion on every plan: it knows no solver and no model, only the problem and the plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from optimizer.plan import EvPlan, Plan
from optimizer.problem import Ev, Group, Netting, Problem

# Power and energy may differ by this much, and by this fraction of what they are compared with.
TOLERANCE = 1e-5
RELATIVE_TOLERANCE = 1e-7


class Rule(StrEnum):
    """What a plan must keep."""

    SHAPE = "shape"
    WINDOW = "window"
    POWER = "power"
    MINIMUM_POWER = "minimum power"
    ENERGY = "energy"
    DELIVERY_FLOOR = "delivery floor"
    BALANCE = "energy balance"
    ONE_DIRECTION = "one direction"
    CURTAILMENT = "curtailment"
    CONNECTION_LIMIT = "connection limit"
    GROUP_LIMIT = "group limit"
    PEAK = "peak"
    MONEY = "money"
    BOUND = "bound"
    FIRST_STEPS = "first steps"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a plan breaks.

    Parameters
    ----------
    rule
        Which one.
    path
        Where in the plan, as a JSON path without the leading ``$.``.
    message
        What is wrong, in numbers.
    """

    rule: Rule
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}, {self.path}: {self.message}"


def check_plan(problem: Problem, plan: Plan) -> list[Finding]:
    """Return every rule that a plan breaks; none for a plan that may leave.

    Parameters
    ----------
    problem
        What was asked.
    plan
        What is answered.
    """
    shape = list(_shape(problem, plan))
    if shape:
        return shape
    findings: list[Finding] = []
    for index, (ev, planned) in enumerate(zip(problem.evs, plan.evs, strict=True)):
        path = f"evs[{index}]"
        findings += _powers(ev, planned, path)
        findings += _energies(problem, ev, planned, path)
        findings += _floor(problem, ev, planned, path)
    findings += _flows(problem, plan)
    findings += _connection_limits(problem, plan)
    for index, group in enumerate(problem.groups):
        findings += _group_limits(problem, plan, group, f"groups[{index}]")
    findings += _peaks(problem, plan)
    findings += _money(problem, plan)
    return findings


def _slack(first: float, second: float = 0.0) -> float:
    return TOLERANCE + RELATIVE_TOLERANCE * max(abs(first), abs(second))


def _differ(first: float, second: float) -> bool:
    # The first question answers most of a hundred thousand.
    distance = abs(first - second)
    return distance > TOLERANCE and distance > _slack(first, second)


def _shape(problem: Problem, plan: Plan) -> Iterator[Finding]:
    wanted, given = [ev.id for ev in problem.evs], [ev.id for ev in plan.evs]
    if wanted != given:
        yield Finding(Rule.SHAPE, "evs", f"names {given}, asked were {wanted}")
        return
    if [band.name for band in problem.peak_bands] != [band.name for band in plan.peak_bands]:
        yield Finding(Rule.SHAPE, "peak_bands", "are not those of the problem")
    arrays: list[tuple[str, Sequence[float], int]] = [
        (name, getattr(plan, name), problem.steps)
        for name in ("import_kw", "export_kw", "curtailed_kw", "limit_excess_kw")
    ]
    for index, ev in enumerate(plan.evs):
        arrays.append((f"evs[{index}].power_kw", ev.power_kw, problem.steps))
        arrays.append((f"evs[{index}].energy_kwh", ev.energy_kwh, problem.steps + 1))
    for path, values, length in arrays:
        if len(values) != length:
            yield Finding(Rule.SHAPE, path, f"has {len(values)} numbers instead of {length}")
        elif not all(map(math.isfinite, values)):
            yield Finding(Rule.SHAPE, path, "has numbers that are not finite")
    for name in ("objective_eur", "money_eur", "final_energy_value_eur", "min_energy_shortfall_kwh"):
        if not math.isfinite(getattr(plan, name)):
            yield Finding(Rule.SHAPE, name, "is not finite")


def _powers(ev: Ev, planned: EvPlan, path: str) -> Iterator[Finding]:
    power = np.asarray(planned.power_kw)
    steps = np.arange(power.size)
    away = (power != 0.0) & ((steps < ev.arrival_step) | (steps >= ev.departure_step))
    strong = (power > ev.max_charge_kw + TOLERANCE) | (-power > ev.max_discharge_kw + TOLERANCE)
    least = np.where(power > 0.0, ev.min_charge_kw, ev.min_discharge_kw)
    weak = (power != 0.0) & (np.abs(power) < least - TOLERANCE)
    for rule, broken, text in (
        (Rule.WINDOW, away, "while the car is not there"),
        (Rule.POWER, strong, f"is not within {-ev.max_discharge_kw:g} to {ev.max_charge_kw:g} kW"),
        (Rule.MINIMUM_POWER, weak, "is less than the least other than a pause"),
    ):
        for step in np.flatnonzero(broken):
            yield Finding(rule, f"{path}.power_kw[{step}]", f"{power[step]:g} kW {text}")


def _energies(problem: Problem, ev: Ev, planned: EvPlan, path: str) -> Iterator[Finding]:
    floor = min(ev.min_energy_kwh, ev.initial_energy_kwh)
    ceiling = max(ev.capacity_kwh, ev.initial_energy_kwh)
    power, energy = np.asarray(planned.power_kw), np.asarray(planned.energy_kwh)
    into = power * ev.charge_efficiency - ev.charge_loss_kw
    out_of = power / ev.discharge_efficiency - ev.discharge_loss_kw
    stored = problem.step_h * np.where(power > 0.0, into, np.where(power < 0.0, out_of, 0.0))
    expected = ev.initial_energy_kwh + np.concatenate([[0.0], np.cumsum(stored)])
    off = np.abs(energy - expected) > _slack(ceiling)
    outside = (energy < floor - _slack(floor)) | (energy > ceiling + _slack(ceiling))
    for point in np.flatnonzero(off):
        message = f"{energy[point]:g} kWh, the powers before give {expected[point]:g} kWh"
        yield Finding(Rule.ENERGY, f"{path}.energy_kwh[{point}]", message)
    for point in np.flatnonzero(outside):
        message = f"{energy[point]:g} kWh is not within {floor:g} to {ceiling:g} kWh"
        yield Finding(Rule.ENERGY, f"{path}.energy_kwh[{point}]", message)
    missing = max(0.0, ev.departure_energy_kwh - planned.energy_kwh[ev.departure_step])
    if _differ(planned.shortfall_kwh, missing):
        message = f"{planned.shortfall_kwh:g} kWh, at departure {missing:g} kWh are missing"
        yield Finding(Rule.ENERGY, f"{path}.shortfall_kwh", message)
    present = energy[ev.arrival_step : ev.departure_step + 1]
    below = float(np.maximum(0.0, ev.min_energy_kwh - present).sum())
    if _differ(planned.min_energy_shortfall_kwh, below):
        message = f"{planned.min_energy_shortfall_kwh:g} kWh instead of {below:g} kWh"
        yield Finding(Rule.ENERGY, f"{path}.min_energy_shortfall_kwh", message)


def _floor(problem: Problem, ev: Ev, planned: EvPlan, path: str) -> Iterator[Finding]:
    delivered, missing = 0.0, 0.0
    for point, floor in enumerate(ev.min_delivered_kwh or ()):
        if point:
            delivered += max(0.0, planned.power_kw[point - 1]) * problem.step_h
        if ev.arrival_step <= point <= ev.departure_step:
            missing = max(missing, floor - delivered)
    if _differ(planned.undelivered_kwh, missing):
        message = f"{planned.undelivered_kwh:g} kWh, the plan stays {missing:g} kWh below the floor"
        yield Finding(Rule.DELIVERY_FLOOR, f"{path}.undelivered_kwh", message)


def _flows(problem: Problem, plan: Plan) -> Iterator[Finding]:
    sessions = np.array([ev.power_kw for ev in plan.evs]).reshape(-1, problem.steps).sum(axis=0).tolist()
    for step in range(problem.steps):
        imported, exported, curtailed = plan.import_kw[step], plan.export_kw[step], plan.curtailed_kw[step]
        sun = problem.pv_kw[step] - curtailed
        wanted = problem.base_load_kw[step] - sun + sessions[step]
        if _differ(imported - exported, wanted):
            message = f"{imported - exported:g} kW flow in, {wanted:g} kW are used"
            yield Finding(Rule.BALANCE, f"import_kw[{step}]", message)
        if min(imported, exported) != 0.0:
            message = f"imports {imported:g} and exports {exported:g} kW at once, or less than 0"
            yield Finding(Rule.ONE_DIRECTION, f"import_kw[{step}]", message)
        most = problem.pv_kw[step] if problem.pv_curtailable else 0.0
        if not -TOLERANCE <= curtailed <= most + TOLERANCE:
            message = f"{curtailed:g} kW, {most:g} kW can be turned down"
            yield Finding(Rule.CURTAILMENT, f"curtailed_kw[{step}]", message)


def _connection_limits(problem: Problem, plan: Plan) -> Iterator[Finding]:
    relief = 1.0 if problem.netting is Netting.CONFIRMED else 0.0
    base_upper = problem.base_load_upper_kw or problem.base_load_kw
    base_lower = problem.base_load_lower_kw or problem.base_load_kw
    pv_upper, pv_lower = problem.pv_upper_kw or problem.pv_kw, problem.pv_lower_kw or problem.pv_kw
    power = np.array([ev.power_kw for ev in plan.evs]).reshape(-1, problem.steps)
    charges, discharges = (np.maximum(sign * power, 0.0).sum(axis=0).tolist() for sign in (1.0, -1.0))
    for step in range(problem.steps):
        charge, discharge = charges[step], discharges[step]
        # Each direction: what flows without the sessions, what flows with them, the limit.
        alone = (base_upper[step] - pv_lower[step], pv_upper[step] - base_lower[step])
        curtailed = plan.curtailed_kw[step]
        flows = (
            alone[0] + curtailed + charge - relief * discharge,
            alone[1] - curtailed + discharge - relief * charge,
        )
        limits = (problem.import_limit_kw[step], problem.export_limit_kw[step])
        excess = 0.0
        for name, unavoidable, flow, limit in zip(("import", "export"), alone, flows, limits, strict=True):
            over = max(0.0, flow - limit)
            excess += over
            if over > max(0.0, unavoidable - limit) + _slack(limit, flow):
                message = f"{flow:g} kW of {name}, the limit is {limit:g} kW"
                yield Finding(Rule.CONNECTION_LIMIT, f"{name}_kw[{step}]", message)
        if _differ(plan.limit_excess_kw[step], excess):
            message = f"{plan.limit_excess_kw[step]:g} kW instead of {excess:g} kW"
            yield Finding(Rule.CONNECTION_LIMIT, f"limit_excess_kw[{step}]", message)


def _group_limits(problem: Problem, plan: Plan, group: Group, path: str) -> Iterator[Finding]:
    relief = 1.0 if group.netting is Netting.CONFIRMED else 0.0
    inward, outward = np.zeros(problem.steps), np.zeros(problem.steps)
    for ev in plan.evs:
        if ev.id in group.members:
            power = np.asarray(ev.power_kw) * group.weights.get(ev.id, 1.0)
            charge, discharge = np.maximum(power, 0.0), np.maximum(-power, 0.0)
            inward += charge - relief * discharge
            outward += discharge - relief * charge
    for name, flow, limits in (
        ("import", inward, group.import_limit_kw),
        ("export", outward, group.export_limit_kw),
    ):
        if limits is None:
            continue
        limit = np.broadcast_to(np.asarray(limits), flow.shape)
        for step in np.flatnonzero(flow > limit * (1.0 + RELATIVE_TOLERANCE) + TOLERANCE):
            message = f"{flow[step]:g} kW of {name} in step {step}, the limit is {limit[step]:g} kW"
            yield Finding(Rule.GROUP_LIMIT, path, message)


def _peaks(problem: Problem, plan: Plan) -> Iterator[Finding]:
    for index, (band, planned) in enumerate(zip(problem.peak_bands, plan.peak_bands, strict=True)):
        peak = max([band.realised_kw, *(plan.import_kw[step] for step in band.steps)])
        if _differ(planned.peak_kw, peak) or _differ(planned.cost_eur, peak * band.price_eur_per_kw):
            message = (
                f"{planned.peak_kw:g} kW for {planned.cost_eur:g} EUR, the highest import is {peak:g} kW"
            )
            yield Finding(Rule.PEAK, f"peak_bands[{index}]", message)


def _money(problem: Problem, plan: Plan) -> Iterator[Finding]:
    money = sum(band.cost_eur for band in plan.peak_bands)
    for step in range(problem.steps):
        money += problem.step_h * problem.import_price_eur_per_kwh[step] * plan.import_kw[step]
        money -= problem.step_h * problem.export_price_eur_per_kwh[step] * plan.export_kw[step]
    value, slack_kwh = 0.0, 100.0 * problem.step_h * sum(plan.limit_excess_kw)
    for ev, planned in zip(problem.evs, plan.evs, strict=True):
        discharged = -problem.step_h * sum(power for power in planned.power_kw if power < 0.0)
        money += ev.degradation_eur_per_kwh * discharged
        value += ev.final_energy_value_eur_per_kwh * planned.energy_kwh[ev.departure_step]
        slack_kwh += planned.shortfall_kwh + 10.0 * planned.min_energy_shortfall_kwh
    objective = money + problem.shortfall_eur_per_kwh * slack_kwh - value
    for name, expected in (("money_eur", money), ("objective_eur", objective)):
        if _differ(getattr(plan, name), expected):
            message = f"{getattr(plan, name):g} EUR, the plan costs {expected:g} EUR"
            yield Finding(Rule.MONEY, name, message)
    if plan.bound_eur is not None and plan.bound_eur > plan.objective_eur + _slack(plan.objective_eur):
        message = f"{plan.bound_eur:g} EUR is above the plan's own {plan.objective_eur:g} EUR"
        yield Finding(Rule.BOUND, "bound_eur", message)
