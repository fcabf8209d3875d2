"""When and where the next poles come: a rule asks, the grid operator's waiting list answers.

One planner per replicate. Every month it connects what is due, then looks at what drivers met and asks for
more. What held an order back is written down with it: the lead time, the date from which the grid can carry
it, or the number of connections that are made in a month; a neighbourhood without room says so.

Every transformer and feeder has a queue of its own: an order waits for the date of its place, and those for
other places pass it. The connections of a month are shared by all, in the order of asking. A pole is asked
for where it can come first, and among those places where drivers press most.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.connectable import MONTHS, Places
from simulator.rollout.demand import electric_cars
from simulator.rollout.layout import cells_of
from simulator.rollout.scenario import PlacementRule, Scenario
from simulator.rollout.tally import Tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# The busiest hour of the week is judged on so many months: one alone is four hours of few sockets.
REMEMBERED_MONTHS = 3
# The guarantee asks for this share of the standing poles at a time, and for one at least.
GUARANTEE_STEP = 0.05


class Binding(StrEnum):
    """What decided when a pole could be used, or that it cannot be."""

    LEAD_TIME = "lead_months"
    CONNECTABLE = "connectable_from"
    CONNECTIONS = "connections_per_month"
    FULL = "largest_poles_per_cell"


@dataclass
class Order:
    """A pole that was asked for.

    Parameters
    ----------
    area, cell
        Where, numbered within one replicate; the cell is -1 where none has room.
    asked, connected
        Months counted from year 0; connected is -1 while it waits.
    reason
        What the rule saw, for the report.
    binding
        What decided the month of connection.
    place
        Which of the cell's places, which gives its cable; -1 where none has room.
    moved_from
        Stated node to which drivers' demand pointed and which cannot be connected as early; -1: none.
    """

    area: int
    cell: int
    asked: int
    reason: str
    connected: int = -1
    binding: Binding | None = None
    place: int = -1
    moved_from: int = -1

    def delay_months(self, lead_months: int) -> int:
        """Return by how much the waiting list, not the work, has delayed it."""
        return max(0, self.connected - self.asked - lead_months) if self.connected >= 0 else 0


@dataclass
class State:
    """What a planner takes from one year to the next; `as_document` and `from_document` keep it in files.

    Parameters
    ----------
    month
        Last month that was dealt with.
    orders
        All so far, in the order in which they were asked for.
    """

    month: int
    orders: list[Order] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> State:
        """Read what `as_document` returned."""
        orders = [
            Order(**{**each, "binding": Binding(each["binding"]) if each["binding"] else None})
            for each in document["orders"]
        ]
        return cls(document["month"], orders)

    def connected_places(self) -> Ints:
        """Return cell and place of the poles that have come, in that order, shape (poles, 2)."""
        done = [order for order in self.orders if order.connected >= 0]
        return _places(sorted(done, key=lambda each: each.connected))


@dataclass(frozen=True)
class Need:
    """What a month looked like, per neighbourhood, shape (areas,).

    Parameters
    ----------
    occupancy
        Of the sockets in the busiest hour of the week.
    free_fraction
        Sub-neighbourhoods with a free socket within reach in that hour.
    wants
        Whether trigger or guarantee is passed, whichever the rule.
    """

    occupancy: Floats
    free_fraction: Floats
    wants: NDArray[np.bool_]


class Planner:
    """Places poles for one replicate.

    Parameters
    ----------
    scenario
        Rule, waiting list, neighbourhoods.
    places
        Where poles stand on the first day and can come, and from when on.
    state
        From the year before.
    """

    def __init__(self, scenario: Scenario, places: Places, state: State) -> None:
        self.scenario = scenario
        self.places = places
        self.state = state
        self._cell_area = places.cell_area
        came = state.connected_places()[:, 0]
        self._standing = places.standing + np.bincount(came, minlength=len(self._cell_area))
        self._free = self._free_places()
        self._pressure = np.zeros(len(self._cell_area))
        self._seen: deque[Tally] = deque(maxlen=REMEMBERED_MONTHS)

    def advance(self, month: int) -> Ints:
        """Deal with the months up to and including one; return cell and place of the poles that came.

        Returns
        -------
        Ints
            Shape (poles, 2).
        """
        connected = [self._connect(each) for each in range(self.state.month + 1, month + 1)]
        self.state.month = max(self.state.month, month)
        return _places([order for orders in connected for order in orders])

    def review(self, tally: Tally, pressure: Floats) -> Need:
        """Learn what drivers met in the present month and ask for poles.

        Parameters
        ----------
        tally
            Of this replicate's neighbourhoods.
        pressure
            Drivers per cell who found the nearest pole taken.
        """
        self._seen.append(tally)
        self._pressure = 0.5 * self._pressure + pressure
        need = self._need()
        match self.scenario.placement.rule:
            case PlacementRule.OCCUPANCY:
                self._ask_by_occupancy(need)
            case PlacementRule.GUARANTEE:
                self._ask_by_guarantee(need)
            case PlacementRule.DEMAND | PlacementRule.FIXED:
                pass  # demand asks by the calendar, in `_connect`
        return need

    def held_by(self, order: Order) -> Binding:
        """Return what decided an order's month, or what it waits for at present."""
        if order.binding is not None:
            return order.binding
        if self.state.month < self._connectable(order):
            return Binding.CONNECTABLE
        built = order.asked + self.scenario.placement.lead_months
        return Binding.LEAD_TIME if self.state.month < built else Binding.CONNECTIONS

    def node_of(self, order: Order) -> int:
        """Return the stated node at which an order is connected or queues; -1: none."""
        return int(self.places.node[order.cell, order.place]) if order.cell >= 0 else -1

    def _connect(self, month: int) -> list[Order]:
        if self.scenario.placement.rule == PlacementRule.DEMAND:
            self._ask_by_demand(month)
        placement = self.scenario.placement
        came: list[Order] = []
        for order in self.state.orders:
            if len(came) >= placement.connections_per_month:
                break
            if order.connected >= 0 or order.cell < 0:
                continue
            built, allowed = order.asked + placement.lead_months, self._connectable(order)
            if month < max(built, allowed):
                continue
            order.connected = month
            order.binding = _binding(month, built, allowed)
            self._standing[order.cell] += 1
            came.append(order)
        if came and placement.rule == PlacementRule.GUARANTEE:
            self._seen.clear()  # free places of the months before say nothing about what stands now
        return came

    def _connectable(self, order: Order) -> int:
        return int(self.places.month[order.cell, order.place])

    def _need(self) -> Need:
        occupied, sampled, free, cells = (
            np.sum([getattr(tally, name) for tally in self._seen], axis=0)
            for name in ("occupied", "sampled", "cells_free", "cells")
        )
        # What was in use in the months remembered, over what stands by now: new poles count at once.
        areas = len(self.scenario.neighbourhoods)
        poles = np.bincount(self._cell_area, weights=self._standing, minlength=areas)
        occupancy = occupied / np.maximum(sampled * poles[:, None] * self.scenario.poles.sockets, 1e-9)
        hour = occupancy.argmax(axis=1)
        rows = np.arange(len(occupancy))
        free_fraction = free[rows, hour] / np.maximum(cells[rows, hour], 1e-9)
        placement = self.scenario.placement
        wants = (occupancy[rows, hour] > placement.occupancy_trigger) | (
            free_fraction < placement.guaranteed_free_fraction
        )
        return Need(occupancy[rows, hour], free_fraction, wants)

    def _ask_by_demand(self, month: int) -> None:
        scenario = self.scenario
        now = electric_cars(scenario, month // MONTHS)
        then = electric_cars(scenario, scenario.study.years[0])
        for area, more in enumerate((now - then) / scenario.placement.cars_per_pole):
            asked = sum(order.area == area for order in self.state.orders)
            self._ask(area, int(more) - asked, month, f"{now[area]:.0f} electric cars")

    def _ask_by_occupancy(self, need: Need) -> None:
        trigger = self.scenario.placement.occupancy_trigger
        for area in np.flatnonzero(need.occupancy > trigger).tolist():
            more = math.ceil(self._poles(area) * (need.occupancy[area] / max(trigger, 1e-6) - 1) - 1e-6)
            reason = f"{need.occupancy[area]:.0%} of the sockets taken in the busiest hour"
            self._ask(area, more - self._pending(area), self.state.month, reason)

    def _ask_by_guarantee(self, need: Need) -> None:
        promised = self.scenario.placement.guaranteed_free_fraction
        lots = np.array([area.lot for area in self.scenario.neighbourhoods])
        for lot in np.unique(lots):
            mine = np.flatnonzero(lots == lot)
            weight = np.array([cells_of(self.scenario, int(area)) for area in mine])
            share = float(need.free_fraction[mine] @ weight / weight.sum())
            if share >= promised:
                continue
            for area in mine[need.free_fraction[mine] < promised].tolist():
                more = max(1, math.ceil(GUARANTEE_STEP * self._poles(area)))
                reason = f"lot {lot}: {share:.1%} free in the busiest hour, {promised:.1%} is promised"
                self._ask(area, more - self._pending(area), self.state.month, reason)

    def _poles(self, area: int) -> int:
        return int(self._standing[self._cell_area == area].sum())

    def _pending(self, area: int) -> int:
        return sum(order.area == area and order.connected < 0 for order in self.state.orders)

    def _ask(self, area: int, count: int, month: int, reason: str) -> None:
        """Order poles where they can come first, and there where drivers press most for those in sight."""
        if count <= 0:
            return
        cells = np.flatnonzero(self._cell_area == area)
        free = self._free[cells]
        poles = free.shape[1] - free.sum(axis=1)
        built = month + self.scenario.placement.lead_months
        months = np.maximum(self.places.month[cells], built)
        largest = self.scenario.placement.largest_poles_per_cell
        for _ in range(count):
            open_ = free & (poles < largest)[:, None]
            if not open_.any():
                self.state.orders.append(Order(area, -1, month, reason, binding=Binding.FULL))
                return
            score = (self._pressure[cells] + 1.0) / (poles + 1)
            wanted = _best(open_, score)
            chosen = _best(open_ & (months == months[open_].min()), score)
            moved_from = -1
            if months[chosen] < months[wanted]:
                moved_from = int(self.places.node[cells][wanted])
            free[chosen] = False
            poles[chosen[0]] += 1
            cell = int(cells[chosen[0]])
            self._free[cell, chosen[1]] = False
            order = Order(area, cell, month, reason, place=chosen[1], moved_from=moved_from)
            self.state.orders.append(order)

    def _free_places(self) -> NDArray[np.bool_]:
        """Return which places neither have a pole nor await one."""
        free = np.arange(self.places.month.shape[1]) >= self.places.standing[:, None]
        taken = _places([order for order in self.state.orders if order.cell >= 0])
        free[taken[:, 0], taken[:, 1]] = False
        return free


def _places(orders: list[Order]) -> Ints:
    return np.array([(order.cell, order.place) for order in orders], dtype=np.int64).reshape(-1, 2)


def _best(open_: NDArray[np.bool_], score: Floats) -> tuple[int, int]:
    """Return the cell with the highest score among those with an open place, and the first of these."""
    cell = int(np.where(open_.any(axis=1), score, -1.0).argmax())
    return cell, int(open_[cell].argmax())


def _binding(month: int, built: int, allowed: int) -> Binding:
    if month == built:
        return Binding.LEAD_TIME
    return Binding.CONNECTABLE if month == allowed else Binding.CONNECTIONS
