"""Limits under faults: site-days in virtual time, with and without the guard, with many faults and few."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from optimizer.workers import ProcessExecutor
from wijkstroom.bench.frame import Figure, at_least, at_most
from wijkstroom.proving.prove import Trial, Verdict, run_trial

DEFAULT_SITE_DAYS = 4
MANY_FAULTS, FEW_FAULTS = 100, 5
WORKERS = 2
WRITES_PER_STATION_DAY = 100.0
# A station is back at its fallback so soon after a lease [s].
LATEST_REVERSION_S = 30.0
# The same site-day without the guard is run for every so-manyth one: it only has to show that it is needed.
OFF_EVERY = 8
# At 95 % confidence none in N means at most 3/N.
RULE_OF_THREE = 3.0


def measure(site_days: int = DEFAULT_SITE_DAYS, workers: int = WORKERS) -> Sequence[Figure]:
    """Run the same site-days without faults, with few and with many; some of them with many and no guard.

    Parameters
    ----------
    site_days
        How many different streets and days.
    workers
        Processes.
    """
    trials = [
        [Trial(seed, faults) for faults in (0, FEW_FAULTS, MANY_FAULTS)]
        + [Trial(seed, MANY_FAULTS, guarded=False)] * (seed % OFF_EVERY == 0)
        for seed in range(site_days)
    ]
    rows = _run(trials, workers)
    free, few, many = ([row[column] for row in rows] for column in range(3))
    off = [verdict for row in rows for verdict in row[3:]]
    for verdict in (*few, *many):
        for violation in verdict.violations:
            sys.stderr.write(f"{violation}: see it again with `{verdict.trial.command}`\n")
    return make_figures(free, few, many, off)


def _run(trials: list[list[Trial]], workers: int) -> list[list[Verdict]]:
    executor = ProcessExecutor(workers, _be_quiet)
    try:
        futures = [executor.submit(_run_row, row) for row in trials]
        return [future.result() for future in futures]
    finally:
        executor.close()


def _run_row(row: list[Trial]) -> list[Verdict]:
    """Run a site-day in all its variants in one process: it is drawn once."""
    return [run_trial(trial) for trial in row]


def _be_quiet() -> None:
    """Say nothing of what the service complains about: it is made to fail."""
    logging.disable(logging.CRITICAL)


def make_figures(
    free: list[Verdict], few: list[Verdict], many: list[Verdict], off: list[Verdict]
) -> list[Figure]:
    """Count the runs of the same site-days.

    Parameters
    ----------
    free, few, many, off
        Without faults, with few, with many, and with many and no guard.
    """
    return [
        *_count_violations(free, few, many, off),
        *_compare_service(free, few, many),
        at_most(
            "lease_reversion_max_s",
            max(verdict.lease_reversion_max_s for verdict in (*few, *many)),
            "s",
            LATEST_REVERSION_S,
            "from the end of what nobody renewed until the socket is at its fallback: "
            f"{sum(verdict.reversions for verdict in (*few, *many))} times in the runs with faults",
        ),
    ]


def _count_violations(
    free: list[Verdict], few: list[Verdict], many: list[Verdict], off: list[Verdict]
) -> list[Figure]:
    days = len(free)
    faults = sum(verdict.faults for verdict in (*few, *many))
    violations = sum(len(verdict.violations) for verdict in (*free, *few, *many))
    upper = f"none in {3 * days} runs means at most {RULE_OF_THREE / (3 * days):.3f} a run at 95 %"
    return [
        Figure("site_days", days, "days", None, None, "streets of 4 to 8 sockets, each run three times"),
        Figure("faults", faults, "faults", None, None, "in the runs with the guard"),
        at_most("limit_violations", violations, "limits", 0.0, f"one-second truth; {upper}"),
        Figure(
            "limit_violations_guard_off",
            sum(len(verdict.violations) for verdict in off),
            "limits",
            None,
            None,
            f"{len(off)} of the site-days with the same faults ({MANY_FAULTS} a day), without the guard",
        ),
    ]


def _compare_service(free: list[Verdict], few: list[Verdict], many: list[Verdict]) -> list[Figure]:
    """Say what faults cost in energy and money, and what the guard writes without any."""
    writes = sum(verdict.writes for verdict in free) / sum(verdict.stations for verdict in free)
    return [
        at_least(
            "energy_delivered_fraction",
            _delivered(many) / _delivered(free),
            "",
            0.80,
            f"{MANY_FAULTS} faults a site-day, beside the same days without faults",
        ),
        at_least(
            "energy_delivered_fraction_few",
            _delivered(few) / _delivered(free),
            "",
            0.95,
            f"{FEW_FAULTS} faults a site-day, beside the same days without faults",
        ),
        at_most(
            "cost_over_fault_free",
            sum(verdict.cost_eur for verdict in few) / sum(verdict.cost_eur for verdict in free),
            "",
            1.10,
            f"{FEW_FAULTS} faults a site-day, the street's energy, beside the same days without faults",
        ),
        at_most(
            "profile_writes_per_station_day",
            writes,
            "writes",
            WRITES_PER_STATION_DAY,
            "charging profiles sent, days without faults",
        ),
    ]


def _delivered(verdicts: list[Verdict]) -> float:
    return sum(verdict.delivered_kwh for verdict in verdicts)
