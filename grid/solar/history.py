"""From measured weather to what an array gave, hour by hour, and to what was known on each morning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grid.errors import WijkstroomError
from grid.solar.clearness import LARGEST, Floats, Integers, Known, Moments
from grid.solar.fitting import Sample
from grid.solar.model import PvArray, clear_sky_ghi_w_m2, pv_kw, spread_means, sun_elevation_degrees
from grid.solar.observations import HOUR, Observations
from grid.timegrid import QUARTER, TimeGrid

DAY_HOURS = 24
EVENING_HOURS = 6
_PER_HOUR = 4
_CELLS = 12 * DAY_HOURS
# Models of a clear sky leave the horizon dark, real skies do not: so much is added while the sun is up, as a
# share of the peak.
TWILIGHT_FRACTION = 0.01


class HistoryError(WijkstroomError):
    """The observations do not reach far enough."""


@dataclass(frozen=True, eq=False)
class SunHours:
    """An array's hours of whole UTC days; powers are fractions of the peak, shape (hours,).

    Parameters
    ----------
    starts
        When each hour begins (UTC).
    longitude
        Of the array [deg east].
    power
        What measured weather makes the array give.
    clear_power
        The same under a clear sky, in ordinary temperature and wind, with `TWILIGHT_FRACTION`: all of it is
        known beforehand.
    is_light
        Whether the sun stands above the horizon in the middle of the hour: only these are scored.
    cloud_octa
        Cloud cover, 0 to 8; NaN where unknown.
    """

    starts: tuple[datetime, ...]
    longitude: float
    power: Floats
    clear_power: Floats
    is_light: NDArray[np.bool_]
    cloud_octa: Floats

    @cached_property
    def moments(self) -> Moments:
        """Their middles."""
        return Moments.of([start + HOUR / 2 for start in self.starts], self.longitude)

    @cached_property
    def clearness(self) -> Floats:
        """Clear-sky index; 0 where there is hardly any sun, shape (hours,) [-]."""
        return clear_sky_index(self.power, self.clear_power)

    @cached_property
    def cell(self) -> Integers:
        """Number of month and UTC hour of each hour."""
        return cells(self.starts)

    @cached_property
    def year(self) -> Integers:
        """Year of each hour."""
        return np.array([start.year for start in self.starts], dtype=np.int64)

    @cached_property
    def day(self) -> Integers:
        """Number of the UTC day of each hour, from 0."""
        return np.arange(len(self.starts), dtype=np.int64) // DAY_HOURS

    @cached_property
    def known_at_midnight(self) -> dict[Known, Floats]:
        """What of the days before is known when a UTC day begins, per hour of it; NaN where nothing is."""
        power, clear = (each.reshape(-1, DAY_HOURS).sum(axis=1) for each in (self.power, self.clear_power))
        daily = clear_sky_index(power, clear)
        evening = self.cloud_octa.reshape(-1, DAY_HOURS)[:, -EVENING_HOURS:].mean(axis=1)
        return {
            Known.YESTERDAY: _later(daily, 1),
            Known.DAY_BEFORE: _later(daily, 2),
            Known.CLOUD: _later(evening, 1),
        }

    def sample(self, used: NDArray[np.bool_], known: dict[Known, Floats]) -> Sample:
        """Return the marked hours as something to fit to; what is known is of shape (hours,)."""
        moments = Moments(
            self.moments.season_angle[used], self.moments.noon_distance[used], self.moments.season[used]
        )
        chosen = {name: values[used] for name, values in known.items()}
        return Sample(moments, chosen, self.clearness[used], self.clear_power[used], self.day[used])


def clear_sky_index(power: Floats, clear_power: Floats) -> Floats:
    """Return power over clear-sky power, at most `LARGEST`; 0 in the dark [-]."""
    index = np.divide(power, clear_power, out=np.zeros_like(power), where=clear_power > 0.0)
    return np.clip(index, 0.0, LARGEST)


def cells(starts: tuple[datetime, ...]) -> Integers:
    """Return the number of month and UTC hour of each instant, 0 to 287."""
    return np.array([(start.month - 1) * DAY_HOURS + start.hour for start in starts], dtype=np.int64)


def cell_means(cell: Integers, values: Floats) -> Floats:
    """Return the mean of each cell of month and hour, shape (288,); the mean of all where it is empty."""
    counts = np.bincount(cell, minlength=_CELLS)
    sums = np.bincount(cell, values, minlength=_CELLS)
    return np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())


def build_history(observations: Observations, array: PvArray, ordinary: slice) -> SunHours:
    """Turn measured weather into an array's hours.

    An hourly mean of irradiance is spread over its quarters as a clear sky would be.

    Parameters
    ----------
    observations
        The weather; days that are not whole are left away.
    array
        The array.
    ordinary
        The hours whose mean temperature and wind, by month and hour, stand for ordinary ones.

    Raises
    ------
    HistoryError
        When there is no whole day.
    """
    starts, own = _whole_days(observations)
    unit = replace(array, peak_kw=1.0)
    quarters = TimeGrid(starts[0], QUARTER, _PER_HOUR * len(starts)).starts
    clear = clear_sky_ghi_w_m2(unit, quarters)
    cell = cells(starts)

    def usual(values: Floats) -> Floats:
        return cell_means(cell[ordinary], values[ordinary])[cell]

    def give(ghi: Floats, temperature: Floats, wind: Floats) -> Floats:
        power = pv_kw(unit, quarters, ghi, np.repeat(temperature, _PER_HOUR), np.repeat(wind, _PER_HOUR))
        return np.asarray(power.reshape(-1, _PER_HOUR).mean(axis=1))

    is_light = sun_elevation_degrees(array, [start + HOUR / 2 for start in starts]) > 0.0
    return SunHours(
        starts,
        array.longitude,
        give(spread_means(own.ghi_w_m2, clear, _PER_HOUR), own.temperature_c, own.wind_m_s),
        give(clear, usual(own.temperature_c), usual(own.wind_m_s))
        + np.where(is_light, TWILIGHT_FRACTION, 0.0),
        is_light,
        own.cloud_octa,
    )


def _whole_days(observations: Observations) -> tuple[tuple[datetime, ...], Observations]:
    starts = observations.hours.starts
    begin = -starts[0].hour % DAY_HOURS
    end = begin + (len(starts) - begin) // DAY_HOURS * DAY_HOURS
    if end <= begin:
        raise HistoryError(f"there is no whole UTC day from {starts[0].isoformat()} on: give more hours")
    part = slice(begin, end)
    return starts[part], Observations(
        starts[begin],
        observations.ghi_w_m2[part],
        observations.temperature_c[part],
        observations.wind_m_s[part],
        observations.cloud_octa[part],
    )


def _later(daily: Floats, days: int) -> Floats:
    """Return a figure of each day for the hours of the day that comes so many days later."""
    shifted = np.full(len(daily), np.nan)
    shifted[days:] = daily[:-days]
    return np.repeat(shifted, DAY_HOURS)
