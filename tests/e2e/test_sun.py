"""The sun's forecast in the service: asked over HTTP, trusted while young, replaced when not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import numpy as np
import pytest

from csms.share.weather import SunDesk, forecasting_sun
from csms.state.audit import list_deeds
from csms.state.service import StateService
from csms.state.store import open_store
from grid.clock import ManualClock
from grid.errors import DocumentError
from grid.feeds.p1 import MeterReading
from grid.feeds.weather import WeatherClient, WeatherFeed, WeatherSource
from grid.load import Quantiles
from grid.solar.forecast import SunConfig, forecast_pv_kw
from grid.solar.live import LiveSun, clear_reference_kw
from grid.timegrid import QUARTER, TimeGrid
from tests.grid.feeds.loopback import Loopback
from wijkstroom.running import build_catalogue
from wijkstroom.serve import refuse_feed
from wijkstroom.street import Street, load_street

NOW = datetime(2024, 6, 11, 6, tzinfo=UTC)
DAY = TimeGrid(NOW - timedelta(hours=6), QUARTER, 96).starts
ANSWERS = Path(__file__).parents[1] / "grid/feeds/weather"
OPEN_METEO = (ANSWERS / "open_meteo.json").read_bytes()
KNMI = (ANSWERS / "knmi.txt").read_bytes()


@dataclass
class World:
    clock: ManualClock
    service: StateService
    server: Loopback
    sun: SunConfig
    desk: SunDesk

    def forecast(self) -> Quantiles:
        return forecast_pv_kw(self.sun, DAY)

    async def refusals(self) -> list[str]:
        return [deed.outcome for deed in await self.service.store.read(list_deeds)]


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


@asynccontextmanager
async def running(street: Street, source: WeatherSource | None, body: bytes = b"") -> AsyncIterator[World]:
    clock, numbers, server = ManualClock(NOW), count(1), Loopback(body)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server.listening())
        sun = replace(street.grid.sun, live=LiveSun())
        store = open_store("sqlite://", inline=True)
        stack.push_async_callback(store.close)
        service = StateService(store, clock, build_catalogue(street), new_id=lambda: f"id-{next(numbers)}")
        await service.start()
        http = await stack.enter_async_context(httpx.AsyncClient())
        feed = None if source is None else WeatherFeed(source=source, url=server.url)
        client = None if feed is None else WeatherClient(feed, "", sun.array, http)
        yield World(clock, service, server, sun, SunDesk(sun, feed, client, service, clock))


async def test_an_answer_is_the_forecast_while_it_is_young_and_climate_holds_after(street: Street) -> None:
    async with running(street, WeatherSource.OPEN_METEO, OPEN_METEO) as world:
        climate = world.forecast()
        await world.desk.renew()
        told = world.forecast()
        assert not np.allclose(told.median, climate.median)
        # It knows more than the climate does.
        assert (told.upper - told.lower).sum() < (climate.upper - climate.lower).sum()
        world.server.status = 503
        for _ in range(12):
            await world.clock.advance(3600)
            await world.desk.renew()
            assert np.array_equal(world.forecast().median, told.median)
        await world.clock.advance(300)
        await world.desk.renew()
        assert np.array_equal(world.forecast().median, climate.median)
        world.server.status = 200
        await world.clock.advance(3600)
        await world.desk.renew()
        assert np.array_equal(world.forecast().median, told.median)
        # Once an hour, not with every look at the clock.
        assert len(world.server.asked) == 14


async def test_a_bad_answer_is_refused_whole_kept_once_and_the_previous_one_stays(street: Street) -> None:
    async with running(street, WeatherSource.OPEN_METEO, OPEN_METEO) as world:
        await world.desk.renew()
        told = world.forecast()
        world.server.body = OPEN_METEO.replace(b'"m/s"', b'"km/h"')
        for _ in range(3):
            await world.clock.advance(3600)
            await world.desk.renew()
        assert np.array_equal(world.forecast().median, told.median)
        (refusal,) = await world.refusals()
        assert "minutely_15_units.wind_speed_10m" in refusal


async def test_measured_hours_forecast_the_running_day(street: Street) -> None:
    async with running(street, WeatherSource.KNMI, KNMI) as world:
        climate = world.forecast()
        await world.desk.renew()
        found = world.sun.live.forecast
        assert found is not None
        assert not np.allclose(world.forecast().median, climate.median)
        # Tomorrow nothing newer than the day before yesterday would be known: that is refused.
        await world.clock.advance(86_400)
        await world.desk.renew()
        assert world.sun.live.forecast is None


@pytest.mark.parametrize(("share", "is_dull"), [(0.15, True), (0.95, False)])
async def test_without_a_source_the_array_s_meter_tells_of_the_days_before(
    street: Street, share: float, is_dull: bool
) -> None:
    async with running(street, None) as world:
        climate = world.forecast()
        (meter,) = [one.id for one in street.service.meters if one.role == "pv"]
        begin = DAY[0] - timedelta(days=2)
        starts = TimeGrid(begin, QUARTER, 192).starts
        given = share * clear_reference_kw(world.sun, starts) / 4
        registers = np.concatenate([[0.0], np.cumsum(given)])
        for start, register in zip((*starts, DAY[0]), registers, strict=True):
            await world.service.record_reading(meter, MeterReading(start, 0.0, 100.0 + register, 0.0))
        await world.desk.renew()
        assert world.sun.live.forecast is not None
        assert bool(world.forecast().median.sum() < climate.median.sum()) is is_dull


async def test_a_meter_that_was_silent_for_a_day_tells_nothing(street: Street) -> None:
    async with running(street, None) as world:
        await world.desk.renew()
        assert world.sun.live.forecast is None


async def test_the_service_runs_it_and_leaves_the_climate_behind(street: Street) -> None:
    async with running(street, WeatherSource.OPEN_METEO, OPEN_METEO) as world:
        feed = WeatherFeed(source=WeatherSource.OPEN_METEO, url=world.server.url)
        async with (
            httpx.AsyncClient() as http,
            forecasting_sun(world.sun, feed, "", http, world.service, world.clock),
        ):
            while world.sun.live.forecast is None:
                await world.clock.advance(1)
        assert world.sun.live.forecast is None


def test_a_street_whose_source_cannot_be_asked_is_refused(street: Street) -> None:
    refuse_feed(street, "")
    feed = WeatherFeed(source=WeatherSource.SOLCAST, site="ab-12")
    lacking = replace(street, grid=replace(street.grid, weather_feed=feed))
    refuse_feed(lacking, "key")
    with pytest.raises(DocumentError, match="WIJKSTROOM_WEATHER_KEY: is missing"):
        refuse_feed(lacking, "")


def fail(*_: object) -> None:
    raise ZeroDivisionError


async def test_a_defect_does_not_end_the_age_limit(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(street, WeatherSource.OPEN_METEO, OPEN_METEO) as world:
        await world.desk.renew()
        assert world.sun.live.forecast is not None
        monkeypatch.setattr("csms.share.weather.build_forecast", fail)
        for _ in range(13):
            await world.clock.advance(3600)
            with pytest.raises(ZeroDivisionError):
                await world.desk.renew()
        assert world.sun.live.forecast is None


async def test_a_defect_does_not_end_the_loop(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(street, None) as world:
        monkeypatch.setattr(world.desk, "renew", fail)
        task = asyncio.create_task(world.desk.run())
        for _ in range(3):
            await world.clock.advance(300)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
