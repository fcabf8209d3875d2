"""What is asked for a city: sites and the nodes of the grid that they share, as a validated document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from grid.config import ProblemCollector, StrictModel, list_problems, validate
from grid.errors import DocumentError
from grid.errors import Problem as Fault
from optimizer.problem import Amounts, Name, Netting, PeakBand, Positive, Problem, parse_problem

SOURCE = "city"
# What every site of a city must have in common.
SHARED = ("start", "step_minutes", "steps")
TOP_LEVEL = ("sites", "nodes", "gap", "time_limit_s")


class Node(StrictModel):
    """A transformer, a substation, a whole city: a place in the grid that several sites share.

    Parameters
    ----------
    members
        Ids of sites, and of nodes further down the grid.
    import_limit_kw, export_limit_kw
        Limits on the sum of the members' expected flows [kW], a number or one per step. None: no limit.
    netting
        Under ``confirmed`` the net flow meets the limits. Under ``none`` discharge relieves no import and
        charge no export, anywhere below the node.
    peak_bands
        Tariff bands that charge the node's highest net import.
    """

    id: Name
    members: tuple[Name, ...]
    import_limit_kw: Amounts | None = None
    export_limit_kw: Amounts | None = None
    netting: Netting = Netting.NONE
    peak_bands: tuple[PeakBand, ...] = ()


class _Settings(StrictModel):
    gap: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)] = 0.01
    time_limit_s: Positive = 60.0


@dataclass(frozen=True, slots=True)
class City:
    """Sites with one horizon, and a forest of nodes over them.

    Parameters
    ----------
    site_ids, sites
        Names and problems, in the order of the document.
    nodes
        In the order of the document.
    gap
        Relative distance from the bound at which the search may stop [fraction].
    time_limit_s
        Wall-clock budget [s].
    """

    site_ids: tuple[str, ...]
    sites: tuple[Problem, ...]
    nodes: tuple[Node, ...]
    gap: float = 0.01
    time_limit_s: float = 60.0

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.sites[0].steps if self.sites else 0

    @property
    def step_h(self) -> float:
        """Length of a step [h]."""
        return self.sites[0].step_h if self.sites else 0.0


def read_document(text: bytes | str, *, source: str = SOURCE) -> Any:
    """Read JSON text.

    Raises
    ------
    DocumentError
        When it is none.
    """
    # The parser takes NaN and Infinity, so that they get an error with their place.
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(source, [Fault("", f"is no JSON: {error}")]) from None


def is_city(document: Any) -> bool:
    """Say whether plain data means a city and not one site."""
    return isinstance(document, Mapping) and ("sites" in document or "nodes" in document)


def parse_city(document: bytes | str | Mapping[str, Any], *, source: str = SOURCE) -> City:
    """Read a city from JSON text or from plain data.

    Parameters
    ----------
    document
        JSON text, or a mapping with the same names.
    source
        Name of the document for the error.

    Raises
    ------
    DocumentError
        With every error and its JSON path.
    """
    data = read_document(document, source=source) if isinstance(document, bytes | str) else document
    collector = ProblemCollector(source)
    if not isinstance(data, Mapping):
        collector.add("", f"must be a JSON object, not {type(data).__name__}")
        data = {}
    for name in data:
        if name not in TOP_LEVEL:
            collector.add(str(name), f"is unknown: a city has {', '.join(TOP_LEVEL)}")
    site_items, node_items = (_objects(data, name, collector) for name in ("sites", "nodes"))
    sites = [collector.attempt(lambda i=i, s=s: _site(s, i, source)) for i, s in site_items]  # type: ignore[misc]
    nodes = [
        collector.attempt(lambda i=i, n=n: _node(n, i, source))  # type: ignore[misc]
        for i, n in node_items
    ]
    named = {name: data[name] for name in ("gap", "time_limit_s") if name in data}
    settings = collector.attempt(lambda: validate(_Settings, named, source=source, path=""))
    site_ids = [item.get("id") for _, item in site_items]
    for path, message in _contradictions(site_ids, sites, [item for _, item in node_items], nodes):
        collector.add(path, message)
    collector.finish()
    assert settings is not None
    return City(
        tuple(str(name) for name in site_ids),
        tuple(site for site in sites if site is not None),
        tuple(node for node in nodes if node is not None),
        settings.gap,
        settings.time_limit_s,
    )


def _objects(
    data: Mapping[str, Any], name: str, collector: ProblemCollector
) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the objects of an array with their places; what is no object is noted."""
    items = data.get(name, [])
    if not isinstance(items, list | tuple) or (name == "sites" and not items):
        collector.add(name, "must be an array of objects" + (" with one or more" if name == "sites" else ""))
        return []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            collector.add(f"{name}[{index}]", f"must be an object, not {type(item).__name__}")
    return [(index, item) for index, item in enumerate(items) if isinstance(item, Mapping)]


def _site(item: Mapping[str, Any], index: int, source: str) -> Problem:
    """Read one site, its errors placed in the whole document."""
    faults = []
    if not (isinstance(item.get("id"), str) and item["id"]):
        faults.append(Fault(f"sites[{index}].id", "must be a name: give each site its own"))
    try:
        problem = parse_problem({key: value for key, value in item.items() if key != "id"}, source=source)
    except DocumentError as error:
        faults += [Fault(f"sites[{index}].{each.path}".rstrip("."), each.message) for each in error.problems]
    if faults:
        raise DocumentError(source, faults)
    return problem


def _node(item: Mapping[str, Any], index: int, source: str) -> Node:
    try:
        return Node.model_validate(item)
    except ValidationError as error:
        faults = list_problems(error, Node, f"nodes[{index}]")
    # The number that stands for all steps has no elements.
    numbers = [f"nodes[{index}].{name}" for name, value in item.items() if isinstance(value, int | float)]
    placed = [
        Fault(next((name for name in numbers if fault.path == f"{name}[0]"), fault.path), fault.message)
        for fault in faults
    ]
    raise DocumentError(source, placed)


def _contradictions(
    site_ids: Sequence[Any],
    sites: Sequence[Problem | None],
    node_items: Sequence[Mapping[str, Any]],
    nodes: Sequence[Node | None],
) -> Iterator[tuple[str, str]]:
    """Yield the path and message of everything that does not fit together."""
    first = next((site for site in sites if site is not None), None)
    for index, site in enumerate(sites):
        for name in SHARED if site is not None and first is not None else ():
            if getattr(site, name) != getattr(first, name):
                yield f"sites[{index}].{name}", f"must be {getattr(first, name)}, as in the first site"
    places = [(f"sites[{index}].id", name) for index, name in enumerate(site_ids)]
    places += [(f"nodes[{index}].id", item.get("id")) for index, item in enumerate(node_items)]
    counts = Counter(name for _, name in places if isinstance(name, str))
    for path, name in places:
        if isinstance(name, str) and counts[name] > 1:
            yield path, f"{name!r} is the id of {counts[name]} sites or nodes: give each its own"
    yield from _wrong_members(nodes, set(counts))
    for index, node in enumerate(nodes):
        if node is not None and first is not None:
            yield from _wrong_lengths(node, f"nodes[{index}]", first.steps)


def _wrong_members(nodes: Sequence[Node | None], known: set[str]) -> Iterator[tuple[str, str]]:
    parents: dict[str, str] = {}
    for index, node in enumerate(nodes):
        for position, member in enumerate(node.members if node is not None else ()):
            path = f"nodes[{index}].members[{position}]"
            assert node is not None
            if member not in known:
                yield path, f"{member!r} is no site and no node of this city"
            elif member in parents:
                yield path, f"{member!r} is a member of {parents[member]!r} already: a tree has one way up"
            else:
                parents[member] = node.id
    for index, node in enumerate(nodes):
        above, seen = parents.get(node.id) if node is not None else None, set[str]()
        while node is not None and above is not None and above not in seen:
            if above == node.id:
                yield f"nodes[{index}].members", f"lead from {node.id!r} back to itself"
            seen.add(above)
            above = parents.get(above)


def _wrong_lengths(node: Node, path: str, steps: int) -> Iterator[tuple[str, str]]:
    for name in ("import_limit_kw", "export_limit_kw"):
        limits = getattr(node, name)
        if limits is not None and len(limits) not in {1, steps}:
            yield f"{path}.{name}", f"has {len(limits)} numbers: give one, or one for each of {steps} steps"
    names = Counter(band.name for band in node.peak_bands)
    for position, band in enumerate(node.peak_bands):
        if names[band.name] > 1:
            yield f"{path}.peak_bands[{position}].name", f"{band.name!r} is there twice"
        for place, step in enumerate(band.steps):
            if step >= steps:
                yield f"{path}.peak_bands[{position}].steps[{place}]", f"{step} is after the last step"
