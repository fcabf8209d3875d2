"""Day-ahead prices while the service runs: fetched when they are published, again until they are complete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx

from csms.state.price_deeds import read_taken, record_refused, record_taken
from csms.state.store import Store
from grid.clock import Clock
from grid.errors import Problem
from grid.feeds.day_ahead import PriceClient, PriceFeed, PriceFeedError, RefusedPricesError
from grid.tariffs.energy import PriceBook, PriceSeries
from grid.tariffs.outlook import MEMORY_DAYS

logger = logging.getLogger(__name__)

# A source is asked for the running day too: prices are corrected now and then.
_CORRECTABLE: Final = timedelta(days=1)


class DayAheadDesk:
    """Keeps a street's prices up to date.

    Parameters
    ----------
    feed
        Where they are fetched.
    prices
        What is known; new prices are put in.
    client
        Asks the source.
    store
        Where every document is kept.
    clock
        The street's time.
    on_new
        Called when prices have changed.
    """

    def __init__(
        self,
        feed: PriceFeed,
        prices: PriceBook,
        client: PriceClient,
        store: Store,
        clock: Clock,
        on_new: Callable[[], None],
    ) -> None:
        self._feed, self._prices, self._client = feed, prices, client
        self._store, self._clock, self._on_new = store, clock, on_new
        self._refused: tuple[Problem, ...] = ()

    async def run(self) -> None:
        """Fetch until cancelled: at once, at every publication, and after a failure until it succeeds."""
        for series in await self._store.read(partial(read_taken, now=self._clock.now())):
            self._prices.renew(series)
        retry = timedelta(minutes=self._feed.retry_minutes)
        while True:
            now = self._clock.now()
            complete = self._prices.known_until(now) >= self._prices.published_until(now)
            if not complete:
                await self.fetch()
                complete = self._prices.known_until(now) >= self._prices.published_until(now)
            due = self._prices.next_publication(now)
            await self._clock.sleep_until(due if complete else min(due, now + retry))

    async def fetch(self) -> bool:
        """Ask once; say whether there were new prices. What is in force stays when there are none."""
        now = self._clock.now()
        start, end = self._span(now)
        try:
            _, series = await self._client.fetch(start, end)
        except PriceFeedError as error:
            logger.warning("prices: %s; those until %s stay in force", error, self._known(now))
            return False
        except RefusedPricesError as error:
            await self._refuse(error.text, error.problems, now)
            return False
        if not series.start <= now <= series.end and series.start > self._prices.series.end:
            message = f"begins {series.start.isoformat()}: there is a hole after {self._known(now)}"
            await self._refuse(b"", (Problem("", message),), now)
            return False
        return await self._take(series, now)

    def _span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when prices are missing, at the most as far back as forecasts look, and until when."""
        until = self._prices.published_until(now)
        missing = min(self._prices.series.end, now) - _CORRECTABLE
        return max(missing, now - timedelta(days=MEMORY_DAYS)), until

    async def _take(self, series: PriceSeries, now: datetime) -> bool:
        if self._prices.holds(series):
            return False
        self._prices.renew(series)
        await self._store.write(partial(record_taken, source=self._feed.url, series=series, at=now))
        logger.info("prices are known until %s", self._known(now))
        self._refused = ()
        self._on_new()
        return True

    async def _refuse(self, text: bytes, problems: tuple[Problem, ...], now: datetime) -> None:
        """Keep a document that is refused, once: a source that is wrong says the same again and again."""
        if problems == self._refused:
            return
        self._refused = problems
        shown = "; ".join(map(str, problems))
        logger.warning("prices are refused: %s; those until %s stay in force", shown, self._known(now))
        work = partial(record_refused, source=self._feed.url, text=text, problems=problems, at=now)
        await self._store.write(work)

    def _known(self, now: datetime) -> str:
        return self._prices.known_until(now).isoformat(timespec="minutes")


@asynccontextmanager
async def fetching_prices(
    feed: PriceFeed | None,
    prices: PriceBook,
    token: str,
    http: httpx.AsyncClient,
    store: Store,
    clock: Clock,
    on_new: Callable[[], None],
) -> AsyncIterator[None]:
    """Keep prices up to date for the block; without a feed they are those of the street file.

    Parameters
    ----------
    token
        For ENTSO-E.
    http
        Connection pool.
    feed, prices, store, clock, on_new
        As in `DayAheadDesk`.
    """
    if feed is None:
        yield
        return
    desk = DayAheadDesk(feed, prices, PriceClient(feed, token, http), store, clock, on_new)
    task = asyncio.create_task(desk.run(), name="day-ahead prices")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
