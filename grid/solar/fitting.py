"""Fits forecasts of the clear-sky index to measured days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from grid.errors import WijkstroomError
from grid.solar.clearness import (
    ABOVE,
    BELOW,
    HIGH,
    LEVELS,
    LOW,
    MEDIAN,
    SEASONS,
    THIRDS,
    ClearnessModel,
    Floats,
    Integers,
    Knowledge,
    Known,
    Moments,
    build_terms,
    central,
    in_order,
    stretch,
)

FOLDS = 5
# Weather lasts for days: neighbours of a held-out day would tell of it.
FOLD_DAYS = 10
# Of what is measured, so much shall lie above the 10 % quantile, and below the 90 % quantile.
SIDE_COVERAGE = 0.9
# Each sets the factors of its groups with those of the other left as they are.
_ROUNDS = 3
_SMALLEST_SPREAD = 1e-6


class FitError(WijkstroomError):
    """There is too little to fit to."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Daylight hours to fit to, each array of shape (hours,).

    Parameters
    ----------
    moments
        Their middles.
    known
        What was known before.
    clearness
        Clear-sky index that came [-].
    weights
        What an error costs: power under a clear sky, as a fraction of the peak.
    day
        Number of the day, from any origin.
    """

    moments: Moments
    known: Mapping[Known, Floats]
    clearness: Floats
    weights: Floats
    day: Integers

    @cached_property
    def fold(self) -> Integers:
        """Which part each hour belongs to when one is held out, 0 to `FOLDS` - 1."""
        return self.day // FOLD_DAYS % FOLDS


def fit_quantile(terms: Floats, values: Floats, weights: Floats, level: float) -> Floats:
    """Return the coefficients that minimise the weighted pinball loss at a level, shape (terms,).

    The dual of the linear programme: maximise ``y'a`` with ``X'a = (1 - l) X'w`` and ``0 <= a <= w``
    (Koenker, Quantile Regression, 2005, section 6.2); the coefficients are its multipliers.

    Raises
    ------
    FitError
        When the data do not determine them.
    """
    found = linprog(
        -values,
        A_eq=terms.T,
        b_eq=(1.0 - level) * (terms.T @ weights),
        bounds=np.column_stack([np.zeros_like(weights), weights]),
        method="highs",
    )
    if not found.success:
        raise FitError(f"the {level:.0%} quantile cannot be fitted ({found.message}): give more days")
    return -np.asarray(found.eqlin.marginals, dtype=np.float64)


def fit_clearness(knowledge: Knowledge, sample: Sample) -> tuple[ClearnessModel, Floats]:
    """Fit a forecast, and calibrate its interval on days that were held out one part after the other.

    Returns
    -------
    tuple of model and quantiles
        The quantiles of the sample's hours by models that had not seen their part, stretched as the model's
        are, shape (hours, levels): what a fair judgement of the fit needs.

    Raises
    ------
    FitError
        When the sample is too small.
    """
    terms = build_terms(knowledge, sample.moments, sample.known)
    unseen = np.zeros((len(terms), len(LEVELS)))
    for part in range(FOLDS):
        held = sample.fold == part
        if held.any():
            unseen[held] = terms[held] @ _fit_levels(terms, sample, ~held).T
    unseen = in_order(unseen)
    everything = np.ones(len(terms), dtype=np.bool_)
    edges = np.quantile(central(unseen), [1.0 / len(THIRDS), 2.0 / len(THIRDS)])
    third = np.digitize(central(unseen), edges)
    of_third, of_season = _calibrate(unseen, sample, third)
    model = ClearnessModel(knowledge, _fit_levels(terms, sample, everything), edges, of_third, of_season)
    return model, stretch(unseen, of_third[third] * of_season[sample.moments.season])


def _fit_levels(terms: Floats, sample: Sample, used: NDArray[np.bool_]) -> Floats:
    """Return the coefficients of every level, shape (levels, terms)."""
    values, weights = sample.clearness[used], sample.weights[used]
    return np.array([fit_quantile(terms[used], values, weights, level) for level in LEVELS])


def _calibrate(unseen: Floats, sample: Sample, third: Integers) -> tuple[Floats, Floats]:
    """Return the factors of thirds and seasons with which the interval covers what it shall."""
    median = unseen[:, MEDIAN]
    off = sample.clearness - median
    season = sample.moments.season
    of_third, of_season = np.ones((len(THIRDS), 2)), np.ones((len(SEASONS), 2))
    for side, distance in ((BELOW, unseen[:, LOW] - median), (ABOVE, unseen[:, HIGH] - median)):
        # By how much the bound would have to be moved out to just hold each hour.
        needed = off / np.where(np.abs(distance) > _SMALLEST_SPREAD, distance, np.inf)
        for _ in range(_ROUNDS):
            of_third[:, side] = _factors(needed / of_season[season, side], third, len(THIRDS))
            of_season[:, side] = _factors(needed / of_third[third, side], season, len(SEASONS))
    return of_third, of_season


def _factors(needed: Floats, group: Integers, groups: int) -> Floats:
    """Return the conformal quantile of each group; 1 for one that nothing is known of."""
    factors = np.ones(groups)
    for index in range(groups):
        own = needed[group == index]
        if len(own):
            level = min(1.0, SIDE_COVERAGE * (1.0 + 1.0 / len(own)))
            factors[index] = np.quantile(own, level)
    return factors
