"""Sessions of a real network as the service exports them: who was plugged in where, from when to when.

One row per session, CSV or Parquet, columns `COLUMNS`; times are UTC or carry their offset. Occupancy is
counted per station and quarter of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grid.errors import DocumentError, Problem
from simulator.rollout.calendar import TZ

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAMES = ("station_id", "lot")
COLUMNS = (*NAMES, "latitude", "longitude", "sockets", "started_at", "ended_at", "energy_kwh")
QUARTER_S = 900
METRES_PER_DEGREE = 111_195.0
SHOWN = 20


@dataclass(frozen=True)
class Observed:
    """A network of stations over a span of time.

    Parameters
    ----------
    stations, lots, xy_m, sockets
        Per station: name, lot, place, how many.
    latitude, longitude
        Per station.
    hour_of_week, month
        Per quarter: local, 0 is Monday 00:00; month counted from year 0.
    occupied
        Sockets in use, shape (stations, quarters).
    arrivals
        Sessions begun, shape (stations, 168), per week.
    energy_kwh
        Per station and month, shape (stations, months); the first is `first_month`.
    """

    stations: list[str]
    lots: list[str]
    xy_m: Floats
    latitude: Floats
    longitude: Floats
    sockets: Ints
    hour_of_week: Ints
    month: Ints
    occupied: NDArray[np.int16]
    arrivals: Floats
    energy_kwh: Floats
    first_month: int


def read_sessions(path: Path) -> Observed:
    """Read sessions from a CSV or Parquet file.

    Raises
    ------
    DocumentError
        With the first problems of rows that cannot be used.
    """
    table = _load(path)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        problem = Problem(missing[0], f"is missing: the columns are {', '.join(COLUMNS)}")
        raise DocumentError(str(path), [problem])
    started, ended = (
        pd.to_datetime(table[name], utc=True, errors="coerce", format="ISO8601")
        for name in ("started_at", "ended_at")
    )
    numbers = {
        name: pd.to_numeric(table[name], errors="coerce")
        for name in ("latitude", "longitude", "sockets", "energy_kwh")
    }
    faults = {
        **{name: (table[name].isna(), "is empty: give a name") for name in NAMES},
        "started_at": (started.isna(), "is no time: write 2025-03-01T18:05:00Z"),
        "ended_at": (
            ended.isna() | (ended < started),
            "is no time after started_at: write 2025-03-01T23:40:00Z",
        ),
        "latitude": (~numbers["latitude"].between(-90, 90), "must be degrees north"),
        "longitude": (~numbers["longitude"].between(-180, 180), "must be degrees east"),
        "sockets": (~(numbers["sockets"] >= 1), "must be one or more"),
        "energy_kwh": (~(numbers["energy_kwh"] >= 0), "must be zero or more"),
    }
    problems = [
        Problem(f"row {row + 1}.{name}", text)
        for name, (bad, text) in faults.items()
        for row in np.flatnonzero(bad.to_numpy())[:SHOWN]
    ]
    if problems or table.empty:
        raise DocumentError(str(path), problems or [Problem("", "has no session")])
    return _observe(table.assign(started_at=started, ended_at=ended, **numbers))


def _load(path: Path) -> pd.DataFrame:
    try:
        return (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(path, dtype=dict.fromkeys(NAMES, str))
        )
    except (OSError, ValueError, ImportError) as error:
        problem = Problem("", f"cannot be read as CSV or Parquet: {error}")
        raise DocumentError(str(path), [problem]) from error


def _observe(table: pd.DataFrame) -> Observed:
    stations = table.groupby("station_id", sort=True).agg(
        lot=("lot", "first"),
        latitude=("latitude", "first"),
        longitude=("longitude", "first"),
        sockets=("sockets", "max"),
    )
    first = table["started_at"].min().floor("15min")
    steps = int(np.ceil((table["ended_at"].max() - first).total_seconds() / QUARTER_S)) or 1
    local = pd.date_range(first, periods=steps, freq="15min").tz_convert(TZ)
    station = stations.index.get_indexer(pd.Index(table["station_id"]))
    begin, end = (
        (table[name] - first).dt.total_seconds().to_numpy() / QUARTER_S for name in ("started_at", "ended_at")
    )
    hours = np.asarray(local.day_of_week * 24 + local.hour)
    months = np.asarray(local.year * 12 + local.month - 1)
    arrived = begin.astype(np.int64)
    energy = np.zeros((len(stations), int(months[-1] - months[0]) + 1))
    np.add.at(energy, (station, months[arrived] - months[0]), table["energy_kwh"].to_numpy(dtype=float))
    arrivals = np.zeros((len(stations), 168))
    np.add.at(arrivals, (station, hours[arrived]), 1.0)
    return Observed(
        stations=[str(name) for name in stations.index],
        lots=[str(lot) for lot in stations["lot"]],
        xy_m=_metres(stations["latitude"].to_numpy(dtype=float), stations["longitude"].to_numpy(dtype=float)),
        latitude=stations["latitude"].to_numpy(dtype=float),
        longitude=stations["longitude"].to_numpy(dtype=float),
        sockets=stations["sockets"].to_numpy(dtype=np.int64),
        hour_of_week=hours,
        month=months,
        occupied=_occupied(station, begin, end, stations["sockets"].to_numpy(dtype=np.int64), steps),
        arrivals=arrivals / max(steps / (168 * 4), 1e-9),
        energy_kwh=energy,
        first_month=int(months[0]),
    )


def _occupied(station: Ints, begin: Floats, end: Floats, sockets: Ints, steps: int) -> NDArray[np.int16]:
    """Count sockets in use at the middle of every quarter; never more than there are."""
    change = np.zeros((len(sockets), steps + 1), dtype=np.int32)
    np.add.at(change, (station, np.clip(np.ceil(begin - 0.5).astype(np.int64), 0, steps)), 1)
    np.add.at(change, (station, np.clip(np.ceil(end - 0.5).astype(np.int64), 0, steps)), -1)
    return np.minimum(np.cumsum(change[:, :-1], axis=1), sockets[:, None]).astype(np.int16)


def _metres(latitude: Floats, longitude: Floats) -> Floats:
    east = (longitude - longitude.mean()) * METRES_PER_DEGREE * np.cos(np.radians(latitude.mean()))
    return np.stack([east, (latitude - latitude.mean()) * METRES_PER_DEGREE], axis=1)
