"""Cables and transformers: what households, panels and cars make of them, quarter by quarter."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from grid.load import DAY_ERROR_FRACTION, HOUSEHOLD_VARIATION_FRACTION, LoadProfile
from grid.solar.climate import Climate
from grid.solar.model import PvArray, clear_sky_pv_kw
from grid.timegrid import QUARTERS_PER_DAY
from simulator.rollout.ageing import ThermalState, ageing_rate, hot_spot
from simulator.rollout.calendar import STEP_H, TZ, YearGrid, day_ahead_eur_per_kwh, year_grid
from simulator.rollout.layout import Layout
from simulator.rollout.scenario import Money, Scenario

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

UTRECHT = (52.09, 5.12)
# Energy of a day over that of a clear day at De Bilt by month, and its deviation: statistics of KNMI station
# 260, 2023-2024.
CLEARNESS = np.array([0.57, 0.49, 0.60, 0.66, 0.70, 0.78, 0.69, 0.78, 0.77, 0.62, 0.54, 0.41])
CLEARNESS_DEVIATION = 0.26
CLEARNESS_MEMORY = 0.36
# Daily mean temperature around its month, same source [K], and its day-to-day correlation.
TEMPERATURE_DEVIATION_K, TEMPERATURE_MEMORY = 3.1, 0.76
PHASES = 3
GOLDEN = 0.6180339887498949
PHASE_KV = 0.23


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all replicates of a year, per step.

    Parameters
    ----------
    household_kw
        Mean household without a car.
    clear_sky
        Panels under a clear sky, share of their peak power.
    ambient_c
        Mean air temperature.
    day_ahead, import_price, export_price
        EUR per kWh.
    reward
        What the capacity tariff pays for charging [EUR/kWh].
    co2_kg_per_kwh
        Of energy from the grid.
    """

    grid: YearGrid
    household_kw: Floats
    clear_sky: Floats
    ambient_c: Floats
    day_ahead: Floats
    import_price: Floats
    export_price: Floats
    reward: Floats
    co2_kg_per_kwh: Floats


@dataclass(frozen=True)
class Weather:
    """One replicate's sky, cold spells and days at home.

    Parameters
    ----------
    pv
        Panels, share of their peak power, per step.
    ambient_c
        Air temperature per step.
    household_factor
        Per step; days differ from the profile.
    """

    pv: Floats
    ambient_c: Floats
    household_factor: Floats


@lru_cache(maxsize=8)
def load_surroundings(data: Path, scenario: Scenario, year: int) -> Surroundings:
    """Read profiles, climate and prices for a year.

    Raises
    ------
    DocumentError
        When a file is missing or has holes.
    """
    grid = year_grid(year)
    starts = [grid.start + timedelta(minutes=15 * step) for step in range(grid.steps)]
    climate = Climate.from_csv(data / "clearness_de_bilt.csv")
    growth = (1 + scenario.grid.annual_growth_fraction) ** (year - scenario.grid.base_year)
    annual_kwh = scenario.grid.annual_kwh_per_household * growth
    household = LoadProfile.from_csv(data / "household_profile.csv").power_kw(starts, TZ, annual_kwh)
    array = PvArray(*UTRECHT, peak_kw=1.0, tilt_degrees=15.0, azimuth_degrees=180.0)
    ambient = climate.temperature_at(starts)
    day_ahead = day_ahead_eur_per_kwh(data / "nl_day_ahead_2023_2024.csv", grid, scenario.study.price_year)
    money = scenario.money
    cheap = day_ahead <= np.quantile(day_ahead, 0.25)
    return Surroundings(
        grid=grid,
        household_kw=household,
        clear_sky=clear_sky_pv_kw(array, starts, ambient, climate.wind_at(starts)),
        ambient_c=ambient,
        day_ahead=day_ahead,
        import_price=day_ahead + money.energy_tax_eur_per_kwh + money.network_eur_per_kwh,
        export_price=day_ahead - money.export_fee_eur_per_kwh,
        reward=np.where(rewarded_steps(grid, money), money.reward_eur_per_kwh, 0.0),
        co2_kg_per_kwh=np.where(cheap, money.co2_kg_per_kwh_low, money.co2_kg_per_kwh_high),
    )


def rewarded_steps(grid: YearGrid, money: Money) -> NDArray[np.bool_]:
    """Say in which steps charging is rewarded: outside the capacity tariff's daily window."""
    hour = grid.quarter / 4
    return np.asarray((hour < money.reward_from_hour) | (hour >= money.reward_to_hour))


def draw_weather(around: Surroundings, rng: np.random.Generator) -> Weather:
    """Draw one replicate's year of weather; days remember the day before."""
    grid = around.grid
    days = int(grid.day[-1]) + 1
    month_of_day = grid.month[np.searchsorted(grid.day, np.arange(days))]
    clearness = CLEARNESS[month_of_day] + CLEARNESS_DEVIATION * _remembering(days, CLEARNESS_MEMORY, rng)
    warmth = TEMPERATURE_DEVIATION_K * _remembering(days, TEMPERATURE_MEMORY, rng)
    at_home = 1 + DAY_ERROR_FRACTION * _remembering(days, 0.5, rng)
    return Weather(
        pv=around.clear_sky * np.clip(clearness, 0.05, 1.0)[grid.day],
        ambient_c=around.ambient_c + warmth[grid.day],
        household_factor=np.clip(at_home, 0.5, 1.5)[grid.day],
    )


def _sizes(scenario: Scenario) -> Floats:
    """Return households per transformer over its neighbourhood's mean: shuffled lognormal quantiles."""
    spread = scenario.grid.spread_fraction
    sizes = []
    for area in scenario.neighbourhoods:
        rank = np.argsort(np.argsort((np.arange(area.transformers) * GOLDEN) % 1.0))
        size = np.exp(spread * ndtri((rank + 0.5) / area.transformers))
        sizes.append(size / size.mean())
    return np.concatenate(sizes)


def _remembering(count: int, memory: float, rng: np.random.Generator) -> Floats:
    """Return standard normal numbers, each correlated with the one before."""
    noise = rng.standard_normal(count)
    series = np.empty(count)
    series[0] = noise[0]
    for index in range(1, count):
        series[index] = memory * series[index - 1] + np.sqrt(1 - memory**2) * noise[index]
    return series


@dataclass
class TransformerMonth:
    """What one month did to each transformer, shape (transformers,).

    Parameters
    ----------
    peak_kw, peak_export_kw, peak_cars_kw
        Highest quarter of the net load, of the net export, and of the cars' share at the net peak.
    peak_loading, feeder_loading
        Apparent power over rating; current of the fullest phase of the fullest cable over its rating.
    overload_h, overload_kwh, feeder_overload_h
        Above the rating less the margin.
    aged_h, hottest_c
        Hours of normal life used, and the highest hot spot.
    pv_kwh, pv_export_kwh
        Generated, and what of it left the transformer.
    import_kwh, base_import_kwh
        Net energy drawn with cars, and without them.
    money_eur, base_money_eur
        Energy at market price with tax on what is drawn, with cars and without.
    separate_eur
        The cars' energy when every connection is billed alone.
    co2_kg, base_co2_kg
        Of the energy drawn.
    """

    peak_kw: Floats
    peak_export_kw: Floats
    peak_cars_kw: Floats
    peak_loading: Floats
    feeder_loading: Floats
    overload_h: Floats
    overload_kwh: Floats
    feeder_overload_h: Floats
    aged_h: Floats
    hottest_c: Floats
    pv_kwh: Floats
    pv_export_kwh: Floats
    import_kwh: Floats
    base_import_kwh: Floats
    money_eur: Floats
    base_money_eur: Floats
    separate_eur: Floats
    co2_kg: Floats
    base_co2_kg: Floats

    def as_columns(self) -> dict[str, Floats]:
        """Return the fields by name."""
        return {item.name: getattr(self, item.name) for item in fields(TransformerMonth)}


class Network:
    """Judges the load of cables and transformers of all replicates.

    Parameters
    ----------
    scenario, layout, around
        The world.
    weather
        One per replicate.
    rngs
        One per replicate, for the noise of households.
    """

    def __init__(
        self,
        scenario: Scenario,
        layout: Layout,
        around: Surroundings,
        weather: list[Weather],
        rngs: list[np.random.Generator],
    ) -> None:
        self.scenario = scenario
        self.around = around
        self.weather = weather
        self.rngs = rngs
        self.feeder_transformer = layout.feeder_transformer
        self.transformers = layout.transformers
        self.replicates = layout.replicates
        areas = scenario.neighbourhoods
        area = layout.transformer_area % len(areas)
        self.households = np.array([item.households / item.transformers for item in areas])[area]
        self.households = self.households * np.tile(_sizes(scenario), layout.replicates)
        self.pv_peak_kw = np.array([item.pv_kw / item.transformers for item in areas])[area]
        self._thermal: ThermalState | None = None

    @property
    def per_transformer(self) -> int:
        """Cables per transformer."""
        return len(self.feeder_transformer) // self.transformers

    def copy_of_transformer(self) -> NDArray[np.int64]:
        """Return the replicate to which each transformer belongs."""
        return np.arange(self.transformers) // (self.transformers // self.replicates)

    def expected_kw(self, first: int, last: int, transformers: NDArray[np.int64]) -> Floats:
        """Return the forecast of households less panels, shape (steps, transformers).

        Households follow their profile; of the day's sky half is foreseen, the other half is its month's
        mean.
        """
        steps = np.clip(np.arange(first, last), 0, self.around.grid.steps - 1)
        foreseen = np.stack(
            [
                0.5 * sky.pv[steps]
                + 0.5 * self.around.clear_sky[steps] * CLEARNESS[self.around.grid.month[steps]]
                for sky in self.weather
            ],
            axis=1,
        )
        copy = self.copy_of_transformer()[transformers]
        base = self.around.household_kw[steps][:, None] * self.households[transformers][None, :]
        return np.asarray(base - foreseen[:, copy] * self.pv_peak_kw[transformers][None, :])

    def judge(self, first: int, cars_kw: Floats32) -> TransformerMonth:
        """Add households and panels to the cars of a block of steps and judge the sum.

        Parameters
        ----------
        first
            First step.
        cars_kw
            Shape (steps, feeders, 3).
        """
        steps = slice(first, first + len(cars_kw))
        sky = np.stack([weather.pv[steps] for weather in self.weather], axis=1)
        pv = sky[:, self.copy_of_transformer()] * self.pv_peak_kw[None, :]
        parts = []
        # A day at a time stays in the processor's cache.
        for begin in range(0, len(cars_kw), QUARTERS_PER_DAY):
            day = slice(begin, min(begin + QUARTERS_PER_DAY, len(cars_kw)))
            homes = self._homes(slice(first + day.start, first + day.stop))
            current = self._phase_loading(homes, pv[day], cars_kw[day])
            parts.append((self._by_transformer(homes), self._by_transformer(cars_kw[day]), current))
        homes_kw, cars, current = (np.concatenate(items) for items in zip(*parts, strict=True))
        return self._judge(steps, homes_kw - pv, cars, pv, current)

    def _by_transformer(self, load: Floats32) -> Floats:
        phases = load[:, :, 0] + load[:, :, 1] + load[:, :, 2]
        cables = phases.reshape(len(load), self.transformers, -1)
        return np.asarray(cables.sum(axis=2, dtype=np.float64))

    def _homes(self, steps: slice) -> Floats32:
        """Return households per step, cable and phase."""
        profile = self.around.household_kw[steps]
        homes = self.households[self.feeder_transformer] / self.per_transformer / PHASES
        count = len(self.feeder_transformer) // self.replicates
        spread = (HOUSEHOLD_VARIATION_FRACTION / np.sqrt(np.maximum(homes, 1.0))).astype(np.float32)
        parts = []
        for copy, (weather, rng) in enumerate(zip(self.weather, self.rngs, strict=True)):
            mine = slice(copy * count, (copy + 1) * count)
            noise = rng.standard_normal((len(profile), count, PHASES), dtype=np.float32)
            noise *= spread[mine][None, :, None]
            noise += np.float32(1.0)
            np.maximum(noise, np.float32(0.0), out=noise)
            noise *= (profile * weather.household_factor[steps]).astype(np.float32)[:, None, None]
            noise *= homes[mine].astype(np.float32)[None, :, None]
            parts.append(noise)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _phase_loading(self, load: Floats32, pv: Floats, cars_kw: Floats32) -> Floats:
        """Return the current over rating of the fullest phase of each transformer's fullest cable."""
        shared = np.repeat(pv / (self.per_transformer * PHASES), self.per_transformer, axis=1).astype(
            np.float32
        )
        net = np.abs(load + cars_kw - shared[:, :, None])
        fullest = np.maximum(np.maximum(net[:, :, 0], net[:, :, 1]), net[:, :, 2])
        of_transformer = fullest.reshape(len(load), self.transformers, -1).max(axis=2)
        rated_kw = self.scenario.grid.feeder_a * PHASE_KV * self.scenario.grid.power_factor
        return np.asarray(of_transformer / rated_kw, dtype=np.float64)

    def _judge(
        self, steps: slice, base: Floats, cars: Floats, pv: Floats, current: Floats
    ) -> TransformerMonth:
        setting, around = self.scenario.grid, self.around
        net = base + cars
        loading = np.abs(net) / setting.power_factor / setting.transformer_kva
        ambient = np.stack([weather.ambient_c[steps] for weather in self.weather], axis=1)
        heat, self._thermal = hot_spot(loading, np.zeros(len(net)), self._thermal)
        heat = heat + ambient[:, self.copy_of_transformer()]
        usable = 1 - setting.margin_fraction
        over = loading > usable
        excess_kw = np.where(over, (loading - usable) * setting.transformer_kva * setting.power_factor, 0.0)
        buys, sells = around.import_price[steps][:, None], around.export_price[steps][:, None]
        drawn, given = np.maximum(net, 0.0), np.maximum(-net, 0.0)
        drawn_base, given_base = np.maximum(base, 0.0), np.maximum(-base, 0.0)
        co2 = around.co2_kg_per_kwh[steps][:, None]
        at_peak = net.argmax(axis=0)
        return TransformerMonth(
            peak_kw=net.max(axis=0),
            peak_export_kw=given.max(axis=0),
            peak_cars_kw=cars[at_peak, np.arange(self.transformers)],
            peak_loading=loading.max(axis=0),
            feeder_loading=current.max(axis=0),
            overload_h=over.sum(axis=0) * STEP_H,
            overload_kwh=excess_kw.sum(axis=0) * STEP_H,
            feeder_overload_h=(current > usable).sum(axis=0) * STEP_H,
            aged_h=ageing_rate(heat).sum(axis=0) * STEP_H,
            hottest_c=heat.max(axis=0),
            pv_kwh=pv.sum(axis=0) * STEP_H,
            pv_export_kwh=np.minimum(given, pv).sum(axis=0) * STEP_H,
            import_kwh=drawn.sum(axis=0) * STEP_H,
            base_import_kwh=drawn_base.sum(axis=0) * STEP_H,
            money_eur=(drawn * buys - given * sells).sum(axis=0) * STEP_H,
            base_money_eur=(drawn_base * buys - given_base * sells).sum(axis=0) * STEP_H,
            separate_eur=(np.maximum(cars, 0) * buys - np.maximum(-cars, 0) * sells).sum(axis=0) * STEP_H,
            co2_kg=(drawn * co2).sum(axis=0) * STEP_H,
            base_co2_kg=(drawn_base * co2).sum(axis=0) * STEP_H,
        )
