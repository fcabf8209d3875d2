"""Both nights in which local clocks change, with faults: limits hold through the hour that is not or is twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wijkstroom.proving.prove import Trial, run_trial
from wijkstroom.proving.site import draw_site

HOURS, FAULTS = 22.0, 20
# Seeds whose days begin at 06:00 on the eve of the change.
EVES = {1262: datetime(2024, 3, 31, 1, tzinfo=UTC), 38: datetime(2024, 10, 27, 1, tzinfo=UTC)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", EVES)
def test_limits_hold_while_the_clocks_change(seed: int) -> None:
    scene = draw_site(seed, HOURS).scene
    tz = scene.street.grid.tz
    assert scene.start < EVES[seed] < scene.end
    assert scene.start.astimezone(tz).utcoffset() != scene.end.astimezone(tz).utcoffset()
    assert scene.end - scene.start == timedelta(hours=HOURS)
    verdict = run_trial(Trial(seed, FAULTS, hours=HOURS))
    assert verdict.violations == (), verdict.trial.command
    assert verdict.lease_reversion_max_s <= 30.0
