"""Who wants to charge when, where and how much: a year of requests for each replicate.

Sessions come from a library of joint draws (arrival, stay, energy, car, class), so that drawing millions of
them is a lookup; how many there are follows from the electric cars and the public share of what they use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.fleet.joint import (
    USABLE_FRACTION,
    Draws,
    DriverClass,
    JointSampler,
    Place,
    classify,
    load_session_tables,
)
from simulator.rollout.calendar import STEP_H, YearGrid
from simulator.rollout.layout import Layout
from simulator.rollout.scenario import Adoption, Scenario
from simulator.rollout.sockets import CUT_OFF_FRACTION, battery_kw, knee_kwh, need_kwh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIBRARY_SIZE = 200_000
LIBRARY_SEED = 20_250
# Two days before New Year's, so that the year begins with cars at the sockets.
WARM_UP_STEPS = 192
HOURS = 24
CLASSES = len(DriverClass)
KW_ONE_PHASE, KW_THREE_PHASE, KW_LARGE = 3.68, 11.04, 22.08
PARTIAL_TARGET_FRACTION = 0.8
# Battery contents are met by the meter's energy times this (three phases at full power, Schram et al. 2020).
TYPICAL_EFFICIENCY = 0.9
# Sessions by month relative to the mean: heating and cold batteries in winter, holidays in July and August.
# Assumption.
SEASON = np.array([1.10, 1.08, 1.04, 1.00, 0.97, 0.94, 0.88, 0.88, 0.98, 1.02, 1.05, 1.06])
# What a shared car uses in a year [kWh]: 20,000 km at 0.19 kWh/km, all at its own public socket. Assumption.
SHARED_CAR_KWH = 3800.0


@dataclass(frozen=True)
class Library:
    """Sessions to draw from, sorted by class, weekend and hour.

    Parameters
    ----------
    stay_h, energy_kwh
        Plugged time; energy at the meter.
    charger_kw
        Of the car.
    one_phase
        Whether it uses one phase only.
    battery_kwh, target_fraction
        Its battery, and the content at which it stops.
    driver_class
        Index into `DriverClass`.
    start
        First session of each (class, weekend, hour), shape (classes * 2 * 24 + 1,).
    arrivals
        Share of a class's weekly sessions per (weekend, quarter), shape (classes, 2, 96).
    mean_kwh
        Of each class.
    class_share
        Of each class in the public data.
    """

    stay_h: Floats
    energy_kwh: Floats
    charger_kw: Floats
    one_phase: NDArray[np.bool_]
    battery_kwh: Floats
    target_fraction: Floats
    driver_class: Ints
    start: Ints
    arrivals: Floats
    mean_kwh: Floats
    class_share: Floats


@dataclass(frozen=True)
class Requests:
    """Sessions that are asked for, in order of time.

    Parameters
    ----------
    step
        Quarter of the year of arrival, from -`WARM_UP_STEPS` on.
    point
        Where the driver wants to be.
    session
        Index into the library.
    offset
        Part of the quarter that has passed at arrival, in [0, 1).
    declares, patience, discharges
        Uniform numbers that decide whether departure and need are told, whether the driver waits for a free
        socket, and whether the car can and may be discharged.
    """

    step: NDArray[np.int32]
    point: NDArray[np.int32]
    session: NDArray[np.int32]
    offset: NDArray[np.float32]
    declares: NDArray[np.float32]
    patience: NDArray[np.float32]
    discharges: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.step)


def electric_fraction(adoption: Adoption, year: int) -> float:
    """Return the electric share of the cars in a year.

    Between two support points the logit is interpolated, which is a logistic curve; outside them the nearest
    holds.
    """
    share = np.clip(np.array(adoption.electric_fraction), 1e-6, 1 - 1e-6)
    logit = np.interp(year, np.array(adoption.years), np.log(share / (1 - share)))
    return float(1 / (1 + math.exp(-logit)))


def electric_cars(scenario: Scenario, year: int) -> Floats:
    """Return the residents' electric cars per neighbourhood in a year."""
    share = electric_fraction(scenario.adoption, year)
    return np.array(
        [
            min(1.0, share * area.electric_factor) * area.households * area.cars_per_household
            for area in scenario.neighbourhoods
        ]
    )


def sessions_per_year(scenario: Scenario, library: Library, year: int) -> Floats:
    """Return the expected sessions per neighbourhood and class, shape (neighbourhoods, classes).

    The residents' public energy is divided over the classes as in the public data; factors of classes and
    visitors come on top of it, and so do shared cars.
    """
    adoption = scenario.adoption
    kwh = (
        electric_cars(scenario, year) * adoption.km_per_year * adoption.kwh_per_km * adoption.public_fraction
    )
    base = kwh[:, None] * library.class_share[None, :] / (library.class_share @ library.mean_kwh)
    factor = np.array([getattr(scenario.classes, item) for item in DriverClass])
    visitors = np.array([area.visitor_factor for area in scenario.neighbourhoods])
    order = list(DriverClass)
    scale = np.tile(factor, (len(visitors), 1))
    for item in (DriverClass.VISITOR, DriverClass.COMMUTER):
        scale[:, order.index(item)] *= visitors
    shared = order.index(DriverClass.SHARED)
    extra = np.zeros_like(base)
    extra[:, shared] = [area.shared_cars * SHARED_CAR_KWH for area in scenario.neighbourhoods]
    return np.asarray(base * scale + extra / library.mean_kwh[None, :])


@lru_cache(maxsize=4)
def build_library(data: Path, adoption: Adoption, size: int = LIBRARY_SIZE) -> Library:
    """Draw the library: public sessions with cars that can take their energy in their stay.

    Parameters
    ----------
    data
        Folder with the ElaadNL tables.
    adoption
        Mix of cars.
    size
        Sessions.
    """
    rng = np.random.default_rng(LIBRARY_SEED)
    draws = JointSampler(Place.PUBLIC, load_session_tables(data)[Place.PUBLIC]).draw(size, rng)
    driver_class = classify(draws, rng.random(size))
    one_phase = _slow_cars(draws.energy_kwh, draws.stay_h, adoption.one_phase_fraction, rng.random(size))
    charger = np.where(one_phase, KW_ONE_PHASE, KW_THREE_PHASE)
    # Who has more than a 16 A socket gives is told apart by a stronger socket only.
    large = ~one_phase & (
        rng.random(size) < adoption.large_charger_fraction / (1 - adoption.one_phase_fraction + 1e-9)
    )
    battery = np.clip(rng.normal(adoption.battery_kwh, 0.25 * adoption.battery_kwh, size), 20.0, 120.0)
    battery = np.maximum(battery, draws.energy_kwh * TYPICAL_EFFICIENCY / 0.95)
    full = _charges_to_full(
        draws, charger, one_phase, battery, adoption.charge_to_full_fraction, rng.random(size)
    )
    # Who stops at the partial target has a battery that holds the energy below it.
    room = draws.energy_kwh * TYPICAL_EFFICIENCY / (PARTIAL_TARGET_FRACTION - 0.05)
    battery = np.where(full, battery, np.maximum(battery, room))
    hour = draws.quarter // 4
    group = (driver_class * 2 + draws.weekend) * HOURS + hour
    order = np.argsort(group, kind="stable")
    key = (driver_class * 2 + draws.weekend) * 96 + draws.quarter
    arrivals = np.bincount(key, minlength=CLASSES * 2 * 96).reshape(CLASSES, 2, 96).astype(np.float64)
    count = np.bincount(driver_class, minlength=CLASSES)
    return Library(
        stay_h=draws.stay_h[order],
        energy_kwh=draws.energy_kwh[order],
        charger_kw=np.where(large, KW_LARGE, charger)[order],
        one_phase=one_phase[order],
        battery_kwh=battery[order],
        target_fraction=np.where(full, 1.0, PARTIAL_TARGET_FRACTION)[order],
        driver_class=driver_class[order],
        start=np.searchsorted(group[order], np.arange(CLASSES * 2 * HOURS + 1)),
        arrivals=arrivals / arrivals.sum(axis=(1, 2), keepdims=True),
        mean_kwh=np.bincount(driver_class, draws.energy_kwh, minlength=CLASSES) / np.maximum(count, 1),
        class_share=count / size,
    )


def _charges_to_full(
    draws: Draws,
    charger_kw: Floats,
    one_phase: NDArray[np.bool_],
    battery: Floats,
    share: float,
    pick: Floats,
) -> NDArray[np.bool_]:
    """Choose sessions that end at a full battery among those whose stay suffices for the taper."""
    need, knee = need_kwh(draws.energy_kwh, charger_kw, one_phase), knee_kwh(battery)
    stop = CUT_OFF_FRACTION * knee
    into = np.maximum(battery_kw(charger_kw, one_phase), 1e-6)
    falling = knee * np.log(np.minimum(stop + need, knee) / stop)
    hours = (np.maximum(stop + need - knee, 0.0) + falling) / into
    able = hours <= draws.stay_h - STEP_H
    return np.asarray(able & (pick < share / max(able.mean(), share)))


def _slow_cars(energy_kwh: Floats, stay_h: Floats, share: float, pick: Floats) -> NDArray[np.bool_]:
    """Choose one-phase cars among the sessions that one phase can serve, so many that their share is met."""
    able = energy_kwh <= KW_ONE_PHASE * USABLE_FRACTION * stay_h
    return np.asarray(able & (pick < share / max(able.mean(), share)))


class DemandModel:
    """Draws requests for one scenario, year and layout.

    Parameters
    ----------
    scenario, library
        Who there is and what a session is like.
    grid
        The year.
    """

    def __init__(self, scenario: Scenario, library: Library, grid: YearGrid) -> None:
        self.library = library
        self.grid = grid
        self.per_area = sessions_per_year(scenario, library, grid.year)

    def draw(self, layout: Layout, copy: int, rng: np.random.Generator) -> Requests:
        """Draw one replicate's year.

        Parameters
        ----------
        layout
            All replicates.
        copy
            Which of them this is for.
        rng
            This replicate's own generator.
        """
        edges = self._point_edges(layout, copy)
        parts = [self._draw_class(index, edges[index], rng) for index in range(CLASSES)]
        first_point = copy * (len(layout.point_cell) // layout.replicates)
        joined = _join(parts)
        return Requests(
            joined.step,
            joined.point + np.int32(first_point),
            joined.session,
            joined.offset,
            joined.declares,
            joined.patience,
            joined.discharges,
        )

    def rate(self, driver_class: int) -> Floats:
        """Return the expected sessions of a class per step of warm-up and year, everywhere together."""
        grid = self.grid
        weekend = grid.weekend.astype(np.int64)
        share = self.library.arrivals[driver_class, weekend, grid.quarter] / np.where(grid.weekend, 2, 5)
        shape = share * SEASON[grid.month]
        rate = shape * self.per_area[:, driver_class].sum() / shape.sum()
        return np.concatenate([rate[-WARM_UP_STEPS:], rate])

    def _draw_class(self, driver_class: int, edges: Floats, rng: np.random.Generator) -> Requests:
        counts = rng.poisson(self.rate(driver_class))
        step = np.repeat(np.arange(-WARM_UP_STEPS, self.grid.steps, dtype=np.int32), counts)
        size = len(step)
        point = np.searchsorted(edges, rng.random(size, dtype=np.float32), side="right")
        group = (driver_class * 2 + self.grid.weekend[step]) * HOURS + self.grid.quarter[step] // 4
        first, last = self.library.start[group], self.library.start[group + 1]
        session = first + (rng.random(size, dtype=np.float32) * (last - first)).astype(np.int64)
        return Requests(
            step,
            np.minimum(point, len(edges) - 1).astype(np.int32),
            np.minimum(session, last - 1).astype(np.int32),
            rng.random(size, dtype=np.float32),
            rng.random(size, dtype=np.float32),
            rng.random(size, dtype=np.float32),
            rng.random(size, dtype=np.float32),
        )

    def _point_edges(self, layout: Layout, copy: int) -> Floats:
        """Return cumulative weights of one copy's points per class, shape (classes, points)."""
        count = len(layout.point_cell) // layout.replicates
        area = layout.cell_area[layout.point_cell[copy * count : (copy + 1) * count]]
        area = area - copy * len(self.per_area)
        weight = self.per_area[area] / np.bincount(area)[area][:, None]
        total = np.maximum(weight.sum(axis=0), 1e-300)
        return np.asarray(np.cumsum(weight / total, axis=0).T)


def stack(parts: list[Requests]) -> Requests:
    """Put the requests of several replicates into one list in order of time."""
    return parts[0] if len(parts) == 1 else _join(parts)


def _join(parts: list[Requests]) -> Requests:
    joined = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Requests)
    }
    order = np.argsort(joined["step"], kind="stable")
    return Requests(**{name: values[order] for name, values in joined.items()})
