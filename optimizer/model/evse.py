"""What a socket can do: pause or at least the minimum power, and one direction at a time."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients, Floats


def add_minimum_power(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> None:
    """Add the gap between a pause and the minimum power.

    In the linear form, whose y and z are fractions, only for chargers that lose power while they are on:
    there these rows are the convex hull of a slot, and elsewhere nothing depends on y and z.

    .. math::

        P^{min}_i y_{i,t} <= c_{i,t} <= P_{i,t} y_{i,t},   D^{min}_i z_{i,t} <= d_{i,t} <= D_{i,t} z_{i,t}

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | P_min, D_min | charge_least_kw, discharge_least_kw | 6 A x voltage x phases | kW |
    | P, D | charge_most_kw, discharge_most_kw | most within what is known beforehand | kW |
    """

    def loses(standing_kwh: Floats, i: int) -> bool:
        return exact or bool(standing_kwh[i] > 0.0)

    @model.Constraint(model.connected)
    def charge_at_most(model: pyo.ConcreteModel, i: int, t: int) -> object:
        if not loses(data.standing_charge_kwh, i):
            return pyo.Constraint.Skip
        return model.charge_kw[i, t] - data.charge_most_kw[i, t] * model.charging[i, t] <= 0.0

    @model.Constraint(model.connected)
    def charge_at_least(model: pyo.ConcreteModel, i: int, t: int) -> object:
        if not loses(data.standing_charge_kwh, i):
            return pyo.Constraint.Skip
        return model.charge_kw[i, t] - data.charge_least_kw[i] * model.charging[i, t] >= 0.0

    @model.Constraint(model.connected)
    def discharge_at_most(model: pyo.ConcreteModel, i: int, t: int) -> object:
        if not loses(data.standing_discharge_kwh, i):
            return pyo.Constraint.Skip
        return model.discharge_kw[i, t] - data.discharge_most_kw[i, t] * model.discharging[i, t] <= 0.0

    @model.Constraint(model.connected)
    def discharge_at_least(model: pyo.ConcreteModel, i: int, t: int) -> object:
        if not loses(data.standing_discharge_kwh, i):
            return pyo.Constraint.Skip
        return model.discharge_kw[i, t] - data.discharge_least_kw[i] * model.discharging[i, t] >= 0.0


def add_one_direction(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> None:
    """Add that nobody charges and discharges at once.

    .. math::

        y_{i,t} + z_{i,t} <= 1,   in the linear form   c_{i,t} / P_{i,t} + d_{i,t} / D_{i,t} <= 1

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | 1 / P, 1 / D | charge_share_per_kw, discharge_share_per_kw | 1 / most, 0 without | 1/kW |
    """
    if exact:

        @model.Constraint(model.connected)
        def one_direction(model: pyo.ConcreteModel, i: int, t: int) -> object:
            return model.charging[i, t] + model.discharging[i, t] <= 1.0

    else:

        @model.Constraint(model.connected)
        def shared_direction(model: pyo.ConcreteModel, i: int, t: int) -> object:
            if data.charge_share_per_kw[i, t] == 0.0 or data.discharge_share_per_kw[i, t] == 0.0:
                return pyo.Constraint.Skip
            return (
                data.charge_share_per_kw[i, t] * model.charge_kw[i, t]
                + data.discharge_share_per_kw[i, t] * model.discharge_kw[i, t]
                <= 1.0
            )
