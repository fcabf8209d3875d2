"""Checks of the kernel against queueing theory: Erlang's loss formula, Little's law, the evening's peak.

Erlang B holds for any distribution of stays, so the kernel with its real stays must meet it when arrivals are
a stationary Poisson process and nobody walks on or waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from simulator.rollout.calendar import YearGrid, year_grid
from simulator.rollout.demand import WARM_UP_STEPS, Library, Requests
from simulator.rollout.kernel import Kernel
from simulator.rollout.layout import build_layout
from simulator.rollout.policies import Uncontrolled
from simulator.rollout.scenario import Adoption, Neighbourhood, Poles, Scenario, Study
from simulator.rollout.tally import SessionLog

Floats = NDArray[np.float64]

HOURS_PER_DAY = 24.0
EVENING = slice(18, 21)


def erlang_b(offered: float, sockets: int) -> float:
    """Return the share of arrivals that find all sockets taken.

    B(0) = 1, B(k) = A B(k-1) / (k + A B(k-1)).

    Parameters
    ----------
    offered
        Offered load A: arrivals per hour times mean stay in hours [erlang], >= 0.
    sockets
        Number of sockets, >= 0.
    """
    blocked = 1.0
    for socket in range(1, sockets + 1):
        blocked = offered * blocked / (socket + offered * blocked)
    return blocked


def highest_occupancy(sockets: int, blocked: float) -> float:
    """Return the occupancy at which Erlang B reaches a blocking share.

    Parameters
    ----------
    sockets
        Number of sockets, > 0.
    blocked
        Share of arrivals turned away, in (0, 1).
    """
    low, high = 0.0, float(sockets)
    while erlang_b(high, sockets) < blocked:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if erlang_b(middle, sockets) < blocked else (low, middle)
    return low * (1 - blocked) / sockets


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """One experiment with isolated groups of sockets.

    Parameters
    ----------
    sockets
        Per group.
    arrivals
        Drivers counted.
    blocked_fraction, interval
        Share turned away and half the width of its 95 % interval over the groups.
    evening_blocked_fraction
        Share turned away of those who come between 18:00 and 21:00.
    worst_hour_taken_fraction
        Groups with all sockets taken in the hour of the day in which most are: what an arrival would meet
        then (PASTA).
    expected_fraction
        Erlang B with the stays that were drawn.
    mean_occupied, little_occupied
        Sockets in use on average, counted, and by Little's law (accepted arrivals times mean stay).
    """

    sockets: int
    arrivals: int
    blocked_fraction: float
    interval: float
    evening_blocked_fraction: float
    worst_hour_taken_fraction: float
    expected_fraction: float
    mean_occupied: float
    little_occupied: float


def check_queue(
    library: Library,
    sockets: int,
    *,
    groups: int,
    days: int,
    seed: int,
    per_socket_day: float = 1.2,
    stationary: bool = True,
) -> QueueCheck:
    """Run the kernel on isolated groups of sockets and compare it with theory.

    Parameters
    ----------
    library
        Sessions, whose stays are used.
    sockets
        Per group, even.
    groups, days
        Size of the experiment.
    seed
        Of the arrivals.
    per_socket_day
        Offered sessions per socket and day.
    stationary
        Arrivals evenly over the day, with the library's stays in any order; False: as in the public data,
        where those who come in the evening stay long.
    """
    scenario = _isolated(sockets, groups)
    grid = year_grid(2025)
    layout = build_layout(scenario, groups)
    rng = np.random.default_rng(seed)
    requests = _arrivals(library, grid, groups, per_socket_day * sockets, days, rng, stationary=stationary)
    log = SessionLog()
    kernel = Kernel(scenario, layout, library, grid, requests, Uncontrolled(scenario.poles.fuse_a), log)
    block = kernel.run_until(days * 96)
    tally = block.tally
    arrivals, blocked = tally.arrivals.sum(axis=1), tally.blocked.sum(axis=1)
    share = blocked.sum() / arrivals.sum()
    spread = np.std(blocked - share * arrivals, ddof=1) * np.sqrt(groups) / arrivals.sum()
    taken = 1 - _by_hour_of_day(tally.cells_free) / np.maximum(_by_hour_of_day(tally.cells), 1.0)
    stay_h = _discrete_stay_h(library, requests)
    accepted = arrivals.sum() - blocked.sum()
    return QueueCheck(
        sockets=sockets,
        arrivals=int(arrivals.sum()),
        blocked_fraction=float(share),
        interval=float(norm.ppf(0.975) * spread),
        evening_blocked_fraction=float(
            _by_hour_of_day(tally.blocked)[EVENING].sum()
            / max(_by_hour_of_day(tally.arrivals)[EVENING].sum(), 1.0)
        ),
        worst_hour_taken_fraction=float(taken.max()),
        expected_fraction=erlang_b(per_socket_day * sockets / HOURS_PER_DAY * stay_h, sockets),
        mean_occupied=float(tally.occupied.sum() / tally.sampled[0].sum() / groups),
        little_occupied=float(accepted / groups / (days * HOURS_PER_DAY) * stay_h),
    )


def _by_hour_of_day(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=0).reshape(7, 24).sum(axis=0))


def _discrete_stay_h(library: Library, requests: Requests) -> float:
    """Return the mean stay in whole quarters, as the kernel counts it."""
    quarters = np.floor(requests.offset + library.stay_h[requests.session] * 4)
    return float(np.maximum(quarters, 1).mean() / 4)


def _isolated(sockets: int, groups: int) -> Scenario:
    """Return a scenario whose replicates are groups that nobody leaves on foot."""
    del groups
    area = Neighbourhood(id="group", households=1, poles=max(1, sockets // 2), area_km2=0.01)
    return Scenario(
        study=Study(name="queue", years=(2025,)),
        adoption=Adoption(years=(2025,), electric_fraction=(0.2,)),
        poles=Poles(sockets=2, reach_m=500.0, cell_m=100.0, wait_fraction=0.0),
        neighbourhoods=(area,),
    )


def _arrivals(
    library: Library,
    grid: YearGrid,
    groups: int,
    per_day: float,
    days: int,
    rng: np.random.Generator,
    *,
    stationary: bool,
) -> Requests:
    steps = np.arange(-WARM_UP_STEPS, days * 96)
    share = np.full(len(steps), 1 / 96) if stationary else _weekly_share(library, grid, steps)
    counts = rng.poisson(per_day * groups * share)
    step = np.repeat(steps, counts).astype(np.int32)
    size = len(step)
    if stationary:
        session = rng.integers(len(library.stay_h), size=size)
    else:
        session = _sessions_of(library, grid.weekend[step], grid.quarter[step] // 4, rng)
    return Requests(
        step,
        (rng.integers(groups, size=size) * 4).astype(np.int32),
        session.astype(np.int32),
        *(rng.random(size, dtype=np.float32) for _ in range(4)),
    )


def _weekly_share(library: Library, grid: YearGrid, steps: NDArray[np.int64]) -> Floats:
    """Return the share of an average day's arrivals that falls into each step, weekends included."""
    weekend = grid.weekend[steps].astype(np.int64)
    classes = library.arrivals[:, weekend, grid.quarter[steps]] * 7 / np.where(grid.weekend[steps], 2, 5)
    return np.asarray(library.class_share @ classes)


def _sessions_of(
    library: Library, weekend: NDArray[np.bool_], hour: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Pick sessions of these hours, classes as in the public data."""
    start = library.start
    classes = len(library.class_share)
    groups = (np.arange(classes)[None, :] * 2 + weekend[:, None]) * 24 + hour[:, None]
    weight = np.cumsum(start[groups + 1] - start[groups], axis=1)
    ticket = (rng.random(len(hour)) * weight[:, -1]).astype(np.int64)
    chosen = (ticket[:, None] >= weight).sum(axis=1)
    before = np.where(chosen > 0, weight[np.arange(len(hour)), chosen - 1], 0)
    return np.asarray(start[groups[np.arange(len(hour)), chosen]] + ticket - before)
