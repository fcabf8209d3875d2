"""What every session waits for, step by step: what a kWh costs it then, against what it is worth to it.

Worth comes from the duals of the final linear program (`optimizer.worth`). Charging costs the energy, then
the peak that it would raise, then the scarcity under the connection's limit, then under groups. The first sum
that exceeds the worth of a kWh names what the session waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags, Floats
from optimizer.plan import Plan, Reason, Wait
from optimizer.problem import Ev, Problem
from optimizer.worth import CONNECTION, NOBODY, ROUNDING_EUR, Worth

# Power and energy that are nothing [kW, kWh].
NOTABLE = 1e-3
# Prices that are the same [EUR/kWh].
SAME_EUR = 1e-6


class _Code(IntEnum):
    """Reasons as numbers, so that runs of equal ones are found at once; groups and bands follow from 100."""

    CHARGES = 0
    PRICE = 1
    SUN = 2
    CONNECTION = 3
    SERVED = 4
    FULL = 5
    MINIMUM = 6
    GIVES = 7
    EVEN = 8
    REST = 9
    GROUP = 100
    BAND = 10_000


_REASONS = {
    _Code.PRICE: Reason.PRICE,
    _Code.SUN: Reason.SUN,
    _Code.CONNECTION: Reason.LIMIT,
    _Code.SERVED: Reason.SERVED,
    _Code.FULL: Reason.FULL,
    _Code.MINIMUM: Reason.MINIMUM_POWER,
    _Code.GIVES: Reason.GIVES,
    _Code.EVEN: Reason.EVEN,
    _Code.REST: Reason.SERVED,
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
    waits: list[Wait] = []
    for i, ev in enumerate(problem.evs):
        row = codes[i, ev.arrival_step : ev.departure_step]
        edges = np.flatnonzero(np.diff(row)) + 1
        for first, end in zip([0, *edges.tolist()], [*edges.tolist(), row.size], strict=True):
            if row.size and row[first] != _Code.CHARGES:
                run = range(ev.arrival_step + first, ev.arrival_step + end)
                waits.append(_describe(problem, ev, int(row[first]), run, worth, costs, power[i], i))
    return tuple(waits)


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
) -> npt.NDArray[np.int64]:
    rated = np.array([ev.max_charge_kw for ev in problem.evs]).reshape(-1, 1)
    later = np.flip(np.cumsum(np.flip(np.maximum(power, 0.0), axis=1), axis=1), axis=1) > NOTABLE
    value, tolerance = worth.gain_eur_per_kw, SAME_EUR * problem.step_h
    limited = (data.charge_most_kw < rated - NOTABLE) & (worth.capped_by != NOBODY)
    limit = _name_limits(data, worth, costs)
    band = _Code.BAND + np.argmax(worth.peak_eur_per_kw, axis=0, keepdims=True) if problem.peak_bands else 0
    sunny = _find_sun(problem, worth)
    waiting = np.where(_charges_later_from(sunny, power), _Code.SUN, _Code.PRICE)
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
        [_Code.SERVED, _Code.FULL, limit, waiting, np.broadcast_to(band, power.shape), limit, _Code.EVEN],
        default=_Code.MINIMUM,
    )
    partly = np.select(
        [
            limited & (power >= data.charge_most_kw - NOTABLE),
            costs.connection + costs.groups > tolerance,
            costs.peaks > tolerance,
            np.broadcast_to(sunny, power.shape),
        ],
        [limit, limit, np.broadcast_to(band, power.shape), _Code.SUN],
        default=_Code.REST,
    )
    codes = np.where(power > NOTABLE, partly, np.where(power < -NOTABLE, _Code.GIVES, paused))
    return np.asarray(np.where(power >= rated - NOTABLE, _Code.CHARGES, codes), dtype=np.int64)


def _name_limits(data: Coefficients, worth: Worth, costs: _Costs) -> npt.NDArray[np.int64]:
    """Return who limits a session: who sets its largest power, or the limit that costs it most."""
    groups = data.group_weight.T[:, :, None] * worth.group_import_eur_per_kw[None]
    dearest = np.full(data.connected.shape, int(_Code.CONNECTION), dtype=np.int64)
    if groups.size:
        tightest = groups.argmax(axis=1)
        wins = groups.max(axis=1) > costs.connection + ROUNDING_EUR
        dearest = np.where(wins, _Code.GROUP + tightest, dearest)
    capped = np.where(worth.capped_by == CONNECTION, int(_Code.CONNECTION), _Code.GROUP + worth.capped_by)
    named = (worth.capped_by != NOBODY) & (costs.connection + costs.groups <= ROUNDING_EUR)
    return np.asarray(np.where(named, capped, dearest))


def _find_sun(problem: Problem, worth: Worth) -> Flags:
    """Say in which steps energy costs less than import, since sun is left over (t)."""
    cost = worth.energy_cost_eur_per_kw / problem.step_h
    cheaper = cost < np.asarray(problem.import_price_eur_per_kwh) - SAME_EUR
    return np.asarray(cheaper & (np.asarray(problem.pv_kw) > NOTABLE))


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
    ev: Ev,
    code: int,
    run: range,
    worth: Worth,
    costs: _Costs,
    power_kw: Floats,
    i: int,
) -> Wait:
    reason, of = _reason(problem, code, run)
    steps = slice(run.start, run.stop)
    cost = float(costs.total[i, steps].mean()) / problem.step_h
    gain = float(worth.gain_eur_per_kw[i, steps].mean()) / problem.step_h
    ahead = np.flatnonzero(power_kw[run.stop : ev.departure_step] > NOTABLE)
    until = int(run.stop + ahead[0]) if ahead.size else None
    most_kw = float(power_kw[steps].max())
    words = (_WHILE_CHARGING if most_kw > NOTABLE else _WHILE_WAITING)[reason].format(
        at="" if until is None else f" until {_clock(problem, until)}",
        kw=f"{most_kw:.2f} kW",
        of=of,
        compared=f": a kWh costs {cost:.3f} EUR now and is worth {gain:.3f} EUR",
    )
    return Wait(
        ev=ev.id,
        first_step=run.start,
        end_step=run.stop,
        reason=reason,
        of=of,
        cost_eur_per_kwh=cost,
        worth_eur_per_kwh=gain,
        until_step=until,
        words=f"{ev.id} {words}",
    )


def _reason(problem: Problem, code: int, run: range) -> tuple[Reason, str | None]:
    if code >= _Code.BAND:
        return Reason.PEAK, problem.peak_bands[code - _Code.BAND].name
    if code >= _Code.GROUP:
        return Reason.LIMIT, problem.groups[code - _Code.GROUP].id
    if code == _Code.CONNECTION:
        sources = problem.import_limit_source
        return Reason.LIMIT, "connection" if sources is None else sources[run.start]
    return _REASONS[_Code(code)], None


def _clock(problem: Problem, step: int) -> str:
    instant = problem.start + timedelta(minutes=problem.step_minutes * step)
    return f"{instant.hour:02d}:{instant.minute:02d} UTC"
