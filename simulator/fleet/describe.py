"""How a fleet compares with the data that it is drawn from. Pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from grid.errors import DocumentError, Problem
from grid.timegrid import QUARTERS_PER_DAY
from simulator.fleet.behaviour import HABITS, evening_prices, opt_out_share, shift_arrivals, shorten_stays
from simulator.fleet.joint import Place, SessionTables, by_half_hour, read_table
from simulator.fleet.plugins import CLASSES, PlugIns, PlugInSampler

Floats = NDArray[np.float64]
HOURS_PER_DAY = 24
# Hours of the day with fewer arrivals than this are not compared: their means are noise.
LEAST_SHARE = 0.02
# What the tables round to zero [h, kWh].
RESOLUTION = 0.05
QUARTER_HOURS = 0.25
# What classes are asked about: evenings so much dearer, and what steering pays [EUR/kWh].
DEAR_EVENING, REWARD_EUR_PER_KWH = 2.0, 0.10


@dataclass(frozen=True)
class PlaceReport:
    """The plug-ins of a place beside its tables.

    Parameters
    ----------
    place, count
        Where, and how many were drawn.
    ks_arrival, ks_stay, ks_energy
        Kolmogorov-Smirnov distances to the tables, after physical limits.
    ks_arrival_weekday, ks_arrival_weekend
        The same of each kind of day.
    mean_stay_h, table_mean_stay_h
        Drawn, and of the percentiles [h].
    worst_hour, worst_hour_deviation
        Hour of arrival whose mean stay is farthest from its table (scaled to the percentiles' mean), and
        how far.
    stay_levels_ratio, energy_levels_ratio
        Mean of the table by hour over the mean of the percentiles: where the data disagree with themselves.
    rank_stay_energy, rank_stay_arrival
        Spearman's correlations.
    idle_share
        Part of the plugged time that is left when every car charges at once.
    classes, cars
        Shares drawn.
    """

    place: str
    count: int
    ks_arrival: float
    ks_stay: float
    ks_energy: float
    ks_arrival_weekday: float
    ks_arrival_weekend: float
    mean_stay_h: float
    table_mean_stay_h: float
    mean_energy_kwh: float
    table_mean_energy_kwh: float
    worst_hour: int
    worst_hour_deviation: float
    stay_levels_ratio: float
    energy_levels_ratio: float
    rank_stay_energy: float
    rank_stay_arrival: float
    idle_share: float
    classes: dict[str, float]
    cars: dict[str, float]


def ks_distance(sample: Floats, percentiles: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of a sample to a distribution given by its percentiles.

    Parameters
    ----------
    sample
        Shape (n,).
    percentiles
        Equidistant quantiles, ascending, the first of rank 0, the last of rank 1. Where they are rounded to
        zero the sample is, too.
    """
    ordered = np.sort(np.where(sample < RESOLUTION, 0.0, sample))
    ranks = np.linspace(0.0, 1.0, len(percentiles))
    # Of equal percentiles the distribution function is the highest rank: one jump.
    values, first = np.unique(percentiles[::-1], return_index=True)
    top = ranks[::-1][first]
    distinct, counts = np.unique(ordered, return_counts=True)
    reached = np.cumsum(counts) / len(ordered)
    expected = np.interp(distinct, values, top, left=0.0)
    # Just below a value that several percentiles share the table stands at the lowest of them.
    shared = np.isin(distinct, values)
    below = expected.copy()
    below[shared] = ranks[np.searchsorted(percentiles, distinct[shared])]
    before = np.concatenate(([0.0], reached[:-1]))
    return float(max(np.abs(reached - expected).max(), np.abs(below - before).max()))


def ks_shares(counts: Floats, shares: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of counts by class to the shares of a table."""
    return float(np.abs(np.cumsum(counts / counts.sum()) - np.cumsum(shares / shares.sum())).max())


def describe_place(
    sampler: PlugInSampler, plug_ins: PlugIns, mean_energy_by_hour: Floats | None = None
) -> PlaceReport:
    """Compare drawn plug-ins with the tables of their place.

    Parameters
    ----------
    sampler
        That drew them.
    plug_ins
        At least some thousands.
    mean_energy_by_hour
        The data's mean energy by half hour of arrival, shape (48,) [kWh]; None where there is no table.
    """
    joint, tables = sampler.joint, sampler.joint.tables
    weekend = plug_ins.weekend
    hour, deviation = _worst_hour(plug_ins, joint.half_hour_shares, joint.target_mean_stay_h)
    mean_stay = float(np.trapezoid(tables.stay_h, dx=0.01))
    mean_energy = float(np.trapezoid(tables.energy_kwh, dx=0.01))
    energy_level = float("nan")
    if mean_energy_by_hour is not None:
        energy_level = float(joint.half_hour_shares @ mean_energy_by_hour) / mean_energy
    week = (1 - joint.weekend_share) * tables.weekday_arrivals + joint.weekend_share * tables.weekend_arrivals
    return PlaceReport(
        place=joint.place.value,
        count=len(plug_ins.quarter),
        ks_arrival=ks_shares(_by_quarter(plug_ins.quarter), week),
        ks_stay=ks_distance(plug_ins.stay_h, tables.stay_h),
        ks_energy=ks_distance(plug_ins.energy_kwh, tables.energy_kwh),
        ks_arrival_weekday=ks_shares(_by_quarter(plug_ins.quarter[~weekend]), tables.weekday_arrivals),
        ks_arrival_weekend=(
            ks_shares(_by_quarter(plug_ins.quarter[weekend]), tables.weekend_arrivals)
            if weekend.any()
            else 0.0
        ),
        mean_stay_h=float(plug_ins.stay_h.mean()),
        table_mean_stay_h=mean_stay,
        mean_energy_kwh=float(plug_ins.energy_kwh.mean()),
        table_mean_energy_kwh=mean_energy,
        worst_hour=hour,
        worst_hour_deviation=deviation,
        stay_levels_ratio=float(joint.half_hour_shares @ tables.mean_stay_h) / mean_stay,
        energy_levels_ratio=energy_level,
        rank_stay_energy=float(spearmanr(plug_ins.stay_h, plug_ins.energy_kwh).statistic),
        rank_stay_arrival=float(spearmanr(plug_ins.stay_h, plug_ins.quarter).statistic),
        idle_share=1.0 - float((plug_ins.energy_kwh / plug_ins.power_kw).sum() / plug_ins.stay_h.sum()),
        classes=_shares(plug_ins.driver, [one.value for one in CLASSES]),
        cars=_shares(plug_ins.car, [model.name for model in sampler.mix.models.values()]),
    )


@dataclass(frozen=True, slots=True)
class ClassReport:
    """What drivers of a class do.

    Parameters
    ----------
    driver, share
        Which class, and its part of the plug-ins.
    mean_stay_h, mean_energy_kwh
        Of its plug-ins [h, kWh].
    declares, speaks
        Part that tells need and departure in an app, or through a car that can.
    opts_out, opts_out_paid
        Part that wants no steering, when that pays nothing and when it pays `REWARD_EUR_PER_KWH`.
    shifts
        Part that comes at another time when evenings are `DEAR_EVENING` times as dear.
    leaves_full
        Part of the plugged time that is saved when people drive away from full cars.
    """

    driver: str
    share: float
    mean_stay_h: float
    mean_energy_kwh: float
    declares: float
    speaks: float
    opts_out: float
    opts_out_paid: float
    shifts: float
    leaves_full: float


def describe_classes(plug_ins: PlugIns, rng: np.random.Generator) -> list[ClassReport]:
    """Return what the drivers of each class do, by its habits on its plug-ins.

    Parameters
    ----------
    plug_ins
        Of a place where several classes come.
    rng
        The only source of randomness.
    """
    prices = evening_prices(DEAR_EVENING)
    full_after_h = plug_ins.energy_kwh / plug_ins.power_kw
    reports = []
    for index, name in enumerate(CLASSES):
        own, habits = plug_ins.driver == index, HABITS[name]
        if not own.any():
            continue
        quarter, stay_h = plug_ins.quarter[own], plug_ins.stay_h[own]
        shortened_h = shorten_stays(stay_h, full_after_h[own], habits, rng)
        reports.append(
            ClassReport(
                driver=name.value,
                share=float(own.mean()),
                mean_stay_h=float(stay_h.mean()),
                mean_energy_kwh=float(plug_ins.energy_kwh[own].mean()),
                declares=habits.declares_fraction,
                speaks=habits.speaks_fraction,
                opts_out=opt_out_share(habits, 0.0),
                opts_out_paid=opt_out_share(habits, REWARD_EUR_PER_KWH),
                shifts=float((shift_arrivals(quarter, prices, habits, rng) != quarter).mean()),
                leaves_full=1.0 - float(shortened_h.sum() / stay_h.sum()),
            )
        )
    return reports


def _worst_hour(plug_ins: PlugIns, shares: Floats, target_h: Floats) -> tuple[int, float]:
    hours = plug_ins.quarter // 4
    worst, found = 0, 0.0
    for hour in range(HOURS_PER_DAY):
        weights = shares[2 * hour : 2 * hour + 2]
        if weights.sum() < LEAST_SHARE:
            continue
        expected = float(weights @ target_h[2 * hour : 2 * hour + 2] / weights.sum())
        deviation = float(plug_ins.stay_h[hours == hour].mean()) / expected - 1.0
        if abs(deviation) > abs(found):
            worst, found = hour, deviation
    return worst, found


def _by_quarter(quarter: NDArray[np.int64]) -> Floats:
    return np.bincount(quarter, minlength=QUARTERS_PER_DAY).astype(np.float64)


def _shares(index: NDArray[np.int64], names: list[str]) -> dict[str, float]:
    counts = np.bincount(index, minlength=len(names)) / len(index)
    return {name: float(share) for name, share in zip(names, counts, strict=True) if share > 0.0}


def compare_workplace(path: Path, tables: SessionTables) -> dict[str, Any]:
    """Compare real workplace sessions (Asensio et al., CC0) with ElaadNL's tables of work.

    Parameters
    ----------
    path
        CSV with the columns created, kwhTotal and chargeTimeHrs.
    tables
        Of the place work.

    Raises
    ------
    DocumentError
        When the file cannot be read as such.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        energy = np.array([float(row["kwhTotal"]) for row in rows])
        stay = np.array([float(row["chargeTimeHrs"]) for row in rows])
        # The years are written as 0014 and 0015: only the time of day is used.
        arrival = np.array([_hour(row["created"]) for row in rows])
    except (OSError, KeyError, ValueError) as error:
        message = f"is no file of workplace sessions ({error}): give the CSV of Asensio et al."
        raise DocumentError(str(path), [Problem("", message)]) from error
    quarters = np.floor(arrival / QUARTER_HOURS).astype(np.int64)
    return {
        "sessions": len(rows),
        "ks_arrival": ks_shares(_by_quarter(quarters), tables.weekday_arrivals),
        "ks_stay": ks_distance(stay, tables.stay_h),
        "ks_energy": ks_distance(energy, tables.energy_kwh),
        "mean_stay_h": float(stay.mean()),
        "mean_energy_kwh": float(energy.mean()),
        "rank_stay_energy": float(spearmanr(stay, energy).statistic),
        "rank_stay_arrival": float(spearmanr(stay, arrival).statistic),
    }


def _hour(text: str) -> float:
    at = datetime.fromisoformat(text)
    return at.hour + at.minute / 60.0


def read_mean_energy(path: Path) -> dict[Place, Floats]:
    """Read ElaadNL's mean energy by half hour of arrival.

    Raises
    ------
    DocumentError
        When the file cannot be read as such.
    """
    table = read_table(path)
    return {place: by_half_hour(table, place.value) for place in Place}
