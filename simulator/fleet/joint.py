"""Joint draws of arrival, stay and energy: the marginals are ElaadNL's, the dependence a Gaussian copula.

The tables give three marginals (arrival by quarter, percentiles of stay and of energy) and the mean stay by
arrival hour. A latent normal variable with a location per half hour of arrival carries the stay; the
locations are solved for, so that the mean stay by hour follows its table while the percentiles hold
exactly. Energy depends on the stay through a second normal variable and is limited by what the socket can
deliver meanwhile.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from grid.errors import DocumentError, Problem
from grid.timegrid import QUARTERS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_HOURS = 48
# Share of the week's sessions that begin on Saturday or Sunday (ElaadNL, medians of the share per weekday).
WEEKEND_SHARE = {"home": 0.275, "public": 0.261, "work": 0.0}
# Rank correlation of stay and energy: an assumption, no public table gives it. The real workplace sessions of
# Asensio et al. show about 0.5.
STAY_ENERGY_CORRELATION = {"home": 0.35, "public": 0.5, "work": 0.5}
# The tables are rounded to 0.1: these are what rounds to zero.
SHORTEST_STAY_H = 0.04
SMALLEST_ENERGY_KWH = 0.04
# What a public socket gives at the most [kW], and the share of it that a session can average.
SOCKET_KW = 11.04
USABLE_FRACTION = 0.98
_COLUMNS = {
    "home": ("private", "private", "home"),
    "public": ("public", "public", "public"),
    "work": ("workplace", None, "work"),
}


class Place(StrEnum):
    """Where a car is plugged in."""

    HOME = "home"
    PUBLIC = "public"
    WORK = "work"


class DriverClass(StrEnum):
    """Who plugs in at a public socket."""

    RESIDENT = "resident"
    VISITOR = "visitor"
    COMMUTER = "commuter"
    SHARED = "shared"
    TAXI = "taxi"


# Share of each class in sessions that look like a night at home, a day at work, a visit. Assumptions: no
# public table tells the classes apart; every row sums to one, so their mixture is the public marginal itself.
CLASS_SHARES = {
    "overnight": (0.94, 0.00, 0.00, 0.03, 0.03),
    "working_day": (0.05, 0.02, 0.90, 0.01, 0.02),
    "visit": (0.20, 0.70, 0.00, 0.03, 0.07),
}


@dataclass(frozen=True, slots=True)
class SessionTables:
    """What is known about the sessions of one place.

    Parameters
    ----------
    weekday_arrivals, weekend_arrivals
        Share of arrivals per local quarter of an hour, shape (96,), sums to 1.
    stay_h, energy_kwh
        Percentiles 0 to 100, ascending, shape (101,).
    mean_stay_h
        By half hour of arrival, shape (48,); its own level disagrees with the percentiles by some 10 %, so
        only its shape is used.
    """

    weekday_arrivals: Floats
    weekend_arrivals: Floats
    stay_h: Floats
    energy_kwh: Floats
    mean_stay_h: Floats


@dataclass(frozen=True, slots=True)
class Draws:
    """Sessions drawn at random, one per row.

    Parameters
    ----------
    quarter
        Local quarter of the day of arrival, 0 to 95.
    weekend
        Whether the arrival is on a Saturday or Sunday.
    stay_h, energy_kwh
        Plugged time and energy at the meter.
    """

    quarter: Ints
    weekend: NDArray[np.bool_]
    stay_h: Floats
    energy_kwh: Floats


class JointSampler:
    """Draws sessions of one place.

    Parameters
    ----------
    place
        Home, public or work.
    tables
        Its marginals.
    socket_kw
        Highest power of the socket [kW]; energy never exceeds what it gives during the stay.
    """

    def __init__(self, place: Place, tables: SessionTables, socket_kw: float = SOCKET_KW) -> None:
        self.place = place
        self.tables = tables
        self.socket_kw = socket_kw
        self.weekend_share = WEEKEND_SHARE[place]
        self.correlation = STAY_ENERGY_CORRELATION[place]

    def draw(self, count: int, rng: np.random.Generator) -> Draws:
        """Draw sessions of a whole week's mix.

        Parameters
        ----------
        count
            How many.
        rng
            The only source of randomness.
        """
        weekend = rng.random(count) < self.weekend_share
        pick = rng.random(count)
        quarter = np.where(
            weekend,
            _pick(self.tables.weekend_arrivals, pick),
            _pick(self.tables.weekday_arrivals, pick),
        )
        stay_rank = self._stay_rank(quarter, rng.standard_normal(count))
        stay_h = np.maximum(_quantile(self.tables.stay_h, stay_rank), SHORTEST_STAY_H)
        noise = rng.standard_normal(count)
        energy_kwh = self._energy(stay_rank, stay_h, noise)
        return Draws(quarter, weekend, stay_h, energy_kwh)

    def _stay_rank(self, quarter: Ints, noise: Floats) -> Floats:
        grid, rank = self._mixture
        return np.asarray(np.interp(self.locations[quarter // 2] + noise, grid, rank), dtype=np.float64)

    def _energy(self, stay_rank: Floats, stay_h: Floats, noise: Floats) -> Floats:
        latent = _latent_energy(stay_rank, noise, self.correlation)
        energy = np.interp(ndtr(latent), _RANKS, self._energy_quantiles)
        limited = np.minimum(energy, self._deliverable(stay_h))
        return np.asarray(np.maximum(limited, SMALLEST_ENERGY_KWH), dtype=np.float64)

    def _deliverable(self, stay_h: Floats) -> Floats:
        return self.socket_kw * USABLE_FRACTION * stay_h

    @cached_property
    def half_hour_shares(self) -> Floats:
        """Share of the week's arrivals per half hour, shape (48,)."""
        week = (1 - self.weekend_share) * self.tables.weekday_arrivals
        week = week + self.weekend_share * self.tables.weekend_arrivals
        return np.asarray(week.reshape(HALF_HOURS, 2).sum(axis=1))

    @property
    def target_mean_stay_h(self) -> Floats:
        """Mean stay by half hour of arrival, scaled to the mean of the percentiles, shape (48,) [h]."""
        table = self.tables.mean_stay_h
        mean = np.trapezoid(self.tables.stay_h, dx=0.01)
        return np.asarray(table * mean / (self.half_hour_shares @ table))

    @cached_property
    def locations(self) -> Floats:
        """Location of the latent stay per half hour, shape (48,), solved by damped iteration."""
        nodes = ndtri((np.arange(200) + 0.5) / 200)
        target = self.target_mean_stay_h
        spread = float(np.std(self.tables.stay_h))
        locations = np.zeros(HALF_HOURS)
        for _ in range(300):
            grid, rank = _mixture(locations, self.half_hour_shares)
            ranks = np.interp(locations[:, None] + nodes[None, :], grid, rank)
            mean = _quantile(self.tables.stay_h, ranks).mean(axis=1)
            locations = np.clip(locations + 0.4 * (target - mean) / spread, -4.0, 4.0)
        return locations

    @cached_property
    def _mixture(self) -> tuple[Floats, Floats]:
        return _mixture(self.locations, self.half_hour_shares)

    @cached_property
    def _energy_quantiles(self) -> Floats:
        """Percentiles to draw from so that, after the limit by stay, the table's remain, shape (1001,)."""
        rng = np.random.default_rng(8)
        count = 30_000
        quarter = np.repeat(np.arange(HALF_HOURS), np.round(self.half_hour_shares * count).astype(int)) * 2
        stay_rank = self._stay_rank(quarter, rng.standard_normal(len(quarter)))
        limit = self._deliverable(np.maximum(_quantile(self.tables.stay_h, stay_rank), SHORTEST_STAY_H))
        rank = ndtr(_latent_energy(stay_rank, rng.standard_normal(len(quarter)), self.correlation))
        target = np.interp(_RANKS, np.linspace(0, 1, 101), self.tables.energy_kwh)
        # Raising a percentile does not help where short stays bind, so it may move up by a few ranks only.
        highest = np.interp(_RANKS + 0.1, _RANKS, target)
        quantiles = target.copy()
        for _ in range(80):
            reached = np.quantile(np.minimum(np.interp(rank, _RANKS, quantiles), limit), _RANKS)
            quantiles = np.sort(np.clip(quantiles + 0.3 * (target - reached), 0.0, highest))
        return np.asarray(quantiles)


def classify(draws: Draws, pick: Floats) -> Ints:
    """Say who plugs in, as an index into `DriverClass`: a label on public sessions, which it does not change.

    Parameters
    ----------
    draws
        Public sessions.
    pick
        Uniform numbers in [0, 1), one per session.
    """
    hour = draws.quarter / 4
    overnight = (draws.stay_h >= 6) & ((hour >= 15) | (hour < 4))  # noqa: PLR2004 - hours of the day
    working_day = (draws.stay_h >= 4) & (hour >= 5) & (hour < 12)  # noqa: PLR2004
    kind = np.where(overnight, 0, np.where(working_day, 1, 2))
    edges = np.cumsum(list(CLASS_SHARES.values()), axis=1)[:, :-1]
    return np.asarray((pick[:, None] >= edges[kind]).sum(axis=1), dtype=np.int64)


def load_session_tables(directory: Path) -> dict[Place, SessionTables]:
    """Read the ElaadNL tables.

    Parameters
    ----------
    directory
        Folder with the ``elaad_*.csv`` files.

    Raises
    ------
    DocumentError
        When a file or a column is missing.
    """
    weekday = read_table(directory / "elaad_distribution-of-arrival.csv")
    weekend = read_table(directory / "elaad_distribution-of-arrival-weekend.csv")
    stay = read_table(directory / "elaad_distribution-of-connection-time.csv")
    energy = read_table(directory / "elaad_distribution-of-energy-demand.csv")
    mean = read_table(directory / "elaad_mean-session-length-per.csv")
    tables = {}
    for place, (column, weekend_column, mean_column) in _COLUMNS.items():
        arrivals = _arrival_shares(weekday, column)
        tables[Place(place)] = SessionTables(
            weekday_arrivals=arrivals,
            weekend_arrivals=_arrival_shares(weekend, weekend_column) if weekend_column else arrivals,
            stay_h=_percentiles(stay, column),
            energy_kwh=_percentiles(energy, column),
            mean_stay_h=by_half_hour(mean, mean_column),
        )
    return tables


_RANKS = np.linspace(0.0, 1.0, 1001)


def _latent_energy(stay_rank: Floats, noise: Floats, correlation: float) -> Floats:
    # Pearson correlation of the normals that gives this rank correlation.
    pearson = 2 * np.sin(np.pi / 6 * correlation)
    latent = ndtri(np.clip(stay_rank, 1e-9, 1 - 1e-9))
    return np.asarray(pearson * latent + np.sqrt(1 - pearson**2) * noise)


def _mixture(locations: Floats, shares: Floats) -> tuple[Floats, Floats]:
    grid = np.linspace(-9.0, 9.0, 721)
    return grid, np.asarray(ndtr(grid[:, None] - locations[None, :]) @ shares)


def _quantile(percentiles: Floats, rank: Floats) -> Floats:
    return np.asarray(np.interp(rank, np.linspace(0, 1, len(percentiles)), percentiles))


def _pick(shares: Floats, uniform: Floats) -> Ints:
    edges = np.cumsum(shares)
    at = np.searchsorted(edges, uniform * edges[-1], side="right")
    return np.asarray(np.minimum(at, len(shares) - 1), dtype=np.int64)


class SessionTable:
    """A CSV file by column name; rows may end early."""

    def __init__(self, path: Path, header: list[str], rows: list[list[str]]) -> None:
        self.path, self.header, self.rows = path, header, rows

    def column(self, name: str) -> list[float]:
        """Return the numbers of a column, NaN where it is empty.

        Raises
        ------
        DocumentError
            When there is no such column or a value is no number.
        """
        if name not in self.header:
            raise DocumentError(str(self.path), [Problem(name, f"no such column; there are {self.header}")])
        at = self.header.index(name)
        try:
            return [float(row[at]) if at < len(row) and row[at] else float("nan") for row in self.rows]
        except ValueError as error:
            raise DocumentError(str(self.path), [Problem(name, f"is no number: {error}")]) from error


def read_table(path: Path) -> SessionTable:
    """Read one of ElaadNL's files.

    Raises
    ------
    DocumentError
        When it cannot be read.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except OSError as error:
        raise DocumentError(str(path), [Problem("", f"cannot be read: {error}")]) from error
    return SessionTable(path, rows[0], rows[1:])


def _arrival_shares(table: SessionTable, column: str) -> Floats:
    values = np.nan_to_num(np.array(table.column(column)))
    if len(values) != QUARTERS_PER_DAY:
        values = np.resize(values, QUARTERS_PER_DAY)
    return np.asarray(values / values.sum())


def _percentiles(table: SessionTable, column: str) -> Floats:
    # The files count the share of sessions above a value, so they descend.
    return np.array(table.column(column))[::-1].copy()


def by_half_hour(table: SessionTable, column: str) -> Floats:
    """Sort the rows by time of day and fill hours without sessions from their neighbours."""
    hours = [int(row[0][:2]) * 2 + int(row[0][3:]) // 30 for row in table.rows]
    values = np.full(HALF_HOURS, np.nan)
    values[hours] = table.column(column)
    known = np.flatnonzero(~np.isnan(values))
    return np.asarray(np.interp(np.arange(HALF_HOURS), known, values[known]))
