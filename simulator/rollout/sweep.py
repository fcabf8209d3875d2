"""Variants of a scenario: changed settings of the study, and sweeps over any parameter of the file."""

from __future__ import annotations

import copy
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grid.config import Document, load_document
from grid.errors import DocumentError, Problem
from simulator.rollout.scenario import Scenario, read_scenario

ALL = "*"


def read_variants(path: Path, changes: Mapping[str, Any], sweeps: Sequence[str]) -> dict[str, Scenario]:
    """Return the scenarios to run by label; without a sweep there is one, and its label is empty.

    Parameters
    ----------
    path
        Scenario file.
    changes
        Settings of ``[study]`` that replace the file's.
    sweeps
        ``TABLE.KEY=A,B,C``, or ``neighbourhoods.NAME.KEY=A,B`` where ``*`` is every neighbourhood; values in
        TOML. Several are combined.

    Raises
    ------
    DocumentError
        When a sweep cannot be read or a variant is no valid scenario.
    """
    document = load_document(path)
    tables = copy.deepcopy(document.tables)
    tables.setdefault("study", {}).update(changes)
    axes = [_axis(text) for text in sweeps]
    variants: dict[str, Scenario] = {}
    for values in itertools.product(*(axis[1] for axis in axes)):
        mine = copy.deepcopy(tables)
        for (place, _), value in zip(axes, values, strict=True):
            _set(mine, place, value, document.source)
        label = "_".join(f"{place}={value}" for (place, _), value in zip(axes, values, strict=True))
        variants[label.replace(ALL, "all").replace("/", "-")] = read_scenario(
            Document(document.source, document.directory, mine)
        )
    return variants


def _axis(text: str) -> tuple[str, list[Any]]:
    place, separator, values = text.partition("=")
    remedy = "write TABLE.KEY=A,B,C, for example poles.reach_m=150,300"
    if not separator or "." not in place or not values:
        raise DocumentError("--sweep", [Problem(text, remedy)])
    try:
        return place.strip(), tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError as error:
        raise DocumentError("--sweep", [Problem(text, f"{error}; {remedy}, text in quotes")]) from error


def _set(tables: dict[str, Any], place: str, value: Any, source: str) -> None:
    table, _, key = place.partition(".")
    if table != "neighbourhoods":
        tables.setdefault(table, {})[key] = value
        return
    name, _, key = key.rpartition(".")
    chosen = [area for area in tables.get(table, []) if name in {ALL, area.get("id")}]
    if not chosen or not key:
        raise DocumentError(source, [Problem(place, "names no neighbourhood: use its id, or * for all")])
    for area in chosen:
        area[key] = value
