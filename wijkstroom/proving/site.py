"""Sites to prove on: small streets under one transformer, drawn from a number."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache

from grid.capacity.envelope import DEFAULT_POWER_FACTOR
from grid.load import forecast_base_load_kw
from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid, floor_quarter
from grid.topology import Direction, Limit, LimitKind, LimitUnit, Node, Topology
from grid.units import current_to_power_kw
from wijkstroom.scene import Scene, draw_scene
from wijkstroom.street import Street, load_street

FIRST_DAY = date(2024, 1, 8)
DAYS = 340
HOURS = 24.0
# Households per socket, as in Lombok.
HOUSEHOLDS_PER_SOCKET = 2.5
SESSIONS_PER_SOCKET = 2.0
PHASES = 3
# Many plans of a small street: a short horizon and a wide gap, so that the wall's clock ends no search.
PLANNING = {"horizon_h": 6.0, "plan_gap": 0.05, "plan_budget_s": 20.0, "replan_delay_s": 60.0}


@dataclass(frozen=True)
class Site:
    """A street for one day.

    Parameters
    ----------
    seed
        What it was drawn from.
    scene
        Street, hardware, and who comes.
    """

    seed: int
    scene: Scene

    @property
    def sockets(self) -> int:
        """How many sockets it has."""
        return sum(len(station.evses) for station in self.scene.street.stations)


@cache
def _lombok() -> Street:
    return load_street()


@lru_cache(maxsize=1)
def draw_site(seed: int, hours: float = HOURS) -> Site:
    """Draw a street of 4 to 8 sockets, a day, and everybody who comes.

    Its transformer and its evening signal carry the households at their upper bound with every socket at the
    fallback rate, and little more: what is planned above that is what the guard answers for.

    Parameters
    ----------
    seed
        What everything random follows from.
    hours
        Length of the run, from 06:00 local time on [h].
    """
    rng = random.Random(f"site {seed}")  # noqa: S311 - a simulation
    lombok = _lombok()
    one_way = [station for station in lombok.stations if station.id <= "LMB-20"]
    two_way = [station for station in lombok.stations if station.id > "LMB-20"]
    chosen = rng.sample(one_way, rng.randint(1, 3)) + rng.sample(two_way, 1)
    day = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
    street = lombok.limited_to(station.id for station in chosen)
    sockets = sum(len(station.evses) for station in street.stations)
    grid = _shrink(street.grid, {station.connection for station in street.stations}, sockets, day, rng)
    simulation = street.simulation
    assert simulation is not None, "the default street can be simulated"
    visitors = sockets - len(simulation.shared_cars)
    simulation = simulation.model_copy(update={"sessions_per_day": SESSIONS_PER_SOCKET * visitors})
    service = street.service.model_copy(update=PLANNING)
    small = replace(street, grid=grid, simulation=simulation, service=service)
    return Site(seed, draw_scene(small, day, hours, seed))


def _shrink(grid: GridSide, connections: set[str], sockets: int, day: date, rng: random.Random) -> GridSide:
    root = replace(grid.topology.root, households=round(HOUSEHOLDS_PER_SOCKET * sockets), limits=())
    scale = root.households / grid.topology.root.households
    base_kw = _highest_base_kw(root, grid, day)
    floor_kw = base_kw + sockets * current_to_power_kw(6.0, grid.voltage_v, PHASES)
    thermal = _limit(floor_kw + rng.uniform(6.0, 20.0), LimitKind.THERMAL, Direction.IMPORT)
    evening = _limit(floor_kw + rng.uniform(1.0, 6.0), LimitKind.SIGNAL, Direction.IMPORT)
    back = _limit(scale * grid.sun.peak_kw + rng.uniform(3.0, 15.0), LimitKind.THERMAL, Direction.EXPORT)
    root = replace(root, limits=(thermal, back, evening))
    kept = tuple(one for one in grid.topology.connections if one.id in connections)
    array = replace(grid.sun.array, peak_kw=scale * grid.sun.peak_kw)
    return replace(
        grid,
        topology=Topology((root,), kept, grid.topology.voltage_v),
        sun=replace(grid.sun, array=array),
        realised_peak_kw={},
    )


def _highest_base_kw(root: Node, grid: GridSide, day: date) -> float:
    start = floor_quarter(datetime.combine(day, time(), grid.tz).astimezone(UTC))
    starts = TimeGrid(start, QUARTER, round(1.5 * HOURS * 4)).starts
    return float(forecast_base_load_kw(root, starts, grid.tz).upper.max())


def _limit(power_kw: float, kind: LimitKind, direction: Direction) -> Limit:
    assert kind in {LimitKind.THERMAL, LimitKind.SIGNAL}
    in_kva = kind is LimitKind.THERMAL
    daily: dict[str, object] = {} if in_kva else {"daily_from": "17:00", "daily_to": "21:00"}
    return Limit.model_validate(
        {
            "value": round(power_kw / DEFAULT_POWER_FACTOR if in_kva else power_kw, 1),
            "unit": LimitUnit.KVA if in_kva else LimitUnit.KW,
            "direction": direction,
            "kind": kind,
            "source": "name plate" if in_kva else "evening signal",
            **daily,
        }
    )
