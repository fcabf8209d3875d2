"""An arrival: one site plans again within its quota, and no node is the worse for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from optimizer.check import check_plan
from optimizer.city.event import replan_site
from optimizer.city.plan import Quota
from optimizer.city.planner import plan_city
from optimizer.city.problem import City, parse_city
from optimizer.city.site import NEGLIGIBLE_KW
from optimizer.city.tree import build_tree, site_flows_kw
from tests.optimizer.city.cities import cities
from tests.wijkstroom.test_plan_city import CITY


# Shrinking cities takes minutes.
@settings(max_examples=50, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(city=cities(), data=st.data())
def test_sites_that_all_change_their_minds_overload_no_node(city: City, data: st.DataObject) -> None:
    assume(city.nodes)
    plan, tree = plan_city(city), build_tree(city)
    flows = []
    for problem, site in zip(city.sites, plan.sites, strict=True):
        changed = problem.model_copy(
            update={
                "evs": tuple(
                    ev.model_copy(
                        update={"departure_energy_kwh": data.draw(st.sampled_from([0.0, ev.capacity_kwh]))}
                    )
                    for ev in problem.evs
                )
            }
        )
        again = replan_site(changed, site.quota)
        assert check_plan(changed, again) == []
        flows.append(site_flows_kw(changed, again))
    over = tree.overload_kw(np.array(flows))
    assert over.max(initial=0.0) <= 1e-4


def test_a_car_that_needs_more_than_the_quota_stays_short_and_the_other_site_keeps_its_share() -> None:
    city = parse_city(CITY)
    plan = plan_city(city)
    quota = plan.sites[0].quota
    assert quota.import_without_relief_kw is not None
    assert quota.import_kw is not None
    other = plan.sites[1].plan.import_kw
    greedy = city.sites[0].model_copy(
        update={"evs": (city.sites[0].evs[0].model_copy(update={"departure_energy_kwh": 20.0}),)}
    )
    again = replan_site(greedy, quota)
    assert max(np.add(again.import_kw, other)) <= 8.0 + NEGLIGIBLE_KW
    assert again.evs[0].shortfall_kwh > 0.0


def test_a_quota_over_another_horizon_is_refused() -> None:
    with pytest.raises(ValueError, match="plan the city again"):
        replan_site(parse_city(CITY).sites[0], Quota(import_kw=(1.0, 2.0)))


def test_base_load_above_the_quota_is_warned_about() -> None:
    city = parse_city(CITY)
    quota = plan_city(city).sites[0].quota
    loaded = city.sites[0].model_copy(update={"base_load_kw": (12.0,) * 4})
    assert replan_site(loaded, quota).explanation[0].startswith("Warning: the site takes")
