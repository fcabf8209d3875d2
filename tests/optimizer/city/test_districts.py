"""Many districts: the rough prices of a sample cost quality, never a limit and never the bound's truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
from hypothesis import Phase, given, settings

from optimizer.city import district, planner, sample
from optimizer.city.check import check_city
from optimizer.city.district import find_districts
from optimizer.city.planner import plan_city
from optimizer.city.problem import City
from optimizer.city.sample import choose_districts
from optimizer.city.tree import build_tree
from tests.optimizer.city.cities import cities, optimum_eur

# Shrinking cities takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@contextmanager
def small_districts() -> Iterator[None]:
    """Make the smallest city a city of districts, of which a sample must do."""
    with ExitStack() as stack:
        for module, name, value in (
            (district, "MOST_SITES", 2),
            (district, "LOOSE_SITES", 1),
            (sample, "SAMPLE_SITES", 2),
            (planner, "MOST_SITES", 0),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(city=cities(most_sites=6, most_steps=4))
def test_a_sampled_city_keeps_every_limit_and_its_bound_is_true(city: City) -> None:
    with small_districts():
        plan = plan_city(city)
    assert check_city(city, plan) == []
    assert plan.bound_eur is not None
    relaxed = optimum_eur(city, exact=False)
    assert plan.bound_eur <= relaxed + 1e-4 * max(1.0, abs(relaxed))


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(city=cities(most_sites=6, most_steps=2))
def test_every_site_is_in_one_district_and_no_district_shares_its_nodes(city: City) -> None:
    tree = build_tree(city)
    with small_districts():
        districts = find_districts(city, tree)
    assert sorted(site for each in districts for site in each.sites) == list(range(len(city.sites)))
    nodes = [node for each in districts for node in each.nodes]
    assert len(nodes) == len(set(nodes))
    for each in districts:
        outside = np.ones(len(city.sites), dtype=np.bool_)
        outside[list(each.sites)] = False
        assert not tree.below[list(each.nodes)][:, outside].any()


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(city=cities(most_sites=6, most_steps=2))
def test_the_sample_stands_for_every_district_once(city: City) -> None:
    tree = build_tree(city)
    with small_districts():
        districts = find_districts(city, tree)
        strata = choose_districts(city, tree, districts)
    assert sorted(member for stratum in strata for member in stratum) == list(range(len(districts)))
    assert all(strata)
