"""Cities that hypothesis makes up: a few small sites, and a forest of nodes over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from optimizer.city.joint import build_joint
from optimizer.city.problem import City, parse_city
from optimizer.city.site import load
from optimizer.city.tree import build_tree
from optimizer.solve import Solver
from tests.optimizer.problems import evs, numbers


@st.composite
def documents(draw: st.DrawFn, *, most_sites: int = 4, most_steps: int = 5) -> dict[str, Any]:
    """Draw a city as plain data."""
    steps = draw(st.integers(1, most_steps))

    def array(low: float, high: float) -> list[float]:
        return draw(st.lists(numbers(low, high), min_size=steps, max_size=steps))

    prices = array(-0.2, 0.5)
    fee = draw(numbers(-0.05, 0.2))
    sites = []
    for number in range(draw(st.integers(1, most_sites))):
        two_way = draw(st.booleans())
        sessions = [draw(evs(index, steps, two_way=two_way)) for index in range(draw(st.integers(0, 3)))]
        for session in sessions:
            session.pop("min_delivered_kwh", None)
        site = {
            "id": f"site-{number}",
            "start": "2024-06-11T04:00:00Z",
            "step_minutes": 30,
            "steps": steps,
            "import_price_eur_per_kwh": prices,
            "export_price_eur_per_kwh": [price - fee for price in prices],
            "base_load_kw": array(0.0, 8.0),
            "pv_kw": array(0.0, 8.0),
            "pv_curtailable": draw(st.booleans()),
            "import_limit_kw": draw(numbers(5.0, 40.0, 1)),
            "export_limit_kw": draw(numbers(5.0, 40.0, 1)),
            "netting": draw(st.sampled_from(["none", "confirmed"])),
            "evs": sessions,
        }
        sites.append(site)
    return {"sites": sites, "nodes": draw(_nodes([f"site-{number}" for number in range(len(sites))], steps))}


@st.composite
def _nodes(draw: st.DrawFn, site_ids: list[str], steps: int) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    free = list(site_ids)
    for number in range(draw(st.integers(0, 3))):
        members = sorted(draw(st.sets(st.sampled_from(free), min_size=1))) if free else []
        free = [name for name in free if name not in members] + [f"node-{number}"]
        band = {
            "name": "band",
            "steps": sorted(draw(st.sets(st.integers(0, steps - 1)))),
            "price_eur_per_kw": draw(numbers(0.0, 1.0, 1)),
            "realised_kw": draw(numbers(0.0, 10.0, 1)),
        }
        nodes.append(
            {
                "id": f"node-{number}",
                "members": members,
                "import_limit_kw": draw(st.none() | numbers(0.0, 50.0, 1)),
                "export_limit_kw": draw(st.none() | numbers(0.0, 30.0, 1)),
                "netting": draw(st.sampled_from(["none", "confirmed"])),
                "peak_bands": [band] if draw(st.booleans()) else [],
            }
        )
    return nodes


def cities(*, most_sites: int = 4, most_steps: int = 5) -> st.SearchStrategy[City]:
    """Draw validated cities."""
    return documents(most_sites=most_sites, most_steps=most_steps).map(parse_city)


def optimum_eur(city: City, *, exact: bool) -> float:
    """Return the cost of the best plan, from one program over all sites and nodes."""
    tree = build_tree(city)
    programs = [load(site, exact=exact)[1] for site in city.sites]
    joint = build_joint(tree, range(len(programs)), programs, np.ones(len(programs)))
    solution = Solver(joint.program).solve(time_limit_s=60.0)
    assert solution.found
    return solution.objective_eur
