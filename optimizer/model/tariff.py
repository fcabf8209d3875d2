"""Peaks that the network tariff charges, band by band."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients


def add_band_peaks(model: pyo.ConcreteModel, data: Coefficients) -> None:
    r"""Add that a band's peak is at least every import in its steps.

    .. math::

        peak_b >= import_t   (t in T_b),   peak_b >= \hat G_b

    Net metered import counts, whatever the netting policy of a limit. The second is the variable's bound.

    | symbol | coefficient | meaning | unit |
    |---|---|---|---|
    | G_hat | realised_kw | peak made before in the same period | kW |
    """
    del data

    @model.Constraint(model.band_steps)
    def band_peak(model: pyo.ConcreteModel, b: int, t: int) -> object:
        return model.peak_kw[b] - model.import_kw[t] >= 0.0
