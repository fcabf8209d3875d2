"""What people do beyond plugging in: tell, answer to prices, refuse steering, drive away when full. Pure.

All numbers are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grid.timegrid import QUARTERS_PER_DAY
from simulator.fleet.joint import DriverClass
from simulator.fleet.sessions import InformationClass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
QUARTERS_PER_HOUR = 4
# Sessions by month relative to the mean: fewer in the holidays of summer.
SEASON_SESSIONS = (1.05, 1.04, 1.03, 1.01, 1.00, 0.99, 0.90, 0.90, 1.00, 1.03, 1.03, 1.02)
# Energy of a session by month relative to the mean: heating and cold batteries.
SEASON_ENERGY = (1.08, 1.07, 1.04, 1.00, 0.96, 0.94, 0.93, 0.93, 0.95, 1.00, 1.04, 1.06)


@dataclass(frozen=True, slots=True)
class Habits:
    """What drivers of a class do.

    Parameters
    ----------
    declares_fraction, speaks_fraction
        Part that declares need and departure in an app; part that lets the car tell them, where it can.
    opt_out_fraction
        Part that wants no steering when that pays nothing: it asks for everything at once.
    shift_fraction
        Part that comes at a cheaper time when that is worth it.
    shift_hours_max
        How far those shift their arrival [h].
    worth_eur_per_kwh
        How much cheaper it must be for half of them to shift, or steering must pay for half of those who
        opt out to agree [EUR/kWh].
    leaves_when_full_fraction
        Part that drives away some time after the car is full.
    patience_h
        How long after that, on average [h].
    """

    declares_fraction: float = 0.0
    speaks_fraction: float = 0.0
    opt_out_fraction: float = 0.0
    shift_fraction: float = 0.0
    shift_hours_max: float = 0.0
    worth_eur_per_kwh: float = 0.10
    leaves_when_full_fraction: float = 0.0
    patience_h: float = 0.5


HABITS = {
    DriverClass.RESIDENT: Habits(
        declares_fraction=0.45,
        speaks_fraction=0.20,
        opt_out_fraction=0.10,
        shift_fraction=0.30,
        shift_hours_max=4.0,
        leaves_when_full_fraction=0.05,
        patience_h=1.0,
    ),
    DriverClass.VISITOR: Habits(
        declares_fraction=0.15,
        speaks_fraction=0.15,
        opt_out_fraction=0.25,
        shift_fraction=0.05,
        shift_hours_max=1.0,
        leaves_when_full_fraction=0.20,
    ),
    DriverClass.COMMUTER: Habits(
        declares_fraction=0.40,
        speaks_fraction=0.20,
        opt_out_fraction=0.10,
        shift_fraction=0.05,
        shift_hours_max=1.0,
        leaves_when_full_fraction=0.15,
        patience_h=1.0,
    ),
    DriverClass.SHARED: Habits(declares_fraction=0.90, speaks_fraction=0.90),
    DriverClass.TAXI: Habits(
        declares_fraction=0.10,
        speaks_fraction=0.20,
        opt_out_fraction=0.60,
        shift_fraction=0.30,
        shift_hours_max=2.0,
        worth_eur_per_kwh=0.05,
        leaves_when_full_fraction=0.80,
        patience_h=0.1,
    ),
}
# What people pay in the cheap hours [EUR/kWh], and the quarters of a dear evening, 17:00 to 21:00.
CHEAP_EUR_PER_KWH = 0.25
EVENING = slice(68, 84)


def evening_prices(ratio: float) -> Floats:
    """Return a day's prices by local quarter whose evening is dearer, shape (96,) [EUR/kWh].

    Parameters
    ----------
    ratio
        Of the evening's price to the rest of the day's.
    """
    prices = np.full(QUARTERS_PER_DAY, CHEAP_EUR_PER_KWH)
    prices[EVENING] *= ratio
    return prices


def opt_out_share(habits: Habits, reward_eur_per_kwh: float) -> float:
    """Return the part that opts out when steering pays: ``opt_out_fraction 2^(-reward / worth)``.

    Parameters
    ----------
    habits
        Of the class.
    reward_eur_per_kwh
        What steering pays [EUR/kWh].
    """
    return float(habits.opt_out_fraction * 2.0 ** (-reward_eur_per_kwh / habits.worth_eur_per_kwh))


@dataclass(frozen=True, slots=True)
class Telling:
    """What the driver of one session tells.

    Parameters
    ----------
    information
        By which way, if at all.
    opted_out
        Whether everything is asked for at once.
    """

    information: InformationClass
    opted_out: bool


def choose_telling(
    habits: Habits, reward_eur_per_kwh: float, rng: np.random.Generator, *, speaks: bool
) -> Telling:
    """Draw what a driver tells; who opts out has to tell it: through the car where it speaks, else in an app.

    Parameters
    ----------
    habits
        Of the class.
    reward_eur_per_kwh
        What steering pays [EUR/kWh].
    rng
        The only source of randomness.
    speaks
        Whether the car can tell needs at this station.
    """
    out, car, app = rng.random(3)
    opted_out = bool(out < opt_out_share(habits, reward_eur_per_kwh))
    if speaks and car < habits.speaks_fraction:
        return Telling(InformationClass.CAR, opted_out)
    if opted_out or app < habits.declares_fraction:
        return Telling(InformationClass.DRIVER, opted_out)
    return Telling(InformationClass.NONE, opted_out=False)


def shift_arrivals(
    quarter: Ints, prices_eur_per_kwh: Floats, habits: Habits, rng: np.random.Generator
) -> Ints:
    """Let drivers come at a cheaper quarter of the day.

    A driver looks as far as the habits reach, either way, and goes to the cheapest quarter (of equals the
    nearest) with a probability that rises with what is won: ``shift_fraction (1 - 2^(-gain / worth))``.

    Parameters
    ----------
    quarter
        Local quarter of arrival, 0 to 95, shape (n,).
    prices_eur_per_kwh
        Price by local quarter, shape (96,).
    habits
        Of the class.
    rng
        The only source of randomness.
    """
    picks = rng.random(len(quarter))
    reach = round(habits.shift_hours_max * QUARTERS_PER_HOUR)
    if reach == 0 or habits.shift_fraction == 0.0:
        return quarter
    offsets = np.array(sorted(range(-reach, reach + 1), key=abs))
    around = np.clip(quarter[:, None] + offsets[None, :], 0, QUARTERS_PER_DAY - 1)
    cheapest = np.argmin(prices_eur_per_kwh[around], axis=1)
    target = np.take_along_axis(around, cheapest[:, None], axis=1)[:, 0]
    gain = prices_eur_per_kwh[quarter] - prices_eur_per_kwh[target]
    goes = picks < habits.shift_fraction * (1.0 - np.exp2(-gain / habits.worth_eur_per_kwh))
    return np.where(goes, target, quarter)


def shorten_stays(stay_h: Floats, full_after_h: Floats, habits: Habits, rng: np.random.Generator) -> Floats:
    """Let part of the drivers leave when their cars are full, after a patience of exponential length.

    Parameters
    ----------
    stay_h
        As drawn, shape (n,) [h].
    full_after_h
        When each car is full if it charges at once, shape (n,) [h].
    habits
        Of the class.
    rng
        The only source of randomness.
    """
    leaves = rng.random(len(stay_h)) < habits.leaves_when_full_fraction
    patience_h = rng.exponential(habits.patience_h, len(stay_h))
    return np.where(leaves, np.minimum(stay_h, full_after_h + patience_h), stay_h)
