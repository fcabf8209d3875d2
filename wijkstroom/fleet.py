"""`wijkstroom fleet describe`: how a drawn fleet compares with the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from simulator.fleet.describe import (
    DEAR_EVENING,
    REWARD_EUR_PER_KWH,
    PlaceReport,
    compare_workplace,
    describe_classes,
    describe_place,
    read_mean_energy,
)
from simulator.fleet.joint import JointSampler, Place, load_session_tables
from simulator.fleet.mix import load_mix
from simulator.fleet.plugins import PlugInSampler
from wijkstroom.resources import configs_directory, find_config, resolver

MIX = Path("ev-mix.toml")
KS_TARGET = 0.03


@dataclass(frozen=True, slots=True)
class DescribeOptions:
    """What was asked on the command line.

    Parameters
    ----------
    draws
        Plug-ins of each place.
    year
        Of the mix of cars.
    seed
        Of everything random.
    mix
        File of shares by year.
    workplace
        CSV of real workplace sessions; None: without.
    """

    draws: int
    year: float
    seed: int
    mix: Path = MIX
    workplace: Path | None = None


def describe(options: DescribeOptions) -> dict[str, Any]:
    """Draw a fleet and compare it with the data.

    Raises
    ------
    DocumentError
        When a file cannot be read as what it should be.
    """
    data = configs_directory() / "data"
    tables = load_session_tables(data)
    path = find_config("fleets", options.mix)
    mix = load_mix(path, options.year, resolver(path.parent))
    energy = read_mean_energy(data / "elaad_mean-demand-per-arrival.csv")
    samplers = {place: PlugInSampler(JointSampler(place, tables[place]), mix) for place in Place}
    places = [_describe_place(samplers[place], options, energy[place]) for place in Place]
    rng = np.random.default_rng([options.seed, len(Place)])
    classes = describe_classes(samplers[Place.PUBLIC].draw(options.draws, rng), rng)
    document: dict[str, Any] = {
        "draws": options.draws,
        "year": options.year,
        "seed": options.seed,
        "places": [asdict(report) for report in places],
        "classes_at_public_sockets": [asdict(report) for report in classes],
    }
    if options.workplace is not None:
        document["real_workplace"] = compare_workplace(options.workplace, tables[Place.WORK])
    return document


def _describe_place(
    sampler: PlugInSampler, options: DescribeOptions, energy: np.ndarray[Any, np.dtype[np.float64]]
) -> PlaceReport:
    rng = np.random.default_rng([options.seed, list(Place).index(sampler.joint.place)])
    return describe_place(sampler, sampler.draw(options.draws, rng), energy)


def print_description(document: dict[str, Any]) -> None:
    """Print a description as tables."""
    console = Console()
    places = document["places"]
    table = Table(
        "", *(report["place"] for report in places), title=f"{document['draws']} draws of each place"
    )
    rows = {
        f"KS arrival (< {KS_TARGET:g})": ("ks_arrival", ".4f"),
        f"KS stay (< {KS_TARGET:g})": ("ks_stay", ".4f"),
        f"KS energy (< {KS_TARGET:g})": ("ks_energy", ".4f"),
        "KS arrival, weekday": ("ks_arrival_weekday", ".4f"),
        "KS arrival, weekend": ("ks_arrival_weekend", ".4f"),
        "mean stay (h)": ("mean_stay_h", ".2f"),
        "mean stay of the data": ("table_mean_stay_h", ".2f"),
        "mean energy (kWh)": ("mean_energy_kwh", ".2f"),
        "mean energy of the data": ("table_mean_energy_kwh", ".2f"),
        "farthest mean stay by hour": ("worst_hour_deviation", "+.1%"),
        "  in the hour from": ("worst_hour", "d"),
        "rank correlation stay, energy": ("rank_stay_energy", ".2f"),
        "rank correlation stay, arrival": ("rank_stay_arrival", ".2f"),
        "plugged time that is idle": ("idle_share", ".0%"),
        "data: stay by hour / percentiles": ("stay_levels_ratio", ".2f"),
        "data: energy by hour / percentiles": ("energy_levels_ratio", ".2f"),
    }
    for label, (key, form) in rows.items():
        table.add_row(label, *(format(report[key], form) for report in places))
    console.print(table)
    for report in places:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in report["classes"].items())
        cars = ", ".join(f"{name} {share:.0%}" for name, share in report["cars"].items())
        console.print(f"{report['place']:7s}{shares}\n       {cars}", highlight=False)
    _print_classes(document["classes_at_public_sockets"])
    real = document.get("real_workplace")
    if real is not None:
        console.print(
            f"{real['sessions']} real workplace sessions beside ElaadNL's work tables: KS arrival "
            f"{real['ks_arrival']:.2f}, stay {real['ks_stay']:.2f}, energy {real['ks_energy']:.2f}; rank "
            f"correlation of stay with energy {real['rank_stay_energy']:.2f}, with arrival "
            f"{real['rank_stay_arrival']:.2f}",
            highlight=False,
        )


def _print_classes(classes: list[dict[str, Any]]) -> None:
    title = "what drivers at public sockets do (assumptions)"
    table = Table("", *(one["driver"] for one in classes), title=title)
    rows = {
        "part of the plug-ins": ("share", ".0%"),
        "mean stay (h)": ("mean_stay_h", ".1f"),
        "mean energy (kWh)": ("mean_energy_kwh", ".1f"),
        "declare in an app": ("declares", ".0%"),
        "let the car tell, if it can": ("speaks", ".0%"),
        "opt out": ("opts_out", ".0%"),
        f"opt out at {REWARD_EUR_PER_KWH:g} EUR/kWh": ("opts_out_paid", ".0%"),
        f"other hour, evening x{DEAR_EVENING:g}": ("shifts", ".0%"),
        "stay saved by leaving full": ("leaves_full", ".0%"),
    }
    for label, (key, form) in rows.items():
        table.add_row(label, *(format(one[key], form) for one in classes))
    Console().print(table)
