"""What every session waits for, step by step: what a kWh costs it then, against what it is worth to it.

Worth comes from the duals of the final linear program (`optimizer.worth`). Charging costs the energy, then
the peak that it would raise, then the scarcity under the connection's limit, then under groups. The first sum
that exceeds the worth of a kWh names what the session waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags, Floats
from optimizer.plan import Plan, Reason, Wait
from optimizer.problem import Problem
from optimizer.worth import CONNECTION, NOBODY, ROUNDING_EUR, Worth

Codes = npt.NDArray[np.int64]

# Power and energy that are nothing [kW, kWh].
NOTABLE = 1e-3
# Prices that are the same [EUR/kWh].
SAME_EUR = 1e-6


# Reasons as numbers, so that runs of equal ones are found at once: indices of groups and bands are added.
_CHARGES, _PRICE, _SUN, _CONNECTION, _SERVED, _FULL, _MINIMUM, _GIVES, _EVEN, _REST, _SUNNY = range(11)
_GROUP, _BAND = 100, 1_000_000

_REASONS = {
    _PRICE: Reason.PRICE,
    _SUN: Reason.SUN,
    _SERVED: Reason.SERVED,
    _FULL: Reason.FULL,
    _MINIMUM: Reason.MINIMUM_POWER,
    _GIVES: Reason.GIVES,
    _EVEN: Reason.EVEN,
    _REST: Reason.SERVED,
    _SUNNY: Reason.SUN,
}
_WHILE_WAITING = {
    Reason.PRICE: "waits{at} for a lower price{compared}",
    Reason.SUN: "waits{at} for sun{compared}",
    Reason.PEAK: "waits{at}, to raise no peak of {of}{compared}",
    Reason.LIMIT: "waits{at}, at the limit of {of}{compared}",
    Reason.EVEN: "waits{at}: it costs nothing to wait",
    Reason.SERVED: "has what it needs",
    Reason.FULL: "is full",
    Reason.MINIMUM_POWER: "waits{at}: less than its smallest power is left here",
    Reason.GIVES: "gives energy back{compared} in the battery",
}
_WHILE_CHARGING = {
    Reason.SUN: "charges with up to {kw}, as much as sun is left{compared}",
    Reason.PEAK: "charges with up to {kw}, to raise no peak of {of}{compared}",
    Reason.LIMIT: "charges with up to {kw}, at the limit of {of}{compared}",
    Reason.SERVED: "charges with up to {kw}, the rest of what it needs",
}


@dataclass(frozen=True, slots=True)
class _Costs:
    """What one more kW costs a session over a step, piece by piece, shapes (sessions, steps) [EUR/kW]."""

    energy: Floats
    peaks: Floats
    connection: Floats
    groups: Floats

    @property
    def total(self) -> Floats:
        return self.energy + self.peaks + self.connection + self.groups


def list_waits(problem: Problem, data: Coefficients, plan: Plan, worth: Worth) -> tuple[Wait, ...]:
    """Say for each session and step in which it charges with less than its most what it waits for.

    Parameters
    ----------
    problem, data
        What was asked.
    plan
        What is answered.
    worth
        The duals of the program in which the search ended.
    """
    power = np.array([ev.power_kw for ev in plan.evs]).reshape(len(plan.evs), problem.steps)
    costs = _costs(data, worth)
    codes = _find_codes(problem, data, plan, worth, costs, power)
    sessions, first, end = _find_runs(codes, data.connected)
    length_h = problem.step_h * np.maximum(1, end - first)
    cost, gain = (
        (total[sessions, end] - total[sessions, first]) / length_h
        for total in (_add_up(each) for each in (costs.total, worth.gain_eur_per_kw))
    )
    until = _find_next(power)[sessions, end]
    runs = (codes[sessions, first], sessions, first, end, until, cost, gain)
    rows = power.tolist()
    return tuple(
        _describe(problem, code, i, (t, u), after, (c, g), max(rows[i][t:u]))
        for code, i, t, u, after, c, g in zip(*(each.tolist() for each in runs), strict=True)
    )


def _find_next(power: Floats) -> Codes:
    """Return for each time point the first step from there on that charges, the number of steps for none."""
    steps = power.shape[1]
    charging = np.where(power > NOTABLE, np.arange(steps), steps)
    after = np.minimum.accumulate(charging[:, ::-1], axis=1)[:, ::-1]
    return np.pad(after, ((0, 0), (0, 1)), constant_values=steps)


def _add_up(values: Floats) -> Floats:
    """Return sums over the steps before each time point."""
    return np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))


def _find_runs(codes: Codes, connected: Flags) -> tuple[Codes, Codes, Codes]:
    """Return session, first step and end of each run of equal reasons to charge less than the most."""
    told = np.where(connected, codes, _CHARGES)
    padded = np.pad(told, ((0, 0), (1, 1)), constant_values=_CHARGES)
    changes = padded[:, 1:] != padded[:, :-1]
    sessions, points = np.nonzero(changes)
    begins = padded[sessions, points + 1] != _CHARGES
    ends = padded[sessions, points] != _CHARGES
    return sessions[begins], points[begins], points[ends]


def _costs(data: Coefficients, worth: Worth) -> _Costs:
    shape = data.connected.shape
    connection = worth.import_eur_per_kw - data.relief * worth.export_eur_per_kw
    groups = data.group_weight.T @ worth.group_import_eur_per_kw
    return _Costs(
        np.broadcast_to(worth.energy_cost_eur_per_kw, shape),
        np.broadcast_to(worth.peak_eur_per_kw.sum(axis=0), shape),
        np.broadcast_to(connection, shape),
        groups - data.group_relief.T @ worth.group_export_eur_per_kw,
    )


def _find_codes(
    problem: Problem, data: Coefficients, plan: Plan, worth: Worth, costs: _Costs, power: Floats
) -> Codes:
    rated = np.array([ev.max_charge_kw for ev in problem.evs]).reshape(-1, 1)
    later = np.flip(np.cumsum(np.flip(np.maximum(power, 0.0), axis=1), axis=1), axis=1) > NOTABLE
    value, tolerance = worth.gain_eur_per_kw, SAME_EUR * problem.step_h
    limited = (data.charge_most_kw < rated - NOTABLE) & (worth.capped_by != NOBODY)
    limit = _name_limits(data, worth, costs)
    band = _BAND + np.argmax(worth.peak_eur_per_kw, axis=0, keepdims=True) if problem.peak_bands else 0
    sunny = (np.asarray(problem.pv_kw) > NOTABLE) & (np.array(plan.import_kw) <= NOTABLE)
    waiting = np.where(_charges_later_from(sunny, power), _SUN, _PRICE)
    paused = np.select(
        [
            ~later & _served(plan),
            ~later & _full(problem, plan),
            limited & (data.charge_most_kw == 0.0),
            costs.energy > value + tolerance,
            costs.energy + costs.peaks > value + tolerance,
            costs.total > value + tolerance,
            costs.total > value - tolerance,
        ],
        [_SERVED, _FULL, limit, waiting, np.broadcast_to(band, power.shape), limit, _EVEN],
        default=_MINIMUM,
    )
    partly = np.select(
        [
            limited & (power >= data.charge_most_kw - NOTABLE),
            costs.connection + costs.groups > tolerance,
            costs.peaks > tolerance,
            np.broadcast_to(sunny, power.shape),
        ],
        [limit, limit, np.broadcast_to(band, power.shape), _SUNNY],
        default=_REST,
    )
    codes = np.where(power > NOTABLE, partly, np.where(power < -NOTABLE, _GIVES, paused))
    return np.asarray(np.where(power >= rated - NOTABLE, _CHARGES, codes), dtype=np.int64)


def _name_limits(data: Coefficients, worth: Worth, costs: _Costs) -> Codes:
    """Return who limits a session: who sets its largest power, or the limit that costs it most."""
    groups = data.group_weight.T[:, :, None] * worth.group_import_eur_per_kw[None]
    dearest = np.full(data.connected.shape, _CONNECTION, dtype=np.int64)
    if groups.size:
        tightest = groups.argmax(axis=1)
        wins = groups.max(axis=1) > costs.connection + ROUNDING_EUR
        dearest = np.where(wins, _GROUP + tightest, dearest)
    capped = np.where(worth.capped_by == CONNECTION, _CONNECTION, _GROUP + worth.capped_by)
    named = (worth.capped_by != NOBODY) & (costs.connection + costs.groups <= ROUNDING_EUR)
    return np.asarray(np.where(named, capped, dearest))


def _charges_later_from(sunny: Flags, power: Floats) -> Flags:
    """Say in which steps most of what a session charges from then on is from the sun (i, t)."""
    charge = np.maximum(power, 0.0)
    total, sun = (
        np.flip(np.cumsum(np.flip(each, axis=1), axis=1), axis=1) for each in (charge, charge * sunny)
    )
    return np.asarray(sun > 0.5 * total)


def _served(plan: Plan) -> Flags:
    return np.array([[each.shortfall_kwh <= NOTABLE] for each in plan.evs], dtype=np.bool_).reshape(-1, 1)


def _full(problem: Problem, plan: Plan) -> Flags:
    full = [
        [planned.energy_kwh[ev.departure_step] >= ev.capacity_kwh - NOTABLE]
        for ev, planned in zip(problem.evs, plan.evs, strict=True)
    ]
    return np.array(full, dtype=np.bool_).reshape(-1, 1)


def _describe(
    problem: Problem,
    code: int,
    i: int,
    run: tuple[int, int],
    after: int,
    prices: tuple[float, float],
    most_kw: float,
) -> Wait:
    ev, (first, end) = problem.evs[i], run
    reason, of = _reason(problem, code, first)
    until = after if after < ev.departure_step else None
    words = (_WHILE_CHARGING if most_kw > NOTABLE else _WHILE_WAITING)[reason].format(
        at="" if until is None else f" until {_clock(problem, until)}",
        kw=f"{most_kw:.2f} kW",
        of=of,
        compared=f": a kWh costs {prices[0]:.3f} EUR now and is worth {prices[1]:.3f} EUR",
    )
    return Wait(
        ev=ev.id,
        first_step=first,
        end_step=end,
        reason=reason,
        of=of,
        cost_eur_per_kwh=prices[0],
        worth_eur_per_kwh=prices[1],
        until_step=until,
        words=f"{ev.id} {words}",
    )


def _reason(problem: Problem, code: int, step: int) -> tuple[Reason, str | None]:
    if code >= _BAND:
        return Reason.PEAK, problem.peak_bands[code - _BAND].name
    if code >= _GROUP:
        return Reason.LIMIT, problem.groups[code - _GROUP].id
    if code == _CONNECTION:
        sources = problem.import_limit_source
        return Reason.LIMIT, "connection" if sources is None else sources[step]
    return _REASONS[code], None


def _clock(problem: Problem, step: int) -> str:
    instant = problem.start + timedelta(minutes=problem.step_minutes * step)
    return f"{instant.hour:02d}:{instant.minute:02d} UTC"
