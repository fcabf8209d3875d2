"""Fleet files: stations by the hundred and the people who use them. See docs/simulator.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from grid.config import ProblemCollector, StrictModel, load_document, validate
from simulator.config import BookingsTable
from simulator.fleet.joint import Place, SessionTables, load_session_tables
from simulator.fleet.mix import EvMix, load_mix
from simulator.fleet.setup import SESSION_TABLE
from simulator.setup import StationSetup
from simulator.station.model import load_station
from simulator.vehicle.model import VehicleModel, load_vehicle


class GroupPlace(StrEnum):
    """Where the stations of a group stand."""

    HOME = "home"
    PUBLIC = "public"
    WORK = "work"
    SHARED = "shared"


class FleetHead(StrictModel):
    """``[fleet]``.

    Parameters
    ----------
    name
        For people.
    timezone
        By which people live.
    year
        Of the mix of cars.
    mix
        File of shares by year.
    meter_interval_s
        Between clock-aligned meter values until the central system says otherwise [s].
    leaves_when_full
        Whether people drive away from full cars, beyond what is in the data already.
    evening_price_ratio
        How much dearer 17:00 to 21:00 is than the rest of the day for who sees prices; 1: nobody sees any.
    steering_reward_eur_per_kwh
        What steering pays drivers; the more, the fewer opt out [EUR/kWh].
    """

    name: str = Field(min_length=1)
    timezone: str = "Europe/Amsterdam"
    year: float = Field(default=2025, ge=2010, le=2100)
    mix: str = "fleets/ev-mix.toml"
    meter_interval_s: int = Field(default=60, ge=10, le=3600)
    leaves_when_full: bool = False
    evening_price_ratio: float = Field(default=1.0, ge=1.0, le=10.0)
    steering_reward_eur_per_kwh: float = Field(default=0.0, ge=0.0, le=1.0)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no time zone: write one like Europe/Amsterdam") from error
        return name


class StationGroup(StrictModel):
    """``[[stations]]``: some stations of one model.

    Parameters
    ----------
    prefix
        Begin of their names; a number follows.
    count
        How many.
    file
        TOML file of their model.
    place
        Who comes: home, public, work, or shared for cars with a socket of their own.
    sessions_per_socket_day
        People who want to plug in at each socket on a day, on average.
    vehicle
        TOML file of the shared cars' model; only with place shared.
    """

    prefix: str = Field(min_length=1, max_length=30, pattern=r"^[A-Za-z0-9._-]+$")
    count: int = Field(ge=1, le=100_000)
    file: str = Field(min_length=1)
    place: GroupPlace
    sessions_per_socket_day: float = Field(default=1.0, ge=0.0, le=48.0)
    vehicle: str | None = None

    @model_validator(mode="after")
    def _own_cars(self) -> Self:
        if (self.place is GroupPlace.SHARED) != (self.vehicle is not None):
            raise ValueError("vehicle belongs to place shared, and only there: add or remove it")
        return self


class FleetFile(StrictModel):
    """A whole fleet file.

    Parameters
    ----------
    fleet
        Its head.
    stations
        What stands there.
    bookings
        How shared cars are used; needed when there are any.
    """

    fleet: FleetHead
    stations: tuple[StationGroup, ...] = Field(min_length=1)
    bookings: BookingsTable | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        prefixes = [group.prefix for group in self.stations]
        if len(set(prefixes)) < len(prefixes):
            raise ValueError("two groups of stations have the same prefix: give each its own")
        if self.bookings is None and any(group.place is GroupPlace.SHARED for group in self.stations):
            raise ValueError("there are shared cars but no [bookings]: add the table")
        return self


@dataclass(frozen=True)
class Crew:
    """The stations of a group, and the car of the shared ones."""

    group: StationGroup
    stations: tuple[StationSetup, ...]
    model: VehicleModel | None


@dataclass(frozen=True)
class FleetPlan:
    """A fleet file with everything that it names.

    Parameters
    ----------
    file
        The file.
    crews
        Its groups.
    mix
        The cars.
    tables
        The sessions' statistics by place.
    """

    file: FleetFile
    crews: tuple[Crew, ...]
    mix: EvMix
    tables: dict[Place, SessionTables]

    @property
    def tz(self) -> ZoneInfo:
        """The local time by which people live."""
        return ZoneInfo(self.file.fleet.timezone)

    @property
    def stations(self) -> tuple[StationSetup, ...]:
        """Every station."""
        return tuple(station for crew in self.crews for station in crew.stations)


def load_fleet(path: Path, resolve: Callable[[str], Path], stations: int | None = None) -> FleetPlan:
    """Read a fleet file and what it names.

    Parameters
    ----------
    path
        The file.
    resolve
        Turns a name in it into a path.
    stations
        How many stations there shall be in all, in the proportions of the file; None: as it says.

    Raises
    ------
    DocumentError
        With every problem of all files.
    """
    document = load_document(path)
    file = validate(FleetFile, document.tables, source=document.source)
    collector = ProblemCollector(document.source)
    tables = collector.attempt(lambda: load_session_tables(resolve(SESSION_TABLE).parent))
    mix = collector.attempt(lambda: load_mix(resolve(file.fleet.mix), file.fleet.year, resolve))
    crews = [
        collector.attempt(lambda group=group, count=count: _build_crew(group, count, resolve))  # type: ignore[misc]
        for group, count in zip(file.stations, _counts(file, stations), strict=True)
    ]
    collector.finish()
    assert tables is not None, "finish() raises when they could not be read"
    assert mix is not None, "as above"
    return FleetPlan(file, tuple(crew for crew in crews if crew is not None), mix, tables)


def _counts(file: FleetFile, wanted: int | None) -> list[int]:
    """Share a number of stations over the groups, in their proportions, none lost to rounding."""
    counts = [group.count for group in file.stations]
    if wanted is None:
        return counts
    edges, before = [], 0
    for count in counts:
        before += count
        edges.append(round(before * wanted / sum(counts)))
    return [after - start for start, after in zip([0, *edges[:-1]], edges, strict=True)]


def _build_crew(group: StationGroup, count: int, resolve: Callable[[str], Path]) -> Crew:
    model = load_station(resolve(group.file))
    digits = max(4, len(str(group.count)))
    stations = tuple(
        model.build(f"{group.prefix}{number + 1:0{digits}d}", group.prefix) for number in range(count)
    )
    return Crew(group, stations, None if group.vehicle is None else load_vehicle(resolve(group.vehicle)))
