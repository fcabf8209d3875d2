"""The fast policy beside exact plans."""

from __future__ import annotations

import pytest

from simulator.rollout.gap import measure_gap
from simulator.rollout.scenario import Policy
from tests.simulator.rollout.conftest import DATA, area, scenario


@pytest.mark.parametrize("policy", [Policy.SMART, Policy.V2G])
def test_exact_plans_are_cheaper_and_the_fast_policy_is_near(policy: Policy) -> None:
    gap = measure_gap(scenario(area(households=900, poles=14)), DATA, policy, 5)
    assert gap["days"] >= 3
    assert gap["proven_days"] == gap["days"]
    assert gap["exact_eur_per_day"] <= gap["fast_eur_per_day"] * 1.01
    assert 0 <= gap["gap_fraction"] < 0.4
