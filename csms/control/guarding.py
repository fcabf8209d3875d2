"""Guard first: a station gets its fallback and its ceiling before it is steered, and after every restart."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from csms.control.dispatch import CallStation
from csms.control.ledger import EvseKey, Ledger
from csms.control.prepare import ceiling, fallbacks, metering
from csms.control.profiles import steering_of
from csms.control.readback import ReadBack
from csms.ocpp.vocabulary import Accepted, Command, Offline, Outcome, Priority
from csms.state.service import StateService
from grid.clock import Clock

logger = logging.getLogger(__name__)

# A station that boots needs a moment for its answer before it takes commands [s of the street's time].
BOOT_DELAY_S = 1.0
# A station that connects boots by itself within so long, or it did not restart [s of the street's time].
CONNECT_DELAY_S = 20.0
# Between attempts when a station does not take its fallback [s of the street's time].
RETRY_S = 60.0
ATTEMPTS = 5


class StationGuard:
    """Prepares stations.

    Parameters
    ----------
    service
        Their configuration.
    call
        The way to them.
    clock
        The street's time.
    ledger
        Where a confirmed fallback is noted.
    installing
        Whether fallback and ceiling are installed; without it stations are trusted to keep to the fallback,
        which only the proof that they must be told does.
    """

    def __init__(
        self,
        service: StateService,
        call: CallStation,
        clock: Clock,
        ledger: Ledger,
        *,
        installing: bool = True,
    ) -> None:
        self._installing = installing
        self._service = service
        self._call = call
        self._clock = clock
        self._ledger = ledger
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._readback = ReadBack(service, call, clock, ledger)
        self._tried: set[str] = set()

    def may_steer(self, station_id: str) -> bool:
        """Say whether a station was prepared, or it was tried: nothing is sent to it before."""
        return station_id in self._tried

    async def prepare_booted(self, station_id: str) -> bool:
        """Prepare a station that just booted; say whether it may be steered now and might not before."""
        self._tried.discard(station_id)
        self._readback.forget(station_id)
        await self._clock.sleep(BOOT_DELAY_S)
        return await self._prepare(station_id)

    async def prepare_connected(self, station_id: str) -> bool:
        """Prepare a station that came back without a boot, unless it still has what it was told.

        Returns
        -------
        bool
            Whether it may be steered now and might not before.
        """
        await self._clock.sleep(CONNECT_DELAY_S)
        station = self._service.state.stations.get(station_id)
        if station is not None and station.connected and station.booted_at is not None:
            return await self._prepare(station_id)
        return False

    async def verify(self, station_id: str) -> bool:
        """Hold what a station says against what it was told; say whether the verdict on it changed."""
        if not self._installing or station_id not in self._tried:
            return False
        async with self._locks[station_id]:
            return await self._readback.verify(station_id)

    async def _prepare(self, station_id: str) -> bool:
        async with self._locks[station_id]:
            if self._installing:
                await self._readback.adopt(station_id)
            for _ in range(ATTEMPTS):
                if await self._guard(station_id):
                    break
                self._tried.add(station_id)
                await self._clock.sleep(RETRY_S)
            else:
                logger.error("station %s does not take its fallback: it counts with its hardware", station_id)
            if station_id in self._tried:
                return False
            self._tried.add(station_id)
            if self._installing:
                await self._readback.verify(station_id)
            return True

    async def _guard(self, station_id: str) -> bool:
        """Tell a station what it lacks; False when its fallback is not confirmed and it is still there."""
        catalogue = self._service.catalogue
        station, model = catalogue.station(station_id), catalogue.model_of(station_id)
        missing = [
            evse for evse in station.evses if not self._ledger.is_guarded(EvseKey(station_id, evse.id))
        ]
        if not missing:
            return True
        now = self._clock.now()
        fallback_kw = catalogue.service.fallback_current_a * steering_of(model).kw_per_a
        commands = fallbacks(catalogue, station, now)
        for evse in missing:
            outcome = await self._install(station_id, commands[evse.id])
            if isinstance(outcome, Offline):
                return True
            if not isinstance(outcome, Accepted):
                logger.warning("station %s, EVSE %d: fallback not taken: %s", station_id, evse.id, outcome)
                return False
            self._ledger.guard(EvseKey(station_id, evse.id), fallback_kw)
        limits = (ceiling(catalogue, station, now),) if self._installing else ()
        for command in (*limits, *metering(catalogue, station)):
            await self._tell(station_id, command)
        return True

    async def _install(self, station_id: str, command: Command) -> Outcome:
        if not self._installing:
            return Accepted({})
        return await self._call(station_id, command, priority=Priority.SAFETY)

    async def _tell(self, station_id: str, command: Command) -> None:
        outcome = await self._call(station_id, command, priority=Priority.CONTROL)
        if not isinstance(outcome, Accepted | Offline):
            logger.info("station %s keeps its own way: %s: %s", station_id, type(command).__name__, outcome)
