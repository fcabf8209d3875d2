r"""All scenarios in one linear program whose first steps are shared.

The two-stage program is

.. math::

    min \sum_s \pi_s f_s(x_s)   subject to   x_s \in X_s,   c_{s,i,t} = c_{r,i,t},   d_{s,i,t} = d_{r,i,t}

for all scenarios s and r in which session i is connected in a step t before ``shared_steps``. ``f_s`` and
``X_s`` are cost and constraints of one site (`optimizer.model`), so money is an expectation and limits hold
in every scenario. What follows from the powers (flows, energies, peaks, shortfall) and the sun that is turned
down may differ: it answers to what happens. `optimizer.uncertain.model` is the same program to be read.

Equal columns are one column: with the matrix ``S`` of zeros and ones that says which, ``x = S y``, costs are
``S^T c``, coefficients ``A S``, and bounds the tightest of the columns that became one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, csr_array

from optimizer.coefficients import Coefficients, Floats, compute_coefficients
from optimizer.compiled import Program, compile_program
from optimizer.layout import ABSENT, Layout
from optimizer.uncertain.problem import Uncertain

Numbers = npt.NDArray[np.int64]
# Families that are decided in the shared steps; the second pair exists where a charger is on or off.
DECIDED = ("charge_kw", "discharge_kw", "charging", "discharging")
# A session in a step.
Slot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Joint:
    """The program of all scenarios.

    Parameters
    ----------
    data, sites
        Numbers and program of each scenario.
    program
        The program in the columns ``y``.
    column_of
        Column ``y`` of each column ``x``, the scenarios' one after the other, shape (columns of all sites,).
    shared
        Columns ``y`` by family and slot that are decided before a scenario is known, `ABSENT` for a power
        that is zero in every plan.
    """

    data: tuple[Coefficients, ...]
    sites: tuple[Program, ...]
    program: Program
    column_of: Numbers
    shared: dict[str, dict[Slot, int]]

    def split(self, values: Floats) -> list[Floats]:
        """Return each scenario's columns ``x_s``."""
        ends = np.cumsum([site.layout.column_count for site in self.sites])
        return np.split(values[self.column_of], ends[:-1])

    def read_first_steps(self, values: Floats) -> dict[Slot, float]:
        """Return the signed power of every session in each shared step [kW]."""
        powers: dict[Slot, float] = {}
        for family, sign in (("charge_kw", 1.0), ("discharge_kw", -1.0)):
            for slot, column in self.shared[family].items():
                own_kw = 0.0 if column == ABSENT else sign * float(values[column])
                powers[slot] = powers.get(slot, 0.0) + own_kw
        return powers

    def deciding_first(self) -> Joint:
        """Return an exact program in which only the shared steps have binaries."""
        integer = np.zeros_like(self.program.integer)
        for family in ("charging", "discharging"):
            integer[[column for column in self.shared[family].values() if column != ABSENT]] = True
        return replace(self, program=replace(self.program, integer=integer))

    def columns(self, scenario: int, family: str) -> Numbers:
        """Return the columns ``y`` of a family of a scenario, `ABSENT` where it has none."""
        first = sum(site.layout.column_count for site in self.sites[:scenario])
        columns = self.sites[scenario].layout.columns
        numbers = columns.get(family, np.full_like(columns["charge_kw"], ABSENT))
        return np.where(
            numbers == ABSENT, ABSENT, self.column_of[np.where(numbers == ABSENT, 0, first + numbers)]
        )


def build_joint(problem: Uncertain, data: Sequence[Coefficients] | None = None, *, exact: bool) -> Joint:
    """Put the scenarios together.

    Parameters
    ----------
    problem
        The scenarios.
    data
        Their numbers where they are known already.
    exact
        With binaries, or the linear relaxation.
    """
    numbers = tuple(data or (compute_coefficients(one.problem) for one in problem.scenarios))
    sites = tuple(compile_program(each, exact=exact) for each in numbers)
    total = sum(site.layout.column_count for site in sites)
    owner, closed = np.arange(total), np.zeros(total, dtype=np.bool_)
    owners: dict[str, dict[Slot, int]] = {}
    for family in DECIDED:
        owners[family] = {}
        for slot, members in _find_equal(problem, sites, family).items():
            there = [column for column in members if column != ABSENT]
            if there:
                owner[there] = there[0]
                # A power that is not possible in one of the scenarios is possible in none.
                closed[there] = len(there) < len(members)
            owners[family][slot] = there[0] if there else ABSENT
    kept, column_of = np.unique(owner, return_inverse=True)
    place = {int(column): index for index, column in enumerate(kept)}
    shared = {
        family: {slot: ABSENT if column == ABSENT else place[column] for slot, column in slots.items()}
        for family, slots in owners.items()
    }
    weights = [scenario.probability for scenario in problem.scenarios]
    program = _assemble(sites, weights, column_of, closed, len(kept))
    return Joint(numbers, sites, program, column_of, shared)


def _find_equal(problem: Uncertain, sites: Sequence[Program], family: str) -> dict[Slot, list[int]]:
    """Return the columns ``x`` of each shared slot, `ABSENT` for a scenario that connects but has none."""
    slots: dict[Slot, list[int]] = defaultdict(list)
    first = 0
    for scenario, site in zip(problem.scenarios, sites, strict=True):
        numbers = site.layout.columns.get(family)
        if numbers is not None:
            for i, ev in enumerate(scenario.problem.evs):
                for step in range(ev.arrival_step, min(ev.departure_step, problem.shared_steps)):
                    column = int(numbers[i, step])
                    slots[ev.id, step].append(ABSENT if column == ABSENT else first + column)
        first += site.layout.column_count
    return slots


def _assemble(
    sites: Sequence[Program],
    weights: Sequence[float],
    column_of: Numbers,
    closed: npt.NDArray[np.bool_],
    columns: int,
) -> Program:
    def gather(name: str) -> Floats:
        return np.concatenate([getattr(site, name) for site in sites])

    cost = np.zeros(columns)
    scaled = [site.cost * weight for site, weight in zip(sites, weights, strict=True)]
    np.add.at(cost, column_of, np.concatenate(scaled))
    lower, upper = np.full(columns, -np.inf), np.full(columns, np.inf)
    np.maximum.at(lower, column_of, gather("column_lower"))
    np.minimum.at(upper, column_of, np.where(closed, 0.0, gather("column_upper")))
    integer = np.zeros(columns, dtype=np.bool_)
    integer[column_of[gather("integer")]] = True
    apart = block_diag([site.matrix for site in sites], format="coo")
    shape = (apart.shape[0], columns)
    matrix = csr_array((apart.data, (apart.row, column_of[apart.col])), shape=shape)
    matrix.sum_duplicates()
    return Program(
        layout=Layout({}, {}, columns, shape[0]),
        cost=cost,
        offset=float(np.dot(weights, [site.offset for site in sites])),
        column_lower=lower,
        column_upper=upper,
        integer=integer,
        row_lower=gather("row_lower"),
        row_upper=gather("row_upper"),
        matrix=matrix,
    )
