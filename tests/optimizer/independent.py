"""The problem once more, from its document to scipy's `milp`, sharing nothing with the optimizer but the input.

Written naively: every variable and every constraint in every step, running sums of energy, big M for direction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from optimizer.problem import Ev, Group, Problem

BIG = 1e4
Row = dict[int, float]


@dataclass
class Milp:
    """A mixed-integer program that grows."""

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[int] = field(default_factory=list)
    rows: list[tuple[Row, float, float]] = field(default_factory=list)
    constant: float = 0.0

    def variable(
        self, cost: float = 0.0, *, lower: float = 0.0, upper: float = np.inf, binary: bool = False
    ) -> int:
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(1.0 if binary else upper)
        self.integer.append(int(binary))
        return len(self.cost) - 1

    def require(self, row: Row, lower: float = -np.inf, upper: float = np.inf) -> None:
        self.rows.append((row, lower, upper))

    def solve(self) -> float:
        data, place = [], ([], [])  # type: tuple[list[float], tuple[list[int], list[int]]]
        for number, (row, _, _) in enumerate(self.rows):
            for column, value in row.items():
                data.append(value)
                place[0].append(number)
                place[1].append(column)
        matrix = csr_array((data, place), shape=(len(self.rows), len(self.cost)))
        constraint = LinearConstraint(matrix, [low for _, low, _ in self.rows], [up for *_, up in self.rows])
        result = milp(
            self.cost,
            integrality=self.integer,
            bounds=Bounds(np.array(self.lower), np.array(self.upper)),
            constraints=constraint,
            options={"mip_rel_gap": 0.0},
        )
        assert result.success, result.message
        return float(result.fun) + self.constant


def optimum_eur(problem: Problem) -> float:
    """Return the least objective of any plan; floors of delivered energy are left out."""
    model, hours = Milp(), problem.step_h
    charge: dict[tuple[str, int], int] = {}
    discharge: dict[tuple[str, int], int] = {}
    for ev in problem.evs:
        _add_ev(model, problem, ev, charge, discharge)
    limits = (problem.import_limit_kw, problem.export_limit_kw)
    base = (
        problem.base_load_upper_kw or problem.base_load_kw,
        problem.base_load_lower_kw or problem.base_load_kw,
    )
    sun = (problem.pv_lower_kw or problem.pv_kw, problem.pv_upper_kw or problem.pv_kw)
    peaks = [model.variable(band.price_eur_per_kw, lower=band.realised_kw) for band in problem.peak_bands]
    for step in range(problem.steps):
        into = model.variable(hours * problem.import_price_eur_per_kwh[step])
        out = model.variable(-hours * problem.export_price_eur_per_kwh[step])
        curtailed = model.variable(upper=problem.pv_kw[step] if problem.pv_curtailable else 0.0)
        direction = model.variable(binary=True)
        model.require({into: 1.0, direction: -BIG}, upper=0.0)
        model.require({out: 1.0, direction: BIG}, upper=BIG)
        charges = [column for (_, t), column in charge.items() if t == step]
        discharges = [column for (_, t), column in discharge.items() if t == step]
        balance: Row = {into: 1.0, out: -1.0, curtailed: -1.0}
        balance |= dict.fromkeys(charges, -1.0) | dict.fromkeys(discharges, 1.0)
        used_kw = problem.base_load_kw[step] - problem.pv_kw[step]
        model.require(balance, used_kw, used_kw)
        relief = 1.0 if problem.netting == "confirmed" else 0.0
        alone = (base[0][step] - sun[0][step], sun[1][step] - base[1][step])
        for side, (more, less, sign) in enumerate(((charges, discharges, 1.0), (discharges, charges, -1.0))):
            room = limits[side][step] - alone[side]
            excess = model.variable(100.0 * hours * problem.shortfall_eur_per_kwh, upper=max(0.0, -room))
            row: Row = {curtailed: sign, excess: -1.0}
            row |= dict.fromkeys(more, 1.0) | dict.fromkeys(less, -relief)
            model.require(row, upper=room)
        for band, peak in zip(problem.peak_bands, peaks, strict=True):
            if step in band.steps:
                model.require({peak: 1.0, into: -1.0}, lower=0.0)
        for group in problem.groups:
            _add_group(model, group, step, charge, discharge)
    return model.solve()


def _add_ev(
    model: Milp,
    problem: Problem,
    ev: Ev,
    charge: dict[tuple[str, int], int],
    discharge: dict[tuple[str, int], int],
) -> None:
    hours, stored = problem.step_h, defaultdict[int, float](float)
    floor, ceiling = (
        min(ev.min_energy_kwh, ev.initial_energy_kwh),
        max(ev.capacity_kwh, ev.initial_energy_kwh),
    )
    price = problem.shortfall_eur_per_kwh
    for point in range(ev.arrival_step, ev.departure_step + 1):
        row = dict(stored)
        model.require(row, floor - ev.initial_energy_kwh, ceiling - ev.initial_energy_kwh)
        below = model.variable(10.0 * price)
        model.require({**row, below: 1.0}, lower=ev.min_energy_kwh - ev.initial_energy_kwh)
        if point == ev.departure_step:
            break
        into = model.variable(upper=ev.max_charge_kw)
        out = model.variable(hours * ev.degradation_eur_per_kwh, upper=ev.max_discharge_kw)
        charging, discharging = model.variable(binary=True), model.variable(binary=True)
        model.require({charging: 1.0, discharging: 1.0}, upper=1.0)
        for power, active, least, most in (
            (into, charging, ev.min_charge_kw, ev.max_charge_kw),
            (out, discharging, ev.min_discharge_kw, ev.max_discharge_kw),
        ):
            model.require({power: 1.0, active: -most}, upper=0.0)
            model.require({power: 1.0, active: -min(least, most)}, lower=0.0)
            model.require({active: 1.0}, upper=1.0 if most > 0.0 else 0.0)
        charge[ev.id, point], discharge[ev.id, point] = into, out
        stored[into] = hours * ev.charge_efficiency
        stored[charging] = -hours * ev.charge_loss_kw
        stored[out] = -hours / ev.discharge_efficiency
        stored[discharging] = -hours * ev.discharge_loss_kw
    short = model.variable(price)
    model.require({**stored, short: 1.0}, lower=ev.departure_energy_kwh - ev.initial_energy_kwh)
    model.constant -= ev.final_energy_value_eur_per_kwh * ev.initial_energy_kwh
    for column, kwh_per_kw in stored.items():
        model.cost[column] -= ev.final_energy_value_eur_per_kwh * kwh_per_kw


def _add_group(
    model: Milp,
    group: Group,
    step: int,
    charge: dict[tuple[str, int], int],
    discharge: dict[tuple[str, int], int],
) -> None:
    relief = 1.0 if group.netting == "confirmed" else 0.0
    members = [member for member in group.members if (member, step) in charge]
    sides = ((group.import_limit_kw, charge, discharge), (group.export_limit_kw, discharge, charge))
    for limits, more, less in sides:
        if limits is None:
            continue
        row: Row = {}
        for member in members:
            weight = group.weights.get(member, 1.0)
            row[more[member, step]] = weight
            row[less[member, step]] = -relief * weight
        model.require(row, upper=limits[step if len(limits) > 1 else 0])
