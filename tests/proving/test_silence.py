"""However many stations fall silent when most is charged: every limit holds."""

from __future__ import annotations

from functools import cache

import pytest

from wijkstroom.proving.faults import LinkDown, Planned
from wijkstroom.proving.prove import Trial, Verdict, run_trial
from wijkstroom.proving.site import draw_site

# A street of two stations; its busiest moment is looked for in these hours.
SEED, HOURS = 0, 3.0
SILENT_S = 2400.0


@cache
def undisturbed() -> Verdict:
    return run_trial(Trial(SEED, faults=0, hours=HOURS))


@pytest.mark.parametrize("silent", [1, 2])
def test_k_of_n_stations_are_silent_when_most_is_charged(silent: int) -> None:
    names = [setup.id for setup in draw_site(SEED, HOURS).scene.setups]
    assert len(names) == 2
    at_s = min(max(undisturbed().highest_charge_s, 60.0), HOURS * 3600.0 - SILENT_S)
    planned = tuple(Planned(at_s, LinkDown(name, SILENT_S)) for name in names[:silent])
    verdict = run_trial(Trial(SEED, faults=silent, hours=HOURS, planned=planned))
    assert verdict.faults == silent
    assert verdict.violations == ()
    assert undisturbed().highest_charge_s > 0, "somebody charges"
