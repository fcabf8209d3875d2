"""Forecasts fitted on one year and judged on another, against what is known without any model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from grid.solar.clearness import (
    HIGH,
    LARGEST,
    LEVELS,
    LOW,
    NEEDED,
    SEASONS,
    THIRDS,
    ClearnessModel,
    Floats,
    Knowledge,
    Known,
    central,
)
from grid.solar.fitting import FOLD_DAYS, FOLDS, FitError, fit_clearness
from grid.solar.history import DAY_HOURS, SunHours, cell_means
from grid.solar.score import coverage, pinball, rmse, skill

LEADS_H: Final = (1, 2, 3)
# Under a lower sun than this share of the peak, the ratio of power and clear-sky power says nothing.
LOW_SUN_FRACTION: Final = 0.05
_CELLS = 12 * DAY_HOURS
Flags = NDArray[np.bool_]
ValueT = TypeVar("ValueT", bound=np.generic)


@dataclass(frozen=True, slots=True)
class WeatherError:
    """The error that a weather forecast is given: what came plus a wandering of this size.

    Parameters
    ----------
    deviation
        Standard deviation of the error of the clear-sky index [-].
    hourly_correlation
        Correlation of the errors of neighbouring hours.
    seed
        Of the errors.
    """

    deviation: float = 0.25
    hourly_correlation: float = 0.8
    seed: int = 1

    def forecast(self, clearness: Floats) -> Floats:
        """Return a forecast of the clear-sky index with this error, shape (hours,) [-]."""
        kept = self.hourly_correlation
        shocks = np.random.default_rng(self.seed).standard_normal(len(clearness))
        shocks[1:] *= math.sqrt(1.0 - kept**2)
        wandering = np.asarray(lfilter([1.0], [1.0, -kept], shocks), dtype=np.float64)
        return np.clip(clearness + self.deviation * wandering, 0.0, LARGEST)


@dataclass(frozen=True, slots=True)
class Judged:
    """How good a forecast was; errors and losses are fractions of the peak.

    Parameters
    ----------
    nrmse
        Of the point forecast.
    pinball
        Mean over the levels.
    coverage
        Of the interval from 10 to 90 %.
    by_third, by_season
        Its coverage where the forecast was overcast, mixed or clear, and in each season.
    by_realised_third
        Its coverage where the sky turned out so: told, not aimed at.
    """

    nrmse: float
    pinball: float
    coverage: float
    by_third: Mapping[str, float]
    by_season: Mapping[str, float]
    by_realised_third: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class References:
    """What is known without any model; errors and losses are fractions of the peak.

    Parameters
    ----------
    persistence
        nRMSE of the same hour of the day before.
    climatology
        nRMSE of the mean of the month and hour.
    mix, mix_weight
        nRMSE of ``w climatology + (1 - w) persistence``, and w.
    pinball
        Loss of the climatological quantiles: those of the month and hour.
    smooth_pinball
        Loss of those of three months and three hours together, of the clear-sky index.
    """

    persistence: float
    climatology: float
    mix: float
    mix_weight: float
    pinball: float
    smooth_pinball: float


@dataclass(frozen=True, slots=True)
class Nowcasts:
    """Forecasts of the next hours from the last one.

    Parameters
    ----------
    memory_h
        After so long, 1/e of a departure from the day-ahead forecast is left [h].
    nrmse, persistence, clearness_persistence
        By hours ahead: of the nowcast, of the last hour's power, of its clear-sky index.
    """

    memory_h: float
    nrmse: Mapping[int, float]
    persistence: Mapping[int, float]
    clearness_persistence: Mapping[int, float]


@dataclass(frozen=True, eq=False)
class Backtest:
    """Everything that was fitted and found.

    Parameters
    ----------
    models
        By what they rest on.
    hours
        How many were judged.
    references, nowcasts
        As said there.
    forecasts
        By what they rest on.
    weather_nrmse
        Of the weather forecast as it came, with its error.
    """

    models: Mapping[Knowledge, ClearnessModel]
    hours: int
    references: References
    nowcasts: Nowcasts
    forecasts: Mapping[Knowledge, Judged]
    weather_nrmse: float

    def skill(self, knowledge: Knowledge) -> float:
        """Return the skill of a day-ahead forecast against the mix."""
        return skill(self.forecasts[knowledge].nrmse, self.references.mix)


def run_backtest(history: SunHours, fit_year: int, score_year: int, error: WeatherError) -> Backtest:
    """Fit on one year and judge on another.

    Parameters
    ----------
    history
        Both years.
    fit_year, score_year
        Nothing of the second is looked at before it is judged.
    error
        Of the weather forecast that stands in for a real one.

    Raises
    ------
    FitError
        When a year lacks hours to fit to or to judge.
    """
    known = {**history.known_at_midnight, Known.FORECAST: error.forecast(history.clearness)}
    enough = ~np.isnan([known[name] for name in Known]).any(axis=0) & history.is_light
    fit, judge = enough & (history.year == fit_year), history.is_light & (history.year == score_year)
    judge &= enough
    if not fit.any() or not judge.any():
        raise FitError(f"there is nothing of {fit_year} or of {score_year}: give both years whole")
    models, day_ahead, judged = {}, {}, {}
    for knowledge in Knowledge:
        sample = history.sample(fit, {name: known[name] for name in NEEDED[knowledge]})
        model, unseen = fit_clearness(knowledge, sample)
        later = history.sample(judge, {name: known[name] for name in NEEDED[knowledge]})
        quantiles = model.predict(later.moments, later.known)
        models[knowledge] = model
        day_ahead[knowledge] = _fill(history, fit, unseen) + _fill(history, judge, quantiles)
        judged[knowledge] = _judge(history, model, quantiles, judge)
    seen = history.power[judge]
    as_it_came = known[Known.FORECAST][judge] * history.clear_power[judge]
    return Backtest(
        models,
        int(judge.sum()),
        _refer(history, fit, judge),
        _nowcast(history, day_ahead[Knowledge.STATION], fit, judge),
        judged,
        rmse(as_it_came, seen),
    )


def _fill(history: SunHours, used: Flags, quantiles: Floats) -> Floats:
    """Return point forecasts of the clear-sky index where there are some, 0 elsewhere, shape (hours,)."""
    values = np.zeros(len(history.power))
    values[used] = central(quantiles)
    return values


def _judge(history: SunHours, model: ClearnessModel, quantiles: Floats, used: Flags) -> Judged:
    clear, seen = history.clear_power[used], history.power[used]
    power = quantiles * clear[:, np.newaxis]
    lower, upper = power[:, LOW], power[:, HIGH]
    realised = history.clearness[used]
    edges = np.quantile(realised, [1.0 / len(THIRDS), 2.0 / len(THIRDS)])

    def within(group: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, float]:
        parts = {name: group == index for index, name in enumerate(names)}
        return {
            name: coverage(lower[part], upper[part], seen[part]) for name, part in parts.items() if part.any()
        }

    return Judged(
        rmse(central(quantiles) * clear, seen),
        pinball(power, seen, LEVELS),
        coverage(lower, upper, seen),
        within(model.thirds(quantiles), THIRDS),
        within(history.moments.season[used], SEASONS),
        within(np.digitize(realised, edges), THIRDS),
    )


def _refer(history: SunHours, fit: Flags, judge: Flags) -> References:
    power, cell, seen = history.power, history.cell, history.power[judge]
    yesterday = np.concatenate([np.full(DAY_HOURS, np.nan), power[:-DAY_HOURS]])
    fold = history.day // FOLD_DAYS % FOLDS
    unseen = np.zeros(len(power))
    for part in range(FOLDS):
        others = fit & (fold != part)
        unseen[fold == part] = cell_means(cell[others], power[others])[cell[fold == part]]
    # Least squares on the year of the fit, with means that had not seen the hour.
    departure = (unseen - yesterday)[fit]
    weight = float(departure @ (power - yesterday)[fit] / (departure @ departure))
    mean = cell_means(cell[fit], power[fit])[cell]
    return References(
        rmse(yesterday[judge], seen),
        rmse(mean[judge], seen),
        rmse((weight * mean + (1.0 - weight) * yesterday)[judge], seen),
        weight,
        pinball(_cell_quantiles(power, cell, fit)[cell[judge]], seen, LEVELS),
        pinball(
            _smooth_quantiles(history.clearness, cell, fit)[cell[judge]]
            * history.clear_power[judge][:, np.newaxis],
            seen,
            LEVELS,
        ),
    )


def _cell_quantiles(values: Floats, cell: NDArray[np.int64], used: Flags) -> Floats:
    """Return the quantiles of each month and hour, shape (288, levels)."""
    found = np.tile(np.quantile(values[used], LEVELS), (_CELLS, 1))
    for index in np.unique(cell[used]):
        found[index] = np.quantile(values[used & (cell == index)], LEVELS)
    return found


def _smooth_quantiles(values: Floats, cell: NDArray[np.int64], used: Flags) -> Floats:
    """Return the quantiles of each month and hour with the neighbours of both, shape (288, levels)."""
    month, hour = np.divmod(cell, DAY_HOURS)
    found = np.zeros((_CELLS, len(LEVELS)))
    for index in np.unique(cell[used]):
        months = np.isin((month - index // DAY_HOURS) % 12, (0, 1, 11))
        near = used & months & (np.abs(hour - index % DAY_HOURS) <= 1)
        found[index] = np.quantile(values[near], LEVELS)
    return found


def _nowcast(history: SunHours, expected: Floats, fit: Flags, judge: Flags) -> Nowcasts:
    """Fit the memory at one hour, and judge it at several."""
    departure = history.clearness - expected
    tells = history.clear_power > LOW_SUN_FRACTION
    tells &= fit | judge
    pairs = fit & _earlier(tells, 1)
    before = _earlier(departure, 1)[pairs] * history.clear_power[pairs]
    now = departure[pairs] * history.clear_power[pairs]
    kept = float(np.clip(before @ now / (before @ before), 1e-6, 1.0 - 1e-6))
    seen, clear = history.power[judge], history.clear_power

    def at(lead: int) -> float:
        remaining = np.where(_earlier(tells, lead), _earlier(departure, lead), 0.0) * kept**lead
        index = np.clip(expected + remaining, 0.0, LARGEST)
        return rmse((index * clear)[judge], seen)

    return Nowcasts(
        -1.0 / math.log(kept),
        {lead: at(lead) for lead in LEADS_H},
        {lead: rmse(_earlier(history.power, lead)[judge], seen) for lead in LEADS_H},
        {lead: rmse((_earlier(history.clearness, lead) * clear)[judge], seen) for lead in LEADS_H},
    )


def _earlier(values: NDArray[ValueT], hours: int) -> NDArray[ValueT]:
    """Return what was so many hours before, shape (hours,); the first hours see the last ones."""
    return np.roll(values, hours)
