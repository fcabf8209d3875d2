"""From sunlight to power: a fixed array by pvlib's chain of published models.

Global irradiance is split by Erbs-Driesse, carried to the plane by Hay-Davies, the cell warmed by Faiman,
and power follows PVWatts. The sun stands where it stands in the middle of each quarter, since all values
are quarter means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pvlib import inverter, irradiance, pvsystem, temperature
from pvlib.clearsky import lookup_linke_turbidity
from pvlib.location import Location

from grid.timegrid import QUARTER

# PVWatts: crystalline silicon, and an inverter as strong as the modules.
TEMPERATURE_COEFFICIENT_PER_K = -0.0035
INVERTER_EFFICIENCY_FRACTION = 0.96
_DAYS_PER_YEAR = 365.25
# Under this share of the brightest step a clear sky's shape says nothing.
_DARK = 1e-3
_MONTH_MIDDLES = (np.arange(12) + 0.5) * _DAYS_PER_YEAR / 12


@dataclass(frozen=True, slots=True)
class PvArray:
    """A photovoltaic array and where it stands.

    Parameters
    ----------
    latitude, longitude
        Place [deg north, deg east].
    peak_kw
        Module power under standard conditions [kW].
    tilt_degrees
        Angle with the horizontal.
    azimuth_degrees
        Direction it faces: 90 east, 180 south, 270 west.
    loss_fraction
        Lost to soiling, mismatch, wiring and age.
    """

    latitude: float
    longitude: float
    peak_kw: float
    tilt_degrees: float
    azimuth_degrees: float
    loss_fraction: float = 0.10


def clear_sky_ghi_w_m2(array: PvArray, starts: Sequence[datetime]) -> NDArray[np.float64]:
    """Return global horizontal irradiance under a clear sky, quarter means [W/m2], shape (len(starts),).

    Ineichen-Perez with the Linke turbidity of the place, interpolated between the middles of months.
    """
    middles = _middles(starts)
    days = middles.day_of_year.to_numpy()
    place = _place(array.latitude, array.longitude)
    clear = place.location.get_clearsky(
        middles,
        linke_turbidity=np.interp(days, _MONTH_MIDDLES, place.linke_turbidity, period=_DAYS_PER_YEAR),
        dni_extra=irradiance.get_extra_radiation(days),
    )
    return np.asarray(clear["ghi"], dtype=np.float64)


def sun_elevation_degrees(array: PvArray, instants: Sequence[datetime]) -> NDArray[np.float64]:
    """Return how high the sun stands, refraction included, shape (len(instants),) [deg]."""
    sun = _place(array.latitude, array.longitude).location.get_solarposition(pd.DatetimeIndex(list(instants)))
    return np.asarray(sun["apparent_elevation"], dtype=np.float64)


def spread_means(means: NDArray[np.float64], clear: NDArray[np.float64], parts: int) -> NDArray[np.float64]:
    """Spread means over equal parts of their steps as a clear sky would, shape (len(means) * parts,).

    Parameters
    ----------
    means
        Of irradiance or power per step.
    clear
        The same under a clear sky, per part; where it is dark nothing is left.
    parts
        How many parts a step has.
    """
    of_step = clear.reshape(-1, parts).mean(axis=1)
    share = np.divide(means, of_step, out=np.zeros_like(of_step), where=of_step > _DARK * clear.max())
    return np.asarray(np.repeat(share, parts) * clear)


def pv_kw(
    array: PvArray,
    starts: Sequence[datetime],
    ghi_w_m2: NDArray[np.float64],
    temperature_c: NDArray[np.float64],
    wind_m_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what an array delivers at its connection [kW], shape (len(starts),).

    Parameters
    ----------
    array
        The array.
    starts
        Starts of quarters.
    ghi_w_m2
        Global horizontal irradiance, quarter means, shape (len(starts),) [W/m2].
    temperature_c, wind_m_s
        Air temperature [deg C] and wind speed [m/s], same shape.
    """
    middles = _middles(starts)
    sun = _place(array.latitude, array.longitude).location.get_solarposition(middles)
    zenith = sun["apparent_zenith"].to_numpy()
    extra = np.asarray(irradiance.get_extra_radiation(middles.day_of_year.to_numpy()))
    split = irradiance.erbs_driesse(ghi_w_m2, sun["zenith"].to_numpy(), dni_extra=extra)
    plane = irradiance.get_total_irradiance(
        array.tilt_degrees,
        array.azimuth_degrees,
        zenith,
        sun["azimuth"].to_numpy(),
        dni=split["dni"],
        ghi=ghi_w_m2,
        dhi=split["dhi"],
        dni_extra=extra,
        model="haydavies",
    )
    in_plane = np.nan_to_num(np.asarray(plane["poa_global"], dtype=np.float64))
    cell_c = temperature.faiman(in_plane, temperature_c, wind_m_s)
    dc_kw = pvsystem.pvwatts_dc(in_plane, cell_c, array.peak_kw, TEMPERATURE_COEFFICIENT_PER_K)
    dc_kw = dc_kw * (1.0 - array.loss_fraction)
    rated_dc_kw = array.peak_kw / INVERTER_EFFICIENCY_FRACTION
    ac_kw = inverter.pvwatts(dc_kw, rated_dc_kw, INVERTER_EFFICIENCY_FRACTION)
    return np.clip(np.nan_to_num(np.asarray(ac_kw, dtype=np.float64)), 0.0, array.peak_kw)


def clear_sky_pv_kw(
    array: PvArray,
    starts: Sequence[datetime],
    temperature_c: NDArray[np.float64],
    wind_m_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what an array delivers under a clear sky [kW]; parameters as in `pv_kw`."""
    return pv_kw(array, starts, clear_sky_ghi_w_m2(array, starts), temperature_c, wind_m_s)


@dataclass(frozen=True, eq=False)
class _Place:
    """What pvlib looks up in its atlases: altitude and the Linke turbidity of each month, shape (12,)."""

    location: Location
    linke_turbidity: NDArray[np.float64]


@lru_cache(maxsize=64)
def _place(latitude: float, longitude: float) -> _Place:
    months = pd.DatetimeIndex([f"2023-{month:02d}-15" for month in range(1, 13)], tz="UTC")
    turbidity = lookup_linke_turbidity(months, latitude, longitude, interp_turbidity=False)
    return _Place(Location(latitude, longitude, tz="UTC"), np.asarray(turbidity, dtype=np.float64))


def _middles(starts: Sequence[datetime]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([start + QUARTER / 2 for start in starts])
