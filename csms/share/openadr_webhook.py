"""Our subscription at a VTN of OpenADR: made, renewed when it is lost, deleted at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from grid.feeds.openadr import OpenAdrError, VenClient
from grid.feeds.openadr_notifications import build_subscription

logger = logging.getLogger(__name__)

# Real seconds for taking leave of a VTN when the service stops.
_PARTING_S: Final = 2.0


class Webhook:
    """Where one VTN tells us changes at once.

    Parameters
    ----------
    client
        The way to the VTN.
    vtn_name, ven_name
        Our name for it, and who we are there.
    targets
        EANs that we want to hear of.
    url, token
        Where it calls, and what it must show there; a new token for every run, kept in memory only.
    """

    def __init__(
        self, client: VenClient, vtn_name: str, ven_name: str, targets: Sequence[str], url: str, token: str
    ) -> None:
        self._client = client
        self._vtn_name, self._ven_name = vtn_name, ven_name
        self._targets = targets
        self._url = url
        self.token = token
        self._ids: dict[str, str] = {}
        self._failure = ""

    async def keep(self, program_id: str) -> None:
        """See that there is one subscription to a program; a VTN that refuses is polled only."""
        try:
            await self._renew(program_id)
        except (OpenAdrError, ValidationError) as error:
            if str(error) != self._failure:
                logger.warning("OpenADR VTN %s: no notifications, polled only: %s", self._vtn_name, error)
            self._failure = str(error)
        else:
            self._failure = ""

    async def drop(self) -> None:
        """Delete what we subscribed to; what a VTN keeps because it does not answer, the next run deletes."""
        try:
            async with asyncio.timeout(_PARTING_S):
                for subscription_id in self._ids.values():
                    await self._unsubscribe(subscription_id)
        except TimeoutError:
            logger.warning("OpenADR VTN %s: does not answer, subscriptions stay behind", self._vtn_name)

    async def _unsubscribe(self, subscription_id: str) -> None:
        try:
            await self._client.unsubscribe(subscription_id)
        except OpenAdrError as error:
            logger.warning("OpenADR VTN %s: a subscription stays behind: %s", self._vtn_name, error)

    async def _renew(self, program_id: str) -> None:
        own = self._ids.get(program_id)
        found = await self._client.subscriptions(program_id)
        for each in found:
            if each.id != own and each.calls(self._url):  # of an earlier run: its token is not known any more
                await self._client.unsubscribe(each.id)
        if own not in {each.id for each in found}:
            document = build_subscription(self._ven_name, program_id, self._targets, self._url, self.token)
            self._ids[program_id] = await self._client.subscribe(document)
