"""How clear the sky will be: quantiles of an array's clear-sky index, given what is known.

The clear-sky index k is the power of an array over its power under a clear sky. Each of its quantiles is a
linear function of a few terms (Koenker and Bassett, 1978, doi:10.2307/1913643):

    q_l(k) = b_l . (1, cos s, sin s, h, h^2, what is known)

with the season s, once round in a year, and h, the hours from the solar noon over four. The terms of what is
known depend on the case; D1 and D2 are the clear-sky indices of yesterday and of the day before, weighted by
energy, C the mean cloud cover of yesterday's last six hours in eighths, F a forecast of k:

    meter     D1, D1^2, D2, D1 cos s           what an array's own meter tells
    station   D1, D1^2, D2, D1 cos s, C        with a weather station
    weather   F, F^2, F cos s                  with a weather forecast

The fitted quantiles are then stretched about their median, by factors for dull, mixed and bright forecasts
and for each season, which held-out days have shown to be needed (conformalised quantile regression in the
manner of Romano, Patterson and Candes, 2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grid.load import Quantiles
from grid.timegrid import to_utc

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEVELS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
LOWEST, LOW, MEDIAN, HIGH, HIGHEST = 0, 1, 5, 9, 10
BELOW, ABOVE = 0, 1
THIRDS: Final = ("overcast", "mixed", "clear")
SEASONS: Final = ("winter", "spring", "summer", "autumn")
# Clouds beside the sun add light, most of all when it stands low.
LARGEST: Final = 2.0
_DAYS_PER_YEAR = 365.25
_SHORTEST_DAY = 355.5
_NOON_HOURS = 4.0
_DEGREES_PER_HOUR = 15.0


class Knowledge(StrEnum):
    """What a forecast rests on."""

    METER = "meter"
    STATION = "station"
    WEATHER = "weather"


class Known(StrEnum):
    """A figure that is known when a forecast is made."""

    YESTERDAY = "yesterday"
    DAY_BEFORE = "day_before"
    CLOUD = "cloud"
    FORECAST = "forecast"


NEEDED: Final[dict[Knowledge, tuple[Known, ...]]] = {
    Knowledge.METER: (Known.YESTERDAY, Known.DAY_BEFORE),
    Knowledge.STATION: (Known.YESTERDAY, Known.DAY_BEFORE, Known.CLOUD),
    Knowledge.WEATHER: (Known.FORECAST,),
}
_COMMON = ("1", "cos", "sin", "h", "h2")
TERMS: Final[dict[Knowledge, tuple[str, ...]]] = {
    Knowledge.METER: (*_COMMON, "d1", "d1^2", "d2", "d1*cos"),
    Knowledge.STATION: (*_COMMON, "d1", "d1^2", "d2", "d1*cos", "c"),
    Knowledge.WEATHER: (*_COMMON, "f", "f^2", "f*cos"),
}


@dataclass(frozen=True, eq=False)
class Moments:
    """The middles of hours or quarters, as the sun sees them.

    Parameters
    ----------
    season_angle
        Once round in a year from the shortest day on, shape (steps,) [rad].
    noon_distance
        Hours from the solar noon over four, shape (steps,).
    season
        Index into `SEASONS`, shape (steps,).
    """

    season_angle: Floats
    noon_distance: Floats
    season: Integers

    @classmethod
    def of(cls, middles: Sequence[datetime], longitude: float) -> Moments:
        """Describe instants at a longitude [deg east]."""
        solar = [to_utc(middle) + timedelta(hours=longitude / _DEGREES_PER_HOUR) for middle in middles]
        days = np.array([moment.timetuple().tm_yday for moment in solar], dtype=np.float64)
        hours = np.array([moment.hour + moment.minute / 60.0 for moment in solar])
        months = np.array([moment.month for moment in solar], dtype=np.int64)
        angle = 2.0 * math.pi * (days - _SHORTEST_DAY) / _DAYS_PER_YEAR
        return cls(angle, (hours - 12.0) / _NOON_HOURS, months % 12 // 3)


def build_terms(knowledge: Knowledge, moments: Moments, known: Mapping[Known, Floats]) -> Floats:
    """Return the terms of the regression, shape (steps, terms).

    Parameters
    ----------
    knowledge
        The case.
    moments
        When.
    known
        What the case needs (`NEEDED`), each of shape (steps,).
    """
    cos, sin = np.cos(moments.season_angle), np.sin(moments.season_angle)
    terms = [np.ones_like(cos), cos, sin, moments.noon_distance, moments.noon_distance**2]
    if knowledge is Knowledge.WEATHER:
        forecast = known[Known.FORECAST]
        terms += [forecast, forecast**2, forecast * cos]
    else:
        yesterday = known[Known.YESTERDAY]
        terms += [yesterday, yesterday**2, known[Known.DAY_BEFORE], yesterday * cos]
    if knowledge is Knowledge.STATION:
        terms.append(known[Known.CLOUD])
    return np.column_stack(terms)


@dataclass(frozen=True, eq=False)
class ClearnessModel:
    """A fitted forecast of the clear-sky index.

    Parameters
    ----------
    knowledge
        What it rests on.
    coefficients
        Of each level and term, shape (levels, terms).
    third_edges
        Where dull, mixed and bright forecasts meet: bounds of `central`, shape (2,).
    third_stretch, season_stretch
        How much farther than fitted the quantiles lie below and above their median, shapes (3, 2) and (4, 2).
    """

    knowledge: Knowledge
    coefficients: Floats
    third_edges: Floats
    third_stretch: Floats
    season_stretch: Floats

    def predict(self, moments: Moments, known: Mapping[Known, Floats]) -> Floats:
        """Return the quantiles of the clear-sky index, ascending, shape (steps, levels) [-]."""
        plain = in_order(build_terms(self.knowledge, moments, known) @ self.coefficients.T)
        factors = self.third_stretch[self.thirds(plain)] * self.season_stretch[moments.season]
        return stretch(plain, factors)

    def thirds(self, quantiles: Floats) -> Integers:
        """Return which third each forecast belongs to, as it is known when it is made: 0 is overcast."""
        return np.digitize(central(quantiles), self.third_edges)

    def bounds(self, moments: Moments, known: Mapping[Known, Floats]) -> Quantiles:
        """Return the 5 %, 50 % and 95 % quantiles [-], each of shape (steps,)."""
        found = self.predict(moments, known)
        return Quantiles(found[:, LOWEST], found[:, MEDIAN], found[:, HIGHEST])


def in_order(quantiles: Floats) -> Floats:
    """Return quantiles within what can be, and sorted: fitted ones may cross."""
    return np.sort(np.clip(quantiles, 0.0, LARGEST), axis=1)


def central(quantiles: Floats) -> Floats:
    """Return the mean of the quantiles from 10 to 90 %, nearly that of the distribution, shape (steps,)."""
    return np.asarray(quantiles[:, LOW : HIGH + 1].mean(axis=1))


def stretch(quantiles: Floats, factors: Floats) -> Floats:
    """Move quantiles away from their median, by factors below and above it of shape (steps, 2)."""
    median = quantiles[:, MEDIAN : MEDIAN + 1]
    sides = np.repeat([BELOW, ABOVE], [MEDIAN, len(LEVELS) - MEDIAN])
    return np.clip(median + (quantiles - median) * factors[:, sides], 0.0, LARGEST)
