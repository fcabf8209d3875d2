"""Flexibility provider of OSCP 2.0: registration, handshake, heartbeats, forecasts in, measurements out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from csms.share.metering import OLDEST, GroupAccounts, Kept
from csms.share.oscp_messages import describe_excess, describe_measurements
from csms.state.errors import NotFoundError
from csms.state.oscp_partners import OscpPartner, change_partner, find_partner, list_partners, store_token
from csms.state.service import StateService
from grid.capacity.compliance import Rules
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import find_group
from grid.clock import Clock
from grid.feeds.oscp import (
    FLEXIBILITY_PROVIDER_PATH,
    VERSION,
    GroupCapacityForecast,
    Handshake,
    Heartbeat,
    MeasurementConfiguration,
    OscpClient,
    OscpError,
    Register,
    RequiredBehaviour,
    VersionUrl,
    choose_version,
    read_forecast,
)
from grid.topology import Direction

logger = logging.getLogger(__name__)

# Heartbeats that may be lost before the fallback rules.
MISSED_HEARTBEATS: Final = 2
CHECK_S: Final = 5.0


class NoCommonVersionError(OscpError):
    """The other side does not speak OSCP 2.0."""


@dataclass(slots=True)
class _Segments:
    """Parts of one forecast that came in several messages."""

    count: int
    parts: dict[int, GroupCapacityForecast]


class OscpDesk:
    """Everything that is said with grid operators over OSCP.

    Parameters
    ----------
    service
        Takes signals; keeps what is agreed.
    clock
        The street's time.
    http
        Connection pool.
    new_token
        Makes tokens, not guessable.
    rules
        By which it is judged whether limits were kept.
    expected_excess
        Returns the quarters in which base load alone is expected above the street's limit, and how far [kW].
    """

    def __init__(
        self,
        service: StateService,
        clock: Clock,
        http: httpx.AsyncClient,
        new_token: Callable[[], str],
        rules: Rules,
        expected_excess: Callable[[], Sequence[tuple[datetime, float]]],
    ) -> None:
        self._service = service
        self._clock = clock
        self._http = http
        self._new_token = new_token
        self._partners = {partner.name: partner for partner in service.catalogue.service.oscp_partners}
        self.url = FLEXIBILITY_PROVIDER_PATH
        self._beaten_at: dict[str, datetime] = {}
        self._accounts = GroupAccounts(service, clock, rules)
        self._rules = rules
        self._expected_excess = expected_excess
        self._warned: set[tuple[str, datetime]] = set()
        self._segments: dict[tuple[str, str], _Segments] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def listen_at(self, public_url: str) -> None:
        """Learn where partners reach us."""
        self.url = f"{public_url.rstrip('/')}{FLEXIBILITY_PROVIDER_PATH}"

    async def invite(self, name: str) -> str:
        """Return a token with which a partner may register; it is shown once.

        Raises
        ------
        NotFoundError
            When no such partner is configured.
        """
        if name not in self._partners:
            known = ", ".join(self._partners) or "none"
            raise NotFoundError(
                f"no OSCP partner {name!r} is configured under [[service.oscp_partners]]: {known}"
            )
        token = self._new_token()
        await self._service.store.write(partial(store_token, name=name, token=token))
        return token

    async def find(self, token: str) -> OscpPartner | None:
        """Return the partner that shows a token, None when nobody does."""
        found = await self._service.store.read(partial(find_partner, token=token))
        return found if found is not None and found.name in self._partners else None

    async def register(self, partner: OscpPartner, message: Register) -> None:
        """Take a registration and answer it with ours, in a message of its own.

        Raises
        ------
        NoCommonVersionError
            When the partner does not speak our version.
        """
        base_url = choose_version(message.version_url)
        if base_url is None:
            raise NoCommonVersionError(f"we speak OSCP {VERSION}: register a version_url for it")
        token = self._new_token()
        await self._change(partner.name, their_token=message.token, base_url=base_url)
        await self._service.store.write(partial(store_token, name=partner.name, token=token))
        urls = (VersionUrl(version=VERSION, base_url=self.url),)
        client = OscpClient(base_url, message.token, self._http)
        self._spawn(partner.name, client.register(Register(token=token, version_url=urls)))

    async def shake_hands(self, partner: OscpPartner, message: Handshake, request_id: str) -> None:
        """Take what a partner requires; agree, and tell what we require."""
        wanted = message.required_behaviour
        intermittent = wanted.measurement_configuration[:1] == (MeasurementConfiguration.INTERMITTENT,)
        await self._change(
            partner.name,
            heartbeat_interval_s=wanted.heartbeat_interval,
            intermittent=intermittent,
            agreed_at=self._clock.now(),
        )
        self._spawn(partner.name, self._agree(partner, message, request_id))

    async def acknowledge(self, partner: OscpPartner) -> None:
        """Learn that a partner agreed to what we require."""
        await self._change(partner.name, agreed_at=self._clock.now())

    async def hear(self, partner: OscpPartner, message: Heartbeat) -> None:
        """Take a sign of life."""
        await self._service.hear_sender(partner.name, message.offline_mode_at)

    async def take(
        self,
        partner: OscpPartner,
        message: GroupCapacityForecast,
        request_id: str,
        segment: tuple[int, int] = (1, 1),
    ) -> None:
        """Take a forecast, whole; of one in segments nothing counts until the last is there.

        Raises
        ------
        NotFoundError
            When the group is not one of the partner's.
        DocumentError
            With everything that is wrong with it.
        """
        group = self._partners[partner.name].groups.get(message.group_id)
        if group is None or find_group(self._service.catalogue.topology, group) is None:
            raise NotFoundError(f"no group {message.group_id!r} is agreed with {partner.name}")
        whole = self._join(partner.name, message, request_id, segment)
        if whole is None:
            return
        signal = read_forecast(
            whole,
            group,
            partner.name,
            request_id,
            self._clock.now(),
            self._service.catalogue.topology.voltage_v,
        )
        await self._service.receive_signal(signal)

    async def ask(self, name: str, request: GroupCapacityForecast) -> None:
        """Ask a partner for another capacity.

        Raises
        ------
        OscpError
            When it is not registered, refuses or cannot be reached.
        """
        for partner in await self._service.store.read(list_partners):
            client = self._client(partner)
            if partner.name == name and client is not None:
                await client.request_adjustment(request)
                return
        raise OscpError(f"{name} has not registered: invite it first")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send heartbeats and measurements for the block."""
        task = asyncio.create_task(self._run(), name="oscp")
        try:
            yield
        finally:
            for each in (task, *self._tasks):
                each.cancel()
            await asyncio.gather(task, *self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(CHECK_S)
            for partner in await self._service.store.read(list_partners):
                if partner.agreed_at is not None and partner.name in self._partners:
                    await self._beat(partner)
                    await self._measure(partner)
                    await self._warn(partner)

    async def _beat(self, partner: OscpPartner) -> None:
        now, client = self._clock.now(), self._client(partner)
        if client is None or partner.heartbeat_interval_s is None:
            return
        interval = timedelta(seconds=partner.heartbeat_interval_s)
        last = self._beaten_at.get(partner.name)
        if last is None or now - last >= interval:
            self._beaten_at[partner.name] = now
            offline_at = now + (1 + MISSED_HEARTBEATS) * interval
            await self._told(partner.name, client.heartbeat(Heartbeat(offline_mode_at=offline_at)))

    async def _measure(self, partner: OscpPartner) -> None:
        """Send the energy of every quarter that ended, and where a limit of the partner was not kept."""
        client = self._client(partner)
        if client is None:
            return
        for account in await self._accounts.read(partner.name, self._partners[partner.name].groups):
            try:
                if account.quarters:
                    message = describe_measurements(account, intermittent=partner.intermittent)
                    await client.send_measurements(message)
                for kept in account.exceeded_of(partner.name, self._service.state.signals.signals):
                    error = describe_excess(account.group_id, kept)
                    await client.report_error(error, kept.signal_id)
            except OscpError as error_:
                logger.warning("OSCP partner %s: %s; it is told again", partner.name, error_)
                return
            self._accounts.told(partner.name, account)

    async def _warn(self, partner: OscpPartner) -> None:
        """Tell once which blocks of a forecast the street's base load alone will exceed."""
        client, root = self._client(partner), self._service.catalogue.topology.root.id
        groups = [key for key, node in self._partners[partner.name].groups.items() if node == root]
        excess = self._expected_excess()
        if client is None or not groups or not excess:
            return
        self._warned = {each for each in self._warned if each[1] >= self._clock.now() - OLDEST}
        for kept in self._blame(partner.name, excess):
            try:
                await client.report_error(describe_excess(groups[0], kept, expected=True), kept.signal_id)
            except OscpError as error:
                logger.warning("OSCP partner %s: %s; it is told again", partner.name, error)
                return
            self._warned |= {(kept.signal_id, start) for start in kept.starts}

    def _blame(self, sender: str, excess: Sequence[tuple[datetime, float]]) -> list[Kept]:
        """Return a sender's signals that set the street's limit where it is exceeded, each block once."""
        book, topology = self._service.state.signals, self._service.catalogue.topology
        envelope = compute_envelope(
            topology,
            topology.root.id,
            [start for start, _ in excess],
            self._rules.tz,
            self._rules.power_factor,
            signals=book,
            known_at=self._clock.now(),
        )
        found = []
        for signal in (each for each in book.signals if each.sender == sender):
            own = [
                index
                for index, name in enumerate(envelope.import_source)
                if name == signal.name and (signal.id, excess[index][0]) not in self._warned
            ]
            limits_kw = tuple(float(envelope.import_limit_kw[index]) for index in own)
            means_kw = tuple(limit + excess[index][1] for index, limit in zip(own, limits_kw, strict=True))
            if own:
                starts = tuple(excess[index][0] for index in own)
                found.append(Kept(signal.id, Direction.IMPORT, starts, limits_kw, means_kw))
        return found

    async def _agree(self, partner: OscpPartner, message: Handshake, request_id: str) -> None:
        client = self._client(partner)
        if client is None:
            return
        await client.acknowledge_handshake(message, request_id)
        interval_s = self._partners[partner.name].heartbeat_interval_s
        await client.handshake(Handshake(required_behaviour=RequiredBehaviour(heartbeat_interval=interval_s)))

    def _join(
        self, name: str, message: GroupCapacityForecast, request_id: str, segment: tuple[int, int]
    ) -> GroupCapacityForecast | None:
        index, count = segment
        if count <= 1:
            return message
        key = (name, request_id)
        kept = self._segments.setdefault(key, _Segments(count, {}))
        kept.parts[index] = message
        if len(kept.parts) < kept.count:
            return None
        del self._segments[key]
        blocks = tuple(block for _, part in sorted(kept.parts.items()) for block in part.forecasted_blocks)
        return message.model_copy(update={"forecasted_blocks": blocks})

    def _client(self, partner: OscpPartner) -> OscpClient | None:
        if partner.base_url is None or partner.their_token is None:
            return None
        return OscpClient(partner.base_url, partner.their_token, self._http)

    async def _change(self, name: str, **values: Any) -> None:
        await self._service.store.write(partial(change_partner, name=name, values=values))

    async def _told(self, name: str, message: Coroutine[Any, Any, None]) -> None:
        try:
            await message
        except OscpError as error:
            logger.warning("OSCP partner %s: %s", name, error)

    def _spawn(self, name: str, message: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._told(name, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
