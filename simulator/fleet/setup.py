"""What a fleet is drawn from: the street's sockets, models of cars, and ElaadNL's tables, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from grid.config import ProblemCollector
from simulator.config import SimulationConfig
from simulator.fleet.joint import JointSampler, Place, load_session_tables
from simulator.setup import Protocol, StationSetup
from simulator.vehicle.model import VehicleModel, load_vehicle

# One of ElaadNL's tables; the others stand beside it.
SESSION_TABLE = "data/elaad_distribution-of-arrival.csv"


@dataclass(frozen=True, slots=True)
class SocketKey:
    """One socket of the street.

    Parameters
    ----------
    station_id, evse_id
        Which.
    listens
        Whether a car can tell its state of charge there.
    max_current_a
        What it gives per phase [A].
    """

    station_id: str
    evse_id: int
    listens: bool
    max_current_a: float


@dataclass(frozen=True)
class FleetSetup:
    """What `draw_fleet` needs.

    Parameters
    ----------
    config
        The table ``[simulation]``.
    tz
        The local time by which people live.
    models
        Models of cars by the names of their files.
    visitor_sockets
        Sockets that anybody may use.
    shared_sockets
        Sockets of the shared cars, in the order of the configuration.
    sampler
        Draws arrival, stay and energy.
    """

    config: SimulationConfig
    tz: ZoneInfo
    models: Mapping[str, VehicleModel]
    visitor_sockets: tuple[SocketKey, ...]
    shared_sockets: tuple[SocketKey, ...]
    sampler: JointSampler


def load_fleet_setup(
    config: SimulationConfig,
    stations: Sequence[StationSetup],
    tz: ZoneInfo,
    resolve: Callable[[str], Path],
    source: str = "simulation",
) -> FleetSetup:
    """Read the files that a ``[simulation]`` table names and check it against the street's stations.

    Parameters
    ----------
    config
        The table.
    stations
        The street's stations.
    tz
        Its time zone.
    resolve
        Turns a file named in the table into a path.
    source
        Name of the street file for errors.

    Raises
    ------
    DocumentError
        With every file that cannot be read and every socket that does not exist.
    """
    collector = ProblemCollector(source)
    files = dict.fromkeys([*(one.file for one in config.vehicles), *(one.file for one in config.shared_cars)])
    loaded = {file: collector.attempt(lambda file=file: load_vehicle(resolve(file))) for file in files}  # type: ignore[misc]
    models = {file: model for file, model in loaded.items() if model is not None}
    tables = collector.attempt(lambda: load_session_tables(resolve(SESSION_TABLE).parent))
    sockets = _list_sockets(stations)
    shared = []
    for index, car in enumerate(config.shared_cars):
        key = (car.station, car.evse)
        if key in sockets:
            shared.append(sockets.pop(key))
        else:
            message = f"{car.station} has no socket {car.evse}: name one of [[stations]]"
            collector.add(f"simulation.shared_cars[{index}]", message)
    _check_speakers(config, models, collector)
    collector.finish()
    assert tables is not None, "finish() raises when they could not be read"
    return FleetSetup(
        config,
        tz,
        models,
        tuple(sockets.values()),
        tuple(shared),
        JointSampler(Place.PUBLIC, tables[Place.PUBLIC]),
    )


def _list_sockets(stations: Sequence[StationSetup]) -> dict[tuple[str, int], SocketKey]:
    return {
        (station.id, evse.id): SocketKey(
            station.id, evse.id, station.protocol is not Protocol.V16, station.max_current_a
        )
        for station in stations
        for evse in station.evses
    }


def _check_speakers(
    config: SimulationConfig, models: Mapping[str, VehicleModel], collector: ProblemCollector
) -> None:
    visitors = [models[one.file] for one in config.vehicles if one.file in models]
    if config.class_shares.car > 0.0 and visitors and not any(model.reports_soc for model in visitors):
        message = (
            "no model of [[simulation.vehicles]] reports its state of charge: set it to 0 or add a model"
        )
        collector.add("simulation.class_shares.car", message)
