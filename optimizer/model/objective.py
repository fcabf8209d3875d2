"""What a plan costs, term by term."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients

# What is paid for; what prices wishes that are not met; what is kept for later.
MONEY_TERMS = frozenset({"energy", "degradation", "band_peaks"})
WISH_TERMS = frozenset({"shortfall", "below_least", "limit_excess", "undelivered"})
VALUE_TERMS = frozenset({"final_energy"})


def add_objective(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add the total cost, to be minimised: the sum of all terms."""
    model.total_cost = pyo.Objective(
        expr=pyo.quicksum(objective_terms(model, data).values()), sense=pyo.minimize
    )


def objective_terms(model: pyo.ConcreteModel, data: Coefficients) -> dict[str, Any]:
    r"""Return every term of the objective by name [EUR].

    .. math::

        \sum_t h (p^+_t import_t - p^-_t export_t) + \sum_{i,t} h c^{deg}_i d_{i,t} + \sum_b \pi_b peak_b
        + M \sum_i u^{dep}_i + 10 M \sum_{i,k} u^{min}_{i,k} + 100 M \sum_t h (u^{imp}_t + u^{exp}_t)
        + 20 M \sum_{i,k} r_{i,k} - \sum_i w_i e_{i,d_i}

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | h p+, h p- | import_cost_eur_per_kw, export_revenue_eur_per_kw | energy prices over a step | EUR/kW |
    | h c_deg | degradation_cost_eur_per_kw | wear over a step | EUR/kW |
    | pi | peak_price_eur_per_kw | price of a band's peak | EUR/kW |
    | M | shortfall_cost_eur_per_kwh | price of energy missing at departure | EUR/kWh |
    | 10 M | below_cost_eur_per_kwh | price of energy below the least | EUR/kWh |
    | 20 M | undelivered_cost_eur_per_kwh | price of a floor of delivery given up | EUR/kWh |
    | 100 M h | excess_cost_eur_per_kw | power over a limit, over a step | EUR/kW |
    | w | energy_value_eur_per_kwh | worth of energy at departure | EUR/kWh |
    """
    return {
        "energy": pyo.quicksum(
            data.import_cost_eur_per_kw[t] * model.import_kw[t]
            - data.export_revenue_eur_per_kw[t] * model.export_kw[t]
            for t in model.steps
        ),
        "degradation": pyo.quicksum(
            data.degradation_cost_eur_per_kw[i] * model.discharge_kw[i, t] for i, t in model.connected
        ),
        "band_peaks": pyo.quicksum(data.peak_price_eur_per_kw[b] * model.peak_kw[b] for b in model.bands),
        "shortfall": data.constant_eur
        + pyo.quicksum(data.shortfall_cost_eur_per_kwh * model.shortfall_kwh[i] for i in model.sessions),
        "below_least": pyo.quicksum(
            data.below_cost_eur_per_kwh * model.below_least_kwh[i, k] for i, k in model.stays
        ),
        "limit_excess": pyo.quicksum(
            data.excess_cost_eur_per_kw * (model.import_excess_kw[t] + model.export_excess_kw[t])
            for t in model.steps
        ),
        "undelivered": pyo.quicksum(
            data.undelivered_cost_eur_per_kwh * model.undelivered_kwh[i, k] for i, k in model.stays
        ),
        "final_energy": -pyo.quicksum(
            data.energy_value_eur_per_kwh[i, k] * model.energy_kwh[i, k] for i, k in model.stays
        ),
    }
