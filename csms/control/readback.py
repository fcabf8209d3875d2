"""What stations say they hold: adopted after a restart, held against what they were told ever after."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from csms.control.composite import compute_composite, curve_of_composite, find_excess, read_composite
from csms.control.dispatch import CallStation
from csms.control.ledger import EvseKey, Ledger
from csms.control.prepare import ceiling, fallbacks
from csms.control.profiles import steering_of
from csms.ocpp.vocabulary import (
    Accepted,
    ChargingProfile,
    CompositeSchedule,
    Failed,
    GetComposite,
    OcppVersion,
    Priority,
    RateUnit,
    SetProfile,
)
from csms.settings import StationModel
from csms.state.service import StateService
from csms.state.station_state import SessionState
from grid.clock import Clock

logger = logging.getLogger(__name__)

# How far ahead a station is asked: the horizon of a plan and its tail [s].
WINDOW_S = 25 * 3600
# Fallback and ceiling hold since before any answer begins.
LONG_AGO = timedelta(days=1)
_UNSUPPORTED = frozenset({"NotImplemented", "NotSupported"})


class ReadBack:
    """Asks stations for their composite schedules.

    Parameters
    ----------
    service
        The street.
    call
        The way to the stations.
    clock
        The street's time.
    ledger
        Where the results are noted.
    """

    def __init__(self, service: StateService, call: CallStation, clock: Clock, ledger: Ledger) -> None:
        self._service, self._call, self._clock, self._ledger = service, call, clock, ledger
        self._unable: set[str] = set()

    async def adopt(self, station_id: str) -> None:
        """Take over what a station holds for sessions of which nobody knows what they were told."""
        for key, session in self._sessions(station_id):
            if not self._ledger.is_unknown(key):
                continue
            said = await self._ask(key)
            if said is None:
                logger.debug("%s/%d does not say what it holds: it counts with its hardware", *key)
                continue
            model = self._service.catalogue.model_of(station_id)
            kw_per_a = steering_of(model, voltage_v=self._voltage_v).kw_per_a
            hardware_kw = model.max_current_a * kw_per_a
            composite = read_composite(said, self._voltage_v)
            self._ledger.adopt(key, session.id, curve_of_composite(composite, kw_per_a, hardware_kw))

    async def verify(self, station_id: str) -> bool:
        """Hold what a station says against what it was told; say whether the verdict on a socket changed.

        A socket that would do more is told everything once more, and counts with its hardware while that
        does not help.
        """
        before = self._mismatches(station_id)
        for evse in self._service.catalogue.station(station_id).evses:
            key = EvseKey(station_id, evse.id)
            matches = await self._matches(key)
            if matches is False:
                await self._tell_again(key)
                matches = await self._matches(key)
            if matches is False and key not in self._ledger.mismatched:
                logger.warning("%s/%d says that it would do more than it was told", *key)
                self._ledger.mismatched.add(key)
            elif matches:
                self._ledger.mismatched.discard(key)
        return self._mismatches(station_id) != before

    def forget(self, station_id: str) -> None:
        """Begin anew with a station that started anew: its firmware may be another one."""
        self._unable.discard(station_id)

    def _mismatches(self, station_id: str) -> set[EvseKey]:
        return {key for key in self._ledger.mismatched if key.station_id == station_id}

    @property
    def _voltage_v(self) -> float:
        return self._service.catalogue.topology.voltage_v

    def _sessions(self, station_id: str) -> Sequence[tuple[EvseKey, SessionState]]:
        station = self._service.state.stations.get(station_id)
        evses = {} if station is None else station.evses
        return [
            (EvseKey(station_id, evse.evse_id), evse.session)
            for evse in evses.values()
            if evse.session is not None
        ]

    async def _matches(self, key: EvseKey) -> bool | None:
        """Say whether a socket does not say more than it was told; None when that cannot be told."""
        since = self._clock.now() - LONG_AGO
        told = self._told(key, since)
        if told is None:
            return None
        said = await self._ask(key)
        if said is None or told != self._told(key, since):
            return None
        model = self._service.catalogue.model_of(key.station_id)
        expected = compute_composite(
            told,
            said.start,
            said.duration_s,
            voltage_v=self._voltage_v,
            needs_period=model.protocol is not OcppVersion.V16,
        )
        kw_per_a = steering_of(model, voltage_v=self._voltage_v).kw_per_a
        composite = read_composite(said, self._voltage_v)
        return find_excess(expected, composite, kw_per_a, model.max_current_a) is None

    def _told(self, key: EvseKey, since: datetime) -> tuple[ChargingProfile, ...] | None:
        """Return every profile that a socket surely was told; None when nobody knows."""
        if not self._ledger.is_guarded(key) or self._ledger.is_unknown(key):
            return None
        standing = self._standing(key, since)
        sessions = dict(self._sessions(key.station_id))
        session, order = sessions.get(key), self._ledger.confirmed(key)
        if order is None:
            return None if self._ledger.has_orders(key) else standing
        if session is None or order.session_id != session.id:
            return None
        return (*standing, order.profile)

    def _standing(self, key: EvseKey, since: datetime) -> tuple[ChargingProfile, ...]:
        catalogue = self._service.catalogue
        station = catalogue.station(key.station_id)
        return (
            ceiling(catalogue, station, since).profile,
            fallbacks(catalogue, station, since)[key.evse_id].profile,
        )

    async def _tell_again(self, key: EvseKey) -> None:
        now = self._clock.now()
        catalogue = self._service.catalogue
        station = catalogue.station(key.station_id)
        await self._send(key.station_id, fallbacks(catalogue, station, now)[key.evse_id])
        await self._send(key.station_id, ceiling(catalogue, station, now))
        order = self._ledger.confirmed(key)
        if order is not None:
            await self._send(key.station_id, SetProfile(key.evse_id, order.profile))

    async def _send(self, station_id: str, command: SetProfile) -> None:
        await self._call(station_id, command, priority=Priority.SAFETY)

    async def _ask(self, key: EvseKey) -> CompositeSchedule | None:
        if key.station_id in self._unable:
            return None
        command = GetComposite(key.evse_id, WINDOW_S, _unit_of(self._service.catalogue.model_of(key[0])))
        outcome = await self._call(key.station_id, command, priority=Priority.CONTROL)
        if isinstance(outcome, Failed) and outcome.code in _UNSUPPORTED:
            self._unable.add(key.station_id)
        return outcome.composite if isinstance(outcome, Accepted) else None


def _unit_of(model: StationModel) -> RateUnit:
    """Ask in the unit that a model was told in: some know no other."""
    return model.rate_unit
