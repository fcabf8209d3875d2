"""The guard in the loop: looks at the street before every send, and says aloud what cannot be guaranteed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from csms.control.bounds import Surroundings
from csms.control.case import Memory
from csms.control.fallback import Weakness, list_weaknesses
from csms.control.guard import Excess, Headroom
from csms.control.headroom import build_headroom, find_free
from csms.control.ledger import EvseKey, Ledger
from csms.control.nowcast import compute_nowcast
from csms.control.obedience import Obedience, Observation
from csms.control.sessions import list_cars
from csms.control.snapshot import plan_grid
from csms.control.watch import MeterWatch
from csms.state.events import SamplesRecorded
from csms.state.service import StateService
from csms.state.station_state import SessionState
from grid.clock import Clock
from grid.street import GridSide

logger = logging.getLogger(__name__)

# The guard answers for the running quarter and the next: later ones are replanned before they come.
ANSWERED_STEPS = 2
# What the fallback alone may break is looked for so far ahead.
WEAKNESS_HORIZON = timedelta(hours=24)


class SafetyGuard:
    """Keeps account of the worst that the street may do.

    Parameters
    ----------
    service
        The street.
    clock
        Its time.
    grid
        Its limits.
    ledger
        What every socket was told.
    memory
        What was learnt of the cars.
    watch
        What the running quarter has used.
    hardware_kw
        The most that every socket can draw [kW].
    """

    def __init__(
        self,
        service: StateService,
        clock: Clock,
        grid: GridSide,
        ledger: Ledger,
        memory: Memory,
        watch: MeterWatch,
        hardware_kw: dict[EvseKey, float],
    ) -> None:
        self._service, self._clock, self._grid = service, clock, grid
        self._ledger, self._memory, self._watch = ledger, memory, watch
        self._hardware_kw = hardware_kw
        self._obedience = Obedience()
        self.excesses: tuple[Excess, ...] = ()
        self.weaknesses: tuple[Weakness, ...] = ()

    @property
    def ignoring(self) -> frozenset[EvseKey]:
        """Sockets that do not do what they confirmed, or say that they would not."""
        return frozenset(self._obedience.ignoring | self._ledger.mismatched)

    def concerns(self) -> tuple[str, ...]:
        """Return in words what cannot be guaranteed now, and why."""
        caught = sorted(self.ignoring)
        return (
            *(str(each) for each in self.weaknesses),
            *(str(each) for each in self.excesses),
            *(
                f"meter {name} tells a power that its registers do not count: forecasts stand in for it"
                for name in sorted(self._watch.doubted)
            ),
            *(
                f"{key.station_id}/{key.evse_id} does not follow its limits: it counts with "
                f"{self._hardware_kw.get(key, 0.0):.1f} kW; have it looked at"
                for key in caught
            ),
        )

    def find_weaknesses(self) -> None:
        """Look whether the fallback alone keeps the limits of the coming day; say so when it does not."""
        now = self._clock.now()
        starts = plan_grid(now, WEAKNESS_HORIZON / timedelta(hours=1)).starts
        self.weaknesses = list_weaknesses(self._service.catalogue, self._grid, starts)
        for each in self.weaknesses:
            logger.warning("%s", each)

    def assess(self) -> None:
        """Look whether all limits are guaranteed in this quarter and the next; say it when that changes."""
        before = {(each.place, each.direction) for each in self.excesses}
        self.excesses = self.find_headroom().excesses(ANSWERED_STEPS)
        after = {(each.place, each.direction): each for each in self.excesses}
        for found in after.keys() - before:
            logger.warning("%s", after[found])
        for place, direction in before - after.keys():
            logger.info("%s: %s is guaranteed again", place, direction)

    def find_headroom(self) -> Headroom:
        """Build what is left at this moment."""
        return build_headroom(self.look_around(), self._hardware_kw, self._ledger, self.ignoring)

    def look_around(self) -> Surroundings:
        """Look at the street: who is there, what households, sun and grid operators do."""
        now, state, catalogue = self._clock.now(), self._service.state, self._service.catalogue
        steps = plan_grid(now, catalogue.service.horizon_h)
        cars = {car.key: car for car in list_cars(now, state, catalogue, self._memory.history.limits, {})}
        told = self._memory.told
        sessions = [car.session for car in cars.values()]
        meters = {name: one for name, one in state.meters.items() if name not in self._watch.doubted}
        nowcast = compute_nowcast(
            now, steps.starts, self._grid, catalogue.service.meters, meters, sessions, told
        )
        free = find_free(state, self._hardware_kw, self._ledger)
        budget = self._watch.fresh_budget(now)
        return Surroundings(now, catalogue, self._grid, state.signals, nowcast, budget, cars, free)

    def observe(self, event: SamplesRecorded) -> bool:
        """Compare what a socket measured with what it was told; say whether it was caught or cleared."""
        key = EvseKey(event.station_id, event.evse_id)
        station = self._service.state.stations.get(event.station_id)
        evse = None if station is None else station.evses.get(event.evse_id)
        session = None if evse is None else evse.session
        if session is None or session.sampled_at is None:
            return False
        told = self._told(key, session)
        if told is None:
            return False
        since, told_kw = told
        seen = Observation(
            key, session.sampled_at, session.power_kw, since, told_kw, self._hardware_kw.get(key, 0.0)
        )
        changed = self._obedience.judge(seen)
        if changed:
            caught = key in self._obedience.ignoring
            logger.warning(
                "%s/%d %s", *key, "does not follow its limits" if caught else "follows its limits again"
            )
        return changed

    def _told(self, key: EvseKey, session: SessionState) -> tuple[datetime, float] | None:
        """Return since when a session is surely told what: its order, or the fallback while it has none."""
        assert session.sampled_at is not None, "only measured sessions are judged"
        order = self._ledger.confirmed(key)
        if order is not None and order.session_id == session.id:
            return self._ledger.told(key, session.id, session.sampled_at)
        fallback_kw = self._ledger.fallback_kw(key)
        if fallback_kw is None or self._ledger.has_orders(key):
            return None
        return session.started_at, fallback_kw

    def forget(self, key: EvseKey) -> None:
        """Begin anew with a socket whose session began or ended."""
        self._obedience.forget(key)
