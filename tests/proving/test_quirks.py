"""One station of each quirk, and a service that nobody told: every limit holds."""

from __future__ import annotations

import pytest

from simulator.station.quirks import Quirk
from wijkstroom.proving.prove import Trial, run_trial
from wijkstroom.proving.site import draw_site
from wijkstroom.quirky import ORDER, give_quirks

HOURS = 2.0
# Streets whose stations together have every quirk: seed, and the quirk of the first station.
STREETS = ((1, 0), (2, 4), (3, 7), (4, 9), (1, 13), (4, 17), (3, 21))


def quirks_of(seed: int, first: int) -> list[Quirk]:
    scene = give_quirks(draw_site(seed, HOURS).scene, first)
    return [quirk for setup in scene.setups for quirk in setup.quirks.values]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "first"), STREETS)
def test_limits_hold_with_a_faulty_station_of_each_quirk(seed: int, first: int) -> None:
    trial = Trial(seed, faults=0, hours=HOURS, quirks_from=first)
    verdict = run_trial(trial)
    assert verdict.violations == (), trial.command
    assert f"--quirks-from {first}" in trial.command


def test_the_streets_have_every_quirk() -> None:
    found = [quirk for seed, first in STREETS for quirk in quirks_of(seed, first)]
    assert set(found) == set(ORDER) == set(Quirk)
