"""What prices will probably be beyond those that are published: yesterday, the week, and the kind of the day.

    p(d, q) = (y(q) - k_y(q) + k_d(q)) / 2 + (m(q) + k_d(q) / 2) / 2

y is the last known day, m the mean of the last seven, k the mean of the days of a kind (workday, Saturday,
Sunday or holiday) among the last 28 less the mean of all 28; k_y is that of the last known day's kind, k_d
that of the day that is asked for. The weights are round numbers near those of least squares on 2023;
`wijkstroom prices score` compares the result with what came.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grid.tariffs.network import is_holiday

Floats = NDArray[np.float64]
WEEK_DAYS = 7
MEMORY_DAYS = 28
_SATURDAY = 5


class DayKind(IntEnum):
    """Kinds of days that the market tells apart."""

    WORKDAY = 0
    SATURDAY = 1
    REST = 2


def kind_of(day: date) -> DayKind:
    """Return the kind of a local day; a public holiday is like a Sunday."""
    if is_holiday(day) or day.weekday() > _SATURDAY:
        return DayKind.REST
    return DayKind.SATURDAY if day.weekday() == _SATURDAY else DayKind.WORKDAY


@dataclass(frozen=True, eq=False)
class PriceOutlook:
    """A forecast from the days that are known.

    Parameters
    ----------
    days
        Consecutive local days, the last known one last; at most `MEMORY_DAYS` are of use.
    profiles
        Price of every quarter of the wall clock, NaN where it is not known, shape (days, 96) [EUR/kWh].
    """

    days: tuple[date, ...]
    profiles: Floats

    def day(self, day: date) -> Floats:
        """Return the prices that are expected on a local day, shape (96,) [EUR/kWh]."""
        own = self._departure(kind_of(day))
        yesterday = np.where(np.isnan(self.profiles[-1]), self._week, self.profiles[-1])
        corrected = yesterday - self._departure(kind_of(self.days[-1])) + own
        return np.asarray((corrected + self._week + own / 2.0) / 2.0)

    @cached_property
    def level(self) -> float:
        """Mean of all that is known [EUR/kWh]."""
        return float(np.nanmean(self.profiles))

    @cached_property
    def _week(self) -> Floats:
        # A series that has just begun may lack some quarters of the day: their best guess is the mean.
        mean = _mean(self.profiles[-WEEK_DAYS:])
        return np.where(np.isnan(mean), self.level, mean)

    @cached_property
    def _departures(self) -> dict[DayKind, Floats]:
        kinds = np.array([kind_of(day) for day in self.days])
        overall = _mean(self.profiles)
        of_kind = {kind: _mean(self.profiles[kinds == kind]) - overall for kind in DayKind}
        return {kind: np.nan_to_num(values) for kind, values in of_kind.items()}

    def _departure(self, kind: DayKind) -> Floats:
        return self._departures[kind]


@dataclass(frozen=True, slots=True)
class Score:
    """How far a forecast was off.

    Parameters
    ----------
    mae_eur_per_mwh, rmse_eur_per_mwh
        Mean absolute, and root mean square error [EUR/MWh].
    """

    mae_eur_per_mwh: float
    rmse_eur_per_mwh: float


def score_forecasts(
    days: Sequence[date], profiles: Floats, *, year: int, days_ahead: int = 1
) -> dict[str, Score]:
    """Score the forecast and two naive ones on every day of a year for which a week before is known.

    Parameters
    ----------
    days
        Consecutive local days.
    profiles
        As in `PriceOutlook`, shape (days, 96) [EUR/kWh].
    year
        Which days are scored.
    days_ahead
        How many days after the last known one the scored day is; 1 is tomorrow before its publication.

    Returns
    -------
    dict
        ``forecast``, ``same quarter yesterday`` (the last known day) and ``same quarter last week``.
    """
    errors: dict[str, list[Floats]] = {}
    for index, day in enumerate(days):
        known = index - days_ahead + 1
        if day.year != year or known < WEEK_DAYS:
            continue
        first = max(0, known - MEMORY_DAYS)
        outlook = PriceOutlook(tuple(days[first:known]), profiles[first:known])
        for name, forecast in (
            ("forecast", outlook.day(day)),
            ("same quarter yesterday", profiles[known - 1]),
            ("same quarter last week", profiles[index - WEEK_DAYS]),
        ):
            errors.setdefault(name, []).append(1000.0 * (forecast - profiles[index]))
    return {name: _score(np.array(rows)) for name, rows in errors.items()}


def _score(errors: Floats) -> Score:
    return Score(float(np.nanmean(np.abs(errors))), float(np.sqrt(np.nanmean(errors**2))))


def _mean(profiles: Floats) -> Floats:
    """Return the mean of each quarter, NaN where nothing is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return (
            np.asarray(np.nanmean(profiles, axis=0)) if len(profiles) else np.full(profiles.shape[1], np.nan)
        )
