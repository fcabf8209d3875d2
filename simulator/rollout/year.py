"""One year of a block of replicates under one policy: the unit of work that is spread over workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator.rollout.calendar import STEP_H, YearGrid, year_grid
from simulator.rollout.connectable import MONTHS, build_places, stated_nodes
from simulator.rollout.demand import DemandModel, build_library, stack
from simulator.rollout.kernel import Block, Kernel, PowerPolicy
from simulator.rollout.layout import Layout, build_layout
from simulator.rollout.network import (
    Network,
    TransformerMonth,
    draw_weather,
    load_surroundings,
    rewarded_steps,
)
from simulator.rollout.placement import Need, Planner, State
from simulator.rollout.policies import StaticLimit, Uncontrolled
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.smart import Smart
from simulator.rollout.tally import Tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tables = dict[str, pd.DataFrame]

# Kinds of chance, each with its own stream, so that more of one does not move another.
DEMAND, WEATHER, HOMES = range(3)
# Replicates are computed side by side up to so many sockets: the fixed cost of a step is then shared.
SOCKETS_PER_BLOCK = 4000
# Columns of the poles' table where the scenario states nodes, numbered as by `stated_nodes`; -1: none.
NODE_COLUMNS = ("node", "moved_from")


@dataclass(frozen=True)
class Task:
    """One year, one policy, some replicates.

    Parameters
    ----------
    data
        Folder with statistics and prices.
    first, count
        Replicates.
    states
        Where placement stood at the end of the year before; empty: at the beginning.
    """

    scenario: Scenario
    data: Path
    year: int
    policy: Policy
    first: int
    count: int
    states: tuple[State, ...] = ()

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.year}-{self.policy.value}-{self.first:04d}"


@dataclass(frozen=True)
class Part:
    """What a task gives: tables by name, and placement's states for the next year."""

    tables: Tables
    states: tuple[State, ...]


def block_size(scenario: Scenario) -> int:
    """Return how many replicates are computed together; the same for any number of workers."""
    return max(1, min(scenario.study.replicates, SOCKETS_PER_BLOCK // max(1, scenario.sockets)))


def stream(seed: int, replicate: int, year: int, kind: int) -> np.random.Generator:
    """Return the generator of one kind of chance; policies and swept parameters get the very same numbers."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(replicate, year, kind)))


def make_policy(
    policy: Policy, scenario: Scenario, grid: YearGrid, layout: Layout, network: Network
) -> PowerPolicy:
    """Return the policy of a name."""
    match policy:
        case Policy.UNCONTROLLED:
            return Uncontrolled(scenario.poles.fuse_a)
        case Policy.STATIC_LIMIT:
            return StaticLimit(scenario.poles.fuse_a, scenario.control, grid)
        case Policy.SMART:
            return Smart(scenario, layout, network, discharges=False)
        case Policy.V2G:
            return Smart(scenario, layout, network, discharges=True)


def run_task(task: Task) -> Part:
    """Compute a task.

    Raises
    ------
    DocumentError
        When data are missing.
    """
    return YearRun(task).run()


class YearRun:
    """A task while it is computed.

    Parameters
    ----------
    task
        What to compute.
    observe
        Told every month's block, with its layout still in place.
    """

    def __init__(self, task: Task, observe: Callable[[Block], None] | None = None) -> None:
        self.task = task
        self._observe = observe
        scenario, seed = task.scenario, task.scenario.study.seed
        self.grid = year_grid(task.year)
        self.library = build_library(task.data, scenario.adoption)
        self.around = load_surroundings(task.data, scenario, task.year)
        first_day = build_layout(scenario, task.count)
        self.cells = len(first_day.cell_area) // task.count
        self.areas = len(scenario.neighbourhoods)
        self.planners = self._planners(first_day)
        self._since = self.planners[0].state.month + 1
        self.layout = first_day
        self._add([planner.state.connected_places() for planner in self.planners])
        self._grow(task.year * MONTHS - 1)
        replicates = range(task.first, task.first + task.count)
        weather = [draw_weather(self.around, stream(seed, each, task.year, WEATHER)) for each in replicates]
        homes = [stream(seed, each, task.year, HOMES) for each in replicates]
        self.network = Network(scenario, self.layout, self.around, weather, homes)
        demand = DemandModel(scenario, self.library, self.grid)
        requests = stack(
            [
                demand.draw(self.layout, copy, stream(seed, each, task.year, DEMAND))
                for copy, each in enumerate(replicates)
            ]
        )
        policy = make_policy(task.policy, scenario, self.grid, self.layout, self.network)
        self.kernel = Kernel(scenario, self.layout, self.library, self.grid, requests, policy)
        self.tables: dict[str, list[pd.DataFrame]] = {"areas": [], "transformers": [], "profiles": []}
        self.hours = Tally.zero(self.areas * task.count)

    def _planners(self, layout: Layout) -> list[Planner]:
        task = self.task
        begin = State(task.scenario.study.years[0] * MONTHS - 1)
        states = task.states or tuple(State(begin.month) for _ in range(task.count))
        return [
            Planner(task.scenario, build_places(task.scenario, layout, copy), state)
            for copy, state in enumerate(states)
        ]

    def _add(self, places: list[Ints]) -> bool:
        """Put poles at the given cells and places of each replicate; say whether there are any."""
        cells = np.concatenate([mine[:, 0] + copy * self.cells for copy, mine in enumerate(places)])
        if len(cells):
            ranks = np.concatenate([mine[:, 1] for mine in places])
            self.layout = self.layout.with_poles(cells, self.task.scenario, ranks)
        return bool(len(cells))

    def _grow(self, month: int) -> bool:
        """Connect what is due up to a month; say whether any pole came."""
        return self._add([planner.advance(month) for planner in self.planners])

    def run(self) -> Part:
        """Compute the months and return tables and states."""
        for month, (_, end) in enumerate(self.grid.month_bounds()[: self.task.scenario.study.months]):
            if self._grow(self.task.year * MONTHS + month):
                self.kernel.add_poles(self.layout)
            block = self.kernel.run_until(end)
            self.hours.add(block.tally)
            if self._observe:
                self._observe(block)
            needs = [
                planner.review(self._tally_of(block.tally, copy), self._cells_of(block.cell_pressure, copy))
                for copy, planner in enumerate(self.planners)
            ]
            self.tables["areas"].append(self._area_table(month, block, needs))
            self.tables["transformers"].append(self._transformer_table(month, block))
            self.tables["profiles"].append(self._profile_table(month, block))
        tables = {name: pd.concat(parts, ignore_index=True) for name, parts in self.tables.items()}
        tables["hours"] = self._hour_table()
        tables["poles"] = self._order_table()
        return Part(tables, tuple(planner.state for planner in self.planners))

    def _tally_of(self, tally: Tally, copy: int) -> Tally:
        mine = slice(copy * self.areas, (copy + 1) * self.areas)
        return Tally(*(getattr(tally, item.name)[mine].copy() for item in fields(Tally)))

    def _cells_of(self, values: Floats, copy: int) -> Floats:
        return values[copy * self.cells : (copy + 1) * self.cells]

    def _keys(self, replicate: Ints) -> dict[str, object]:
        return {
            "year": self.task.year,
            "policy": self.task.policy.value,
            "replicate": replicate + self.task.first,
        }

    def _area_keys(self) -> dict[str, object]:
        index = np.arange(self.areas * self.task.count)
        return {**self._keys(index // self.areas), "area": index % self.areas}

    def _area_table(self, month: int, block: Block, needs: list[Need]) -> pd.DataFrame:
        tally, outcome, layout = block.tally, block.outcome, self.layout
        poles = np.bincount(layout.cell_area[layout.pole_cell], minlength=layout.areas)
        columns = {name: getattr(tally, name).sum(axis=1) for name in ("arrivals", "blocked", "diverted")}
        columns |= {item.name: getattr(outcome, item.name) for item in fields(outcome)}
        return pd.DataFrame(
            self._area_keys()
            | {"month": month, "poles": poles, "sockets": poles * layout.sockets_per_pole}
            | {"days": len(block.area_kw) * STEP_H / 24}
            | columns
            | {
                "busiest_occupancy": np.concatenate([need.occupancy for need in needs]),
                "busiest_free_fraction": np.concatenate([need.free_fraction for need in needs]),
                "wants_pole": np.concatenate([need.wants for need in needs]),
                "cars_peak_kw": block.area_kw.max(axis=0),
                "rewarded_kwh": self._rewarded_kwh(block),
            }
        )

    def _rewarded_kwh(self, block: Block) -> Floats:
        steps = slice(block.first, block.first + len(block.area_kw))
        rewarded = rewarded_steps(self.grid, self.task.scenario.money)[steps]
        return np.asarray(np.maximum(block.area_kw[rewarded], 0.0).sum(axis=0) * STEP_H)

    def _transformer_table(self, month: int, block: Block) -> pd.DataFrame:
        judged: TransformerMonth = self.network.judge(block.first, block.load_kw)
        per_copy = self.layout.transformers // self.task.count
        index = np.arange(self.layout.transformers)
        keys = self._keys(index // per_copy) | {
            "month": month,
            "transformer": index % per_copy,
            "area": self.layout.transformer_area % self.areas,
        }
        return pd.DataFrame(keys | judged.as_columns())

    def _profile_table(self, month: int, block: Block) -> pd.DataFrame:
        quarter = self.grid.quarter[block.first : block.first + len(block.area_kw)]
        sums = np.zeros((96, block.area_kw.shape[1]))
        np.add.at(sums, quarter, block.area_kw)
        mean = sums / np.maximum(np.bincount(quarter, minlength=96), 1)[:, None]
        areas = mean.shape[1]
        index = np.repeat(np.arange(areas), 96)
        keys = self._keys(index // self.areas) | {"area": index % self.areas, "month": month}
        return pd.DataFrame(keys | {"quarter": np.tile(np.arange(96), areas), "cars_kw": mean.T.ravel()})

    def _hour_table(self) -> pd.DataFrame:
        areas, hours = self.hours.arrivals.shape
        index = np.repeat(np.arange(areas), hours)
        keys = self._keys(index // self.areas) | {"area": index % self.areas}
        columns = {item.name: getattr(self.hours, item.name).ravel() for item in fields(Tally)}
        return pd.DataFrame(keys | {"hour": np.tile(np.arange(hours), areas)} | columns)

    def _order_table(self) -> pd.DataFrame:
        """Poles that were connected since the year before was computed, and those that still wait."""
        lead = self.task.scenario.placement.lead_months
        rows = [
            (
                copy + self.task.first,
                order.area,
                order.cell,
                order.asked,
                order.connected,
                order.reason,
                planner.held_by(order).value,
                order.delay_months(lead),
                planner.node_of(order),
                order.moved_from,
            )
            for copy, planner in enumerate(self.planners)
            for order in planner.state.orders
            if order.connected < 0 or order.connected >= self._since
        ]
        columns = ["replicate", "area", "cell", "asked", "connected", "reason", "binding", "delay_months"]
        table = pd.DataFrame(rows, columns=[*columns, *NODE_COLUMNS])
        table.insert(0, "policy", self.task.policy.value)
        table.insert(0, "year", self.task.year)
        kinds = dict.fromkeys(
            ("year", "replicate", "area", "cell", "asked", "connected", "delay_months"), np.int64
        )
        kinds |= dict.fromkeys(NODE_COLUMNS, np.int64)
        table = table.astype({**kinds, "policy": str, "reason": str, "binding": str})
        return table if stated_nodes(self.task.scenario) else table.drop(columns=[*NODE_COLUMNS])
