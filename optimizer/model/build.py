"""The whole model, family by family."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients
from optimizer.model.evse import add_minimum_power, add_one_direction
from optimizer.model.objective import add_objective
from optimizer.model.preference import add_fairness, add_preferences, add_starts
from optimizer.model.site import (
    add_connection_limits,
    add_energy_balance,
    add_flow_direction,
    add_group_limits,
)
from optimizer.model.storage import add_delivery_floor, add_energy_recursion, add_energy_wishes
from optimizer.model.tariff import add_band_peaks
from optimizer.model.variables import add_sets, add_variables


def build_model(data: Coefficients, *, exact: bool, preferring: bool = False) -> pyo.ConcreteModel:
    """Build the model of one site.

    Parameters
    ----------
    data
        Its numbers.
    exact
        With binaries: a mixed-integer program, and the truth. Without: its linear relaxation, which bounds
        the cost from below.
    preferring
        With the preferences as objective; who solves it holds the cost.
    """
    model = pyo.ConcreteModel(name="site")
    add_sets(model, data)
    add_variables(model, data, exact=exact)
    add_energy_recursion(model, data)
    add_energy_wishes(model, data)
    add_delivery_floor(model, data)
    add_minimum_power(model, data, exact=exact)
    add_one_direction(model, data, exact=exact)
    add_energy_balance(model, data)
    add_connection_limits(model, data)
    add_group_limits(model, data)
    add_flow_direction(model, data, exact=exact)
    add_band_peaks(model, data)
    add_fairness(model, data)
    if preferring and exact:
        add_starts(model)
    if preferring:
        add_preferences(model, data, exact=exact)
    else:
        add_objective(model, data)
    return model
