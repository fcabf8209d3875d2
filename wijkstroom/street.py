"""The whole street file: every layer validates its own tables, all mistakes are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from csms.settings import ServiceConfig, StationConfig, StationModel
from grid.config import Document, ProblemCollector, load_document, validate
from grid.errors import Problem
from grid.street import TABLES as GRID_TABLES
from grid.street import GridSide, load_grid_side
from simulator.config import SimulationConfig
from wijkstroom.resources import find_street, resolver

TABLES = (*GRID_TABLES, "stations", "service", "simulation")


@dataclass(frozen=True)
class Street:
    """One street file, read and checked.

    Parameters
    ----------
    path
        The file.
    models
        Station models by name, those that the street's stations name.
    simulation
        None when the file has no such table: then nothing can be simulated on it.
    """

    path: Path
    grid: GridSide
    service: ServiceConfig
    stations: tuple[StationConfig, ...]
    models: dict[str, StationModel]
    simulation: SimulationConfig | None

    def limited_to(self, station_ids: Iterable[str]) -> Street:
        """Return the same street with some of its stations only, and the shared cars that stand there."""
        wanted = set(station_ids)
        simulation = self.simulation
        if simulation is not None:
            kept = tuple(car for car in simulation.shared_cars if car.station in wanted)
            simulation = simulation.model_copy(update={"shared_cars": kept})
        stations = tuple(each for each in self.stations if each.id in wanted)
        return replace(self, stations=stations, simulation=simulation)


def load_street(name: Path | None = None) -> Street:
    """Load a street file.

    Raises
    ------
    DocumentError
        With every mistake in every table of the file.
    """
    path = find_street(name)
    document = load_document(path)
    resolve = resolver(path.parent)
    collector = ProblemCollector(document.source)
    collector.attempt(lambda: document.refuse_unknown_tables(TABLES))
    grid = collector.attempt(lambda: load_grid_side(document, resolve))
    service = collector.attempt(lambda: document.table("service", ServiceConfig))
    stations = collector.attempt(lambda: document.array("stations", StationConfig))
    simulation = None
    if "simulation" in document.tables:
        simulation = collector.attempt(lambda: document.table("simulation", SimulationConfig))
    models = _load_models(collector, stations or (), resolve)
    if stations is not None:
        collector.problems += check_stations(_connection_ids(document), stations)
    collector.finish()
    assert grid is not None, "finish() raises when a part could not be loaded"
    assert service is not None, "as above"
    assert stations is not None, "as above"
    return Street(path, grid, service, stations, models, simulation)


def check_stations(connections: frozenset[str], stations: tuple[StationConfig, ...]) -> list[Problem]:
    """Return what is wrong between stations and the connections that they hang on, by their ids."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for index, station in enumerate(stations):
        place = f"stations[{index}]"
        if station.connection not in connections:
            known = ", ".join(sorted(connections)) or "none"
            text = f"no connection {station.connection!r}: add it to [[connections]] or name one of {known}"
            problems.append(Problem(f"{place}.connection", text))
        names = [(f"{place}.id", station.id)]
        names += [(f"{place}.evses[{n}].emi3", evse.emi3) for n, evse in enumerate(station.evses)]
        for where, name in names:
            if name in seen:
                problems.append(
                    Problem(where, f"{name!r} is used by {seen[name]} too: give every one its own")
                )
            seen.setdefault(name, where)
    return problems


def _connection_ids(document: Document) -> frozenset[str]:
    """Return the ids of the file's connections, also when there are mistakes elsewhere."""
    tables = document.tables.get("connections", [])
    return frozenset(str(table.get("id")) for table in tables if isinstance(table, dict))


def _load_models(
    collector: ProblemCollector, stations: tuple[StationConfig, ...], resolve: Callable[[str], Path]
) -> dict[str, StationModel]:
    models: dict[str, StationModel] = {}
    for name in dict.fromkeys(station.model for station in stations):
        model = collector.attempt(partial(_load_model, resolve, name))
        if model is not None:
            models[name] = model
    return models


def _load_model(resolve: Callable[[str], Path], name: str) -> StationModel:
    document = load_document(resolve(f"stations/{name}.toml"))
    # What is in the box is the simulator's affair: the service knows a model by what it understands.
    own = {key: value for key, value in document.tables.items() if key != "hardware"}
    return validate(StationModel, own, source=document.source)
