"""How long sockets take to go back to their fallback when nobody renews what they were told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from csms.control.ledger import EvseKey
from csms.ocpp.vocabulary import ChargingProfile
from grid.units import current_to_power_kw
from simulator.truth import Floats, Truth

# Between the fallback's current and its power: voltage above nominal, and a meter's error [fraction, kW].
_TOLERANCE_FRACTION, _TOLERANCE_KW = 0.12, 0.05
_PHASES = 3


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a socket was told.

    Parameters
    ----------
    at
        When.
    key
        Which socket.
    profile
        What it took; None while nobody knows whether it did.
    """

    at: datetime
    key: EvseKey
    profile: ChargingProfile | None


def measure_reversion_s(
    told: Sequence[Told], truth: Truth, fallback_a: float, voltage_v: float
) -> list[float]:
    """Return how long after its lease or schedule had ended each socket was back at its fallback [s].

    Only sockets count that were told nothing else meanwhile, and that did more until then.

    Parameters
    ----------
    told
        In the order in which it was.
    truth
        What the sockets did.
    fallback_a
        Fallback per phase [A].
    voltage_v
        Nominal voltage against neutral [V].
    """
    most_kw = current_to_power_kw(fallback_a, voltage_v, _PHASES) * (1.0 + _TOLERANCE_FRACTION)
    rows = {EvseKey(place.station_id, place.evse_id): row for row, place in enumerate(truth.places)}
    by_socket: dict[EvseKey, list[Told]] = {}
    for one in told:
        by_socket.setdefault(one.key, []).append(one)
    found: list[float] = []
    for key, those in by_socket.items():
        power_kw = truth.power_kw[rows[key]]
        for index, one in enumerate(those):
            later = those[index + 1].at if index + 1 < len(those) else None
            stop_s = truth.seconds if later is None else int((later - truth.start).total_seconds())
            begin_s = int((one.at - truth.start).total_seconds())
            ends = [int(end_s) for end_s in _ends_s(one.profile, truth.start) if begin_s < end_s < stop_s]
            found += [
                each for end_s in ends if (each := _wait_s(power_kw, end_s, stop_s, most_kw)) is not None
            ]
    return found


def _ends_s(profile: ChargingProfile | None, start: datetime) -> list[float]:
    """Return when discharge ends, and when the tail begins [s of the run]."""
    if profile is None:
        return []
    origin_s = (profile.start - start).total_seconds()
    ends, discharging = [], False
    for period in profile.periods:
        was, discharging = discharging, period.setpoint is not None and period.setpoint < 0.0
        if (was and not discharging) or period is profile.periods[-1]:
            ends.append(origin_s + period.start_s)
    return ends


def _wait_s(power_kw: Floats, end_s: int, stop_s: int, most_kw: float) -> float | None:
    def is_back(second: int) -> bool:
        return bool(-_TOLERANCE_KW <= power_kw[second] <= most_kw + _TOLERANCE_KW)

    if is_back(end_s - 1):
        return None  # nothing was left to see
    return float(next((second for second in range(end_s, stop_s) if is_back(second)), stop_s) - end_s)
