"""When a socket is back at its fallback after nobody renewed what it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from csms.control.ledger import EvseKey
from csms.ocpp.vocabulary import ChargingProfile, Period, ProfilePurpose, RateUnit
from simulator.truth import SocketPlace, Truth
from wijkstroom.proving.reversion import Told, measure_reversion_s

START = datetime(2024, 6, 11, 16, tzinfo=UTC)
KEY = EvseKey("S", 1)


def told_at(second: int, *periods: tuple[int, float]) -> Told:
    at = START + timedelta(seconds=second)
    schedule = tuple(Period(start, setpoint=kw * 1000) for start, kw in periods)
    return Told(at, KEY, ChargingProfile(201, 1, ProfilePurpose.TX, RateUnit.WATT, START, schedule))


def truth_of(*powers: tuple[int, float]) -> Truth:
    nothing = np.zeros(1000, dtype=np.float32)
    truth = Truth(START, 1000, (SocketPlace("S", 1, "pole", (0, 1, 2)),), nothing, nothing)
    for second, power_kw in powers:
        truth.power_kw[0, second:] = power_kw
    return truth


@pytest.mark.parametrize(
    ("told", "powers", "expected"),
    [
        ([told_at(0, (0, -5.0), (300, 0.0), (900, 4.14))], [(0, -5.0), (304, 0.0)], [4.0]),
        ([told_at(0, (0, 9.0), (300, 4.14))], [(0, 9.0), (300, 4.14)], [0.0]),
        ([told_at(0, (0, 9.0), (300, 4.14)), told_at(200, (0, 9.0))], [(0, 9.0)], []),
        ([told_at(0, (0, 9.0), (300, 4.14)), Told(START, KEY, None)], [(0, 9.0)], []),
        ([told_at(0, (0, 3.0), (300, 4.14))], [(0, 3.0)], []),
        ([told_at(0, (0, 9.0), (300, 4.14))], [(0, 9.0)], [700.0]),
    ],
    ids=["lease", "tail", "renewed in time", "perhaps told", "nothing to see", "never"],
)
def test_reversion_counts_from_the_end_of_what_was_told(
    told: list[Told], powers: list[tuple[int, float]], expected: list[float]
) -> None:
    assert measure_reversion_s(told, truth_of(*powers), 6.0, 230.0) == expected
