"""What planning on scenarios is worth: weeks of a sixth of the street, planned every hour in four ways."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date

from optimizer.planner import warm_up
from wijkstroom.bench.frame import Figure
from wijkstroom.rolling.futures import Library
from wijkstroom.rolling.month import draw_month, draw_stays, take_part
from wijkstroom.rolling.policies import Deterministic, Foresight, OnScenarios, Policy, Uncontrolled
from wijkstroom.rolling.run import Outcome, Run
from wijkstroom.rolling.world import World
from wijkstroom.street import load_street

DAY, DEFAULT_DAYS, SEED = date(2024, 6, 1), 30, 1
# Every sixth station, with a sixth of everything else: what a month takes on one core is some minutes.
EVERY = 6
SCENARIOS = 5
# Seeds of the fleets of which scenarios are made; the street's own is another.
FIRST_SEED = 1001
QUARTERS_PER_DAY = 96


def measure(days: int = DEFAULT_DAYS) -> Sequence[Figure]:
    """Run the same days four times.

    Parameters
    ----------
    days
        How many, from the first of June 2024 at 06:00 local time on.
    """
    warm_up()
    street = take_part(load_street(), EVERY)
    horizon_h = street.service.horizon_h
    month = draw_month(street, DAY, days, SEED, horizon_h)
    fleets = [draw_stays(street, DAY, days, FIRST_SEED + number, horizon_h) for number in range(SCENARIOS)]
    library = Library.collect(fleets, SEED)
    ways: dict[str, Callable[[World], Policy]] = {
        "uncontrolled": Uncontrolled,
        "foresight": Foresight,
        "deterministic": Deterministic,
        "scenarios": lambda world: OnScenarios(world, library),
    }
    runs = {}
    for name, make in ways.items():
        world = World(month)
        runs[name] = Run(world, make(world))
    return make_figures(*_run_side_by_side(runs, days))


def _run_side_by_side(runs: dict[str, Run], days: int) -> tuple[dict[str, Outcome], int]:
    """Run all ways day by day; an interrupt ends with the days that all of them have behind them."""
    outcomes: dict[str, Outcome] = {}
    for day in range(days):
        try:
            outcomes = {name: each.advance(QUARTERS_PER_DAY) for name, each in runs.items()}
        except KeyboardInterrupt:
            if not outcomes:
                raise
            return outcomes, day
        costs = ", ".join(f"{name} {outcome.cost_eur:.2f} EUR" for name, outcome in outcomes.items())
        sys.stderr.write(f"bench uncertainty: day {day + 1} of {days}: {costs}\n")
    return outcomes, days


def make_figures(outcomes: dict[str, Outcome], days: int) -> list[Figure]:
    """Return the figures of all ways to plan.

    Parameters
    ----------
    outcomes
        By the name of the way.
    days
        Of the run.
    """
    said = f"{days} days from {DAY}, every {EVERY}th station of lombok.toml with its share of the rest"
    figures = []
    for name, outcome in outcomes.items():
        for figure, value, unit, reference in (
            ("cost_eur", outcome.cost_eur, "EUR", f"{said}; energy, wear, peak, less what is left in cars"),
            ("energy_eur", outcome.energy_eur, "EUR", "import less export, households included"),
            ("peak_eur", outcome.peak_eur, "EUR", "peak above the one that the street file states"),
            ("wear_eur", outcome.wear_eur, "EUR", "of discharging"),
            (
                "stored_eur",
                outcome.stored_eur,
                "EUR",
                "left in cars that are there in the end, at the mean price",
            ),
            ("charged_kwh", outcome.charged_kwh, "kWh", "at the sockets"),
            ("discharged_kwh", outcome.discharged_kwh, "kWh", "at the sockets"),
            ("shortfall_kwh", outcome.shortfall_kwh, "kWh", f"of {outcome.sessions} sessions that ended"),
            (
                "limit_excess_kwh",
                outcome.limit_excess_kwh,
                "kWh",
                "over limits of nodes, caused by cars; no guard",
            ),
            ("fuse_excess_kwh", outcome.fuse_excess_kwh, "kWh", "over the poles' fuses"),
            (
                "plan_cpu_s",
                outcome.cpu_s / outcome.plans,
                "s",
                f"mean of {outcome.plans} hours, problem included",
            ),
        ):
            figures.append(Figure(f"{name}_{figure}", round(value, 4), unit, None, None, reference))
    return figures
