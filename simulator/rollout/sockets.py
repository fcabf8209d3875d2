"""The physics of many sockets at once: power shared behind a pole's fuse, taper, losses, discharge.

Battery contents are kept as gaps, the energy that is missing to a full battery: the taper then needs no
division.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import STEP_H

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PHASE_KV = 0.23
MINIMUM_A = 6.0
# P_loss = p0 + a P_ac (kW), Schram et al. 2020, measured in Utrecht: one phase, three phases.
STANDING_LOSS_KW = (0.218, 0.159)
LOSS_FRACTION = (0.081, 0.080)
# Content above which the current falls: small packs at 11 kW, and large ones.
TAPER_FROM_SMALL, TAPER_FROM_LARGE, LARGE_KWH = 0.80, 0.90, 45.0
# A full battery is one whose current has fallen to this share of the highest: chargers stop there.
CUT_OFF_FRACTION = 0.05
# Powers this close together are equal [kW].
EQUAL_KW = 1e-9


@dataclass
class Sockets:
    """State of every socket: plain arrays of the same length.

    Parameters
    ----------
    busy
        Whether a car is plugged in.
    plugged, departure
        Step at which it came, and at whose beginning it leaves.
    gap_kwh, stop_kwh, start_kwh
        What is missing to a full battery now, when it stops, and when it came.
    knee_kwh
        Gap below which the current falls.
    charger_kw
        Highest power of car and socket at the meter.
    one_phase, phase
        Whether the car uses one phase only, and which phase of the cable that is.
    floor_kwh
        Largest gap down to which it may be discharged; the present gap or less: not at all.
    request
        Index of the request that it came with.
    declared
        Whether departure and need are known to the controller.
    """

    busy: Bools
    plugged: Ints
    departure: Ints
    gap_kwh: Floats
    stop_kwh: Floats
    start_kwh: Floats
    knee_kwh: Floats
    charger_kw: Floats
    one_phase: Bools
    phase: Ints
    floor_kwh: Floats
    request: Ints
    declared: Bools
    pole: Ints

    @classmethod
    def empty(cls, poles: int, per_pole: int) -> Sockets:
        """Return free sockets; the phases of neighbouring sockets are rotated."""
        count = poles * per_pole
        index = np.arange(count)
        pole = index // per_pole
        zeros = [np.zeros(count) for _ in range(6)]
        return cls(
            busy=np.zeros(count, dtype=bool),
            plugged=np.zeros(count, dtype=np.int64),
            departure=np.full(count, np.iinfo(np.int64).max),
            gap_kwh=zeros[0],
            stop_kwh=zeros[1],
            start_kwh=zeros[2],
            knee_kwh=zeros[3],
            charger_kw=zeros[4],
            one_phase=np.zeros(count, dtype=bool),
            phase=(pole + index % per_pole) % 3,
            floor_kwh=zeros[5],
            request=np.full(count, -1),
            declared=np.zeros(count, dtype=bool),
            pole=pole,
        )

    def extended(self, poles: int, per_pole: int) -> Sockets:
        """Return the state with free sockets appended, ``poles`` poles in all."""
        fresh = Sockets.empty(poles, per_pole)
        for item in fields(Sockets):
            old = getattr(self, item.name)
            getattr(fresh, item.name)[: len(old)] = old
        return fresh


def battery_kw(power_kw: Floats, one_phase: Bools) -> Floats:
    """Return what reaches the battery of a charging power at the meter; never negative."""
    fraction, standing = _losses(one_phase)
    return np.maximum(power_kw * (1 - fraction) - standing, 0.0)


def discharge_efficiency(power_kw: float, *, one_phase: bool) -> float:
    """Return energy at the meter over energy out of the battery at a discharging power [kW, > 0]."""
    phases = 0 if one_phase else 1
    return power_kw / (power_kw * (1 + LOSS_FRACTION[phases]) + STANDING_LOSS_KW[phases])


def need_kwh(energy_kwh: Floats, charger_kw: Floats, one_phase: Bools) -> Floats:
    """Return the battery energy that an energy at the meter brings at full power."""
    fraction, standing = _losses(one_phase)
    return np.maximum(energy_kwh * (1 - fraction - standing / charger_kw), 0.0)


def knee_kwh(battery_kwh: Floats) -> Floats:
    """Return the gap below which the current falls."""
    return np.where(battery_kwh < LARGE_KWH, 1 - TAPER_FROM_SMALL, 1 - TAPER_FROM_LARGE) * battery_kwh


def meter_kwh_at_full_power(sockets: Sockets, index: Ints) -> Floats:
    """Return the energy at the meter that full power would bring in the time that the session still needs.

    Above the knee that is what is missing; below it the current falls, and the time is knee / r ln(G / stop).
    """
    gap, stop, knee = sockets.gap_kwh[index], sockets.stop_kwh[index], sockets.knee_kwh[index]
    fraction, standing = _losses(sockets.one_phase[index])
    charger = sockets.charger_kw[index]
    highest = np.maximum(charger * (1 - fraction) - standing, 1e-6)
    low = np.maximum(stop, 1e-9)
    steady = np.maximum(gap - np.maximum(knee, stop), 0.0)
    falling = np.where(stop < knee, knee * np.log(np.maximum(np.minimum(gap, knee) / low, 1.0)), 0.0)
    return np.asarray((steady + falling) * charger / highest)


def share_fuse(
    power_kw: Floats, index: Ints, sockets: Sockets, limit_a: float, step: int, per_pole: int
) -> Floats:
    """Reduce charging powers to what the poles' fuses carry on every phase.

    Cars behind one fuse are reduced by the same factor; who falls below 6 A takes turns by quarter of an
    hour, and pauses when one alone would still be below.

    Parameters
    ----------
    power_kw
        Wanted at each socket of ``index``, >= 0.
    index
        Sockets concerned.
    sockets
        Their state.
    limit_a
        Per phase and pole.
    step
        Present step, for the turns.
    per_pole
        Sockets per pole.
    """
    one, pole = sockets.one_phase[index], sockets.pole[index]
    limit_kw = limit_a * PHASE_KV
    single = np.where(one, power_kw, 0.0)
    poles = len(sockets.pole) // per_pole
    shared = np.bincount(pole, weights=power_kw - single, minlength=poles) / 3
    phases = np.bincount(pole * 3 + sockets.phase[index], weights=single, minlength=poles * 3)
    # Three strided maxima: a reduction over an axis of three is ten times slower.
    highest = shared + np.maximum(np.maximum(phases[0::3], phases[1::3]), phases[2::3])
    over = highest > limit_kw
    if over.any():
        factor = np.ones(poles)
        factor[over] = limit_kw / highest[over]
        power_kw = power_kw * factor[pole]
    return _respect_minimum(power_kw, index, sockets, limit_kw, step, per_pole)


def _respect_minimum(
    power_kw: Floats, index: Ints, sockets: Sockets, limit_kw: float, step: int, per_pole: int
) -> Floats:
    one = sockets.one_phase[index]
    smallest = np.where(one, MINIMUM_A * PHASE_KV, 3 * MINIMUM_A * PHASE_KV)
    low = (power_kw < smallest - EQUAL_KW) & (power_kw > 0)
    if not low.any():
        return power_kw
    at = np.flatnonzero(low)
    room = _room_kw(np.where(low, 0.0, power_kw), at, index, sockets, limit_kw, per_pole)
    turn = (index[at] + step) % per_pole == 0
    most = np.minimum(room, sockets.charger_kw[index[at]])
    raised = np.minimum(np.maximum(power_kw[at] * per_pole, smallest[at]), most)
    power_kw = power_kw.copy()
    power_kw[at] = np.where(turn & (raised >= smallest[at] - EQUAL_KW), raised, 0.0)
    return power_kw


def _room_kw(
    power_kw: Floats, at: Ints, index: Ints, sockets: Sockets, limit_kw: float, per_pole: int
) -> Floats:
    """Return what the fuse leaves to some of the sockets beside the powers of the others [kW]."""
    one, pole, phase = sockets.one_phase[index], sockets.pole[index], sockets.phase[index]
    poles = len(sockets.pole) // per_pole
    single = np.where(one, power_kw, 0.0)
    shared = np.bincount(pole, weights=power_kw - single, minlength=poles) / 3
    phases = np.bincount(pole * 3 + phase, weights=single, minlength=poles * 3).reshape(-1, 3)
    free = np.maximum(limit_kw - shared[:, None] - phases, 0.0)
    own = free[pole[at], phase[at]]
    return np.asarray(np.where(one[at], own, 3 * free[pole[at]].min(axis=1)))


def charge(sockets: Sockets, index: Ints, power_kw: Floats, hours: float = STEP_H) -> tuple[Floats, Floats]:
    """Charge for one step and return mean power at the meter and energy lost.

    Offered power is constant, the battery takes it until its gap is below the knee that belongs to that power
    and then follows dG/dt = -r G / knee exactly (CC-CV), until the gap is ``stop_kwh``.

    Parameters
    ----------
    sockets
        State, changed in place.
    index
        Sockets that charge, each once.
    power_kw
        Offered at the meter, >= 0.
    hours
        Length of the step.
    """
    one = sockets.one_phase[index]
    fraction, standing = _losses(one)
    into = np.maximum(power_kw * (1 - fraction) - standing, 0.0)
    on = into > 0
    gap, stop = sockets.gap_kwh[index], sockets.stop_kwh[index]
    highest = np.maximum(sockets.charger_kw[index] * (1 - fraction) - standing, 1e-6)
    knee = np.maximum(sockets.knee_kwh[index] * into / highest, 1e-12)
    safe = np.where(on, into, 1.0)
    constant_h = np.clip((gap - knee) / safe, 0.0, hours)
    after = gap - into * constant_h
    tapering = constant_h < hours
    if tapering.any():
        rate = into / knee
        after = np.where(tapering & on, after * np.exp(-rate * (hours - constant_h)), after)
    after = np.minimum(np.maximum(after, stop), gap)
    taken = gap - after
    duration_h = np.where(after > stop, hours, np.minimum(taken / safe, hours))
    drawn = np.where(on, (taken + standing * duration_h) / (1 - fraction), 0.0)
    sockets.gap_kwh[index] = after
    return drawn / hours, drawn - taken


def discharge(
    sockets: Sockets, index: Ints, power_kw: Floats, hours: float = STEP_H
) -> tuple[Floats, Floats]:
    """Discharge for one step and return mean power at the meter (>= 0, out of the car) and energy lost.

    Parameters
    ----------
    sockets
        State, changed in place.
    index
        Sockets that discharge, each once.
    power_kw
        Asked at the meter, >= 0.
    hours
        Length of the step.
    """
    fraction, standing = _losses(sockets.one_phase[index])
    gap = sockets.gap_kwh[index]
    room = np.maximum(sockets.floor_kwh[index] - gap, 0.0)
    out = np.minimum((power_kw * (1 + fraction) + standing) * hours, room)
    given = np.maximum(out - standing * hours, 0.0) / (1 + fraction)
    out = np.where(given > 0, out, 0.0)
    sockets.gap_kwh[index] = gap + out
    return given / hours, out - given


def _losses(one_phase: Bools) -> tuple[Floats, Floats]:
    return (
        np.where(one_phase, LOSS_FRACTION[0], LOSS_FRACTION[1]),
        np.where(one_phase, STANDING_LOSS_KW[0], STANDING_LOSS_KW[1]),
    )
