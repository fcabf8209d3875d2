"""The page on validation: the kernel against queueing theory, with the sessions of the study itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.fleet.joint import WEEKEND_SHARE, Place, load_session_tables
from simulator.rollout.demand import Library
from simulator.rollout.queueing import check_queue, highest_occupancy

SOCKETS = (2, 4, 8, 12)
# Share blocked per sockets in reach at 1.2 sessions per socket and day of 7.87 h: Erlang B, and in the
# evening peak where that is published.
REFERENCE_BLOCKED = {2: 0.148, 4: 0.054, 8: 0.010, 12: 0.002}
REFERENCE_EVENING = {2: 0.192, 4: 0.089, 8: 0.027}
ACCEPTED_AT = 0.05
DAYS = 56


def validate(library: Library, *, seed: int = 1, groups: int = 60) -> list[dict[str, Any]]:
    """Compare the kernel with Erlang B and Little's law for 2, 4, 8 and 12 sockets within reach.

    Parameters
    ----------
    library
        Sessions, whose stays are used.
    seed
        Of the arrivals.
    groups
        Isolated groups of sockets per experiment.
    """
    return [_row(library, sockets, seed, groups) for sockets in SOCKETS]


def distances(library: Library, data: Path) -> dict[str, float]:
    """Return Kolmogorov-Smirnov distances of the library to the published arrivals, stays and energies.

    Parameters
    ----------
    library
        Sessions.
    data
        Folder with the ElaadNL tables.
    """
    tables = load_session_tables(data)[Place.PUBLIC]
    weekend = WEEKEND_SHARE["public"]
    published = (1 - weekend) * tables.weekday_arrivals + weekend * tables.weekend_arrivals
    drawn = (library.class_share[:, None, None] * library.arrivals).sum(axis=(0, 1))
    return {
        "arrival": round(float(np.abs(np.cumsum(drawn) - np.cumsum(published)).max()), 4),
        "stay": _from_percentiles(library.stay_h, tables.stay_h),
        "energy": _from_percentiles(library.energy_kwh, tables.energy_kwh),
    }


def _from_percentiles(values: NDArray[np.float64], percentiles: NDArray[np.float64]) -> float:
    """Return the largest distance of drawn values to a distribution given by percentiles."""
    at, first = np.unique(percentiles, return_index=True)
    last = len(percentiles) - 1 - np.unique(percentiles[::-1], return_index=True)[1]
    below = np.searchsorted(np.sort(values), at, side="left") / len(values)
    upto = np.searchsorted(np.sort(values), at, side="right") / len(values)
    # Where the table repeats a value, any share between its first and last rank is right.
    short = np.maximum(first / 100 - upto, 0.0)
    excess = np.maximum(below - last / 100, 0.0)
    return round(float(np.maximum(short, excess).max()), 4)


def _row(library: Library, sockets: int, seed: int, groups: int) -> dict[str, Any]:
    check = check_queue(library, sockets, groups=groups, days=DAYS, seed=seed + sockets)
    evening = check_queue(library, sockets, groups=groups, days=DAYS, seed=seed + sockets, stationary=False)
    return {
        "sockets": sockets,
        "arrivals": check.arrivals,
        "blocked_fraction": round(check.blocked_fraction, 5),
        "interval": round(check.interval, 5),
        "erlang_b_fraction": round(check.expected_fraction, 5),
        "within": abs(check.blocked_fraction - check.expected_fraction) <= check.interval,
        "reference_fraction": REFERENCE_BLOCKED[sockets],
        "evening_blocked_fraction": round(evening.evening_blocked_fraction, 5),
        "worst_hour_taken_fraction": round(evening.worst_hour_taken_fraction, 5),
        "evening_reference_fraction": REFERENCE_EVENING.get(sockets),
        "mean_occupied": round(check.mean_occupied, 4),
        "little_occupied": round(check.little_occupied, 4),
        "highest_occupancy_fraction": round(highest_occupancy(sockets, ACCEPTED_AT), 3),
    }
