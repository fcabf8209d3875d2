"""Plug-ins of a place, drawn jointly and then held against physics: arrival, stay, energy, class and car.

Arrival, stay and energy come from `joint`; the car is one of those of the year's mix that can take the energy
in the stay, so that physical limits hold and change the marginals as little as they can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fleet.behaviour import HABITS, SEASON_ENERGY, shift_arrivals, shorten_stays
from simulator.fleet.joint import USABLE_FRACTION, Draws, DriverClass, JointSampler, Place, classify
from simulator.fleet.mix import EvMix
from simulator.vehicle.charging import Offer, requested_power_kw
from simulator.vehicle.model import on_direct_current

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# States of charge at which drivers let their cars stop, and the least with which cars arrive (assumptions).
TARGET_FRACTIONS, TARGET_SHARES = (0.8, 0.9, 0.95), (0.5, 0.2, 0.3)
LEAST_START_FRACTION = 0.04
# Sessions that need more than this part of their stay at full power stop before the battery's taper.
HURRIED_FRACTION = 0.8
CLASSES = tuple(DriverClass)
_WHOSE = {Place.HOME: DriverClass.RESIDENT, Place.WORK: DriverClass.COMMUTER}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a draw depends on besides place and cars.

    Parameters
    ----------
    month
        Of the year, 1 to 12; None for a whole year.
    prices_eur_per_kwh
        Price that drivers see by local quarter, shape (96,); None: they see none.
    leaves_when_full
        Whether people drive away from full cars as their class's habits say; ElaadNL's stays have it in them.
    """

    month: int | None = None
    prices_eur_per_kwh: Floats | None = None
    leaves_when_full: bool = False


@dataclass(frozen=True, slots=True)
class PlugIns:
    """Plug-ins, one per row.

    Parameters
    ----------
    quarter, weekend, stay_h, energy_kwh
        As in `Draws`, after physical limits.
    driver
        Index into `CLASSES`.
    car
        Index into the mix.
    start_kwh, target_kwh
        Energy in the battery at arrival, and at which the driver lets the car stop [kWh].
    power_kw
        What the car takes at the most at its socket [kW].
    """

    quarter: Ints
    weekend: NDArray[np.bool_]
    stay_h: Floats
    energy_kwh: Floats
    driver: Ints
    car: Ints
    start_kwh: Floats
    target_kwh: Floats
    power_kw: Floats


@dataclass(frozen=True, slots=True)
class Sockets:
    """The sockets of a place.

    Parameters
    ----------
    max_current_a, phases
        Of each [A, phases].
    direct_current
        Whether the station rectifies.
    """

    max_current_a: float = 16.0
    phases: int = 3
    direct_current: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What the cars of a mix can do at a socket, one per row.

    Parameters
    ----------
    capacity_kwh, power_kw, efficiency, transition_fraction
        Of the battery; at the socket; of charging at that power; where the taper begins.
    """

    capacity_kwh: Floats
    power_kw: Floats
    efficiency: Floats
    transition_fraction: Floats


def list_capabilities(mix: EvMix, sockets: Sockets) -> Capabilities:
    """Return what the cars of a mix can do at a socket.

    Parameters
    ----------
    mix
        The cars.
    sockets
        Where they are plugged in.
    """
    offer = Offer(sockets.max_current_a)
    models = list(mix.models.values())
    if sockets.direct_current:
        station_kw = models[0].power_kw(sockets.max_current_a, sockets.phases)
        models = [on_direct_current(model, station_kw) for model in models]
    power = [requested_power_kw(model, offer, sockets.phases) for model in models]
    # A car that takes nothing here loses nothing.
    efficiency = [model.efficiency(kw) or 1.0 for model, kw in zip(models, power, strict=True)]
    return Capabilities(
        np.array([model.capacity_kwh for model in models]),
        np.array(power),
        np.array(efficiency),
        np.array([model.transition_soc_fraction for model in models]),
    )


class PlugInSampler:
    """Draws plug-ins of a place.

    Parameters
    ----------
    joint
        Draws arrival, stay and energy.
    mix
        The cars.
    sockets
        Where they are plugged in.
    """

    def __init__(self, joint: JointSampler, mix: EvMix, sockets: Sockets | None = None) -> None:
        self.joint, self.mix = joint, mix
        self._cars = list_capabilities(mix, sockets or Sockets())

    def draw(
        self, count: int, rng: np.random.Generator, circumstances: Circumstances | None = None
    ) -> PlugIns:
        """Draw plug-ins of a whole week's mix.

        Parameters
        ----------
        count
            How many.
        rng
            The only source of randomness.
        circumstances
            Season, prices, habits; None: a whole year, without prices.
        """
        return self.dress(self.joint.draw(count, rng), rng, circumstances or Circumstances())

    def dress(self, draws: Draws, rng: np.random.Generator, circumstances: Circumstances) -> PlugIns:
        """Give drawn sessions a driver, a car and the limits of physics."""
        driver = self._drivers(draws, rng)
        quarter = self._shifted(draws.quarter, driver, circumstances, rng)
        energy_kwh = draws.energy_kwh * _season(circumstances.month, len(draws.quarter), rng)
        car = self._choose_cars(draws.stay_h, energy_kwh, rng)
        cars, most_h = self._cars, USABLE_FRACTION * draws.stay_h
        room_kwh = (max(TARGET_FRACTIONS) - LEAST_START_FRACTION) * cars.capacity_kwh[car]
        energy_kwh = np.minimum(energy_kwh, cars.power_kw[car] * most_h)
        energy_kwh = np.minimum(energy_kwh, room_kwh / cars.efficiency[car])
        start_kwh, target_kwh = self._batteries(car, energy_kwh, draws.stay_h, rng)
        stay_h = draws.stay_h
        if circumstances.leaves_when_full:
            stay_h = self._shortened(stay_h, energy_kwh / cars.power_kw[car], driver, rng)
        return PlugIns(
            quarter,
            draws.weekend,
            stay_h,
            energy_kwh,
            driver,
            car,
            start_kwh,
            target_kwh,
            cars.power_kw[car],
        )

    def _drivers(self, draws: Draws, rng: np.random.Generator) -> Ints:
        picks = rng.random(len(draws.quarter))
        whose = _WHOSE.get(self.joint.place)
        if whose is None:
            return classify(draws, picks)
        return np.full(len(draws.quarter), CLASSES.index(whose), dtype=np.int64)

    def _shifted(
        self, quarter: Ints, driver: Ints, circumstances: Circumstances, rng: np.random.Generator
    ) -> Ints:
        if circumstances.prices_eur_per_kwh is None:
            return quarter
        shifted = quarter.copy()
        for index, name in enumerate(CLASSES):
            own = driver == index
            prices = circumstances.prices_eur_per_kwh
            shifted[own] = shift_arrivals(quarter[own], prices, HABITS[name], rng)
        return shifted

    def _shortened(
        self, stay_h: Floats, full_after_h: Floats, driver: Ints, rng: np.random.Generator
    ) -> Floats:
        shortened = stay_h.copy()
        for index, name in enumerate(CLASSES):
            own = driver == index
            shortened[own] = shorten_stays(stay_h[own], full_after_h[own], HABITS[name], rng)
        return shortened

    def _choose_cars(self, stay_h: Floats, energy_kwh: Floats, rng: np.random.Generator) -> Ints:
        """Choose among the cars that can take the energy; when none can, the one that takes most."""
        cars = self._cars
        room_kwh = (max(TARGET_FRACTIONS) - LEAST_START_FRACTION) * cars.capacity_kwh / cars.efficiency
        most_kwh = np.minimum(room_kwh, USABLE_FRACTION * cars.power_kw * stay_h[:, None])
        weights = np.where(most_kwh >= energy_kwh[:, None], self.mix.shares, 0.0)
        total = weights.sum(axis=1)
        edges = np.cumsum(weights, axis=1)
        picked = (rng.random(len(stay_h))[:, None] * total[:, None] >= edges).sum(axis=1)
        last = len(self.mix.shares) - 1
        return np.asarray(np.where(total > 0.0, np.minimum(picked, last), np.argmax(most_kwh, axis=1)))

    def _batteries(
        self, car: Ints, energy_kwh: Floats, stay_h: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        cars = self._cars
        capacity_kwh, stored_kwh = cars.capacity_kwh[car], energy_kwh * cars.efficiency[car]
        fraction = rng.choice(TARGET_FRACTIONS, len(car), p=TARGET_SHARES)
        hurried = energy_kwh > HURRIED_FRACTION * cars.power_kw[car] * stay_h
        fraction = np.where(hurried, np.minimum(fraction, cars.transition_fraction[car]), fraction)
        target_kwh = np.maximum(fraction * capacity_kwh, LEAST_START_FRACTION * capacity_kwh + stored_kwh)
        return target_kwh - stored_kwh, target_kwh


def _season(month: int | None, count: int, rng: np.random.Generator) -> Floats:
    """Return the season's part in the energy of each session; of a whole year each has its own month."""
    picked = rng.integers(0, 12, count)
    by_month = np.array(SEASON_ENERGY) / np.mean(SEASON_ENERGY)
    return np.asarray(by_month[picked if month is None else np.full(count, month - 1)])
