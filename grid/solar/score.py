"""How good forecasts of the sun are: errors, skill, pinball loss, coverage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rmse(forecast: Floats, seen: Floats) -> float:
    """Return the root of the mean squared error, in the unit of both."""
    return float(np.sqrt(np.mean((forecast - seen) ** 2)))


def skill(error: float, reference_error: float) -> float:
    """Return what share of a reference's error is avoided: ``1 - RMSE / RMSE_ref``."""
    return 1.0 - error / reference_error


def pinball(quantiles: Floats, seen: Floats, levels: Sequence[float]) -> float:
    """Return the mean pinball loss over steps and levels.

    ``max(l (y - q), (l - 1) (y - q))`` for a quantile q of level l: smallest, on average, for the true one.

    Parameters
    ----------
    quantiles
        Shape (steps, levels).
    seen
        What came, shape (steps,), same unit.
    levels
        Of the columns.
    """
    off = seen[:, np.newaxis] - quantiles
    level = np.asarray(levels)
    return float(np.mean(np.maximum(level * off, (level - 1.0) * off)))


def coverage(lower: Floats, upper: Floats, seen: Floats) -> float:
    """Return the share of steps whose value lies within its interval, bounds included."""
    return float(np.mean((seen >= lower) & (seen <= upper)))
