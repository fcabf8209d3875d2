"""Some hours of a small street with faults: limits hold, and the same seed gives the same run."""

from __future__ import annotations

from typing import ClassVar

import pytest

from wijkstroom.proving.faults import KINDS, Fault, LinkDown, draw_faults
from wijkstroom.proving.prove import Trial, run_trial
from wijkstroom.proving.site import draw_site

HOURS = 2.0


def test_a_site_is_the_same_for_the_same_seed_and_small() -> None:
    first, again = draw_site(3, HOURS), draw_site(3, HOURS)
    assert first.scene.street.stations == again.scene.street.stations
    assert first.scene.fleet.sessions == again.scene.fleet.sessions
    assert 4 <= first.sockets <= 8


def test_faults_are_drawn_in_order_and_all_kinds_are_drawn() -> None:
    drawn = draw_faults(KINDS, ["A", "B"], 300, 86_400.0, seed=1)
    assert [one.at_s for one in drawn] == sorted(one.at_s for one in drawn)
    assert {type(one.fault) for one in drawn} == set(KINDS)
    assert drawn == draw_faults(KINDS, ["A", "B"], 300, 86_400.0, seed=1)


class Nothing(Fault):
    """Nothing happens."""

    shortest_s: ClassVar[float] = 1.0


@pytest.mark.parametrize("kinds", [(Nothing,), (LinkDown,), KINDS])
def test_limits_hold_and_a_seed_can_be_replayed(kinds: tuple[type[Fault], ...]) -> None:
    trial = Trial(seed=5, faults=8, kinds=kinds, hours=HOURS)
    verdict = run_trial(trial)
    assert verdict.violations == (), trial.command
    assert verdict.delivered_kwh > 0.0
    again = run_trial(trial)
    assert (again.delivered_kwh, again.writes, again.plans) == (
        verdict.delivered_kwh,
        verdict.writes,
        verdict.plans,
    )
