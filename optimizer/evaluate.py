"""From powers to a plan: energies, flows, peaks and money follow from what the sockets do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.coefficients import (
    BELOW_LEAST_FACTOR,
    EXCESS_FACTOR,
    Floats,
    base_load_bounds_kw,
    pv_bounds_kw,
)
from optimizer.plan import EvPlan, PeakBandPlan, Plan, PlanStatus
from optimizer.problem import Ev, Netting, Problem

# Powers and distances from a bound below this are rounding of a solver [kW].
ROUNDING_KW = 1e-6
# Costs that differ by less are equal [EUR].
ROUNDING_EUR = 1e-7
# The gap of plans that cost about nothing is taken against this [EUR].
SMALLEST_OBJECTIVE_EUR = 0.01


@dataclass(frozen=True, slots=True)
class Powers:
    """What is decided.

    Parameters
    ----------
    charge_kw, discharge_kw
        Power at the sockets, both >= 0, shapes (sessions, steps) [kW].
    curtailed_kw
        Sun turned down, shape (steps,) [kW].
    """

    charge_kw: Floats
    discharge_kw: Floats
    curtailed_kw: Floats


def build_plan(problem: Problem, powers: Powers, status: PlanStatus) -> Plan:
    """Work out everything that follows from the powers.

    Parameters
    ----------
    problem
        What was asked.
    powers
        What is decided.
    status
        What was proven about it.

    Returns
    -------
    Plan
        Without bound, gap, time and explanation.
    """
    power = snap(problem, powers)
    energy = _energies_kwh(problem, power)
    evs = tuple(_build_ev(problem, *each) for each in zip(problem.evs, power, energy, strict=True))
    curtailed = np.where(powers.curtailed_kw > ROUNDING_KW, powers.curtailed_kw, 0.0)
    curtailed = np.minimum(curtailed, problem.pv_kw if problem.pv_curtailable else 0.0)
    net = np.asarray(problem.base_load_kw) - np.asarray(problem.pv_kw) + curtailed + power.sum(axis=0)
    imports, exports = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    bands = tuple(
        PeakBandPlan(name=band.name, peak_kw=peak, cost_eur=peak * band.price_eur_per_kw)
        for band in problem.peak_bands
        for peak in [max([band.realised_kw, *(float(imports[step]) for step in band.steps)])]
    )
    excess = _excess_kw(problem, power, curtailed)
    money = _energy_eur(problem, power, imports, exports) + sum(band.cost_eur for band in bands)
    below = sum(ev.min_energy_shortfall_kwh for ev in evs)
    value = sum(
        ev.final_energy_value_eur_per_kwh * planned.energy_kwh[ev.departure_step]
        for ev, planned in zip(problem.evs, evs, strict=True)
    )
    slack_kwh = (
        sum(ev.shortfall_kwh for ev in evs)
        + EXCESS_FACTOR * problem.step_h * float(excess.sum())
        + BELOW_LEAST_FACTOR * below
    )
    return Plan(
        status=status,
        bound_eur=None,
        objective_eur=money + problem.shortfall_eur_per_kwh * slack_kwh - value,
        money_eur=money,
        gap=None,
        solve_seconds=0.0,
        import_kw=tuple(imports.tolist()),
        export_kw=tuple(exports.tolist()),
        curtailed_kw=tuple(curtailed.tolist()),
        limit_excess_kw=tuple(excess.tolist()),
        min_energy_shortfall_kwh=below,
        final_energy_value_eur=value,
        peak_bands=bands,
        evs=evs,
    )


def _energy_eur(problem: Problem, power: Floats, imports: Floats, exports: Floats) -> float:
    """Return what energy and wear cost [EUR]."""
    trade = float(imports @ problem.import_price_eur_per_kwh) - float(
        exports @ problem.export_price_eur_per_kwh
    )
    wear = np.array([ev.degradation_eur_per_kwh for ev in problem.evs])
    return problem.step_h * (trade + float(wear @ np.maximum(-power, 0.0).sum(axis=1)))


def snap(problem: Problem, powers: Powers) -> Floats:
    """Return signed powers without the rounding of a solver, shape (sessions, steps) [kW]."""
    charge = _snap_direction(
        powers.charge_kw, _column(problem, "min_charge_kw"), _column(problem, "max_charge_kw")
    )
    discharge = _snap_direction(
        powers.discharge_kw, _column(problem, "min_discharge_kw"), _column(problem, "max_discharge_kw")
    )
    return np.asarray(charge - discharge)


def _column(problem: Problem, name: str) -> Floats:
    """Return a number of every session, shape (sessions, 1)."""
    return np.array([getattr(ev, name) for ev in problem.evs], dtype=np.float64).reshape(-1, 1)


def _snap_direction(power: Floats, least_kw: Floats, most_kw: Floats) -> Floats:
    power = np.where(power > ROUNDING_KW, power, 0.0)
    power = np.where((power < least_kw) & (power >= least_kw - 2 * ROUNDING_KW), least_kw, power)
    return np.where((power > most_kw) & (power <= most_kw + 2 * ROUNDING_KW), most_kw, power)


def _energies_kwh(problem: Problem, power: Floats) -> Floats:
    """Return the energy in every battery at all time points, shape (sessions, steps + 1) [kWh]."""
    charge, discharge = np.maximum(power, 0.0), np.maximum(-power, 0.0)
    stored = charge * _column(problem, "charge_efficiency")
    stored -= _column(problem, "charge_loss_kw") * (charge > 0.0)
    drawn = discharge / _column(problem, "discharge_efficiency")
    drawn += _column(problem, "discharge_loss_kw") * (discharge > 0.0)
    energy = np.zeros((power.shape[0], power.shape[1] + 1))
    np.cumsum(problem.step_h * (stored - drawn), axis=1, out=energy[:, 1:])
    return np.asarray(_column(problem, "initial_energy_kwh") + energy)


def _build_ev(problem: Problem, ev: Ev, power: Floats, energy: Floats) -> EvPlan:
    window = slice(ev.arrival_step, ev.departure_step + 1)
    undelivered = 0.0
    if ev.min_delivered_kwh is not None:
        delivered = np.concatenate([[0.0], np.cumsum(problem.step_h * np.maximum(power, 0.0))])
        missing = np.asarray(ev.min_delivered_kwh) - delivered
        undelivered = float(max(0.0, missing[window].max()))
    return EvPlan(
        id=ev.id,
        power_kw=tuple(power.tolist()),
        energy_kwh=tuple(energy.tolist()),
        shortfall_kwh=max(0.0, ev.departure_energy_kwh - float(energy[ev.departure_step])),
        min_energy_shortfall_kwh=float(np.maximum(0.0, ev.min_energy_kwh - energy[window]).sum()),
        undelivered_kwh=undelivered,
    )


def _excess_kw(problem: Problem, power: Floats, curtailed: Floats) -> Floats:
    """Return power over the connection's limits, both directions added, shape (steps,) [kW]."""
    base_lower, base_upper = base_load_bounds_kw(problem)
    pv_lower, pv_upper = pv_bounds_kw(problem)
    relief = float(problem.netting is Netting.CONFIRMED)
    charge, discharge = np.maximum(power, 0.0).sum(axis=0), np.maximum(-power, 0.0).sum(axis=0)
    over_import = base_upper - pv_lower + curtailed + charge - relief * discharge - problem.import_limit_kw
    over_export = pv_upper - base_lower - curtailed + discharge - relief * charge - problem.export_limit_kw
    excess = np.maximum(0.0, over_import) + np.maximum(0.0, over_export)
    return np.where(excess > 2 * ROUNDING_KW, excess, 0.0)


def compute_gap(objective_eur: float, bound_eur: float) -> float:
    """Return the relative distance of a cost from its bound, 0 where rounding puts it below [fraction]."""
    distance_eur = objective_eur - bound_eur
    if distance_eur <= ROUNDING_EUR:
        return 0.0
    return distance_eur / max(abs(objective_eur), SMALLEST_OBJECTIVE_EUR)
