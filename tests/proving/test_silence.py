"""However many stations fall silent when most is charged, or most given back: every limit holds."""

from __future__ import annotations

from functools import cache

import pytest

from wijkstroom.proving.faults import LinkDown, Planned
from wijkstroom.proving.prove import Trial, Verdict, run_trial
from wijkstroom.proving.site import draw_site

# A street of two stations; its busiest moments are looked for in these hours.
SEED, HOURS = 0, 3.0
SILENT_S = 2400.0


@cache
def undisturbed() -> Verdict:
    return run_trial(Trial(SEED, faults=0, hours=HOURS))


@pytest.mark.parametrize("discharging", [False, True], ids=["most charged", "most given back"])
@pytest.mark.parametrize("silent", [1, 2])
def test_k_of_n_stations_are_silent_at_the_busiest_moments(silent: int, discharging: bool) -> None:
    names = [setup.id for setup in draw_site(SEED, HOURS).scene.setups]
    assert len(names) == 2
    before = undisturbed()
    busiest_s = before.highest_discharge_s if discharging else before.highest_charge_s
    at_s = min(max(busiest_s, 60.0), HOURS * 3600.0 - SILENT_S)
    planned = tuple(Planned(at_s, LinkDown(name, SILENT_S)) for name in names[:silent])
    verdict = run_trial(Trial(SEED, faults=silent, hours=HOURS, planned=planned))
    assert verdict.faults == silent
    assert verdict.violations == ()
    assert verdict.lease_reversion_max_s <= 30.0
    assert before.highest_charge_s > 0, "somebody charges"
    assert before.lowest_kw < -1.0, "somebody gives back"
