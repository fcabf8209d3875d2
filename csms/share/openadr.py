"""VEN of OpenADR 3.1 with the GAC profile: polls a VTN, hears its notifications, reports what was drawn."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx
from pydantic import ValidationError

from csms.settings import OpenAdrVtnConfig
from csms.share.metering import GroupAccounts
from csms.share.openadr_webhook import Webhook
from csms.state.audit import record_refusal
from csms.state.service import StateService
from grid.capacity.compliance import Rules
from grid.capacity.signals import CapacitySignal, find_group
from grid.clock import Clock
from grid.config import list_problems
from grid.errors import DocumentError, Problem
from grid.feeds.openadr import (
    Event,
    OpenAdrError,
    VenClient,
    build_report,
    check_event,
    check_program,
    event_id_of,
    read_event,
)
from grid.feeds.openadr_notifications import Notification, Operation, read_notification
from grid.timegrid import QUARTER_HOURS
from grid.topology import Direction

logger = logging.getLogger(__name__)

# Polls that may fail before the safe mode event rules.
MISSED_POLLS: Final = 2
# Seconds of a scaled street's time that a poll may take.
POLL_ALLOWANCE_S: Final = 5.0
REFUSE_EVENT: Final = "refuse event"


class Ven:
    """Our side of one VTN.

    Parameters
    ----------
    config
        Where it is, and who we are there.
    secret
        Of our client id.
    service
        Takes signals.
    clock
        The street's time.
    http
        Connection pool.
    rules
        By which it is judged whether limits were kept.
    """

    def __init__(
        self,
        config: OpenAdrVtnConfig,
        secret: str,
        service: StateService,
        clock: Clock,
        http: httpx.AsyncClient,
        rules: Rules,
    ) -> None:
        self.config = config
        self.webhook: Webhook | None = None
        self._service = service
        self._clock = clock
        self._client = VenClient(config.url, config.client_id, secret, http)
        self._refused: set[str] = set()
        self._accounts = GroupAccounts(service, clock, rules)
        self._programs: set[str] = set()
        self._versions: dict[str, datetime] = {}
        self._heard = 0
        self._taking = asyncio.Lock()

    def listen_at(self, url: str, token: str) -> None:
        """Ask for notifications to an address from the next poll on, with a token that they must show."""
        connections = self._service.catalogue.topology.connections
        targets = {*self.config.groups, *(each.ean18 for each in connections if each.ean18)}
        name, ven_name = self.config.name, self.config.ven_name
        self.webhook = Webhook(self._client, name, ven_name, sorted(targets), url, token)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.poll()
            await self._clock.sleep(self.config.poll_interval_s)

    async def poll(self) -> None:
        """Ask once: programs, events; report what ended. A silent VTN is only noted: its safe mode rules."""
        with self._clock.hold(POLL_ALLOWANCE_S):
            try:
                await self._ask()
            except (OpenAdrError, ValidationError) as error:
                logger.warning("OpenADR VTN %s: %s", self.config.name, error)
                return
            # Notifications are no sign of life: only a list shows that none was missed.
            interval = timedelta(seconds=self.config.poll_interval_s)
            offline_at = self._clock.now() + (1 + MISSED_POLLS) * interval
            await self._service.hear_sender(self.config.name, offline_at)

    async def hear(self, body: bytes) -> None:
        """Take a notification: what it says is in force when this returns.

        Raises
        ------
        DocumentError
            With everything that is wrong with it; then nothing changes, and it is kept with its mistakes.
        """
        self._heard += 1
        async with self._taking:
            try:
                await self._follow(read_notification(body))
            except DocumentError as error:
                await self._refuse(error, body)
                raise

    async def _follow(self, notification: Notification) -> None:
        event = notification.object
        if event.program_id not in self._programs:
            known = ", ".join(sorted(self._programs)) or "none"
            problem = Problem("object.programID", f"{event.program_id!r} is no program that we poll: {known}")
            raise DocumentError(f"event {event.id}", [problem])
        if notification.operation is Operation.DELETE:
            await self._withdraw(lambda signal: event_id_of(signal) == event.id)
            return
        known_at = self._versions.get(event.id)
        if event.modified_at is not None and known_at is not None and event.modified_at < known_at:
            return  # a later version overtook it
        taken = await self._take(event)
        await self._withdraw(lambda signal: event_id_of(signal) == event.id and signal.id not in taken)

    async def _ask(self) -> None:
        heard = self._heard
        listed: dict[str, list[dict[str, Any]]] = {}
        programs = await self._client.programs()
        for program in programs:
            problems = check_program(program)
            if problems:
                self._programs.discard(program.id)
                text = program.model_dump_json(by_alias=True).encode()
                await self._refuse(DocumentError(f"program {program.id}", problems), text)
                continue
            self._programs.add(program.id)
            if self.webhook is not None:
                await self.webhook.keep(program.id)
            listed[program.id] = await self._client.events(program.id)
        async with self._taking:
            # A list that was asked for before a notification came may be older than it: the next one tells.
            if self._heard == heard:
                events = [event for each in listed.values() for event in each]
                await self._take_all(events, complete=len(listed) == len(programs))
        for program_id, events in listed.items():
            await self._report(program_id, events)

    async def _take_all(self, documents: list[dict[str, Any]], *, complete: bool) -> None:
        """Take what is listed; what a complete list misses is withdrawn, but for events that are refused."""
        taken: set[str] = set()
        refused: set[str] = set()
        for document in documents:
            try:
                taken |= await self._take(_read_event(document))
            except DocumentError as error:
                refused.add(str(document.get("id")))
                await self._refuse(error, json.dumps(document).encode())
        if complete:
            await self._withdraw(lambda signal: signal.id not in taken and event_id_of(signal) not in refused)

    async def _take(self, event: Event) -> set[str]:
        """Take an event for those of its targets that are ours; return the ids of its signals.

        Raises
        ------
        DocumentError
            When it holds for none.
        """
        book, name, taken = self._service.state.signals, self.config.name, set()
        problems: list[Problem] = []
        for target in event.targets:
            group = find_group(self._service.catalogue.topology, self.config.groups.get(target, target))
            if group is None:
                problems.append(Problem("targets", f"{target} is no connection of ours"))
                continue
            signal = read_event(event, group, name, self._clock.now())
            try:
                if not any((each.sender, each.id) == (name, signal.id) for each in book.signals):
                    await self._service.receive_signal(signal)
            except DocumentError as error:
                problems += error.problems
            else:
                taken.add(signal.id)
        if problems:
            refusal = DocumentError(f"event {event.id}", problems)
            if not taken:
                raise refusal
            await self._refuse(refusal, event.model_dump_json(by_alias=True).encode())
        if event.modified_at is not None:
            self._versions[event.id] = event.modified_at
        return taken

    async def _withdraw(self, is_gone: Callable[[CapacitySignal], bool]) -> None:
        now, name = self._clock.now(), self.config.name
        for signal in self._service.state.signals.signals:
            ours = signal.sender == name and signal.withdrawn_at is None and signal.end > now
            if ours and is_gone(signal):
                await self._service.withdraw_signal(name, signal.id)

    async def _report(self, program_id: str, events: list[dict[str, Any]]) -> None:
        """Report the quarters that ended since the last time on the event that came last for their target."""
        for account in await self._accounts.read(self.config.name, self.config.groups):
            event_id = _last_event(events, account.group_id)
            if event_id is None:
                continue
            limits_kw = {
                verdict.start: verdict.limit_kw
                for report in account.reports
                for verdict in report.verdicts
                if report.direction is Direction.IMPORT
            }
            values = [
                (each.quarter, each.import_kwh / QUARTER_HOURS, limits_kw[each.quarter])
                for each in account.quarters
            ]
            if values:
                document = build_report(
                    program_id, event_id, self.config.ven_name, values, resource=account.group_id
                )
                await self._client.report(document)
            self._accounts.told(self.config.name, account)

    async def _refuse(self, error: DocumentError, text: bytes) -> None:
        """Say once what is wrong, and keep it: a poll finds it again and again."""
        what = f"{error.source} is refused: " + "; ".join(map(str, error.problems))
        if what in self._refused:
            return
        self._refused.add(what)
        name, now = self.config.name, self._clock.now()
        logger.warning("OpenADR VTN %s: %s", name, what)
        work = partial(
            record_refusal, source=name, deed=REFUSE_EVENT, text=text, problems=error.problems, at=now
        )
        await self._service.store.write(work)


def _read_event(document: dict[str, Any]) -> Event:
    """Return an event that keeps the rules (DocumentError with every one that it breaks)."""
    try:
        event = Event.model_validate(document)
    except ValidationError as error:
        raise DocumentError(f"event {document.get('id')}", list_problems(error, Event)) from error
    problems = check_event(event)
    if problems:
        raise DocumentError(f"event {event.id}", problems)
    return event


def _last_event(events: list[dict[str, Any]], target: str) -> str | None:
    """Return the id of the last event for a target."""
    own = [str(each["id"]) for each in events if target in (each.get("targets") or ()) and "id" in each]
    return own[-1] if own else None
