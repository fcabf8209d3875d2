"""The connection and what is behind it: balance, limits with their netting policy, groups, direction."""

from __future__ import annotations

import math

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients


def add_energy_balance(model: pyo.ConcreteModel, data: Coefficients) -> None:
    r"""Add that what comes in goes somewhere.

    .. math::

        import_t - export_t - curtail_t - \sum_i (c_{i,t} - d_{i,t}) = L_t

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | L | net_load_kw | expected base load less expected sun | kW |
    """

    @model.Constraint(model.steps)
    def energy_balance(model: pyo.ConcreteModel, t: int) -> object:
        charge = pyo.quicksum(model.charge_kw[i, t] for i in model.sessions if (i, t) in model.connected)
        discharge = pyo.quicksum(
            model.discharge_kw[i, t] for i in model.sessions if (i, t) in model.connected
        )
        return (
            model.import_kw[t] - model.export_kw[t] - model.curtailed_kw[t] - charge + discharge
            == data.net_load_kw[t]
        )


def add_connection_limits(model: pyo.ConcreteModel, data: Coefficients) -> None:
    r"""Add the limits of the connection under upper base load and lower sun, and the reverse.

    .. math::

        \sum_i (c_{i,t} - n d_{i,t}) + curtail_t - u^{imp}_t <= G_t

        \sum_i (d_{i,t} - n c_{i,t}) - curtail_t - u^{exp}_t <= X_t

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | n | relief | 1: the net flow counts ("confirmed"), 0: each direction alone ("none") | - |
    | G | import_room_kw | import limit - upper base load + lower sun | kW |
    | X | export_room_kw | export limit + lower base load - upper sun | kW |
    """

    @model.Constraint(model.steps)
    def import_limit(model: pyo.ConcreteModel, t: int) -> object:
        flow = pyo.quicksum(
            model.charge_kw[i, t] - data.relief * model.discharge_kw[i, t]
            for i in model.sessions
            if (i, t) in model.connected
        )
        return flow + model.curtailed_kw[t] - model.import_excess_kw[t] <= data.import_room_kw[t]

    @model.Constraint(model.steps)
    def export_limit(model: pyo.ConcreteModel, t: int) -> object:
        flow = pyo.quicksum(
            model.discharge_kw[i, t] - data.relief * model.charge_kw[i, t]
            for i in model.sessions
            if (i, t) in model.connected
        )
        return flow - model.curtailed_kw[t] - model.export_excess_kw[t] <= data.export_room_kw[t]


def add_group_limits(model: pyo.ConcreteModel, data: Coefficients) -> None:
    r"""Add the limits of fuses and cables inside the site.

    .. math::

        \sum_i (w_{g,i} c_{i,t} - n_{g,i} d_{i,t}) <= G_{g,t}

        \sum_i (w_{g,i} d_{i,t} - n_{g,i} c_{i,t}) <= X_{g,t}

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | w | group_weight | share of a session's power that counts in the group | - |
    | n | group_relief | the same where its relief counts, else 0 | - |
    | G, X | group_import_kw, group_export_kw | limits | kW |
    """

    def members(model: pyo.ConcreteModel, g: int, t: int) -> list[int]:
        return [i for i in model.sessions if data.group_weight[g, i] > 0.0 and (i, t) in model.connected]

    @model.Constraint(model.group_steps)
    def group_import(model: pyo.ConcreteModel, g: int, t: int) -> object:
        inside = members(model, g, t)
        if not inside or math.isinf(data.group_import_kw[g, t]):
            return pyo.Constraint.Skip
        flow = pyo.quicksum(
            data.group_weight[g, i] * model.charge_kw[i, t]
            - data.group_relief[g, i] * model.discharge_kw[i, t]
            for i in inside
        )
        return flow <= data.group_import_kw[g, t]

    @model.Constraint(model.group_steps)
    def group_export(model: pyo.ConcreteModel, g: int, t: int) -> object:
        inside = members(model, g, t)
        if not inside or math.isinf(data.group_export_kw[g, t]):
            return pyo.Constraint.Skip
        flow = pyo.quicksum(
            data.group_weight[g, i] * model.discharge_kw[i, t]
            - data.group_relief[g, i] * model.charge_kw[i, t]
            for i in inside
        )
        return flow <= data.group_export_kw[g, t]


def add_flow_direction(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> None:
    """Add that the site imports or exports, in the steps where doing both would pay.

    .. math::

        import_t <= M^+_t v_t,   export_t <= M^-_t (1 - v_t)

    and in the linear form, which is their convex hull, ``import + M+ / M- export <= M+``.

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | M+, M- | most_import_kw, most_export_kw | largest flows, finite where the import price is lower | kW |
    | M+ / M- | flow_ratio | their ratio, 0 where nothing can be exported | - |
    """
    if exact:

        @model.Constraint(model.steps)
        def import_direction(model: pyo.ConcreteModel, t: int) -> object:
            if math.isinf(data.most_import_kw[t]):
                return pyo.Constraint.Skip
            return model.import_kw[t] - data.most_import_kw[t] * model.importing[t] <= 0.0

        @model.Constraint(model.steps)
        def export_direction(model: pyo.ConcreteModel, t: int) -> object:
            if math.isinf(data.most_export_kw[t]):
                return pyo.Constraint.Skip
            return model.export_kw[t] + data.most_export_kw[t] * model.importing[t] <= data.most_export_kw[t]

    else:

        @model.Constraint(model.steps)
        def shared_flow(model: pyo.ConcreteModel, t: int) -> object:
            if math.isinf(data.most_import_kw[t]):
                return pyo.Constraint.Skip
            return model.import_kw[t] + data.flow_ratio[t] * model.export_kw[t] <= data.most_import_kw[t]
