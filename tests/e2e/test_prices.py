"""Day-ahead prices over HTTP: fetched when they are published, refused whole, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from csms.app import CentralSystem
from csms.state.audit import Deed, list_deeds
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from grid.feeds.day_ahead import PriceFeed
from grid.tariffs.energy import PriceBook
from grid.timegrid import local_midnight
from optimizer.workers import InlineExecutor
from simulator.gridoperator.market import PriceExchange
from wijkstroom.running import build_catalogue
from wijkstroom.street import Street, load_street

# The shipped prices end with 2024: half past noon on the day after the last one.
NOON = datetime(2025, 1, 1, 11, 30, tzinfo=UTC)
TOKEN = "operator-token"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@dataclass
class World:
    clock: ManualClock
    exchange: PriceExchange
    central: CentralSystem
    prices: PriceBook
    store: Store

    async def until(self, ready: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not ready():  # noqa: ASYNC110 - waits for another server
                await asyncio.sleep(0.01)

    async def pass_until(self, instant: datetime) -> None:
        """Let time pass and messages arrive; the source is asked again within a quarter of an hour."""
        asked = len(self.exchange.asked)
        await self.clock.advance_to(instant)
        await self.until(lambda: len(self.exchange.asked) > asked)

    async def deeds(self) -> list[Deed]:
        return await self.store.read(partial(list_deeds, station_id=None))

    async def warnings(self) -> list[str]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.central.http_port}") as http:
            return [
                text for text in (await http.get("/healthz")).json()["warnings"] if text.startswith("prices")
            ]


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


@asynccontextmanager
async def running(
    street: Street, exchange: PriceExchange, store: Store | None = None, now: datetime = NOON
) -> AsyncIterator[World]:
    clock, numbers = ManualClock(now), count(1)
    kept = store or open_store("sqlite://", inline=True)
    own = street.grid.prices
    prices = PriceBook(own.series, own.tz, own.publication_local_time, tariff=own.tariff)
    grid = replace(street.grid, prices=prices, price_feed=PriceFeed(url=exchange.url))
    central = CentralSystem(
        build_catalogue(street),
        grid,
        kept,
        clock,
        InlineExecutor(),
        operator_token=TOKEN,
        new_id=lambda: f"id-{next(numbers):032d}",
        entsoe_token=exchange.token,
    )
    async with AsyncExitStack() as stack:
        if store is None:
            stack.push_async_callback(kept.close)
        await stack.enter_async_context(central)
        yield World(clock, exchange, central, prices, kept)


def midnight(day: int) -> datetime:
    return local_midnight(date(2025, 1, day), AMSTERDAM)


async def test_prices_are_fetched_at_once_at_publication_and_again_until_they_are_there(
    street: Street,
) -> None:
    exchange = PriceExchange()
    exchange.publish(midnight(1), [50.0] * 24)
    async with exchange.listening(), running(street, exchange) as world:
        await world.until(lambda: world.prices.series.end == midnight(2))
        assert world.prices.known_until(NOON) == midnight(2)
        plans = world.central.loop.plans
        # At one o'clock nothing is there yet, a quarter of an hour later it is.
        await world.pass_until(NOON + timedelta(minutes=30))
        assert world.prices.series.end == midnight(2)
        exchange.publish(midnight(2), [10.0 + hour for hour in range(24)])
        await world.pass_until(NOON + timedelta(minutes=45))
        await world.until(lambda: world.prices.series.end == midnight(3))
        assert world.prices.series.at([midnight(2) + timedelta(hours=5)])[0] == pytest.approx(0.015)
        # The plan follows.
        await world.clock.advance_to(NOON + timedelta(minutes=46))
        await world.until(lambda: world.central.loop.plans > plans)
        taken = [deed for deed in await world.deeds() if deed.deed == "take prices"]
        assert [deed.outcome for deed in taken] == [
            f"known until {midnight(3).isoformat()}",
            f"known until {midnight(2).isoformat()}",
        ]
        assert exchange.token not in str(await world.deeds())


async def test_a_bad_document_is_kept_and_what_was_known_stays(street: Street) -> None:
    exchange = PriceExchange()
    exchange.publish(midnight(1), [50.0] * 24)
    async with exchange.listening(), running(street, exchange) as world:
        await world.until(lambda: world.prices.series.end == midnight(2))
        exchange.broken = b"<Publication_MarketDocument><TimeSeries><curveType>A09</curveType></TimeSeries></Publication_MarketDocument>"
        await world.pass_until(NOON + timedelta(minutes=30))
        await world.pass_until(NOON + timedelta(minutes=45))
        await world.pass_until(NOON + timedelta(minutes=60))
        assert world.prices.series.end == midnight(2)
        refused = [deed for deed in await world.deeds() if deed.deed == "refuse prices"]
        # The same mistake is told once.
        assert len(refused) == 1
        assert "curveType: is A09" in refused[0].outcome
        assert refused[0].detail == exchange.broken.decode()


async def test_a_service_that_starts_again_knows_what_it_knew(street: Street) -> None:
    exchange, store = PriceExchange(), open_store("sqlite://", inline=True)
    exchange.publish(midnight(1), [50.0] * 24)
    async with exchange.listening():
        async with running(street, exchange, store) as world:
            await world.until(lambda: world.prices.series.end == midnight(2))
        exchange.broken = b"nonsense"
        async with running(street, exchange, store) as world:
            await world.until(lambda: world.prices.series.end == midnight(2))
            assert world.prices.series.at([midnight(1)])[0] == pytest.approx(0.05)
    await store.close()


async def test_prices_that_grow_old_are_told(street: Street) -> None:
    exchange = PriceExchange()
    week_later = street.grid.prices.series.end + timedelta(days=7)
    async with (
        exchange.listening(),
        running(street, exchange, now=week_later - timedelta(minutes=5)) as world,
    ):
        await world.until(lambda: exchange.asked)
        assert await world.warnings() == []
        await world.pass_until(week_later + timedelta(minutes=11))
        (warning,) = await world.warnings()
        assert "prices are known until 2025-01-01T00:00+00:00" in warning


async def test_the_load_of_tomorrow_is_announced_by_a_service_that_runs(street: Street) -> None:
    exchange = PriceExchange()
    exchange.publish(midnight(1), [50.0] * 24)
    async with exchange.listening(), running(street, exchange) as world:
        await world.clock.advance(1)
        url, headers = f"http://127.0.0.1:{world.central.http_port}", {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as http:
            documents = (await http.get("/api/v1/load-forecast")).json()
        assert len(documents) == len(street.grid.topology.connections)
        # The service began at half past noon.
        assert {(each["frozen"], each["late"]) for each in documents} == {(True, True)}
        assert documents[0]["quarters"][0]["utc_start"] == "2025-01-01T23:00:00Z"
