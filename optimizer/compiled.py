"""From the readable model to arrays: compiled once, filled with data at every request.

Pyomo takes a tenth of a second for a site, numpy a millisecond. So the model is built once for one session,
one group, one band and a few steps, with a distinct *mark* in the place of each number of `Coefficients`.
The standard form of that small model says for each family of rows and columns which number stands in which
place, with which sign and at which distance in time. A request only looks the numbers up, for as many
sessions, groups, bands and steps as it has. A model that computes with its data instead of placing it, or
that changes from step to step, does not compile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import csr_array

from optimizer.coefficients import Coefficients, Floats
from optimizer.layout import ABSENT, Layout, Numbers, lay_out
from optimizer.model.build import build_model

# Marks are whole numbers from here on, the model's own constants are smaller.
FIRST_MARK = 1000
# Steps of the marked model: enough to see that every one is alike.
MARKED_STEPS = 4

Entity = Literal["site", "session", "group", "band"]
# Index set of the model: what it counts, and whether it also counts steps or time points.
AXES: dict[str, tuple[Entity, bool]] = {
    "steps": ("site", True),
    "sites": ("site", False),
    "sessions": ("session", False),
    "bands": ("band", False),
    "connected": ("session", True),
    "stays": ("session", True),
    "group_steps": ("group", True),
    "band_steps": ("band", True),
}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a number of the compiled model comes from: ``factor`` times a datum, or times 1 without one."""

    datum: str | None
    axes: str
    factor: float


@dataclass(frozen=True, slots=True)
class Family:
    """A family of variables or constraints."""

    name: str
    entity: Entity
    positioned: bool
    lower: Slot
    upper: Slot
    cost: Slot
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Stencil:
    """The coefficients of one family of variables in one family of constraints that come from the same datum.

    ``distance`` is the column's position less the row's where both have positions.
    """

    row: str
    column: str
    slot: Slot
    distance: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The model without data."""

    columns: dict[str, Family]
    rows: dict[str, Family]
    stencils: tuple[Stencil, ...]
    offset: Slot


@dataclass(frozen=True, slots=True)
class Program:
    """A linear or mixed-integer program in arrays, rows compressed."""

    layout: Layout
    cost: Floats
    offset: float
    column_lower: Floats
    column_upper: Floats
    integer: npt.NDArray[np.bool_]
    row_lower: Floats
    row_upper: Floats
    matrix: csr_array

    def read(self, name: str, values: Floats) -> Floats:
        """Return the values of a family of columns, 0 where it has none."""
        return pick(self.layout.columns[name], values)

    def read_rows(self, name: str, values: Floats) -> Floats:
        """Return the values of a family of rows, 0 where it has none."""
        return pick(self.layout.rows[name], values)


def pick(numbers: Numbers, values: Floats) -> Floats:
    """Return the values at some numbers, 0 where a number is `ABSENT`."""
    there = numbers != ABSENT
    return (
        np.where(there, values[np.where(there, numbers, 0)], 0.0) if values.size else np.zeros(numbers.shape)
    )


def compile_program(data: Coefficients, *, exact: bool) -> Program:
    """Fill the compiled model with the numbers of a problem.

    Parameters
    ----------
    data
        The numbers.
    exact
        With binaries, or the linear relaxation.
    """
    shape = compile_shape(exact=exact)
    layout = lay_out(data, exact=exact)
    lower, upper, cost = (np.zeros(layout.column_count) for _ in range(3))
    integer = np.zeros(layout.column_count, dtype=np.bool_)
    for name, numbers in layout.columns.items():
        family, there = shape.columns[name], numbers != ABSENT
        for values, slot in ((lower, family.lower), (upper, family.upper), (cost, family.cost)):
            values[numbers[there]] = np.broadcast_to(_family_values(slot, data), numbers.shape)[there]
        integer[numbers[there]] = family.integer
    row_lower, row_upper = np.zeros(layout.row_count), np.zeros(layout.row_count)
    for name, numbers in layout.rows.items():
        family, there = shape.rows[name], numbers != ABSENT
        for values, slot in ((row_lower, family.lower), (row_upper, family.upper)):
            values[numbers[there]] = np.broadcast_to(_family_values(slot, data), numbers.shape)[there]
    return Program(
        layout=layout,
        cost=cost,
        offset=float(_family_values(shape.offset, data)),
        column_lower=lower,
        column_upper=upper,
        integer=integer,
        row_lower=row_lower,
        row_upper=row_upper,
        matrix=_fill_matrix(shape, layout, data),
    )


def compile_preferences(data: Coefficients, layout: Layout) -> Floats:
    """Return the cost of every column of a relaxation when preferences are the objective."""
    shape, cost = compile_shape(exact=False, preferring=True), np.zeros(layout.column_count)
    for name, numbers in layout.columns.items():
        there = numbers != ABSENT
        values = np.broadcast_to(_family_values(shape.columns[name].cost, data), numbers.shape)
        cost[numbers[there]] = values[there]
    return cost


def _family_values(slot: Slot, data: Coefficients) -> Floats:
    """Return a slot's numbers over entity and position."""
    if slot.datum is None:
        return np.asarray(slot.factor)
    values = slot.factor * np.asarray(getattr(data, slot.datum))
    if slot.axes in {"t", "k"}:
        return np.asarray(values[None, :])
    return np.asarray(values[:, None] if len(slot.axes) == 1 else values)


def _fill_matrix(shape: Shape, layout: Layout, data: Coefficients) -> csr_array:
    rows, columns, values = [], [], []
    for stencil in shape.stencils:
        if stencil.row not in layout.rows or stencil.column not in layout.columns:
            continue
        entities = _entity_pairs(shape.rows[stencil.row].entity, shape.columns[stencil.column].entity, data)
        row, column = layout.rows[stencil.row], layout.columns[stencil.column]
        positioned = shape.rows[stencil.row].positioned and shape.columns[stencil.column].positioned
        positions = _positions(row.shape[1], column.shape[1], stencil.distance if positioned else None)
        row, column = (
            numbers[entity[:, None], position[None, :]]
            for numbers, entity, position in zip((row, column), entities, positions, strict=True)
        )
        there = (row != ABSENT) & (column != ABSENT)
        if not there.any():
            continue
        value = np.broadcast_to(_pair_values(stencil, shape, entities, positions, data), row.shape)
        rows.append(row[there])
        columns.append(column[there])
        values.append(value[there])
    size = (layout.row_count, layout.column_count)
    if not rows:
        return csr_array(size)
    matrix = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=size)
    matrix.eliminate_zeros()
    return matrix


def _positions(rows: int, columns: int, distance: int | None) -> tuple[Numbers, Numbers]:
    """Return the positions of rows and columns that meet; without distance one side has none, meets all."""
    if distance is None:
        length = max(rows, columns)
        return np.arange(length) % rows, np.arange(length) % columns
    first = np.arange(max(0, -distance), min(rows, columns - distance))
    return first, first + distance


def _entity_pairs(row: Entity, column: Entity, data: Coefficients) -> tuple[Numbers, Numbers]:
    """Return which entities of the rows meet which of the columns."""
    counts = {
        "site": 1,
        "session": data.sessions,
        "group": len(data.group_weight),
        "band": len(data.realised_kw),
    }
    if row == column:
        every = np.arange(counts[row])
        return every, every
    if (row, column) == ("group", "session"):
        groups, members = np.nonzero(data.group_weight)
        return groups, members
    first, second = np.indices((counts[row], counts[column])).reshape(2, -1)
    return first, second


def _pair_values(
    stencil: Stencil,
    shape: Shape,
    entities: tuple[Numbers, Numbers],
    positions: tuple[Numbers, Numbers],
    data: Coefficients,
) -> Floats:
    """Return a stencil's numbers over pairs of entities and nonzeros."""
    slot = stencil.slot
    if slot.datum is None:
        return np.asarray(slot.factor)
    family = shape.rows[stencil.row]
    kinds = (family.entity, shape.columns[stencil.column].entity)
    letters = {"site": "", "session": "i", "group": "g", "band": "b"}
    index: list[Numbers] = []
    for letter in slot.axes:
        if letter in "tk":
            index.append(positions[0 if family.positioned else 1][None, :])
        else:
            side = 0 if letters[kinds[0]] == letter else 1
            index.append(entities[side][:, None])
    return slot.factor * np.asarray(getattr(data, slot.datum))[tuple(index)]


@lru_cache(maxsize=4)
def compile_shape(*, exact: bool, preferring: bool = False) -> Shape:
    """Compile the model.

    Parameters
    ----------
    exact
        With binaries, or the linear relaxation.
    preferring
        With the preferences as objective.

    Raises
    ------
    ValueError
        When the model computes with its data, or is not the same in every step.
    """
    marked, marks = _mark(MARKED_STEPS)
    model = build_model(marked, exact=exact, preferring=preferring)
    form = LinearStandardFormCompiler().write(model, mixed_form=True)
    costs = form.c.toarray()[0]
    columns: dict[str, Family] = {}
    for column, cost in zip(form.columns, costs, strict=True):
        lower, upper = column.bounds
        _note(columns, column, (lower, upper, cost), marks, integer=bool(column.is_integer()))
    rows: dict[str, Family] = {}
    for row, right in zip(form.rows, form.rhs, strict=True):
        bounds = (right if row.bound_type <= 0 else None, right if row.bound_type >= 0 else None)
        _note(rows, row.constraint, (*bounds, 0.0), marks)
    return Shape(columns, rows, tuple(_stencils(form, marks)), _slot(float(form.c_offset[0]), marks))


def _mark(steps: int) -> tuple[Coefficients, dict[int, tuple[str, str]]]:
    """Make data for one of everything, with a mark in the place of each number."""
    lengths = {"i": 1, "g": 1, "b": 1, "t": steps, "k": steps + 1}
    values: dict[str, Any] = {}
    marks: dict[int, tuple[str, str]] = {}
    for mark, field in enumerate(fields(Coefficients), start=FIRST_MARK):
        axes = field.metadata["axes"]
        shape = tuple(lengths[axis] for axis in axes)
        if field.name in {"connected", "stays", "in_band"}:
            values[field.name] = np.ones(shape, dtype=np.bool_)
            continue
        marks[mark] = (field.name, axes)
        values[field.name] = np.full(shape, float(mark)) if axes else float(mark)
    return Coefficients(**values), marks


def _slot(value: float | None, marks: dict[int, tuple[str, str]], *, absent: float = np.inf) -> Slot:
    """Recognise a number of the marked model."""
    if value is None:
        return Slot(None, "", absent)
    if abs(value) < FIRST_MARK:
        return Slot(None, "", float(value))
    name, axes = marks[int(abs(value))]
    if abs(value) != int(abs(value)):
        raise ValueError(f"the model computes with its data instead of placing it: {value}")
    return Slot(name, axes, float(np.sign(value)))


def _note(
    families: dict[str, Family],
    component: Any,
    numbers: tuple[float | None, float | None, float],
    marks: dict[int, tuple[str, str]],
    *,
    integer: bool = False,
) -> None:
    """Note a variable or constraint in its family; all of a family have their numbers from the same data."""
    parent = component.parent_component()
    entity, positioned = AXES[parent.index_set().local_name]
    lower, upper = _slot(numbers[0], marks, absent=-np.inf), _slot(numbers[1], marks)
    family = Family(parent.local_name, entity, positioned, lower, upper, _slot(numbers[2], marks), integer)
    if families.setdefault(family.name, family) != family:
        raise ValueError(f"the members of {family.name} differ in more than their data")


def _stencils(form: Any, marks: dict[int, tuple[str, str]]) -> Iterable[Stencil]:
    matrix = form.A.tocoo()
    found: dict[tuple[str, str, Slot], set[tuple[int, int]]] = defaultdict(set)
    lengths: dict[str, int] = defaultdict(int)
    for row, column, value in zip(matrix.row, matrix.col, matrix.data, strict=True):
        row_name, row_position = _name_and_position(form.rows[row].constraint)
        column_name, column_position = _name_and_position(form.columns[column])
        found[row_name, column_name, _slot(float(value), marks)].add((row_position, column_position))
        for name, position in ((row_name, row_position), (column_name, column_position)):
            lengths[name] = max(lengths[name], position + 1)
    for (row_name, column_name, slot), pairs in found.items():
        row_position, column_position = min(pairs)
        distance = column_position - row_position
        one_sided = min(lengths[row_name], lengths[column_name]) == 1
        expected = _positions(lengths[row_name], lengths[column_name], None if one_sided else distance)
        if pairs != set(zip(*(map(int, positions) for positions in expected), strict=True)):
            raise ValueError(f"{column_name} in {row_name} is not the same in every step")
        yield Stencil(row_name, column_name, slot, distance)


def _name_and_position(component: Any) -> tuple[str, int]:
    parent, index = component.parent_component(), component.index()
    if not AXES[parent.index_set().local_name][1]:
        return parent.local_name, 0
    return parent.local_name, index[-1] if isinstance(index, tuple) else index
