"""Faults that break a limit without the guard, where the same street without any fault keeps it."""

from __future__ import annotations

import pytest

from wijkstroom.proving.faults import ClockJumps, Fault, StationIgnores
from wijkstroom.proving.prove import Trial, run_trial

SEED, HOURS, FAULTS = 0, 2.0, 3


@pytest.mark.slow
def test_the_street_keeps_its_limits_without_faults_and_without_the_guard() -> None:
    assert run_trial(Trial(SEED, 0, guarded=False, hours=HOURS)).violations == ()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ClockJumps, StationIgnores])
def test_only_the_guard_keeps_the_limits(kind: type[Fault]) -> None:
    trial = Trial(SEED, FAULTS, (kind,), hours=HOURS)
    assert run_trial(trial).violations == (), trial.command
    off = Trial(SEED, FAULTS, (kind,), guarded=False, hours=HOURS)
    assert run_trial(off).violations != (), off.command
