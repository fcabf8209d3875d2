"""What one more kW would be worth: the duals of the linear program in which the search ended.

The program knows some limits as rows and some as bounds of single sessions, so both are read. A dual holds
for small changes and says nothing about binaries: it is the slope at the plan, with every pause as decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags, Floats
from optimizer.compiled import Program
from optimizer.plan import LimitValue, Plan, Values
from optimizer.problem import Problem
from optimizer.solve import Solution

# Differences of power [kW] and of worth [EUR/kW] that are rounding.
ROUNDING_KW = 1e-6
ROUNDING_EUR = 1e-9
# Who sets the largest power of a session in a step, other than groups: itself, the connection.
NOBODY, CONNECTION = -1, -2


@dataclass(frozen=True, slots=True)
class Final:
    """The linear program in which a search ended, with every pause as decided, and its solution."""

    data: Coefficients
    program: Program
    solution: Solution


@dataclass(frozen=True, slots=True)
class Worth:
    """Money per kW over one step; none of it is below 0 except costs and values of energy.

    Parameters
    ----------
    energy_cost_eur_per_kw
        What one more kW at a socket costs, without peaks and limits (t).
    peak_eur_per_kw
        What each band adds where the import is its peak (b, t).
    import_eur_per_kw, export_eur_per_kw
        One more kW of the connection's limits (t).
    group_import_eur_per_kw, group_export_eur_per_kw
        One more kW of the limits of groups (g, t).
    gain_eur_per_kw
        What one more kW of charge is worth to a session: energy and floor of delivery (i, t).
    capped_by
        Index of the group that sets a session's largest power, `CONNECTION`, or `NOBODY` (i, t).
    """

    energy_cost_eur_per_kw: Floats
    peak_eur_per_kw: Floats
    import_eur_per_kw: Floats
    export_eur_per_kw: Floats
    group_import_eur_per_kw: Floats
    group_export_eur_per_kw: Floats
    gain_eur_per_kw: Floats
    capped_by: npt.NDArray[np.int64]


def compute_worth(problem: Problem, final: Final, plan: Plan) -> Worth:
    """Read the duals of a program.

    Parameters
    ----------
    problem
        What was asked.
    final
        Where the search ended.
    plan
        What is answered: energy and peaks are priced by its flows, where the duals leave open what one more
        kW costs at a flow of 0 and at a peak that several steps make.
    """
    data, program, solution = final.data, final.program, final.solution

    def rows(name: str) -> Floats:
        # A limit's dual is what its right-hand side adds to the cost: a looser one takes off.
        return program.read_rows(name, solution.row_duals)

    cost = rows("energy_balance")[0]
    limits = [np.maximum(0.0, -rows(name)) for name in ("import_limit", "export_limit")]
    groups = [np.maximum(0.0, -rows(name)) for name in ("group_import", "group_export")]
    gain = -data.stored_kwh_per_kw[:, None] * rows("energy_recursion")
    gain = gain - data.delivered_kwh_per_kw[:, None] * rows("delivery_recursion")
    caps = [_find_caps(problem, data, direction) for direction in ("charge", "discharge")]
    paid = cost + limits[0] - data.relief * limits[1]
    paid = paid + data.group_weight.T @ groups[0] - data.group_relief.T @ groups[1]
    powers = [program.read(name, solution.values) for name in ("charge_kw", "discharge_kw")]
    scarce = [
        _scarcity(powers[0], data.charge_most_kw, _worth_of_wish(problem, data, gain) - paid),
        _scarcity(powers[1], data.discharge_most_kw, -program.read("discharge_kw", solution.column_duals)),
    ]
    for side in (0, 1):
        limits[side] = limits[side] + np.where(caps[side] == CONNECTION, scarce[side], 0.0).sum(axis=0)
        for g, weight in enumerate(data.group_weight):
            # The group counts a share of the power: one more kW of its limit is more at the socket.
            share = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)[:, None]
            groups[side][g] += (np.where(caps[side] == g, scarce[side], 0.0) * share).sum(axis=0)
    energy, peaks = _energy_cost(problem, plan), _peak_cost(data, plan)
    return Worth(energy, peaks, limits[0][0], limits[1][0], groups[0], groups[1], gain, caps[0])


def _energy_cost(problem: Problem, plan: Plan) -> Floats:
    """Return what one more kW costs over a step: import, export that is given up, sun that is turned down."""
    bought = np.asarray(problem.import_price_eur_per_kwh)
    price = np.where(np.array(plan.export_kw) > ROUNDING_KW, problem.export_price_eur_per_kwh, bought)
    price = np.where(np.array(plan.curtailed_kw) > ROUNDING_KW, np.minimum(bought, 0.0), price)
    return np.asarray(problem.step_h * price)


def _peak_cost(data: Coefficients, plan: Plan) -> Floats:
    """Return what one more kW adds to the price of each band's peak, in the steps that make it."""
    peaks = np.array([band.peak_kw for band in plan.peak_bands]).reshape(-1, 1)
    made = (
        data.in_band & (np.array(plan.import_kw) >= peaks - ROUNDING_KW) & (np.array(plan.export_kw) == 0.0)
    )
    return np.where(made, data.peak_price_eur_per_kw[:, None], 0.0)


def list_values(problem: Problem, worth: Worth) -> Values:
    """Return the part of the plan's document that a grid operator or planner of a network wants to know."""
    energy = (worth.energy_cost_eur_per_kw + worth.peak_eur_per_kw.sum(axis=0)) / problem.step_h
    groups = tuple(
        LimitValue(
            id=group.id,
            import_eur_per_kw=() if group.import_limit_kw is None else tuple(inward.tolist()),
            export_eur_per_kw=() if group.export_limit_kw is None else tuple(outward.tolist()),
        )
        for group, inward, outward in zip(
            problem.groups, worth.group_import_eur_per_kw, worth.group_export_eur_per_kw, strict=True
        )
    )
    connection = LimitValue(
        id="connection",
        import_eur_per_kw=tuple(worth.import_eur_per_kw.tolist()),
        export_eur_per_kw=tuple(worth.export_eur_per_kw.tolist()),
    )
    return Values(energy_eur_per_kwh=tuple(energy.tolist()), connection=connection, groups=groups)


def _worth_of_wish(problem: Problem, data: Coefficients, gain: Floats) -> Floats:
    """Return what charge is worth; where a wish was cut to what is in reach, the price of what is missing."""
    target = np.array([ev.departure_energy_kwh for ev in problem.evs])
    holds = np.array([max(ev.capacity_kwh, ev.initial_energy_kwh) for ev in problem.evs])
    cut = np.minimum(target, holds) > data.wanted_kwh.max(axis=1, initial=0.0) + ROUNDING_KW
    missing = data.shortfall_cost_eur_per_kwh * data.stored_kwh_per_kw * cut
    return np.asarray(np.maximum(gain, missing[:, None]))


def _scarcity(power_kw: Floats, most_kw: Floats, gain_eur_per_kw: Floats) -> Floats:
    """Return what more power would be worth to sessions at their most."""
    full: Flags = (most_kw > 0.0) & (power_kw >= most_kw - ROUNDING_KW)
    return np.where(full & (gain_eur_per_kw > ROUNDING_EUR), gain_eur_per_kw, 0.0)


def _find_caps(problem: Problem, data: Coefficients, direction: str) -> npt.NDArray[np.int64]:
    """Say which limit is the lowest that a session meets alone, `NOBODY` where it is its own power."""
    inward = direction == "charge"
    rated = np.array([getattr(ev, f"max_{direction}_kw") for ev in problem.evs]).reshape(-1, 1)
    lowest = np.where(data.connected, rated, np.inf)
    caps = np.full(lowest.shape, NOBODY, dtype=np.int64)
    if data.relief == 0.0:
        room = data.import_room_kw if inward else data.export_room_kw + data.curtailable_kw
        _lower(caps, lowest, np.broadcast_to(np.maximum(0.0, room), lowest.shape), CONNECTION)
    limits = data.group_import_kw if inward else data.group_export_kw
    for g, weight in enumerate(data.group_weight):
        if not data.group_relief[g].any():
            share = np.divide(1.0, weight, out=np.full_like(weight, np.inf), where=weight > 0.0)[:, None]
            with np.errstate(invalid="ignore"):
                _lower(caps, lowest, np.nan_to_num(limits[g][None, :] * share, nan=np.inf), g)
    return caps


def _lower(caps: npt.NDArray[np.int64], lowest: Floats, limit: Floats, owner: int) -> None:
    lower = limit < lowest - ROUNDING_KW
    lowest[lower], caps[lower] = limit[lower], owner
