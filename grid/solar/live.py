"""What doors say of the sun, made into one thing: the power of the street's array, per quarter, with bounds.

A door answers with weather that is forecast, with power that is forecast, or with weather that was measured.
Each becomes quantiles of the clear-sky index by the forecasts of `grid.solar.clearness`, times the power
under a clear sky.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from grid.errors import WijkstroomError
from grid.load import Quantiles
from grid.solar.clearness import LARGEST, ClearnessModel, Floats, Knowledge, Known, Moments
from grid.solar.history import TWILIGHT_FRACTION, build_history, clear_sky_index
from grid.solar.irradiance import IrradianceSource
from grid.solar.model import PvArray, clear_sky_ghi_w_m2, pv_kw, spread_means, sun_elevation_degrees
from grid.solar.observations import Observations
from grid.timegrid import QUARTER, QUARTERS_PER_DAY, TimeGrid, quarter_number, to_utc

# From the 10 % and 90 % quantiles of a normal distribution to those of 5 % and 95 %.
_WIDENING = 1.6449 / 1.2816
Models = Mapping[Knowledge, ClearnessModel]


class OutdatedError(WijkstroomError):
    """An answer that tells nothing of the time for which it is needed."""


@dataclass(frozen=True, eq=False)
class WeatherSeries:
    """Weather that is forecast: means of steps of one to four quarters, each array of shape (steps,).

    Parameters
    ----------
    steps
        When.
    ghi_w_m2
        Global horizontal irradiance [W/m2].
    temperature_c, wind_m_s
        Air temperature [deg C] and wind speed [m/s].
    """

    steps: TimeGrid
    ghi_w_m2: Floats
    temperature_c: Floats
    wind_m_s: Floats


@dataclass(frozen=True, eq=False)
class PowerSeries:
    """Power that is forecast: means of steps of one to four quarters, each array of shape (steps,).

    Parameters
    ----------
    steps
        When.
    power_kw
        Best estimate [kW].
    lower_kw, upper_kw
        10 % and 90 % quantiles; None where the door gives none [kW].
    """

    steps: TimeGrid
    power_kw: Floats
    lower_kw: Floats | None = None
    upper_kw: Floats | None = None


Answer = WeatherSeries | PowerSeries | Observations


@dataclass(frozen=True, eq=False)
class SunForecast:
    """Power of an array in consecutive quarters.

    Parameters
    ----------
    first_quarter
        Number of the first one since 1970.
    power_kw
        Quantiles, shape (quarters,) [kW].
    """

    first_quarter: int
    power_kw: Quantiles

    def over(self, typical: Quantiles, starts: Sequence[datetime]) -> Quantiles:
        """Return the forecast where it reaches, and what is typical elsewhere [kW]."""
        index = np.array([quarter_number(start) for start in starts], dtype=np.int64) - self.first_quarter
        inside = (index >= 0) & (index < len(self.power_kw))
        place = np.where(inside, index, 0)
        own = self.power_kw
        return Quantiles(
            np.where(inside, own.lower[place], typical.lower),
            np.where(inside, own.median[place], typical.median),
            np.where(inside, own.upper[place], typical.upper),
        )


class LiveSun:
    """The newest forecast that is young enough, None while there is none.

    The one thing of a street's sun that changes while the service runs.
    """

    def __init__(self) -> None:
        self.forecast: SunForecast | None = None


class ExposedArray(Protocol):
    """An array and its ordinary weather."""

    @property
    def array(self) -> PvArray:
        """The array."""
        ...

    @property
    def irradiance(self) -> IrradianceSource:
        """Its weather while no door tells of it."""
        ...


def build_forecast(sun: ExposedArray, models: Models, answer: Answer, now: datetime) -> SunForecast:
    """Make a door's answer the power of an array.

    Parameters
    ----------
    sun
        The array.
    models
        Forecasts of the clear-sky index.
    answer
        What a door said.
    now
        Measured weather tells of the UTC day of this instant.

    Raises
    ------
    OutdatedError
        When measured weather does not reach to the end of yesterday, or too short a time back.
    """
    if isinstance(answer, Observations):
        return _from_observations(sun, models, answer, now)
    parts = answer.steps.step // QUARTER
    quarters = TimeGrid(answer.steps.start, QUARTER, answer.steps.steps * parts)
    reference_kw = clear_reference_kw(sun, quarters.starts)
    moments = _moments(sun, quarters)
    if isinstance(answer, WeatherSeries):
        clear = clear_sky_ghi_w_m2(sun.array, quarters.starts)
        ghi = spread_means(answer.ghi_w_m2, clear, parts)
        temperature, wind = (np.repeat(each, parts) for each in (answer.temperature_c, answer.wind_m_s))
        power_kw = pv_kw(sun.array, quarters.starts, ghi, temperature, wind)
    else:
        power_kw = spread_means(answer.power_kw, reference_kw, parts)
        if answer.lower_kw is not None and answer.upper_kw is not None:
            lower, upper = (
                spread_means(each, reference_kw, parts) for each in (answer.lower_kw, answer.upper_kw)
            )
            return _forecast(sun, quarters, _widen(lower, power_kw, upper))
    index = np.minimum(clear_sky_index(power_kw, reference_kw), LARGEST)
    bounds = models[Knowledge.WEATHER].bounds(moments, {Known.FORECAST: index})
    return _forecast(sun, quarters, _times(bounds, reference_kw))


def forecast_day(
    sun: ExposedArray, models: Models, day: datetime, yesterday: float, before: float, cloud: float | None
) -> SunForecast:
    """Forecast a UTC day from the days before it.

    Parameters
    ----------
    sun, models
        As in `build_forecast`.
    day
        Its begin.
    yesterday, before
        Clear-sky index of the two days before, weighted by energy [-].
    cloud
        Mean cloud cover of yesterday's last six hours, in eighths; None where nobody saw it.
    """
    quarters = TimeGrid(day, QUARTER, QUARTERS_PER_DAY)
    figures = {Known.YESTERDAY: yesterday, Known.DAY_BEFORE: before}
    if cloud is not None:
        figures[Known.CLOUD] = cloud
    known = {name: np.full(quarters.steps, value) for name, value in figures.items()}
    model = models[Knowledge.METER if cloud is None else Knowledge.STATION]
    bounds = model.bounds(_moments(sun, quarters), known)
    return _forecast(sun, quarters, _times(bounds, clear_reference_kw(sun, quarters.starts)))


def clear_reference_kw(sun: ExposedArray, starts: Sequence[datetime]) -> Floats:
    """Return what the clear-sky index is a share of: clear-sky power with `TWILIGHT_FRACTION` [kW]."""
    array = sun.array
    clear = clear_sky_ghi_w_m2(array, starts)
    weather = sun.irradiance.weather(starts, clear)
    power_kw = pv_kw(array, starts, clear, weather.temperature_c, weather.wind_m_s)
    is_light = sun_elevation_degrees(array, [start + QUARTER / 2 for start in starts]) > 0.0
    return power_kw + TWILIGHT_FRACTION * array.peak_kw * is_light


def _from_observations(sun: ExposedArray, models: Models, seen: Observations, now: datetime) -> SunForecast:
    day = to_utc(now).replace(hour=0, minute=0, second=0, microsecond=0)
    history = build_history(seen, sun.array, slice(None))
    # The day before yesterday at the latest is the first whole one, yesterday the last or a later one.
    place = (day - history.starts[0]) // timedelta(days=1)
    power, clear = (each.reshape(-1, 24).sum(axis=1) for each in (history.power, history.clear_power))
    if not 2 <= place <= len(power):  # noqa: PLR2004 - two days before
        reach = f"{history.starts[0]:%Y-%m-%d} to {history.starts[-1]:%Y-%m-%d}"
        raise OutdatedError(
            f"whole days are known from {reach}: the two days before {day:%Y-%m-%d} are needed"
        )
    daily = clear_sky_index(power, clear)
    cloud = float(history.cloud_octa.reshape(-1, 24)[place - 1, -6:].mean())
    return forecast_day(
        sun,
        models,
        day,
        float(daily[place - 1]),
        float(daily[place - 2]),
        None if np.isnan(cloud) else cloud,
    )


def _moments(sun: ExposedArray, quarters: TimeGrid) -> Moments:
    return Moments.of([start + QUARTER / 2 for start in quarters.starts], sun.array.longitude)


def _widen(lower_kw: Floats, power_kw: Floats, upper_kw: Floats) -> Quantiles:
    return Quantiles(
        power_kw - _WIDENING * np.maximum(power_kw - lower_kw, 0.0),
        power_kw,
        power_kw + _WIDENING * np.maximum(upper_kw - power_kw, 0.0),
    )


def _times(bounds: Quantiles, reference_kw: Floats) -> Quantiles:
    return Quantiles(*(each * reference_kw for each in (bounds.lower, bounds.median, bounds.upper)))


def _forecast(sun: ExposedArray, quarters: TimeGrid, power_kw: Quantiles) -> SunForecast:
    parts = (power_kw.lower, power_kw.median, power_kw.upper)
    return SunForecast(
        quarter_number(quarters.start),
        Quantiles(*(np.clip(each, 0.0, sun.array.peak_kw) for each in parts)),
    )
