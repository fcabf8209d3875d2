"""The next poles: what the rules ask, what the waiting list answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rollout.connectable import build_places
from simulator.rollout.layout import build_layout
from simulator.rollout.placement import Binding, Planner, State
from simulator.rollout.scenario import Neighbourhood, Placement, PlacementRule
from simulator.rollout.tally import Tally
from tests.simulator.rollout.conftest import area, scenario

JANUARY = 2025 * 12


def planner(*areas: Neighbourhood, state: State | None = None, **placement: Any) -> Planner:
    world = scenario(*areas, placement=Placement(**placement), study={"years": (2025, 2026, 2027)})
    layout = build_layout(world, 1)
    return Planner(world, build_places(world, layout, 0), state or State(JANUARY - 1))


def tally(occupied: float, free: float, areas: int = 1) -> Tally:
    seen = Tally.zero(areas)
    seen.sampled[:], seen.occupied[:] = 1.0, 8.0 * occupied
    seen.cells[:], seen.cells_free[:] = 4.0, 4.0 * free
    return seen


def drive(made: Planner, months: int, occupied: float = 0.9, free: float = 0.5, areas: int = 1) -> list[int]:
    came = []
    for month in range(JANUARY, JANUARY + months):
        came.append(len(made.advance(month)))
        made.review(tally(occupied, free, areas), np.ones(len(made._pressure)))
    return came


def test_a_full_neighbourhood_asks_for_as_many_as_bring_it_to_the_trigger() -> None:
    made = planner(rule=PlacementRule.OCCUPANCY, occupancy_trigger=0.6, lead_months=3)
    came = drive(made, 4)
    assert len(made.state.orders) == 2  # 4 poles at 90 % are 6 at 60 %
    assert came == [0, 0, 0, 2]
    assert {order.binding for order in made.state.orders} == {Binding.LEAD_TIME}


def test_a_calm_neighbourhood_asks_for_nothing_and_wants_nothing() -> None:
    made = planner(rule=PlacementRule.OCCUPANCY)
    made.advance(JANUARY)
    need = made.review(tally(0.4, 1.0), np.ones(4))
    assert not need.wants.any()
    assert made.state.orders == []


def test_the_grid_operators_date_holds_poles_back_and_says_so() -> None:
    made = planner(
        area(connectable_from=2025.5), rule=PlacementRule.OCCUPANCY, occupancy_trigger=0.6, lead_months=1
    )
    came = drive(made, 9)
    assert sum(came[:6]) == 0
    assert came[6] > 0
    first = made.state.orders[0]
    assert first.binding is Binding.CONNECTABLE
    assert first.delay_months(1) == 5


def test_few_connections_a_month_are_a_queue_in_order() -> None:
    made = planner(
        area(poles=8),
        rule=PlacementRule.OCCUPANCY,
        occupancy_trigger=0.3,
        lead_months=0,
        connections_per_month=2,
    )
    came = drive(made, 6)
    assert max(came) == 2
    connected = [order.connected for order in made.state.orders if order.connected >= 0]
    assert connected == sorted(connected)
    assert Binding.CONNECTIONS in {order.binding for order in made.state.orders}


def test_no_room_is_said_not_hidden() -> None:
    made = planner(
        rule=PlacementRule.OCCUPANCY, occupancy_trigger=0.1, largest_poles_per_cell=1, lead_months=0
    )
    drive(made, 3)
    assert Binding.FULL in {order.binding for order in made.state.orders if order.cell < 0}
    assert (made._standing <= 1).all()


def test_demand_asks_by_the_cars_also_in_years_between() -> None:
    made = planner(area(households=3000), rule=PlacementRule.DEMAND, cars_per_pole=10.0, lead_months=0)
    first = made.advance(JANUARY + 11)
    later = made.advance(JANUARY + 24)
    assert len(first) == 0
    assert len(later) > 10


def test_a_lot_below_its_guarantee_asks_where_it_is_short() -> None:
    made = planner(
        area(), area(id="B"), rule=PlacementRule.GUARANTEE, guaranteed_free_fraction=0.9, lead_months=0
    )
    seen = tally(0.5, 1.0, 2)
    seen.cells_free[1] = 2.0
    made.advance(JANUARY)
    made.review(seen, np.ones(8))
    assert {order.area for order in made.state.orders} == {1}
    assert "is promised" in made.state.orders[0].reason


def test_what_an_order_waits_for_is_known_at_any_time() -> None:
    made = planner(
        area(connectable_from=2025.25),
        rule=PlacementRule.OCCUPANCY,
        occupancy_trigger=0.6,
        lead_months=1,
        connections_per_month=0,
    )
    seen = []
    for month in range(JANUARY, JANUARY + 6):
        made.advance(month)
        made.review(tally(0.9, 0.5), np.ones(4))
        seen.append(made.held_by(made.state.orders[0]))
    assert seen[:3] == [Binding.CONNECTABLE] * 3
    assert seen[3:] == [Binding.CONNECTIONS] * 3


@settings(max_examples=25)
@given(
    lead=st.integers(0, 6),
    capacity=st.integers(0, 4),
    occupied=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=18),
)
def test_a_planner_goes_on_from_its_document(lead: int, capacity: int, occupied: list[float]) -> None:
    rules: dict[str, Any] = {
        "rule": PlacementRule.OCCUPANCY,
        "lead_months": lead,
        "connections_per_month": capacity,
    }
    made = planner(**rules)
    for number, share in enumerate(occupied):
        assert len(made.advance(JANUARY + number)) <= capacity
        made.review(tally(share, 0.9), np.ones(4))
    again = State.from_document(made.state.as_document())
    assert again == made.state
    assert (planner(state=again, **rules)._standing == made._standing).all()
    for order in again.orders:
        assert order.connected < 0 or order.connected >= order.asked + lead


@pytest.mark.parametrize("cell", [0, 3])
def test_poles_go_where_drivers_press(cell: int) -> None:
    made = planner(rule=PlacementRule.OCCUPANCY, occupancy_trigger=0.6)
    pressure = np.zeros(4)
    pressure[cell] = 100.0
    made.advance(JANUARY)
    made.review(tally(0.9, 0.5), pressure)
    assert made.state.orders[0].cell == cell
