"""Means with their 95 % intervals over replicates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Json = dict[str, Any]
CONFIDENCE = 0.95


def interval(values: NDArray[Any]) -> Json:
    """Return mean and Student interval of replicates; one replicate has none."""
    clean = np.asarray(values, dtype=float)
    mean = float(clean.mean())
    if len(clean) < 2:  # noqa: PLR2004 - two make an interval
        return {"mean": rounded(mean), "low": None, "high": None}
    half = float(
        student.ppf(0.5 + CONFIDENCE / 2, len(clean) - 1) * clean.std(ddof=1) / math.sqrt(len(clean))
    )
    return {"mean": rounded(mean), "low": rounded(mean - half), "high": rounded(mean + half)}


def within(values: Json, lowest: float, highest: float = math.inf) -> Json:
    """Cut an interval at what the figure can be."""
    if values["low"] is None:
        return values
    return {**values, "low": max(lowest, values["low"]), "high": min(highest, values["high"])}


def rounded(value: float) -> float:
    """Return six significant digits: more would be noise."""
    return float(f"{value:.6g}")
