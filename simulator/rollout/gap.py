"""How far the fast policy is from exact plans, on sampled transformer-days.

A day runs from noon to noon. The exact plan knows all sessions of the day beforehand, the fast policy met
them one by one; both start from the same batteries, deliver the same energy by the same departures, and are
billed alike: energy at the street's prices, wear, and the charge on a peak above the one that the month had
anyway. What remains is the price of deciding early and simply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizer.plan import Plan, Proof
from optimizer.planner import plan as plan_exactly
from optimizer.problem import Ev, Group, PeakBand, Problem
from simulator.rollout.calendar import STEP_H
from simulator.rollout.network import Network
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.sockets import MINIMUM_A, PHASE_KV, battery_kw, discharge_efficiency
from simulator.rollout.year import Task, YearRun, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Json = dict[str, Any]

SAMPLES = 4  # kind of chance, after those of the year and of the power flow
DAY_STEPS, NOON_STEPS = 96, 48
TIME_LIMIT_S, GAP_FRACTION = 10.0, 0.001
# Sessions that move less are left where they are: with 6 A at least an exact plan could not serve them.
SMALLEST_KWH = 1.5
# A day on which charging costs less than this is no measure of anything.
SMALLEST_EUR = 0.5


@dataclass
class _Seen:
    """One session of a transformer-day: what it was like and what the fast policy did, per step."""

    socket: int
    first: int
    gap_kwh: float
    stop_kwh: float
    floor_kwh: float
    charger_kw: float
    one_phase: bool
    power_kw: Floats = field(default_factory=lambda: np.zeros(DAY_STEPS))
    last: int = 0
    end_gap_kwh: float = 0.0


@dataclass
class _Day:
    """One sampled transformer-day."""

    transformer: int
    start: int
    sessions: dict[int, _Seen] = field(default_factory=dict)
    peak_kw: float = 0.0


class _Recorder:
    """Watches the kernel on the sampled days."""

    def __init__(self, run: YearRun, days: list[_Day]) -> None:
        self.kernel = kernel = run.kernel
        self.days = days
        layout = kernel.layout
        self._month = run.grid.month
        self._base = run.network.expected_kw(0, run.grid.steps, np.arange(layout.transformers))
        #: Highest load of each month and transformer, shape (12, transformers).
        self.peak_kw = np.zeros((12, layout.transformers))
        self._transformer = np.repeat(layout.feeder_transformer[layout.pole_feeder], layout.sockets_per_pole)
        kernel.trace = self.watch
        self._gap = kernel.sockets.gap_kwh.copy()

    def watch(self, step: int, index: Ints, power: Floats) -> None:
        """Take down what the sampled transformers' sockets did in a step."""
        self._note_peaks(step, index, power)
        for day in self.days:
            if day.start <= step < day.start + DAY_STEPS:
                self._take_down(day, step, index, power)
        self._gap = self.kernel.sockets.gap_kwh.copy()

    def _note_peaks(self, step: int, index: Ints, power: Floats) -> None:
        if step < 0:
            return
        cars = np.bincount(self._transformer[index], weights=power, minlength=self._base.shape[1])
        month = self._month[step]
        np.maximum(self.peak_kw[month], self._base[step] + cars, out=self.peak_kw[month])

    def _take_down(self, day: _Day, step: int, index: Ints, power: Floats) -> None:
        state = self.kernel.sockets
        moved = dict(zip(index.tolist(), power.tolist(), strict=True))
        for socket in np.flatnonzero(state.busy & (self._transformer == day.transformer)).tolist():
            request = int(state.request[socket])
            if request not in day.sessions:
                # Powers of this step are already in the gap: before it, a newcomer had its start.
                newcomer = step > day.start
                day.sessions[request] = _Seen(
                    socket=socket,
                    first=step - day.start,
                    gap_kwh=float(state.start_kwh[socket] if newcomer else self._gap[socket]),
                    stop_kwh=float(state.stop_kwh[socket]),
                    floor_kwh=float(state.floor_kwh[socket]),
                    charger_kw=float(state.charger_kw[socket]),
                    one_phase=bool(state.one_phase[socket]),
                )
            seen = day.sessions[request]
            seen.power_kw[step - day.start] = moved.get(socket, 0.0)
            seen.last, seen.end_gap_kwh = step - day.start + 1, float(state.gap_kwh[socket])


def measure_gap(scenario: Scenario, data: Path, policy: Policy, samples: int) -> Json:
    """Compare the fast policy with exact plans on sampled transformer-days of a scenario's first year.

    Parameters
    ----------
    scenario
        Its flattening price is set to nothing, since the bill does not know it.
    data
        Folder with statistics and prices.
    policy
        ``smart`` or ``v2g``.
    samples
        Transformer-days.

    Returns
    -------
    dict
        Days compared, the mean cost of charging under both, and the gap: cost above the exact plans' over the
        exact plans'.
    """
    control = scenario.control.model_copy(update={"balancing_eur_per_kwh": 0.0})
    scenario = scenario.model_copy(update={"control": control})
    year = scenario.study.years[0]
    run = YearRun(Task(scenario, data, year, policy, 0, 1))
    days = _sample(run, samples)
    seen = _Recorder(run, days)
    run.run()
    for day in days:
        day.peak_kw = float(seen.peak_kw[run.grid.month[day.start], day.transformer])
    rows = [row for row in (_compare(scenario, run.network, day, run) for day in days) if row]
    costs = np.array([(row["fast_eur"], row["exact_eur"]) for row in rows]).reshape(-1, 2)
    mean_fast, mean_exact = costs.mean(axis=0) if rows else (0.0, 0.0)
    return {
        "policy": policy.value,
        "year": year,
        "days": len(rows),
        "fast_eur_per_day": round(float(mean_fast), 4),
        "exact_eur_per_day": round(float(mean_exact), 4),
        "gap_fraction": round(float((mean_fast - mean_exact) / max(mean_exact, 1e-9)), 4) if rows else None,
        "proven_days": sum(row["proven"] for row in rows),
    }


def _sample(run: YearRun, samples: int) -> list[_Day]:
    """Choose transformer-days at random, all within the simulated months."""
    rng = stream(run.task.scenario.study.seed, 0, run.task.year, SAMPLES)
    _, last = run.grid.month_bounds()[run.task.scenario.study.months - 1]
    days = rng.integers(1, last // DAY_STEPS - 1, samples)
    layout = run.layout
    with_poles = np.unique(layout.feeder_transformer[layout.pole_feeder])
    return [
        _Day(int(transformer), int(day) * DAY_STEPS + NOON_STEPS)
        for day, transformer in zip(days, rng.choice(with_poles, samples), strict=True)
    ]


def _compare(scenario: Scenario, network: Network, day: _Day, run: YearRun) -> Json | None:
    """Return what charging cost on a day, planned fast and exactly; None where nothing was planned."""
    moving = [each for each in day.sessions.values() if np.abs(each.power_kw).sum() * STEP_H > SMALLEST_KWH]
    if not moving:
        return None
    still = np.sum(
        [each.power_kw for each in day.sessions.values() if each not in moving] or [np.zeros(DAY_STEPS)],
        axis=0,
    )
    steps = slice(day.start, day.start + DAY_STEPS)
    base = network.expected_kw(day.start, day.start + DAY_STEPS, np.array([day.transformer]))[:, 0] + still
    around = network.around
    bill = _Bill(
        around.import_price[steps] - around.reward[steps],
        around.export_price[steps] - around.reward[steps],
        base,
        day.peak_kw,
        scenario.money.peak_eur_per_kw_month,
        scenario.control.degradation_eur_per_kwh,
    )
    start = run.grid.start + timedelta(minutes=15 * day.start)
    problem = _problem(scenario, moving, bill, start, run.layout.sockets_per_pole)
    exact: Plan = plan_exactly(problem)
    fast_eur = bill.cost_eur(np.array([each.power_kw for each in moving]))
    exact_eur = bill.cost_eur(np.array([ev.power_kw for ev in exact.evs]))
    short_kwh = sum(ev.shortfall_kwh for ev in exact.evs)
    exact_eur += short_kwh * float(bill.buy.mean())
    # Without the solver the answer is a simple plan, and no measure of anything.
    if exact_eur < SMALLEST_EUR or exact.status.proof is Proof.FALLBACK:
        return None
    proven = exact.status.proof in {Proof.OPTIMAL, Proof.CERTIFIED}
    return {"fast_eur": fast_eur, "exact_eur": exact_eur, "proven": proven}


@dataclass(frozen=True)
class _Bill:
    """What a transformer-day is billed."""

    buy: Floats
    sell: Floats
    base_kw: Floats
    peak_kw: float
    peak_eur_per_kw: float
    wear_eur_per_kwh: float

    def cost_eur(self, power_kw: Floats) -> float:
        """Return what sessions add to the bill [EUR], ``power_kw`` of shape (sessions, steps)."""
        wear = np.maximum(-power_kw, 0.0).sum() * STEP_H * self.wear_eur_per_kwh
        return (
            self._street_eur(self.base_kw + power_kw.sum(axis=0))
            - self._street_eur(self.base_kw)
            + float(wear)
        )

    def _street_eur(self, net_kw: Floats) -> float:
        energy = (np.maximum(net_kw, 0.0) * self.buy - np.maximum(-net_kw, 0.0) * self.sell).sum() * STEP_H
        return float(energy + max(0.0, net_kw.max() - self.peak_kw) * self.peak_eur_per_kw)


def _problem(
    scenario: Scenario, moving: list[_Seen], bill: _Bill, start: Any, sockets_per_pole: int
) -> Problem:
    limit_kw = max(
        scenario.grid.transformer_kva * scenario.grid.power_factor, float(np.abs(bill.base_kw).max())
    )
    fuse_kw = 3 * scenario.poles.fuse_a * PHASE_KV
    members: dict[int, list[str]] = {}
    for number, each in enumerate(moving):
        members.setdefault(each.socket // sockets_per_pole, []).append(f"ev{number}")
    peak = PeakBand(
        name="month",
        steps=tuple(range(DAY_STEPS)),
        price_eur_per_kw=bill.peak_eur_per_kw,
        realised_kw=max(0.0, bill.peak_kw),
    )
    return Problem(
        start=start,
        step_minutes=15.0,
        steps=DAY_STEPS,
        import_price_eur_per_kwh=bill.buy.tolist(),
        export_price_eur_per_kwh=np.minimum(bill.sell, bill.buy).tolist(),
        base_load_kw=bill.base_kw.tolist(),
        import_limit_kw=[limit_kw] * DAY_STEPS,
        export_limit_kw=[limit_kw] * DAY_STEPS,
        peak_bands=(peak,),
        evs=tuple(_ev(scenario, each, f"ev{number}") for number, each in enumerate(moving)),
        groups=tuple(
            Group(id=f"pole{pole}", members=tuple(names), import_limit_kw=[fuse_kw] * DAY_STEPS)
            for pole, names in members.items()
            if len(names) > 1
        ),
        gap=GAP_FRACTION,
        time_limit_s=TIME_LIMIT_S,
    )


def _ev(scenario: Scenario, seen: _Seen, name: str) -> Ev:
    """Return a session as the optimizer knows it; contents count from the lowest that it may reach."""
    one = np.array([seen.one_phase])
    deepest = max(seen.floor_kwh, seen.gap_kwh, seen.end_gap_kwh)
    two_way = seen.floor_kwh > seen.stop_kwh and bool(
        (seen.power_kw < 0).any() or seen.floor_kwh > seen.gap_kwh
    )
    return Ev(
        id=name,
        arrival_step=seen.first,
        departure_step=seen.last,
        capacity_kwh=deepest - min(seen.stop_kwh, seen.end_gap_kwh),
        initial_energy_kwh=deepest - seen.gap_kwh,
        departure_energy_kwh=deepest - seen.end_gap_kwh,
        max_charge_kw=seen.charger_kw,
        min_charge_kw=(1 if seen.one_phase else 3) * MINIMUM_A * PHASE_KV,
        max_discharge_kw=scenario.control.discharge_kw if two_way else 0.0,
        charge_efficiency=float(battery_kw(np.array([seen.charger_kw]), one)[0]) / seen.charger_kw,
        discharge_efficiency=discharge_efficiency(scenario.control.discharge_kw, one_phase=seen.one_phase),
        degradation_eur_per_kwh=scenario.control.degradation_eur_per_kwh,
    )
