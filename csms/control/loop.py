"""The control loop: what happens on the street asks for a plan, a plan becomes orders, orders are confirmed.

Time is the injected clock's. Solving happens in the executor; a plan that does not come in time, or that
nobody can make, leaves every socket with what it confirmed before, whose tail is the fallback.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from csms.control.alarm import Alarm
from csms.control.case import Memory, build_case
from csms.control.dispatch import CallStation, Dispatched, dispatch
from csms.control.fleet import FleetSwitch
from csms.control.guarding import StationGuard
from csms.control.latest import LatestPlan
from csms.control.lease import RENEWAL, ClockOffsets
from csms.control.ledger import EvseKey, Ledger, Order
from csms.control.orders import build_fallback_orders, build_orders, choose_within_budget
from csms.control.profiles import steering_of
from csms.control.ramp import FleetPace, Reversals
from csms.control.safety import SafetyGuard
from csms.control.schedule import every_quarter, occurrences
from csms.control.snapshot import PlanningCase
from csms.control.watch import MeterWatch
from csms.control.writes import WriteBudget
from csms.state.events import (
    BookingMade,
    ChargingStateChanged,
    Event,
    MeterRead,
    NeedsReported,
    SamplesRecorded,
    SenderHeard,
    SessionDeclared,
    SessionEnded,
    SessionStarted,
    SignalReceived,
    SignalWithdrawn,
    StationBooted,
    StationConnected,
    StationDisconnected,
)
from csms.state.records import PlanRecord
from csms.state.service import StateService
from grid.clock import Clock
from grid.street import GridSide
from optimizer.plan import Plan
from optimizer.planner import plan as make_plan
from optimizer.planner import plan_simply
from optimizer.problem import Problem
from optimizer.workers import Executor

logger = logging.getLogger(__name__)

KW_PER_MW = 1000.0
# Seconds of the street's time that may pass while a plan is made and sent.
PLAN_ALLOWANCE_S = 5.0
# An order that was not taken is planned again after so long; one for which there is no room somewhat later:
# whatever frees room asks for a plan by itself.
RETRY = timedelta(seconds=60)
RETRY_WITHHELD = timedelta(seconds=300)

# A plan that took longer is not sent: the process was stopped in the middle of it.
STALE = timedelta(seconds=60)
# Every station is asked once an hour what it holds, not all at the same time.
QUARTERS_PER_HOUR = 4

# What asks for a plan soon, and the word for it in the plan's record.
_REASONS: dict[type[Any], str] = {
    SessionStarted: "arrival",
    SessionEnded: "departure",
    SessionDeclared: "declaration",
    NeedsReported: "needs",
    BookingMade: "booking",
    StationBooted: "boot",
    StationConnected: "connection",
    StationDisconnected: "connection",
    SignalReceived: "signal",
    SignalWithdrawn: "signal",
    SenderHeard: "signal",
}


class ControlLoop:
    """Plans the street and steers its stations.

    Parameters
    ----------
    service
        What is known; plans are recorded there.
    call
        The way to the stations.
    executor
        Where plans are made.
    clock
        The street's time; held while a plan is made and sent.
    grid
        Limits, prices, tariff and forecasts.
    new_id
        Makes ids of plans.
    guarded
        Whether stations get a fallback and a ceiling, and the guard stands between plans and stations. Only
        the proof that this is needed leaves it away.
    switch
        Whether the whole fleet is held at its fallback, when there is such a switch.
    """

    def __init__(
        self,
        service: StateService,
        call: CallStation,
        executor: Executor,
        clock: Clock,
        grid: GridSide,
        *,
        new_id: Callable[[], str],
        guarded: bool = True,
        switch: FleetSwitch | None = None,
    ) -> None:
        self._service = service
        self._call = call
        self._executor = executor
        self._clock = clock
        self._grid = grid
        self._new_id = new_id
        hardware_kw = _hardware_kw(service)
        self._ledger = Ledger(hardware_kw)
        self._memory = Memory()
        self._alarm = Alarm(clock)
        self._guard = StationGuard(service, call, clock, self._ledger, installing=guarded)
        self._watch = MeterWatch(service.catalogue, grid, lambda: service.state.signals)
        self._writes = WriteBudget(service.catalogue.service.profile_writes_per_station_day)
        self._clocks = ClockOffsets()
        fleet = service.catalogue.service.fleet
        self._pace = FleetPace(
            fleet.ramp_cap_mw_per_min * KW_PER_MW, Reversals(fleet.reversal_cap_mw_per_min * KW_PER_MW)
        )
        self._switch = switch
        if switch is not None:
            switch.watch(lambda: self._alarm.set(clock.now(), "switch"))
        self._guarded = guarded
        self.safety = SafetyGuard(service, clock, grid, self._ledger, self._memory, self._watch, hardware_kw)
        self.plans = 0
        self.last_plan: Plan | None = None
        self.latest: LatestPlan | None = None

    @property
    def ledger(self) -> Ledger:
        """What every socket was told."""
        return self._ledger

    async def run(self) -> None:
        """Run until cancelled."""
        self.safety.find_weaknesses()
        self._doubt_sessions()
        with self._service.subscribe() as events:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick(group))
                group.create_task(self._plan_when_due())
                async for event in events:
                    self._on(event, group)

    def _doubt_sessions(self) -> None:
        """Remember that running sessions may hold what an earlier run of the service told them."""
        for station in self._service.state.stations.values():
            for evse in station.evses.values():
                if evse.session is not None:
                    self._ledger.doubt(EvseKey(station.station_id, evse.evse_id))

    def ask(self, reason: str) -> None:
        """Ask for a plan soon.

        Parameters
        ----------
        reason
            Why, in a word, for the plan's record.
        """
        self._wish(reason)

    async def _tick(self, group: asyncio.TaskGroup) -> None:
        async for due in occurrences(every_quarter(), self._clock):
            self._alarm.set(due, "quarter")
            for station_id in self._service.catalogue.stations:
                if zlib.crc32(station_id.encode()) % QUARTERS_PER_HOUR == due.minute // 15:
                    group.create_task(self._after(self._guard.verify(station_id), "read back"))

    async def _after(self, work: Coroutine[None, None, bool], reason: str) -> None:
        """Plan when some work on a station says that something changed."""
        if await work:
            self._wish(reason)

    async def _plan_when_due(self) -> None:
        while True:
            reasons = await self._alarm.ring()
            try:
                await self._plan("+".join(reasons))
            except Exception:
                # A defect in one round must not end the loop: orders stand, tails are the fallback.
                logger.exception("no plan was made (%s)", ", ".join(reasons))
                self._alarm.set(self._clock.now() + RETRY, "retry")

    def _on(self, event: Event, group: asyncio.TaskGroup) -> None:
        reason = _reason_of(event)
        if reason is not None:
            self._wish(reason)
        match event:
            case StationBooted():
                self._ledger.reset(event.station_id)
                group.create_task(self._after(self._guard.prepare_booted(event.station_id), "prepared"))
            case StationConnected():
                group.create_task(self._after(self._guard.prepare_connected(event.station_id), "prepared"))
            case SessionStarted() | SessionEnded():
                self._ledger.forget(EvseKey(event.station_id, event.evse_id))
                self.safety.forget(EvseKey(event.station_id, event.evse_id))
            case SamplesRecorded():
                self._clocks.see(event)
                if self._guarded and self.safety.observe(event):
                    self._alarm.set(self._clock.now(), "obedience")
            case MeterRead():
                if self._watch.sees_excess(event):
                    self._alarm.set(self._clock.now(), "limit")
            case SenderHeard() if event.offline_at is not None:
                group.create_task(self._await_silence(event.sender, event.offline_at))

    async def _await_silence(self, sender: str, offline_at: datetime) -> None:
        """Plan when a sender of signals was not heard again: its fallback rules from then on."""
        await self._clock.sleep_until(offline_at)
        known = self._service.state.signals.senders.get(sender)
        if known is not None and known.is_silent(self._clock.now()):
            self._alarm.set(self._clock.now(), "fallback")

    def _wish(self, reason: str) -> None:
        delay = timedelta(seconds=self._service.catalogue.service.replan_delay_s)
        self._alarm.set(self._clock.now() + delay, reason)

    async def _plan(self, trigger: str) -> None:
        with self._clock.hold(PLAN_ALLOWANCE_S):
            now = self._clock.now()
            case = build_case(
                now,
                self._service.state,
                self._service.catalogue,
                self._grid,
                self._ledger,
                self._memory,
                self._watch,
                self.safety.ignoring,
                self._clocks.untrusted,
            )
            plan = await self._solve(case.problem)
            if self._clock.now() - now > STALE:
                # The machine stood still meanwhile: the street is another one.
                self._alarm.set(self._clock.now(), trigger)
                return
            orders = self._build_orders(case, plan, now)
            orders = tuple(one for one in orders if self._guard.may_steer(one.key.station_id))
            orders = choose_within_budget(orders, self._ledger, self._writes, now)
            find_headroom = self.safety.find_headroom if self._guarded else None
            pace = self._pace if self._guarded else None
            done = await dispatch(orders, self._ledger, self._call, now, find_headroom, pace)
            for order in (*done.confirmed, *done.refused, *done.doubtful):
                self._writes.spend(order.key.station_id, now)
            self.safety.assess()
        self._memory.remember(case)
        self.plans, self.last_plan = self.plans + 1, plan
        self.latest = LatestPlan(case.problem.start, timedelta(minutes=case.problem.step_minutes), plan)
        self._judge(done)
        self._renew()
        await self._service.record_plan(self._record(trigger, now, case, plan))

    def _build_orders(self, case: PlanningCase, plan: Plan, now: datetime) -> tuple[Order, ...]:
        catalogue = self._service.catalogue
        if self._switch is not None and self._switch.state.is_on:
            return build_fallback_orders(case, self._ledger, catalogue, now)
        return build_orders(case, plan, self._ledger, catalogue, now)

    async def _solve(self, problem: Problem) -> Plan:
        budget_s = self._service.catalogue.service.plan_budget_s
        try:
            return await asyncio.wrap_future(self._executor.submit(make_plan, problem, deadline_s=budget_s))
        except Exception:
            logger.exception("the worker made no plan: a simple one is made here")
            return plan_simply(problem)

    def _judge(self, done: Dispatched) -> None:
        if not done.complete:
            logger.warning(
                "orders refused: %s; in doubt: %s; withheld: %d",
                _names(done.refused),
                _names(done.doubtful),
                len(done.withheld),
            )
            untaken = done.refused or done.doubtful
            self._alarm.set(self._clock.now() + (RETRY if untaken else RETRY_WITHHELD), "retry")

    def _renew(self) -> None:
        """Plan again when half of the next lease to end has passed."""
        now = self._clock.now()
        due = [until - RENEWAL for until in self._ledger.leases if until - RENEWAL > now]
        if due:
            self._alarm.set(min(due), "lease")

    def _record(self, trigger: str, at: datetime, case: PlanningCase, plan: Plan) -> PlanRecord:
        return PlanRecord(
            id=self._new_id(),
            at=at,
            trigger=trigger,
            status=str(plan.status),
            objective_eur=plan.objective_eur,
            gap=plan.gap,
            solve_seconds=plan.solve_seconds,
            problem_json=case.problem.model_dump_json(),
            plan_json=plan.model_dump_json(),
        )


def _reason_of(event: Event) -> str | None:
    """Return the word for what asks for a plan soon, None for what does not."""
    if isinstance(event, ChargingStateChanged):
        return "full" if event.charging_state == "SuspendedEV" else None
    return _REASONS.get(type(event))


def _hardware_kw(service: StateService) -> dict[EvseKey, float]:
    """Return the most that every socket can draw [kW]."""
    catalogue = service.catalogue
    most: dict[EvseKey, float] = {}
    for station in catalogue.stations.values():
        model = catalogue.model_of(station.id)
        kw = model.max_current_a * steering_of(model, voltage_v=catalogue.topology.voltage_v).kw_per_a
        most |= {EvseKey(station.id, evse.id): kw for evse in station.evses}
    return most


def _names(orders: tuple[Order, ...]) -> str:
    return ", ".join(f"{order.key.station_id}/{order.key.evse_id}" for order in orders) or "none"
