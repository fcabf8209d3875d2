"""Index sets and variables.

| symbol | variable | meaning | unit |
|---|---|---|---|
| c[i,t] | charge_kw | power into the vehicle, at the socket | kW |
| d[i,t] | discharge_kw | power out of the vehicle, at the socket | kW |
| y[i,t], z[i,t] | charging, discharging | 1 while it charges, discharges; a fraction in the linear form | - |
| e[i,k] | energy_kwh | energy in the battery | kWh |
| u_min[i,k] | below_least_kwh | energy below the least | kWh |
| u_dep[i] | shortfall_kwh | energy missing at departure | kWh |
| q[i,k] | delivered_kwh | energy charged so far, and floor given up so far | kWh |
| r[i,k] | undelivered_kwh | floor given up at this time point | kWh |
| import[t], export[t] | import_kw, export_kw | flow from and to the grid | kW |
| v[t] | importing | 1 while the flow is from the grid (exact form) | - |
| curtail[t] | curtailed_kw | sun turned down | kW |
| u_imp[t], u_exp[t] | import_excess_kw, export_excess_kw | power over limits by base load or sun alone | kW |
| s | worst_shortfall_kwh | largest shortfall of all sessions | kWh |
| peak[b] | peak_kw | highest import in a band, or what was made before | kW |

Power lives on time steps t, energy on time points k = t, t + 1. A session's variables exist in its window.
"""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.coefficients import Coefficients, Flags


def add_sets(model: pyo.ConcreteModel, data: Coefficients) -> None:
    """Add the index sets: steps, sessions and bands, those pairs of them that exist, and the one site."""
    model.sites = pyo.Set(initialize=[0])
    model.steps = pyo.Set(initialize=range(data.steps))
    model.sessions = pyo.Set(initialize=range(data.sessions))
    model.bands = pyo.Set(initialize=range(len(data.realised_kw)))
    model.connected = pyo.Set(dimen=2, initialize=_pairs(data.connected))
    model.stays = pyo.Set(dimen=2, initialize=_pairs(data.stays))
    model.group_steps = pyo.Set(
        dimen=2, initialize=_pairs(np.ones(data.group_import_kw.shape, dtype=np.bool_))
    )
    model.band_steps = pyo.Set(dimen=2, initialize=_pairs(data.in_band))


def add_variables(model: pyo.ConcreteModel, data: Coefficients, *, exact: bool) -> None:
    """Add every variable with its bounds; in the exact form what is on or off is binary."""
    _add_session_variables(model, data)
    _add_site_variables(model, data)
    within = pyo.Binary if exact else pyo.UnitInterval
    model.charging = pyo.Var(model.connected, within=within)
    model.discharging = pyo.Var(model.connected, within=within)
    if exact:
        model.importing = pyo.Var(model.steps, within=pyo.Binary)


def _pairs(flags: Flags) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(flags)]


def _add_session_variables(model: pyo.ConcreteModel, data: Coefficients) -> None:
    model.charge_kw = pyo.Var(model.connected, bounds=lambda _, i, t: (0.0, data.charge_most_kw[i, t]))
    model.discharge_kw = pyo.Var(model.connected, bounds=lambda _, i, t: (0.0, data.discharge_most_kw[i, t]))
    model.energy_kwh = pyo.Var(
        model.stays, bounds=lambda _, i, k: (data.energy_lower_kwh[i, k], data.energy_upper_kwh[i, k])
    )
    model.below_least_kwh = pyo.Var(model.stays, bounds=lambda _, i, k: (0.0, data.below_most_kwh[i, k]))
    model.shortfall_kwh = pyo.Var(model.sessions, bounds=(0.0, None))
    model.delivered_kwh = pyo.Var(
        model.stays, bounds=lambda _, i, k: (data.delivered_lower_kwh[i, k], data.delivered_upper_kwh[i, k])
    )
    model.undelivered_kwh = pyo.Var(
        model.stays, bounds=lambda _, i, k: (0.0, data.undelivered_most_kwh[i, k])
    )


def _add_site_variables(model: pyo.ConcreteModel, data: Coefficients) -> None:
    model.import_kw = pyo.Var(model.steps, bounds=lambda _, t: (0.0, data.most_import_kw[t]))
    model.export_kw = pyo.Var(model.steps, bounds=lambda _, t: (0.0, data.most_export_kw[t]))
    model.curtailed_kw = pyo.Var(model.steps, bounds=lambda _, t: (0.0, data.curtailable_kw[t]))
    model.import_excess_kw = pyo.Var(model.steps, bounds=lambda _, t: (0.0, data.import_excess_most_kw[t]))
    model.export_excess_kw = pyo.Var(model.steps, bounds=lambda _, t: (0.0, data.export_excess_most_kw[t]))
    model.worst_shortfall_kwh = pyo.Var(model.sites, bounds=(0.0, None))
    model.peak_kw = pyo.Var(model.bands, bounds=lambda _, b: (data.realised_kw[b], None))
