"""How fast transformers age: the hot spot of IEC 60076-7 from the load of every quarter.

Difference equations of the standard for distribution transformers with natural cooling (ONAN): a first-order
top oil and a first-order winding gradient, both exact for a load that is constant within the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ThermalModel:
    """Constants of IEC 60076-7 for distribution transformers (ONAN), from its table of characteristics.

    Parameters
    ----------
    top_oil_rise_k, hot_spot_gradient_k
        Rises over ambient and over top oil at rated load [K]; 20 + 55 + 23 = 98 degrees, at which paper ages
        at the normal rate.
    oil_exponent, winding_exponent
        x and y.
    loss_ratio
        R, load loss over no-load loss at rated load.
    oil_minutes, winding_minutes
        Time constants.
    k11, k21, k22
        Of the standard; with k21 = 1 the gradient has no overshoot and k22 does not matter.
    """

    top_oil_rise_k: float = 55.0
    hot_spot_gradient_k: float = 23.0
    oil_exponent: float = 0.8
    winding_exponent: float = 1.6
    loss_ratio: float = 5.0
    oil_minutes: float = 180.0
    winding_minutes: float = 4.0
    k11: float = 1.0
    k21: float = 1.0
    k22: float = 2.0


@dataclass(frozen=True)
class ThermalState:
    """Rises at the end of a block, per transformer [K]; None before the first: settled at the first load."""

    oil_k: Floats
    winding_k: Floats


def hot_spot(
    loading: Floats,
    ambient_c: Floats,
    state: ThermalState | None = None,
    *,
    step_minutes: float = 15.0,
    model: ThermalModel | None = None,
) -> tuple[Floats, ThermalState]:
    """Return hot-spot temperatures at the end of every step, and the state to go on from.

    Parameters
    ----------
    loading
        Apparent power over rating, shape (steps, transformers), >= 0.
    ambient_c
        Shape (steps,) [deg C].
    state
        From the block before.
    step_minutes
        Length of a step.
    model
        Constants.

    Notes
    -----
    Oil rise tends to ((1 + R K^2) / (1 + R))^x times the rated rise with time constant k11 tau_o, the
    gradient to k21 K^y times the rated gradient with k22 tau_w (IEC 60076-7:2005, section 8.2.2, difference
    equations).
    """
    model = model or ThermalModel()
    ratio = model.loss_ratio
    oil = model.top_oil_rise_k * ((1 + ratio * loading**2) / (1 + ratio)) ** model.oil_exponent
    winding = model.hot_spot_gradient_k * model.k21 * loading**model.winding_exponent
    first = state or ThermalState(oil[0], winding[0])
    oil_k = _follow(oil, first.oil_k, step_minutes / (model.k11 * model.oil_minutes))
    winding_k = _follow(winding, first.winding_k, step_minutes / (model.k22 * model.winding_minutes))
    return ambient_c[:, None] + oil_k + winding_k, ThermalState(oil_k[-1], winding_k[-1])


def ageing_rate(hot_spot_c: Floats) -> Floats:
    """Return the rate of ageing of plain paper relative to 98 degrees; it doubles every 6 K."""
    return np.asarray(np.exp2((hot_spot_c - 98.0) / 6.0))


def _follow(target: Floats, start: Floats, time_constants: float) -> Floats:
    """First-order response to a staircase, along axis 0."""
    keep = np.exp(-time_constants)
    followed, _ = lfilter([1 - keep], [1.0, -keep], target, axis=0, zi=(keep * start)[None, :])
    return np.asarray(followed)
