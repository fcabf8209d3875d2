"""Figures of the proof are told as they are: a violation is one, whoever caused it."""

from __future__ import annotations

from dataclasses import replace

from wijkstroom.bench.faults import FEW_FAULTS, MANY_FAULTS, make_figures
from wijkstroom.proving.judge import Violation
from wijkstroom.proving.prove import Trial, Verdict


def verdict(faults: int, delivered_kwh: float = 100.0, violations: tuple[Violation, ...] = ()) -> Verdict:
    trial = Trial(1, faults)
    return Verdict(trial, faults, violations, 0.0, delivered_kwh, 30.0, 4, 200, 90, 0, 0, -5.0, 2, 3.0)


def test_figures_compare_the_same_days() -> None:
    few, many = verdict(FEW_FAULTS, 98.0), verdict(MANY_FAULTS, 85.0)
    broken = Violation("pole-01", "fuse 3x25A", 0.2, any_second=True)
    off = replace(verdict(MANY_FAULTS), violations=(broken,))
    figures = {each.name: each for each in make_figures([verdict(0)], [few], [many], [off])}
    assert figures["limit_violations"].met
    assert figures["limit_violations_guard_off"].value == 1
    assert figures["energy_delivered_fraction"].value == 0.85
    assert figures["energy_delivered_fraction_few"].met
    assert figures["cost_over_fault_free"].value == 1.0
    assert figures["profile_writes_per_station_day"].value == 50.0
    assert figures["lease_reversion_max_s"].value == 3.0
    assert figures["faults"].value == FEW_FAULTS + MANY_FAULTS


def test_one_violation_fails_the_target() -> None:
    broken = Violation("pole-01", "fuse 3x25A", 0.2, any_second=True)
    bad = replace(verdict(FEW_FAULTS), violations=(broken,))
    figures = {
        each.name: each
        for each in make_figures([verdict(0)], [bad], [verdict(MANY_FAULTS)], [verdict(MANY_FAULTS)])
    }
    assert figures["limit_violations"].met is False
