"""Small cities exactly: one program with binaries over all sites and nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.city.joint import build_joint
from optimizer.city.problem import City
from optimizer.city.site import Answer, load, rate
from optimizer.city.tree import Tree
from optimizer.search import read_powers
from optimizer.solve import Solver

# Sites up to which it is tried, and binaries up to which it is worth it.
MOST_SITES = 20
MOST_BINARIES = 400
# Wall-clock budget of the search [s].
LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Exact:
    """Answers of all sites, and what no others undercut [EUR]."""

    answers: tuple[Answer, ...]
    bound_eur: float


def solve_exactly(city: City, tree: Tree, gap: float, time_limit_s: float) -> Exact | None:
    """Solve a small city; None for a large one, and when nothing is found.

    Parameters
    ----------
    gap
        Relative distance from the bound at which the search may stop [fraction].
    time_limit_s
        Wall-clock budget [s].
    """
    programs = [load(site, exact=True)[1] for site in city.sites]
    if sum(int(program.integer.sum()) for program in programs) > MOST_BINARIES:
        return None
    joint = build_joint(tree, range(len(programs)), programs, np.ones(len(programs)))
    solution = Solver(joint.program).solve(time_limit_s=min(LIMIT_S, time_limit_s), gap=gap)
    if not solution.found:
        return None
    answers = [
        rate(site, read_powers(program, values))
        for site, program, values in zip(city.sites, programs, joint.split(solution.values), strict=True)
    ]
    kept = tuple(answer for answer in answers if answer is not None)
    return Exact(kept, solution.bound_eur) if len(kept) == len(answers) else None
