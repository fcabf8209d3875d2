"""Transformers and feeders with a date and a queue of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from simulator.rollout.connectable import build_places, stated_nodes
from simulator.rollout.executors import Inline
from simulator.rollout.layout import build_layout
from simulator.rollout.node import Node
from simulator.rollout.placement import Binding, Planner, State
from simulator.rollout.scenario import Placement, PlacementRule, Policy, Scenario, load_scenario
from simulator.rollout.study import Study
from simulator.rollout.summary import summarise
from tests.simulator.rollout.conftest import DATA, area, scenario
from tests.simulator.rollout.test_placement import JANUARY, drive

RULE: dict[str, Any] = {
    "rule": PlacementRule.OCCUPANCY,
    "occupancy_trigger": 0.3,
    "lead_months": 1,
    "connections_per_month": 2,
}
BROKEN = """
[study]
name = "broken"
years = [2025]

[adoption]
years = [2025]
electric_fraction = [0.2]

[[neighbourhoods]]
id = "a"
households = 100
poles = 2
transformers = 2

[[neighbourhoods.nodes]]
transformer = 0
connectable_from = 2027

[[neighbourhoods.nodes]]
transformer = 0
connectable_from = 2027

[[neighbourhoods.nodes]]
transformer = 2
connectable_from = 2028

[[neighbourhoods.nodes]]
transformer = 0
feeder = 4
connectable_from = 2026
"""
GOLDEN = Path(__file__).parent / "golden" / "orders_without_nodes.json"
COLUMNS = ["year", "replicate", "area", "cell", "asked", "connected", "binding", "delay_months"]


def node(transformer: int, year: float, feeder: int | None = None) -> Node:
    return Node(transformer=transformer, feeder=feeder, connectable_from=year)


def growing(*nodes: Node, connections: int = 2, **changes: Any) -> Scenario:
    rules = {**RULE, "occupancy_trigger": 0.6, "connections_per_month": connections}
    return scenario(
        area(nodes=nodes, **changes), placement=Placement(**rules), study={"policies": (Policy.UNCONTROLLED,)}
    )


def planner(world: Scenario) -> Planner:
    return Planner(world, build_places(world, build_layout(world, 1), 0), State(JANUARY - 1))


def without_nodes() -> Scenario:
    return scenario(
        area(households=900, area_km2=0.5, transformers=3, connectable_from=2025.3),
        area(id="B", households=700, connectable_from=2026.0),
        study={"years": (2025, 2026), "months": 2, "policies": (Policy.UNCONTROLLED,)},
        placement=Placement(**RULE),
    )


def test_a_scenario_without_nodes_gives_what_it_gave_before_there_were_any(tmp_path: Path) -> None:
    world = without_nodes()
    tables = Study(world, DATA, tmp_path).run(Inline())
    came = {
        "orders": tables["poles"][COLUMNS].to_dict("list"),
        "poles": tables["areas"]["poles"].tolist(),
        "placement": summarise(world, tables)["placement"],
    }
    assert list(tables["poles"].columns) == ["year", "policy", *COLUMNS[1:6], "reason", *COLUMNS[6:]]
    assert came == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_places_hang_where_the_poles_that_come_there_hang() -> None:
    world = scenario(
        area(poles=3, nodes=(node(1, 2026.0), node(0, 2027.0, 3))),
        area(id="B", area_km2=0.4, transformers=3, nodes=(node(2, 2028.0),)),
    )
    layout, per = build_layout(world, 2), world.grid.feeders_per_transformer
    for copy in range(2):
        places = build_places(world, layout, copy)
        cells = len(places.cell_area)
        for cell, place in np.ndindex(cells, 8):
            more = layout.with_poles(np.array([copy * cells + cell]), world, np.array([place]))
            transformer, feeder = divmod(int(more.pole_feeder[-1]), per)
            expected = {1: 0, 4: 2}.get(transformer - copy * 5, -1)
            expected = 1 if (transformer - copy * 5, feeder) == (0, 3) else expected
            assert places.node[cell, place] == expected


def test_poles_go_to_the_transformer_that_is_open_and_the_order_says_where_they_were_wanted() -> None:
    made = planner(growing(node(0, 2027.0)))
    drive(made, 6)
    orders = made.state.orders
    assert orders
    assert {made.node_of(order) for order in orders} == {-1}
    assert 0 in {order.moved_from for order in orders}
    assert {order.binding for order in orders if order.connected >= 0} <= {
        Binding.LEAD_TIME,
        Binding.CONNECTIONS,
    }


def test_where_all_are_closed_a_pole_waits_for_the_one_that_opens_first() -> None:
    made = planner(growing(node(0, 2025.5), node(1, 2026.0)))
    came = drive(made, 8)
    first = made.state.orders[0]
    assert sum(came[:6]) == 0
    assert made.node_of(first) == 0
    assert (first.connected, first.binding) == (JANUARY + 6, Binding.CONNECTABLE)


def test_a_transformer_may_open_before_its_neighbourhood() -> None:
    made = planner(growing(node(1, 2025.0), connectable_from=2030.0))
    drive(made, 4)
    assert {made.node_of(order) for order in made.state.orders if order.connected >= 0} == {0}


def test_a_closed_queue_lets_the_others_pass() -> None:
    world = growing(node(0, 2030.0), poles=1, area_km2=0.06)  # one cell under both transformers
    made = planner(world.model_copy(update={"placement": Placement(largest_poles_per_cell=6)}))
    made._ask(0, 5, JANUARY - 10, "asked")  # the room at the open transformer is not enough
    made.advance(JANUARY)
    waiting = [made.node_of(order) for order in made.state.orders if order.connected < 0]
    came = [made.node_of(order) for order in made.state.orders if order.connected >= 0]
    assert waiting
    assert set(waiting) == {0}
    assert set(came) == {-1}
    assert {made.held_by(order) for order in made.state.orders if order.connected < 0} == {
        Binding.CONNECTABLE
    }


@settings(max_examples=25)
@given(
    dates=st.lists(st.floats(2024.0, 2027.0), min_size=2, max_size=2),
    feeder_late=st.floats(0.0, 2.0),
    connections=st.integers(0, 4),
    occupied=st.floats(0.5, 1.0),
)
def test_no_pole_comes_before_its_node_and_each_queue_keeps_its_order(
    dates: list[float], feeder_late: float, connections: int, occupied: float
) -> None:
    nodes = (node(0, dates[0]), node(1, dates[1]), node(1, dates[1] + feeder_late, 2))
    made = planner(growing(*nodes, connections=connections))
    assert max(drive(made, 18, occupied)) <= connections
    orders = made.state.orders
    taken = [(order.cell, order.place) for order in orders if order.cell >= 0]
    assert len(set(taken)) == len(taken)
    for number, stated in enumerate(nodes):
        mine = [order for order in orders if made.node_of(order) == number]
        came = [order.connected for order in mine if order.connected >= 0]
        assert came == sorted(came)
        assert all(month >= stated.connectable_from * 12 - 1e-5 for month in came)
    assert State.from_document(json.loads(json.dumps(made.state.as_document()))) == made.state


def test_the_summary_tells_what_each_node_held_back_and_which_was_first(tmp_path: Path) -> None:
    world = growing(node(0, 2027.0), node(1, 2026.0, 1), households=900)
    study = {"policies": (Policy.UNCONTROLLED,), "replicates": 1, "months": 3}
    world = scenario(*world.neighbourhoods, area(id="B"), study=study, placement=Placement(**RULE))
    tables = Study(world, DATA, tmp_path).run(Inline())
    said = summarise(world, tables)["placement"]["neighbourhoods"]
    assert "nodes" not in said["B"]
    queues = said["A"]["nodes"]
    assert list(queues) == ["transformer 0", "transformer 1 feeder 1"]
    assert queues["transformer 0"]["moved_elsewhere"] > 0
    assert queues["transformer 0"]["connected"] == 0
    assert said["A"]["first_held_by"]["node"] in queues
    assert 2025 <= said["A"]["first_held_by"]["from_year"] < 2027


def test_every_mistake_of_the_nodes_is_listed_with_its_place_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN)
    with pytest.raises(DocumentError) as caught:
        load_scenario(path)
    assert {problem.path: problem.message.partition(":")[0] for problem in caught.value.problems} == {
        "neighbourhoods[0].nodes[1].transformer": "transformer 0 is stated twice",
        "neighbourhoods[0].nodes[2].transformer": "there is no 2",
        "neighbourhoods[0].nodes[3].feeder": "there is no 4",
        "neighbourhoods[0].nodes[3].connectable_from": "is earlier than its transformer's 2027",
    }


def test_a_node_needs_a_date(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN.replace("connectable_from = 2028", ""))
    with pytest.raises(DocumentError) as caught:
        load_scenario(path)
    assert [each.path for each in caught.value.problems] == ["neighbourhoods[0].nodes[2].connectable_from"]


def test_the_shipped_scenario_states_one_and_names_it_an_assumption() -> None:
    world = load_scenario(Path(__file__).parents[3] / "configs" / "rollout" / "kanaleneiland.toml")
    ((_, stated),) = stated_nodes(world)
    assert any(f"ransformer {stated.transformer} " in sentence for sentence in world.study.assumptions)
