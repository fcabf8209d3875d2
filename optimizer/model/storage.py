"""Batteries: energy from point to point, the least, the wish at departure, the floor of delivery."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients


def add_energy_recursion(model: pyo.ConcreteModel, data: Coefficients) -> None:
    r"""Add the state of charge as a recursion, never as a running sum.

    .. math::

        e_{i,t+1} = e_{i,t} + h \eta^c_i c_{i,t} - h p^c_i y_{i,t} - h / \eta^d_i d_{i,t} - h p^d_i z_{i,t}

    Part load is dear since a charger loses some power whenever it is on: the loss is a straight line that
    does not begin at 0, and its share of the power falls as the power rises.

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | h eta_c | stored_kwh_per_kw | battery energy per kW of charge over a step | kWh/kW |
    | h / eta_d | drawn_kwh_per_kw | battery energy per kW of discharge over a step | kWh/kW |
    | h p_c, h p_d | standing_charge_kwh, standing_discharge_kwh | lost in a step that is on | kWh |
    """

    @model.Constraint(model.connected)
    def energy_recursion(model: pyo.ConcreteModel, i: int, t: int) -> object:
        return (
            model.energy_kwh[i, t + 1]
            - model.energy_kwh[i, t]
            - data.stored_kwh_per_kw[i] * model.charge_kw[i, t]
            + data.standing_charge_kwh[i] * model.charging[i, t]
            + data.drawn_kwh_per_kw[i] * model.discharge_kw[i, t]
            + data.standing_discharge_kwh[i] * model.discharging[i, t]
            == 0.0
        )


def add_energy_wishes(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add the least energy and the energy wanted at departure, both as priced wishes.

    .. math::

        e_{i,k} + u^{min}_{i,k} >= E^{min}_i,   e_{i,k} + u^{dep}_i >= E^{dep}_{i,k}

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | E_min | energy_least_kwh | least energy; only who arrives below it may be below it | kWh |
    | E_dep | wanted_kwh | reachable wish at departure, 0 at every other time point | kWh |
    """

    @model.Constraint(model.stays)
    def least_energy(model: pyo.ConcreteModel, i: int, k: int) -> object:
        return model.energy_kwh[i, k] + model.below_least_kwh[i, k] >= data.energy_least_kwh[i]

    @model.Constraint(model.stays)
    def wanted_energy(model: pyo.ConcreteModel, i: int, k: int) -> object:
        return model.energy_kwh[i, k] + model.shortfall_kwh[i] >= data.wanted_kwh[i, k]


def add_delivery_floor(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add the energy charged so far, whose lower bound is the floor.

    .. math::

        q_{i,t+1} = q_{i,t} + h c_{i,t} + r_{i,t+1}

    What is given up (r) counts as delivered from then on, at a price that only an impossible floor is worth.

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | h | delivered_kwh_per_kw | energy at the socket per kW over a step | kWh/kW |
    """

    @model.Constraint(model.connected)
    def delivery_recursion(model: pyo.ConcreteModel, i: int, t: int) -> object:
        return (
            model.delivered_kwh[i, t + 1]
            - model.delivered_kwh[i, t]
            - data.delivered_kwh_per_kw[i] * model.charge_kw[i, t]
            - model.undelivered_kwh[i, t + 1]
            == 0.0
        )
