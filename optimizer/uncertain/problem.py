"""What is asked when the future is not one: a problem, and the scenarios that may come true instead of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from grid.config import ProblemCollector, StrictModel, validate
from grid.errors import DocumentError
from grid.errors import Problem as Fault
from optimizer.city.problem import read_document
from optimizer.problem import Index, Name, Problem, parse_problem
from optimizer.rules import STEP_ARRAYS

SOURCE = "problem"
# What a scenario may say otherwise: arrays per step, and sessions and groups by their ids.
NAMED = ("evs", "groups")
OF_SCENARIOS = ("scenarios", "shared_steps")
# Probabilities add up to one but for what rounding to some digits leaves.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which it may come.

    Parameters
    ----------
    id
        Its name.
    probability
        How likely it is [fraction].
    problem
        The whole site as it is then.
    """

    id: str
    probability: float
    problem: Problem


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A site with several futures.

    Parameters
    ----------
    expected
        The one that a plan without scenarios counts on; its gap and time limit hold.
    scenarios
        The futures; their probabilities add up to 1.
    shared_steps
        So many steps are decided before it is known which scenario comes true.
    """

    expected: Problem
    scenarios: tuple[Scenario, ...]
    shared_steps: int = 1


class _Head(StrictModel):
    """A scenario without what it says otherwise."""

    id: Name
    probability: Annotated[float, Field(strict=True, gt=0.0, le=1.0)]


class _Settings(StrictModel):
    shared_steps: Annotated[Index, Field(ge=1)] = 1


def is_uncertain(document: Any) -> bool:
    """Say whether plain data means a site with scenarios."""
    return isinstance(document, Mapping) and any(name in document for name in OF_SCENARIOS)


def parse_uncertain(document: bytes | str | Mapping[str, Any], *, source: str = SOURCE) -> Uncertain:
    """Read a problem with scenarios from JSON text or from plain data.

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
    if not isinstance(data, Mapping):
        raise DocumentError(source, [Fault("", f"must be a JSON object, not {type(data).__name__}")])
    base = {name: value for name, value in data.items() if name not in OF_SCENARIOS}
    collector = ProblemCollector(source)
    expected = collector.attempt(lambda: parse_problem(base, source=source))
    named = {name: data[name] for name in ("shared_steps",) if name in data}
    settings = collector.attempt(lambda: validate(_Settings, named, source=source, path=""))
    known = frozenset(collector.problems)
    scenarios = [
        collector.attempt(lambda i=i, item=item: _scenario(base, item, i, known, source))  # type: ignore[misc]
        for i, item in _items(data.get("scenarios"), collector)
    ]
    found = [one for one in scenarios if one is not None]
    for path, message in _contradictions(expected, settings, found, complete=len(found) == len(scenarios)):
        collector.add(path, message)
    collector.finish()
    assert expected is not None, "finish() raises when a part could not be read"
    assert settings is not None, "as above"
    return Uncertain(expected, tuple(found), settings.shared_steps)


def _items(value: Any, collector: ProblemCollector) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects of the array of scenarios with their places; what is no object is noted."""
    if not isinstance(value, list | tuple) or not value:
        collector.add("scenarios", "must be an array of objects, one or more: leave it away to plan without")
        return
    for index, item in enumerate(value):
        if isinstance(item, Mapping):
            yield index, item
        else:
            collector.add(f"scenarios[{index}]", f"must be an object, not {type(item).__name__}")


def _scenario(
    base: Mapping[str, Any], item: Mapping[str, Any], index: int, known: frozenset[Fault], source: str
) -> Scenario:
    """Read one scenario; what is wrong without it is not told again."""
    path, faults = f"scenarios[{index}]", ProblemCollector(source)
    allowed = (*_Head.model_fields, *STEP_ARRAYS, *NAMED)
    for name in item:
        if name not in allowed:
            faults.add(f"{path}.{name}", f"cannot differ between scenarios: they have {', '.join(allowed)}")
    own = {name: item[name] for name in _Head.model_fields if name in item}
    head = faults.attempt(lambda: validate(_Head, own, source=source, path=path))
    merged = {**base, **{name: item[name] for name in STEP_ARRAYS if name in item}}
    places: dict[str, str] = {}
    for name in NAMED:
        if name in item:
            merged[name] = _merge(base.get(name), item[name], name, path, places, faults)
    problem = None
    try:
        problem = parse_problem(merged, source=source)
    except DocumentError as error:
        for fault in error.problems:
            if fault not in known:
                faults.add(_place(fault.path, path, places), fault.message)
    faults.finish()
    if head is None or problem is None:
        raise DocumentError(source, [])
    return Scenario(head.id, head.probability, problem)


def _merge(
    base: Any, changes: Any, name: str, path: str, places: dict[str, str], faults: ProblemCollector
) -> list[Any]:
    """Return the objects of the base with those of a scenario in the place of, or after, them."""
    result = list(base) if isinstance(base, list | tuple) else []
    if not isinstance(changes, list | tuple):
        faults.add(f"{path}.{name}", f"must be an array of objects, not {type(changes).__name__}")
        return result
    position = {one["id"]: i for i, one in enumerate(result) if isinstance(one, Mapping) and _named(one)}
    seen: set[str] = set()
    for index, change in enumerate(changes):
        place = f"{path}.{name}[{index}]"
        if not (isinstance(change, Mapping) and _named(change)):
            faults.add(place, "must be an object with the id of what it changes or adds")
            continue
        if change["id"] in seen:
            faults.add(f"{place}.id", f"{change['id']!r} is there twice: give each its own")
            continue
        seen.add(change["id"])
        at = position.get(change["id"], len(result))
        places[f"{name}[{at}]"] = place
        if at < len(result):
            result[at] = {**result[at], **change}
        else:
            result.append(change)
    return result


def _named(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("id"), str)


def _place(inner: str, path: str, places: Mapping[str, str]) -> str:
    """Return where in the whole document a path in one scenario's problem stands."""
    head, bracket, rest = inner.partition("]")
    changed = places.get(head + bracket)
    return changed + rest if changed is not None else f"{path}.{inner}".rstrip(".")


def _contradictions(
    expected: Problem | None, settings: _Settings | None, scenarios: list[Scenario], *, complete: bool
) -> Iterator[tuple[str, str]]:
    """Yield the path and message of everything that does not fit together."""
    if expected is not None and settings is not None and settings.shared_steps > expected.steps:
        yield "shared_steps", f"{settings.shared_steps} is after the horizon of {expected.steps} steps"
    if not complete or not scenarios:
        return
    first: dict[str, int] = {}
    for index, scenario in enumerate(scenarios):
        if scenario.id in first:
            message = f"{scenario.id!r} is already used at scenarios[{first[scenario.id]}].id"
            yield f"scenarios[{index}].id", f"{message}: give each its own"
        first.setdefault(scenario.id, index)
    total = sum(scenario.probability for scenario in scenarios)
    if abs(total - 1.0) > ROUNDING:
        yield "scenarios", f"have probabilities that add up to {total:g}: they must add up to 1"
