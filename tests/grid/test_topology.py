from __future__ import annotations

import math
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grid.ean import compute_ean_check_digit
from grid.errors import DocumentError
from grid.topology import (
    Averaging,
    Connection,
    ConnectionKind,
    Direction,
    Limit,
    LimitKind,
    LimitUnit,
    Node,
    NodeKind,
    Phase,
    Topology,
    check_topology,
)


def ean(number: int) -> str:
    digits = f"8716946{number:010d}"
    return digits + compute_ean_check_digit(digits)


def connection(number: int = 1, **changes: Any) -> Connection:
    fields: dict[str, Any] = {
        "id": f"pole-{number}",
        "node": "street",
        "ean18": ean(number),
        "kind": ConnectionKind.PUBLIC_POLE,
        "fuse": "3x25A",
    }
    return Connection(**{**fields, **changes})


def limit(**changes: Any) -> Limit:
    fields: dict[str, Any] = {
        "value": 100.0,
        "unit": "kW",
        "direction": "import",
        "kind": "thermal",
        "source": "name plate",
    }
    return Limit(**{**fields, **changes})


SUBSTATION = Node("west", NodeKind.SUBSTATION)
TRANSFORMER = Node("street", NodeKind.TRANSFORMER, "west", limits=(limit(),))
FEEDER = Node("odd-side", NodeKind.FEEDER, "street")
SITE = Node("school", NodeKind.SITE, "odd-side")


def test_a_tree_knows_what_is_above_and_below() -> None:
    tree = Topology((SITE, FEEDER, TRANSFORMER, SUBSTATION), (connection(1), connection(2, node="school")))
    assert tree.root is SUBSTATION
    assert [node.id for node in tree.ancestors("school")] == ["odd-side", "street", "west"]
    assert [node.id for node in tree.ancestors("pole-2")] == ["school", "odd-side", "street", "west"]
    assert tree.ancestors("west") == ()
    assert tree.children("street") == (FEEDER,)
    assert [one.id for one in tree.connections_below("odd-side")] == ["pole-2"]
    assert [one.id for one in tree.connections_below("west")] == ["pole-1", "pole-2"]
    assert tree.node("street") is TRANSFORMER
    assert tree.connection("pole-1").fuse == "3x25A"
    with pytest.raises(KeyError):
        tree.ancestors("nowhere")


def test_the_limits_above_a_connection_begin_with_its_own() -> None:
    tree = Topology((SUBSTATION, TRANSFORMER), (connection(feed_in_registered=True, export_limit_kw=10.0),))
    owners = [(owner, one.kind, one.direction) for owner, one in tree.limits_above("pole-1")]
    assert owners == [
        ("pole-1", LimitKind.FUSE, Direction.IMPORT),
        ("pole-1", LimitKind.FUSE, Direction.EXPORT),
        ("pole-1", LimitKind.CONNECTION, Direction.EXPORT),
        ("street", LimitKind.THERMAL, Direction.IMPORT),
    ]


@pytest.mark.parametrize(
    ("nodes", "path", "message"),
    [
        ((), "nodes", "no node is the root"),
        ((SUBSTATION, Node("east", NodeKind.SUBSTATION)), "nodes[1].parent", "a second root"),
        (
            (SUBSTATION, Node("street", NodeKind.TRANSFORMER, "wset")),
            "nodes[1].parent",
            "no node 'wset': known nodes",
        ),
        ((SUBSTATION, Node("me", NodeKind.SITE, "me")), "nodes[1].parent", "its own ancestor"),
        (
            (SUBSTATION, Node("a", NodeKind.SITE, "b"), Node("b", NodeKind.SITE, "a")),
            "nodes[2].parent",
            "its own ancestor",
        ),
        ((SUBSTATION, TRANSFORMER, TRANSFORMER), "nodes[2].id", "used twice"),
        ((FEEDER, Node("street", NodeKind.SITE)), "nodes[0].parent", "a feeder cannot hang below a site"),
    ],
)
def test_what_is_no_tree_is_refused_with_its_place(nodes: tuple[Node, ...], path: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        Topology(nodes)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert message in found[path]


def test_every_problem_of_connections_is_listed() -> None:
    nodes = (SUBSTATION, TRANSFORMER)
    connections = (
        connection(1, id="street"),
        connection(2, node="nowhere"),
        connection(3, ean18=ean(2)),
        connection(4, feed_in_registered=True, export_limit_kw=17.3),
    )
    problems = check_topology(nodes, connections)
    assert [problem.path for problem in problems] == [
        "connections[0].id",
        "connections[2].ean18",
        "connections[1].node",
        "connections[3].export_limit_kw",
    ]
    assert "17.25 kW" in problems[-1].message


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, st.none() | names, max_size=6))
def test_any_parents_are_a_tree_or_an_error(parents: dict[str, str | None]) -> None:
    nodes = tuple(Node(name, NodeKind.SITE, parent) for name, parent in parents.items())
    if check_topology(nodes, ()):
        with pytest.raises(DocumentError):
            Topology(nodes)
        return
    tree = Topology(nodes)
    for node in nodes:
        above = tree.ancestors(node.id)
        assert node not in above
        assert (above[-1] if above else node) is tree.root


@pytest.mark.parametrize(
    ("fuse", "phases", "current", "power"), [("3x25A", 3, 25.0, 17.25), ("1x35A", 1, 35.0, 8.05)]
)
def test_fuses(fuse: str, phases: int, current: float, power: float) -> None:
    one = connection(fuse=fuse)
    assert (one.fuse_phases, one.fuse_current_a) == (phases, current)
    assert one.fuse_power_kw(230.0) == pytest.approx(power)


@pytest.mark.parametrize(
    "changes",
    [
        {"fuse": "25A"},
        {"fuse": "3x0A"},
        {"fuse": "2x25A"},
        {"ean18": "871694600000010018"},
        {"export_limit_kw": 5.0},
        {"export_limit_kw": -5.0, "feed_in_registered": True},
        {"kind": "pole"},
        {"phases": 3},
    ],
)
def test_impossible_connections_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connection(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": -1.0},
        {"value": math.nan},
        {"unit": "MW"},
        {"kind": "wish"},
        {"direction": "both"},
        {"daily_from": time(17)},
        {"source": ""},
        {"netting": "maybe"},
    ],
)
def test_impossible_limits_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        limit(**changes)


def test_the_kind_fixes_the_averaging() -> None:
    any_second = {kind for kind in LimitKind if limit(kind=kind).averaging is Averaging.ANY_SECOND}
    assert any_second == {LimitKind.FUSE, LimitKind.CABLE, LimitKind.CONNECTION}


@pytest.mark.parametrize(
    ("unit", "phase", "total_kw", "l1_kw", "l2_kw"),
    [
        (LimitUnit.KW, Phase.ALL, 100.0, 100.0, 100.0),
        (LimitUnit.KVA, Phase.ALL, 95.0, 95.0, 95.0),
        (LimitUnit.A, Phase.ALL, 69.0, 23.0, 23.0),
        (LimitUnit.KW, Phase.L1, 300.0, 100.0, None),
        (LimitUnit.KVA, Phase.L1, 285.0, 95.0, None),
        (LimitUnit.A, Phase.L1, 69.0, 23.0, None),
    ],
)
def test_what_a_limit_allows_in_total_and_on_a_phase(
    unit: LimitUnit, phase: Phase, total_kw: float, l1_kw: float, l2_kw: float | None
) -> None:
    one = limit(unit=unit, phase=phase)
    assert one.power_kw(230.0, 0.95) == pytest.approx(total_kw)
    assert one.power_kw(230.0, 0.95, Phase.L1) == pytest.approx(l1_kw)
    assert one.power_kw(230.0, 0.95, Phase.L2) == (None if l2_kw is None else pytest.approx(l2_kw))
