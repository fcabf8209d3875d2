"""What the sun will deliver, with the bounds that planning needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np

from grid.load import Quantiles
from grid.solar.irradiance import IrradianceSource
from grid.solar.live import LiveSun, Models
from grid.solar.model import PvArray, clear_sky_ghi_w_m2, pv_kw
from grid.timegrid import QUARTER as _QUARTER
from grid.timegrid import QUARTERS_PER_DAY, TimeGrid, to_utc

_CACHED_DAYS = 64


@dataclass(frozen=True, eq=False)
class SunConfig:
    """The street's sun: an array, where it feeds in and what it is exposed to.

    Parameters
    ----------
    node
        Id of the node that it feeds.
    array
        The array.
    irradiance
        Its weather.
    curtailable
        Whether its power can be reduced.
    memory
        After so long, 1/e of a departure from the forecast is left.
    models
        Forecasts of the clear-sky index; None where nothing but the irradiance is forecast from.
    live
        What is known better than that at this moment.
    """

    node: str
    array: PvArray
    irradiance: IrradianceSource
    curtailable: bool = False
    memory: timedelta = timedelta(hours=1)
    models: Models | None = None
    live: LiveSun = field(default_factory=LiveSun)

    @property
    def peak_kw(self) -> float:
        """Module power under standard conditions [kW]."""
        return self.array.peak_kw


def forecast_pv_kw(sun: SunConfig, starts: Sequence[datetime]) -> Quantiles:
    """Forecast what the array delivers in quarters.

    Parameters
    ----------
    sun
        The street's sun.
    starts
        Any instants within the quarters.

    Returns
    -------
    Quantiles
        Power per quarter [kW], >= 0.
    """
    if not starts:
        return Quantiles(*np.zeros((3, 0)))
    moments = [to_utc(start) for start in starts]
    days = sorted({moment.date() for moment in moments})
    whole = [_forecast_day(sun, day) for day in days]
    offset = {day: index * QUARTERS_PER_DAY for index, day in enumerate(days)}
    at = np.array([offset[m.date()] + (m.hour * 60 + m.minute) // 15 for m in moments], dtype=np.int64)
    typical = Quantiles(
        np.concatenate([day.lower for day in whole])[at],
        np.concatenate([day.median for day in whole])[at],
        np.concatenate([day.upper for day in whole])[at],
    )
    known = sun.live.forecast
    return typical if known is None else known.over(typical, moments)


# A plan asks for the same days every few minutes and pvlib takes tens of milliseconds a call: whole UTC
# days are kept.
@lru_cache(maxsize=_CACHED_DAYS)
def _forecast_day(sun: SunConfig, day: date) -> Quantiles:
    starts = TimeGrid(datetime.combine(day, time(), UTC), _QUARTER, timedelta(days=1) // _QUARTER).starts
    weather = sun.irradiance.weather(starts, clear_sky_ghi_w_m2(sun.array, starts))
    ghi = weather.ghi_w_m2
    lower, median, upper = (
        pv_kw(sun.array, starts, values, weather.temperature_c, weather.wind_m_s)
        for values in (ghi.lower, ghi.median, ghi.upper)
    )
    # More diffuse light can help a tilted plane a little: keep the bounds in order all the same.
    return Quantiles(np.minimum(lower, median), median, np.maximum(upper, median))
