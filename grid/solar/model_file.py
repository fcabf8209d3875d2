"""Fitted forecasts of the clear-sky index as a CSV file: a few hundred figures, no measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from grid.csvfile import parse_rows, read_csv, refuse
from grid.errors import Problem
from grid.solar.clearness import LEVELS, SEASONS, TERMS, THIRDS, ClearnessModel, Floats, Knowledge

COLUMNS: Final = ("knowledge", "row", "column", "value")
_EDGES: Final = "edges"
_SIDES: Final = ("below", "above")
Key = tuple[str, str, str]


def render_models(models: Mapping[Knowledge, ClearnessModel], comments: tuple[str, ...]) -> str:
    """Return the text of a file; comments go before it, a line each."""
    lines = [*(f"# {comment}" for comment in comments), ",".join(COLUMNS)]
    for model in models.values():
        figures = np.concatenate([part.ravel() for part in _parts(model)])
        lines += [
            f"{','.join(key)},{value:.6g}" for key, value in zip(_keys(model.knowledge), figures, strict=True)
        ]
    return "\n".join(lines) + "\n"


def read_models(path: Path) -> dict[Knowledge, ClearnessModel]:
    """Read ``knowledge,row,column,value``.

    Raises
    ------
    DocumentError
        When the file is missing, a value is no number, or a figure is missing, unknown or repeated.
    """
    _, rows = read_csv(path, COLUMNS)
    problems: list[Problem] = []
    wanted = [key for knowledge in Knowledge for key in _keys(knowledge)]
    known, values = frozenset(wanted), dict[Key, float]()
    for line, (key, value) in parse_rows(rows, _parse_row, "knowledge, row, column and a number", problems):
        if key not in known:
            problems.append(Problem(f"line {line}", f"{','.join(key)} is no figure of a forecast: remove it"))
        elif key in values:
            problems.append(Problem(f"line {line}", f"{','.join(key)} stands twice: keep one"))
        values[key] = value
    if not problems:
        missing = (key for key in wanted if key not in values)
        problems += [Problem("", f"{','.join(key)} is missing: add its row") for key in missing]
    refuse(str(path), problems)
    return {
        knowledge: _build(knowledge, np.array([values[key] for key in _keys(knowledge)]))
        for knowledge in Knowledge
    }


def _keys(knowledge: Knowledge) -> Iterator[Key]:
    """Yield what the figures of a forecast are called, in their order."""
    name = knowledge.value
    yield from ((name, f"{level:g}", term) for level in LEVELS for term in TERMS[knowledge])
    yield from ((name, _EDGES, third) for third in THIRDS[:-1])
    yield from ((name, group, side) for group in (*THIRDS, *SEASONS) for side in _SIDES)


def _parts(model: ClearnessModel) -> tuple[Floats, ...]:
    return model.coefficients, model.third_edges, model.third_stretch, model.season_stretch


def _build(knowledge: Knowledge, figures: Floats) -> ClearnessModel:
    shapes = ((len(LEVELS), len(TERMS[knowledge])), (len(THIRDS) - 1,), (len(THIRDS), 2), (len(SEASONS), 2))
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(figures, ends[:-1])
    coefficients, edges, third, season = (
        part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)
    )
    return ClearnessModel(knowledge, coefficients, edges, third, season)


def _parse_row(cells: tuple[str, ...]) -> tuple[Key, float]:
    knowledge, row, column, text = cells
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(cells)
    return (knowledge, row, column), value
