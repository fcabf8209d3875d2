"""What a simulated run is: a street, a day, and everybody who plugs in; from a file, a date and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from grid.errors import DocumentError, Problem
from simulator.config import SimulationConfig
from simulator.fleet.draw import draw_fleet, start_of_run
from simulator.fleet.sessions import Fleet
from simulator.fleet.setup import load_fleet_setup
from simulator.noise import draw_uncontrolled
from simulator.setup import StationSetup
from simulator.world import StreetSetup
from wijkstroom.hardware import list_setups
from wijkstroom.resources import resolver
from wijkstroom.street import Street, load_street


@dataclass(frozen=True)
class Scene:
    """One run, before it is run.

    Parameters
    ----------
    street
        Its file, read and checked.
    simulation
        The table of the same name.
    setups
        The hardware.
    fleet
        Who comes.
    start
        First instant (UTC).
    hours
        Length [h].
    seed
        What everything random follows from.
    """

    street: Street
    simulation: SimulationConfig
    setups: tuple[StationSetup, ...]
    fleet: Fleet
    start: datetime
    hours: float
    seed: int

    @property
    def seconds(self) -> int:
        """Length of the run [s]."""
        return round(self.hours * 3600.0)

    @property
    def end(self) -> datetime:
        """First instant after the run (UTC)."""
        return self.start + timedelta(seconds=self.seconds)


def load_scene(config: Path | None, day: date, hours: float, seed: int) -> Scene:
    """Read a street file and draw who comes.

    Parameters
    ----------
    config
        The street file; None: the default.
    day
        Local day on which the run begins, at 06:00.
    hours
        Length [h].
    seed
        What everything random follows from.

    Raises
    ------
    DocumentError
        With every mistake of the file; when nothing can be simulated on it; when its prices end too early.
    """
    scene = draw_scene(load_street(config), day, hours, seed)
    _check_prices(scene)
    return scene


def draw_scene(street: Street, day: date, hours: float, seed: int) -> Scene:
    """Draw who comes to a street that was read already, whether or not its prices are known.

    Parameters and errors otherwise as in `load_scene`.
    """
    source = str(street.path)
    if street.simulation is None:
        problem = Problem("simulation", "is missing: add the table, as in configs/lombok.toml")
        raise DocumentError(source, [problem])
    setups = list_setups(street)
    resolve = resolver(street.path.parent)
    drawn_from = load_fleet_setup(street.simulation, setups, street.grid.tz, resolve, source)
    start = start_of_run(drawn_from, day)
    fleet = draw_fleet(drawn_from, day, seed, hours)
    return Scene(street, street.simulation, setups, fleet, start, hours, seed)


def build_world(scene: Scene) -> StreetSetup:
    """Return what the simulator needs of a scene: hardware, fleet, and how households and sun really are."""
    grid = scene.street.grid
    truth = draw_uncontrolled(scene.simulation.noise, grid, scene.start, scene.seconds, scene.seed)
    return StreetSetup(grid, scene.setups, scene.fleet, truth)


def _check_prices(scene: Scene) -> None:
    series = scene.street.grid.prices.series
    if series.start <= scene.start and scene.end <= series.end:
        return
    tz = scene.street.grid.tz
    asked, first, last = (each.astimezone(tz) for each in (scene.start, series.start, series.end))
    message = (
        f"{scene.hours:g} hours from {asked:%Y-%m-%d %H:%M} are not covered by the prices: they run from "
        f"{first:%Y-%m-%d} until {last:%Y-%m-%d %H:%M}; choose another day or name another file in [prices]"
    )
    raise DocumentError(str(scene.street.path), [Problem("date", message)])
