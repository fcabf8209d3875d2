"""Base load and sun for the coming hours: the forecast, corrected by what the street's meters just said.

The error of a forecast is taken as a process that forgets itself with ``w(t) = exp(-t / T)``; T is an hour
for households, and for the sun what the street file says. A fresh
reading tells the error of this moment up to an uncertainty of its own, ``m``. With the spread ``s`` the
correction is ``g w e`` with the gain ``g = s^2 / (s^2 + m^2)``, and what remains uncertain is
``s sqrt(1 - g w^2)``: the reading's own uncertainty now, the forecast's some hours later. Spreads are
distances between the median and the 5 % or 95 % quantile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from csms.settings import MeterConfig, MeterRole
from csms.state.station_state import MeterState, SessionState
from grid.load import Quantiles, forecast_base_load_kw
from grid.solar.forecast import SunConfig, forecast_pv_kw
from grid.street import GridSide
from grid.timegrid import QUARTER
from grid.topology import Topology

# After two hours a seventh of an error is left.
FORGETTING = timedelta(hours=1)
# How far the mean of a quarter is from one reading in it: households switch, clouds pass.
BASE_READING_SPREAD_FRACTION = 0.04
PV_READING_SPREAD_FRACTION = 0.12
# Under a lower sun than this share of the peak the ratio of reading and forecast says nothing.
LOW_SUN_FRACTION = 0.05
# Of the change that a socket was told since its last sample, so much is in doubt: cars wake late or taper.
UNMEASURED_DOUBT_FRACTION = 0.3
# A car has followed an order when so much time has passed.
SETTLING = timedelta(seconds=15)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """The power that a session was last told.

    Parameters
    ----------
    at
        When it changed.
    power_kw
        To what, > 0 charges [kW].
    """

    at: datetime
    power_kw: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """What sessions draw together.

    Parameters
    ----------
    power_kw
        Best estimate, > 0 charges [kW].
    doubt_kw
        Spread of it [kW].
    """

    power_kw: float
    doubt_kw: float


@dataclass(frozen=True, eq=False)
class Nowcast:
    """What is expected of households and sun, per step.

    Parameters
    ----------
    base_load_kw, pv_kw
        Quantiles, shape (steps,) [kW].
    base_measured, pv_measured
        Whether a fresh reading corrected them.
    """

    base_load_kw: Quantiles
    pv_kw: Quantiles
    base_measured: bool
    pv_measured: bool


def estimate_drawn(sessions: Sequence[SessionState], told: Mapping[str, Told], at: datetime) -> Drawn:
    """Estimate what sessions drew at a moment: measured, or as told when that changed since.

    Parameters
    ----------
    sessions
        With their last samples.
    told
        By session; one that is missing was not told anything since its last sample.
    at
        The moment, in general that of a meter's reading.
    """
    power_kw, doubt_kw = 0.0, 0.0
    for session in sessions:
        order = told.get(session.id)
        sampled_at = session.sampled_at or session.started_at
        if order is None or order.at > at or sampled_at >= order.at + SETTLING:
            power_kw += session.power_kw
            continue
        power_kw += order.power_kw
        doubt_kw += UNMEASURED_DOUBT_FRACTION * abs(order.power_kw - session.power_kw)
    return Drawn(power_kw, doubt_kw)


def compute_nowcast(
    now: datetime,
    starts: Sequence[datetime],
    grid: GridSide,
    meters: Sequence[MeterConfig],
    readings: Mapping[str, MeterState],
    sessions: Sequence[SessionState],
    told: Mapping[str, Told],
    node_id: str | None = None,
) -> Nowcast:
    """Compute what households and sun below a node will do.

    A node's reading tells the households apart only together with that of the array below it.

    Parameters
    ----------
    now
        The moment of planning.
    starts
        Starts of the quarters; the first one is running.
    grid
        For the forecasts.
    meters, readings
        The street's own meters, and by their ids what they said last.
    sessions
        Those below the node.
    told
        By session id, what each was last told: samples are minutes old, orders are not.
    node_id
        The node; None for the root.
    """
    node_id = node_id or grid.topology.root.id
    below = {node.id for node in grid.topology.nodes if _is_below(grid.topology, node.id, node_id)}
    base = _add([forecast_base_load_kw(grid.topology.node(name), starts, grid.tz) for name in sorted(below)])
    sunny = grid.sun.node in below
    pv = forecast_pv_kw(grid.sun, starts) if sunny else _add([], len(starts))
    pv_reading = _fresh(now, meters, readings, MeterRole.PV, grid.sun.node) if sunny else None
    sun_kw = 0.0
    if pv_reading is not None:
        sun_kw = max(0.0, -pv_reading.power_kw)
        pv = _correct_pv(pv, sun_kw, _ages_h(starts, pv_reading), grid.sun)
    node_reading = _fresh(now, meters, readings, MeterRole.NODE, node_id)
    dark = not pv.upper[:1].any()
    if node_reading is None or not (dark or pv_reading is not None):
        return Nowcast(base, pv, base_measured=False, pv_measured=pv_reading is not None)
    drawn = estimate_drawn(sessions, told, node_reading.read_at)
    base_kw = max(0.0, node_reading.power_kw - drawn.power_kw + sun_kw)
    spread_kw = math.hypot(BASE_READING_SPREAD_FRACTION * base_kw, drawn.doubt_kw)
    base = correct(base, base_kw - base.median[0], spread_kw, _ages_h(starts, node_reading))
    return Nowcast(base, pv, base_measured=True, pv_measured=pv_reading is not None)


def correct(
    forecast: Quantiles,
    error_kw: float | Floats,
    reading_spread_kw: float | Floats,
    age_h: Floats,
    memory: timedelta = FORGETTING,
) -> Quantiles:
    """Correct a forecast by its error of a moment.

    Parameters
    ----------
    forecast
        Quantiles per step [kW].
    error_kw
        Reading less forecast median; a number, or as it would be in each step [kW].
    reading_spread_kw
        Uncertainty of the reading, likewise [kW].
    age_h
        Time between reading and each step, shape (steps,) [h].
    memory
        After so long, 1/e of the error is left.
    """
    weight = np.exp(-np.maximum(age_h, 0.0) / (memory / timedelta(hours=1)))
    below, above = forecast.median - forecast.lower, forecast.upper - forecast.median
    own = ((below + above) / 2.0) ** 2
    total = own + np.asarray(reading_spread_kw) ** 2
    gain = np.divide(own, total, out=np.zeros_like(own), where=total > 0.0)
    median = np.maximum(0.0, forecast.median + gain * weight * error_kw)
    left = np.sqrt(1.0 - gain * weight**2)
    return Quantiles(np.maximum(0.0, median - left * below), median, median + left * above)


def _correct_pv(pv: Quantiles, measured_kw: float, age_h: Floats, sun: SunConfig) -> Quantiles:
    """Scale the sun: a cloudy hour stays cloudy while the sun rises or sets."""
    expected_kw = float(pv.median[0])
    if expected_kw < LOW_SUN_FRACTION * sun.peak_kw:
        return pv
    error_kw = pv.median * (measured_kw / expected_kw - 1.0)
    corrected = correct(pv, error_kw, PV_READING_SPREAD_FRACTION * pv.median, age_h, sun.memory)
    return Quantiles(
        *(np.minimum(each, sun.peak_kw) for each in (corrected.lower, corrected.median, corrected.upper))
    )


def _fresh(
    now: datetime,
    meters: Sequence[MeterConfig],
    readings: Mapping[str, MeterState],
    role: MeterRole,
    node_id: str,
) -> MeterState | None:
    """Return the last reading of a node's meter unless it is stale."""
    for meter in meters:
        reading = readings.get(meter.id)
        if meter.role is role and meter.node == node_id and reading is not None:
            fresh = now - reading.read_at <= timedelta(seconds=meter.stale_after_s)
            return reading if fresh and math.isfinite(reading.power_kw) else None
    return None


def _ages_h(starts: Sequence[datetime], reading: MeterState) -> Floats:
    ages = [(start + QUARTER / 2 - reading.read_at) / timedelta(hours=1) for start in starts]
    return np.array(ages, dtype=np.float64)


def _is_below(topology: Topology, name: str, node_id: str) -> bool:
    return name == node_id or any(node.id == node_id for node in topology.ancestors(name))


def _add(parts: Sequence[Quantiles], steps: int = 0) -> Quantiles:
    """Add forecasts whose errors go together: the bounds add up."""
    steps = len(parts[0]) if parts else steps
    total = np.zeros((3, steps))
    for part in parts:
        total += np.stack((part.lower, part.median, part.upper))
    return Quantiles(*total)
