"""All VTNs that are configured: a VEN for each, polling and listening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx

from csms.share.openadr import Ven
from csms.state.service import StateService
from grid.capacity.compliance import Rules
from grid.clock import Clock
from grid.feeds.openadr_notifications import NOTIFICATIONS_PATH


class VenDesk:
    """Everything that is said with grid operators over OpenADR.

    Parameters
    ----------
    service, clock, http, rules
        As in `Ven`.
    secrets
        By name of the VTN.
    new_token
        Makes tokens, not guessable.
    """

    def __init__(
        self,
        service: StateService,
        clock: Clock,
        http: httpx.AsyncClient,
        secrets: Mapping[str, str],
        rules: Rules,
        new_token: Callable[[], str],
    ) -> None:
        self._new_token = new_token
        self._vens = {
            config.name: Ven(config, secrets.get(config.name, ""), service, clock, http, rules)
            for config in service.catalogue.service.openadr_vtns
        }

    def listen_at(self, public_url: str) -> None:
        """Learn where VTNs reach us."""
        for name, ven in self._vens.items():
            if ven.config.webhook:
                path = f"{NOTIFICATIONS_PATH}/{quote(name, safe='')}"
                ven.listen_at(f"{public_url.rstrip('/')}{path}", self._new_token())

    def find(self, name: str) -> Ven | None:
        """Return the VEN that listens to a VTN, None when none does."""
        ven = self._vens.get(name)
        return None if ven is None or ven.webhook is None else ven

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll every VTN for the block, then take leave."""
        tasks = [asyncio.create_task(ven.run(), name=f"OpenADR {name}") for name, ven in self._vens.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(ven.webhook.drop() for ven in self._vens.values() if ven.webhook))
