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


def add_preferences(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add the sum of all preferences, to be minimised."""
    model.preferences = pyo.Objective(
        expr=pyo.quicksum(preference_terms(model, data).values()), sense=pyo.minimize
    )


def preference_terms(model: pyo.ConcreteModel, data: Coefficients) -> dict[str, Any]:
    r"""Return every preference by name.

    .. math::

        \sum_{i,t} l_{i,t} c_{i,t} + \sum_{i,t} v_i d_{i,t} + f s

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | l | delay_per_kw | share of the window that has passed, over a step | 1/kW |
    | v | reversal_per_kw | weight of discharging, over a step | 1/kW |
    | f | unfairness_per_kwh | weight of the worst shortfall | 1/kWh |
    """
    return {
        "sooner": pyo.quicksum(data.delay_per_kw[i, t] * model.charge_kw[i, t] for i, t in model.connected),
        "fewer_reversals": pyo.quicksum(
            data.reversal_per_kw[i] * model.discharge_kw[i, t] for i, t in model.connected
        ),
        "fairer": data.unfairness_per_kwh * model.worst_shortfall_kwh[0],
    }
