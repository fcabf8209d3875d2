"""VEN of OpenADR 3.1 with the GAC profile: polls VTNs, takes their events, reports what was drawn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
from pydantic import ValidationError

from csms.settings import OpenAdrVtnConfig
from csms.share.metering import GroupAccounts
from csms.state.service import StateService
from grid.capacity.compliance import Rules
from grid.capacity.signals import find_group
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
    read_event,
)
from grid.timegrid import QUARTER_HOURS
from grid.topology import Direction

logger = logging.getLogger(__name__)

# Polls that may fail before the safe mode event rules.
MISSED_POLLS: Final = 2


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
        self._config = config
        self._service = service
        self._clock = clock
        self._client = VenClient(config.url, config.client_id, secret, http)
        self._refused: set[str] = set()
        self._accounts = GroupAccounts(service, clock, rules)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.poll()
            await self._clock.sleep(self._config.poll_interval_s)

    async def poll(self) -> None:
        """Ask once: programs, events; report what ended. A silent VTN is only noted: its safe mode rules."""
        try:
            for program in await self._client.programs():
                problems = check_program(program)
                if problems:
                    self._complain(f"program {program.id}", problems)
                    continue
                events = await self._client.events(program.id)
                await self._take_all(events)
                await self._report(program.id, events)
        except (OpenAdrError, ValidationError) as error:
            logger.warning("OpenADR VTN %s: %s", self._config.name, error)
            return
        interval = timedelta(seconds=self._config.poll_interval_s)
        await self._service.hear_sender(self._config.name, self._clock.now() + (1 + MISSED_POLLS) * interval)

    async def _take_all(self, events: list[dict[str, Any]]) -> None:
        seen: set[str] = set()
        for document in events:
            name = f"event {document.get('id')}"
            try:
                event = Event.model_validate(document)
            except ValidationError as error:
                self._complain(name, list_problems(error, Event))
                continue
            problems = check_event(event)
            if problems:
                self._complain(name, problems)
                continue
            seen |= await self._take(event)
        now = self._clock.now()
        for signal in self._service.state.signals.signals:
            gone = signal.sender == self._config.name and signal.id not in seen
            if gone and signal.withdrawn_at is None and signal.end > now:
                await self._service.withdraw_signal(signal.sender, signal.id)

    async def _take(self, event: Event) -> set[str]:
        taken = set()
        for target in event.targets:
            group = find_group(self._service.catalogue.topology, self._config.groups.get(target, target))
            if group is None:
                self._complain(
                    f"event {event.id}", [Problem("targets", f"{target} is no connection of ours")]
                )
                continue
            signal = read_event(event, group, self._config.name, self._clock.now())
            try:
                await self._service.receive_signal(signal)
            except DocumentError as error:
                self._complain(f"event {event.id}", list(error.problems))
            else:
                taken.add(signal.id)
        return taken

    async def _report(self, program_id: str, events: list[dict[str, Any]]) -> None:
        """Report the quarters that ended since the last time on the event that came last for their target."""
        for account in await self._accounts.read(self._config.name, self._config.groups):
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
                    program_id, event_id, self._config.ven_name, values, resource=account.group_id
                )
                await self._client.report(document)
            self._accounts.told(self._config.name, account)

    def _complain(self, what: str, problems: list[Problem]) -> None:
        """Say once what is wrong: a poll finds it again and again."""
        text = f"{what} is refused: " + "; ".join(map(str, problems))
        if text not in self._refused:
            self._refused.add(text)
            logger.warning("OpenADR VTN %s: %s", self._config.name, text)


def _last_event(events: list[dict[str, Any]], target: str) -> str | None:
    """Return the id of the last event for a target."""
    own = [str(each["id"]) for each in events if target in (each.get("targets") or ()) and "id" in each]
    return own[-1] if own else None


@asynccontextmanager
async def running_vens(
    service: StateService, clock: Clock, http: httpx.AsyncClient, secrets: Mapping[str, str], rules: Rules
) -> AsyncIterator[None]:
    """Poll every configured VTN for the block.

    Parameters
    ----------
    service, clock, http, rules
        As in `Ven`.
    secrets
        By name of the VTN.
    """
    tasks = []
    for config in service.catalogue.service.openadr_vtns:
        ven = Ven(config, secrets.get(config.name, ""), service, clock, http, rules)
        tasks.append(asyncio.create_task(ven.run(), name=f"OpenADR {config.name}"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
