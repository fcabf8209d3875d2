"""The tree of the network: nodes with limits, and the connections that hang on them.

A node stands for everything below it. A limit is one value object that carries its source, so that every
bound of a plan can name who set it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from grid.config import StrictModel
from grid.ean import check_ean18
from grid.errors import DocumentError, Problem
from grid.units import apparent_to_power_kw, current_to_power_kw

if TYPE_CHECKING:
    from grid.load import LoadProfile

NOMINAL_VOLTAGE_V = 230.0
_FUSE = re.compile(r"(?P<phases>[13])x(?P<current>[1-9]\d{0,3})A")


class LimitUnit(StrEnum):
    """What a limit is measured in."""

    KW = "kW"
    KVA = "kVA"
    A = "A"


class Phase(StrEnum):
    """Which conductors a limit holds for; with amperes, ALL means each of the three."""

    ALL = "ALL"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


class Direction(StrEnum):
    """Which way a limit counts: import flows from the substation down."""

    IMPORT = "import"
    EXPORT = "export"


class LimitKind(StrEnum):
    """Why a limit is there."""

    FUSE = "fuse"
    CABLE = "cable"
    CONNECTION = "connection"
    THERMAL = "thermal"
    CONTRACTED = "contracted"
    SIGNAL = "signal"


class Averaging(StrEnum):
    """Over what time a limit must be kept."""

    ANY_SECOND = "any second"
    QUARTER_HOUR_MEAN = "quarter-hour mean"


class Netting(StrEnum):
    """Whether generation behind a limit may make room for consumption."""

    NONE = "none"
    CONFIRMED = "confirmed"


class NodeKind(StrEnum):
    """Levels of the network, highest first."""

    SUBSTATION = "substation"
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    SITE = "site"


class ConnectionKind(StrEnum):
    """Who stands behind a connection."""

    PUBLIC_POLE = "public-pole"
    HOME = "home"
    BUSINESS = "business"


_AVERAGING = {
    LimitKind.FUSE: Averaging.ANY_SECOND,
    LimitKind.CABLE: Averaging.ANY_SECOND,
    LimitKind.CONNECTION: Averaging.ANY_SECOND,
    LimitKind.THERMAL: Averaging.QUARTER_HOUR_MEAN,
    LimitKind.CONTRACTED: Averaging.QUARTER_HOUR_MEAN,
    LimitKind.SIGNAL: Averaging.QUARTER_HOUR_MEAN,
}
_LEVELS = list(NodeKind)


class Limit(StrictModel):
    """An upper bound on what flows through a node.

    Parameters
    ----------
    value
        The bound, >= 0, in ``unit``.
    unit
        kW (active), kVA (apparent) or A (per phase).
    phase
        ALL, or the one phase that it holds for.
    direction
        import or export.
    kind
        Why it is there; fixes its averaging.
    source
        Who says so, for explanations.
    netting
        Whether generation behind it may be subtracted.
    daily_from, daily_to
        Daily window of local time, both or none; it runs over midnight when the end is not after the start.
    """

    value: float = Field(ge=0.0)
    unit: LimitUnit
    phase: Phase = Phase.ALL
    direction: Direction
    kind: LimitKind
    source: str = Field(min_length=1)
    netting: Netting = Netting.NONE
    daily_from: time | None = None
    daily_to: time | None = None

    @model_validator(mode="after")
    def _whole_window(self) -> Self:
        if (self.daily_from is None) != (self.daily_to is None):
            raise ValueError("give both daily_from and daily_to, or neither")
        return self

    @property
    def averaging(self) -> Averaging:
        """Over what time it must be kept."""
        return _AVERAGING[self.kind]

    def power_kw(self, voltage_v: float, power_factor: float, phase: Phase = Phase.ALL) -> float | None:
        """Return the active power that it allows [kW].

        Parameters
        ----------
        voltage_v
            Voltage between phase and neutral [V].
        power_factor
            Share of the apparent power that is counted on, for limits in kVA.
        phase
            ALL for the total of a load balanced over three phases, else the power of that phase alone.

        Returns
        -------
        float or None
            None when it holds for another phase.
        """
        if phase not in {Phase.ALL, self.phase} and self.phase is not Phase.ALL:
            return None
        # A bound on one phase allows three times as much of a balanced load.
        phases = 3 if phase is Phase.ALL and (self.phase is not Phase.ALL or self.unit is LimitUnit.A) else 1
        match self.unit:
            case LimitUnit.KW:
                return self.value * phases
            case LimitUnit.KVA:
                return apparent_to_power_kw(self.value, power_factor) * phases
            case LimitUnit.A:
                return current_to_power_kw(self.value, voltage_v, phases)


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the network and everything below it.

    Parameters
    ----------
    id
        Its name.
    kind
        Its level.
    parent
        The node above, None for the root.
    limits
        What may flow through it.
    households
        Households whose base load hangs directly on it.
    annual_kwh_per_household
        Their mean yearly consumption [kWh].
    load_profile
        How that consumption spreads over the year; needed when there are households.
    """

    id: str
    kind: NodeKind
    parent: str | None = None
    limits: tuple[Limit, ...] = ()
    households: int = 0
    annual_kwh_per_household: float = 0.0
    load_profile: LoadProfile | None = None


class Connection(StrictModel):
    """A grid connection with its EAN code.

    Parameters
    ----------
    id
        Our name for it.
    node
        The node it hangs on.
    ean18
        Its EAN code, check digit included.
    kind
        Who stands behind it.
    fuse
        Fuse class, like ``3x25A``.
    feed_in_registered
        Whether the grid operator knows that it feeds in; without, its export limit is 0 kW.
    export_limit_kw
        What it may feed in [kW].
    supplier
        Who buys its energy, for the forecast of its load.
    """

    id: str = Field(min_length=1)
    node: str
    ean18: Annotated[str, AfterValidator(check_ean18)]
    kind: ConnectionKind
    fuse: str
    feed_in_registered: bool = False
    export_limit_kw: float = Field(default=0.0, ge=0.0)
    supplier: Annotated[str, Field(min_length=1, pattern=r"^[^,\"\n]+$")] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if _FUSE.fullmatch(self.fuse) is None:
            raise ValueError(f"fuse must read like '3x25A' or '1x35A', not {self.fuse!r}")
        if self.export_limit_kw > 0 and not self.feed_in_registered:
            raise ValueError(
                "export_limit_kw must be 0 unless feed_in_registered is true: register the feed-in"
            )
        return self

    @property
    def fuse_phases(self) -> int:
        """Number of phases, 1 or 3."""
        return int(self._fuse_match()["phases"])

    @property
    def fuse_current_a(self) -> float:
        """Rated current of each phase [A]."""
        return float(self._fuse_match()["current"])

    def fuse_power_kw(self, voltage_v: float) -> float:
        """Return what the fuses carry when the load is balanced [kW]."""
        return current_to_power_kw(self.fuse_current_a, voltage_v, self.fuse_phases)

    def limits(self, voltage_v: float) -> tuple[Limit, ...]:
        """Return its bounds as limits: the fuse both ways, and the registered feed-in."""
        fuse_kw = self.fuse_power_kw(voltage_v)
        return (
            Limit(
                value=fuse_kw,
                unit=LimitUnit.KW,
                direction=Direction.IMPORT,
                kind=LimitKind.FUSE,
                source=f"fuse {self.fuse} of {self.id}",
            ),
            Limit(
                value=fuse_kw,
                unit=LimitUnit.KW,
                direction=Direction.EXPORT,
                kind=LimitKind.FUSE,
                source=f"fuse {self.fuse} of {self.id}",
            ),
            Limit(
                value=self.export_limit_kw,
                unit=LimitUnit.KW,
                direction=Direction.EXPORT,
                kind=LimitKind.CONNECTION,
                source=f"registered feed-in of {self.id}",
            ),
        )

    def _fuse_match(self) -> re.Match[str]:
        match = _FUSE.fullmatch(self.fuse)
        assert match is not None, "checked when built"
        return match


@dataclass(frozen=True)
class Topology:
    """A checked tree of nodes and the connections on them.

    Parameters
    ----------
    nodes
        Any order; exactly one has no parent.
    connections
        Any order.
    voltage_v
        Voltage between phase and neutral [V].

    Raises
    ------
    DocumentError
        When it is no tree, a level is out of order, or a name or an EAN is used twice.
    """

    nodes: tuple[Node, ...]
    connections: tuple[Connection, ...] = ()
    voltage_v: float = NOMINAL_VOLTAGE_V
    _by_id: Mapping[str, Node] = field(init=False, repr=False, compare=False)
    _connection_by_id: Mapping[str, Connection] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = check_topology(self.nodes, self.connections, self.voltage_v)
        if problems:
            raise DocumentError("topology", problems)
        object.__setattr__(self, "_by_id", {node.id: node for node in self.nodes})
        object.__setattr__(self, "_connection_by_id", {one.id: one for one in self.connections})

    @property
    def root(self) -> Node:
        """The node without a parent."""
        return next(node for node in self.nodes if node.parent is None)

    def node(self, node_id: str) -> Node:
        """Return a node by its id (KeyError when there is none)."""
        return self._by_id[node_id]

    def connection(self, connection_id: str) -> Connection:
        """Return a connection by its id (KeyError when there is none)."""
        return self._connection_by_id[connection_id]

    def ancestors(self, element_id: str) -> tuple[Node, ...]:
        """Return the nodes above a node or connection, nearest first."""
        connection = self._connection_by_id.get(element_id)
        parent = connection.node if connection else self._by_id[element_id].parent
        return tuple(self._upwards(parent))

    def children(self, node_id: str) -> tuple[Node, ...]:
        """Return the nodes directly below a node."""
        return tuple(node for node in self.nodes if node.parent == node_id)

    def connections_below(self, node_id: str) -> tuple[Connection, ...]:
        """Return the connections on a node and on all nodes below it."""
        return tuple(
            one for one in self.connections if any(node.id == node_id for node in self.ancestors(one.id))
        )

    def limits_above(self, element_id: str) -> tuple[tuple[str, Limit], ...]:
        """Return every limit that bounds a node or connection: its own first, then those of its ancestors.

        Returns
        -------
        tuple of (element id, limit)
            Whose limit it is, and the limit.
        """
        connection = self._connection_by_id.get(element_id)
        own = connection.limits(self.voltage_v) if connection else self._by_id[element_id].limits
        return tuple(
            [(element_id, limit) for limit in own]
            + [(node.id, limit) for node in self.ancestors(element_id) for limit in node.limits]
        )

    def _upwards(self, node_id: str | None) -> Iterator[Node]:
        while node_id is not None:
            node = self._by_id[node_id]
            yield node
            node_id = node.parent


def check_topology(
    nodes: tuple[Node, ...], connections: tuple[Connection, ...], voltage_v: float = NOMINAL_VOLTAGE_V
) -> list[Problem]:
    """List everything that keeps nodes and connections from being a tree."""
    return [
        *_check_names(nodes, connections),
        *_check_root(nodes),
        *_check_parents(nodes),
        *_check_connections(nodes, connections, voltage_v),
    ]


def _check_names(nodes: tuple[Node, ...], connections: tuple[Connection, ...]) -> Iterator[Problem]:
    names = [*(node.id for node in nodes), *(one.id for one in connections)]
    paths = [
        *(f"nodes[{i}].id" for i in range(len(nodes))),
        *(f"connections[{i}].id" for i in range(len(connections))),
    ]
    yield from _repeated(paths, names, "is used twice: give every node and connection a name of its own")
    eans = [f"connections[{i}].ean18" for i in range(len(connections))]
    yield from _repeated(
        eans, [one.ean18 for one in connections], "is used twice: an EAN names one connection"
    )


def _repeated(paths: Iterable[str], values: list[str], message: str) -> Iterator[Problem]:
    counts = Counter(values)
    seen: set[str] = set()
    for path, value in zip(paths, values, strict=True):
        if counts[value] > 1 and value in seen:
            yield Problem(path, f"{value!r} {message}")
        seen.add(value)


def _check_root(nodes: tuple[Node, ...]) -> Iterator[Problem]:
    roots = [index for index, node in enumerate(nodes) if node.parent is None]
    if not roots:
        yield Problem("nodes", "no node is the root: leave parent away at exactly one")
    for index in roots[1:]:
        yield Problem(f"nodes[{index}].parent", "a second root: name the node above it")


def _check_parents(nodes: tuple[Node, ...]) -> Iterator[Problem]:
    by_id = {node.id: node for node in nodes}
    for index, node in enumerate(nodes):
        if node.parent is None:
            continue
        path, parent = f"nodes[{index}].parent", by_id.get(node.parent)
        if parent is None:
            yield Problem(
                path, f"there is no node {node.parent!r}: known nodes are {', '.join(sorted(by_id))}"
            )
        elif _in_cycle(node, by_id):
            yield Problem(path, f"{node.id!r} is its own ancestor: break the circle")
        elif _LEVELS.index(parent.kind) > _LEVELS.index(node.kind):
            yield Problem(
                path, f"a {node.kind} cannot hang below a {parent.kind}: levels are {' > '.join(_LEVELS)}"
            )


def _in_cycle(node: Node, by_id: Mapping[str, Node]) -> bool:
    seen: set[str] = set()
    at: Node | None = node
    while at is not None and at.id not in seen:
        seen.add(at.id)
        at = by_id.get(at.parent) if at.parent is not None else None
    return at is not None and at.id == node.id


def _check_connections(
    nodes: tuple[Node, ...], connections: tuple[Connection, ...], voltage_v: float
) -> Iterator[Problem]:
    known = sorted(node.id for node in nodes)
    for index, one in enumerate(connections):
        if one.node not in known:
            yield Problem(
                f"connections[{index}].node",
                f"there is no node {one.node!r}: known nodes are {', '.join(known)}",
            )
        fuse_kw = one.fuse_power_kw(voltage_v)
        if one.export_limit_kw > fuse_kw + 1e-9:
            message = f"{one.export_limit_kw:g} kW is more than the fuses carry ({fuse_kw:g} kW): lower it"
            yield Problem(f"connections[{index}].export_limit_kw", message)
