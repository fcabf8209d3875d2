"""What households and sun really do: the forecast's median, and seeded noise that wanders within its spread.

The deviation is a first-order autoregressive process in standard normal units, ``z' = r z + sqrt(1 - r^2) e``
every ten seconds, begun in its stationary state. At ``z`` the truth stands ``z / 1.645`` of the way from the
median to the 95 % bound above, or to the 5 % bound below: with one deviation it keeps the forecast's own
probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from grid.load import Quantiles, forecast_base_load_kw
from grid.solar.forecast import forecast_pv_kw
from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid, floor_quarter
from simulator.config import NoiseTable

Floats = NDArray[np.float64]
NOISE_STEP_S = 10
SECONDS_PER_QUARTER = 900
# Normal quantile of the forecasts' bounds.
BOUND_DEVIATIONS = 1.6449
BASE_STREAM, PV_STREAM = 11, 12


@dataclass(frozen=True, eq=False)
class Uncontrolled:
    """What nobody steers, second by second.

    Parameters
    ----------
    start
        First second (UTC).
    base_kw, pv_kw
        Households and sun, shape (seconds,) [kW].
    """

    start: datetime
    base_kw: NDArray[np.float32]
    pv_kw: NDArray[np.float32]

    @property
    def seconds(self) -> int:
        """Length [s]."""
        return len(self.base_kw)


@dataclass(frozen=True, eq=False)
class StreetForecast:
    """What anybody can know beforehand of base load and sun, per quarter.

    Parameters
    ----------
    first
        Start of the first quarter (UTC).
    base_kw, pv_kw
        Quantiles per quarter [kW].
    """

    first: datetime
    base_kw: Quantiles
    pv_kw: Quantiles


def forecast_street(grid: GridSide, start: datetime, seconds: int) -> StreetForecast:
    """Forecast the quarters that a run touches.

    Parameters
    ----------
    grid
        The street.
    start
        First second of the run.
    seconds
        Its length [s].
    """
    first = floor_quarter(start)
    end = start + timedelta(seconds=seconds)
    starts = TimeGrid(first, QUARTER, -((first - end) // QUARTER)).starts
    nodes = [forecast_base_load_kw(node, starts, grid.tz) for node in grid.topology.nodes]
    base = Quantiles(
        np.sum([node.lower for node in nodes], axis=0),
        np.sum([node.median for node in nodes], axis=0),
        np.sum([node.upper for node in nodes], axis=0),
    )
    return StreetForecast(first, base, forecast_pv_kw(grid.sun, starts))


def draw_uncontrolled(
    noise: NoiseTable, grid: GridSide, start: datetime, seconds: int, seed: int
) -> Uncontrolled:
    """Draw the truth of base load and sun.

    A longer run begins with the same truth.

    Parameters
    ----------
    noise
        How far it leaves the forecast.
    grid
        The street.
    start
        First second of the run.
    seconds
        Its length [s].
    seed
        The only source of randomness.
    """
    forecast = forecast_street(grid, start, seconds)
    skipped = int((start - forecast.first).total_seconds())
    base = _follow(
        forecast.base_kw,
        _wander(noise.base_load_correlation_minutes, seconds, [seed, start.toordinal(), BASE_STREAM])
        * noise.base_load_deviations,
        skipped,
    )
    pv = _follow(
        forecast.pv_kw,
        _wander(noise.pv_correlation_minutes, seconds, [seed, start.toordinal(), PV_STREAM])
        * noise.pv_deviations,
        skipped,
    )
    return Uncontrolled(start, base.astype(np.float32), np.minimum(pv, grid.sun.peak_kw).astype(np.float32))


def _wander(correlation_minutes: float, seconds: int, stream: list[int]) -> Floats:
    """Return the deviation of each second, in standard normal units, shape (seconds,)."""
    steps = -(-seconds // NOISE_STEP_S)
    kept = math.exp(-NOISE_STEP_S / (60.0 * correlation_minutes))
    shocks = np.random.default_rng(stream).standard_normal(steps)
    shocks[1:] *= math.sqrt(1.0 - kept**2)
    steady = np.asarray(lfilter([1.0], [1.0, -kept], shocks), dtype=np.float64)
    return np.repeat(steady, NOISE_STEP_S)[:seconds]


def _follow(forecast: Quantiles, deviation: Floats, skipped: int) -> Floats:
    """Return the power that stands at a deviation from the forecast's median, never below zero [kW]."""

    def spread(values: Floats) -> Floats:
        return np.repeat(values, SECONDS_PER_QUARTER)[skipped : skipped + len(deviation)]

    median = spread(forecast.median)
    above, below = spread(forecast.upper) - median, median - spread(forecast.lower)
    way = deviation / BOUND_DEVIATIONS
    return np.asarray(np.maximum(median + np.where(way >= 0.0, above, below) * way, 0.0))
