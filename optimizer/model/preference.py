"""What is preferred among plans that cost the same: a second objective, solved with the first one held."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients


def add_fairness(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add that the worst shortfall is at least that of every session.

    .. math::

        s >= u^{dep}_i
    """
    del data

    @model.Constraint(model.sessions)
    def fairness(model: pyo.ConcreteModel, i: int) -> object:
        return model.worst_shortfall_kwh[0] - model.shortfall_kwh[i] >= 0.0


def add_starts(model: pyo.ConcreteModel) -> None:
    """Add that a car starts to charge where it did not charge the step before (exact form only).

    .. math::

        g_{i,t} >= y_{i,t} - y_{i,t-1}
    """
    model.started = pyo.Var(model.connected, bounds=(0.0, 1.0))

    @model.Constraint(model.connected)
    def starts(model: pyo.ConcreteModel, i: int, t: int) -> object:
        before = model.charging[i, t - 1] if (i, t - 1) in model.connected else 0.0
        return model.started[i, t] - model.charging[i, t] + before >= 0.0


def add_preferences(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> None:
    """Add the sum of all preferences, to be minimised; the linear form leaves out how often cars start."""
    terms = preference_terms(model, data, exact=exact)
    model.preferences = pyo.Objective(expr=pyo.quicksum(terms.values()), sense=pyo.minimize)


def preference_terms(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> dict[str, Any]:
    r"""Return every preference by name.

    .. math::

        \sum_{i,t} l_{i,t} c_{i,t} + \sum_{i,t} v_i d_{i,t} + f s + n \sum_{i,t} g_{i,t}

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | l | delay_per_kw | share of the window that has passed, over a step | 1/kW |
    | v | reversal_per_kw | weight of discharging, over a step | 1/kW |
    | f | unfairness_per_kwh | weight of the worst shortfall | 1/kWh |
    | n | start_weight | weight of a pause that ends | - |
    """
    terms = {
        "sooner": pyo.quicksum(data.delay_per_kw[i, t] * model.charge_kw[i, t] for i, t in model.connected),
        "fewer_reversals": pyo.quicksum(
            data.reversal_per_kw[i] * model.discharge_kw[i, t] for i, t in model.connected
        ),
        "fairer": data.unfairness_per_kwh * model.worst_shortfall_kwh[0],
    }
    if exact:
        started = pyo.quicksum(model.started[i, t] for i, t in model.connected)
        terms["fewer_switches"] = data.start_weight * started
    return terms
