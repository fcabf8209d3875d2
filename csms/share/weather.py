"""The sun's forecast while the service runs: asked for, trusted while it is young, replaced when it is not.

What holds is the last answer of the source that is young enough; else what the array's own meter told of the
last two days; else the climate of the place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx
import numpy as np

from csms.settings import MeterRole
from csms.state.audit import Deed, record_deed
from csms.state.queries import metered_quarters
from csms.state.service import StateService
from grid.clock import Clock
from grid.errors import Problem
from grid.feeds.weather import RefusedWeatherError, WeatherClient, WeatherFeed, WeatherFeedError
from grid.solar.forecast import SunConfig
from grid.solar.live import OutdatedError, SunForecast, build_forecast, clear_reference_kw, forecast_day
from grid.timegrid import QUARTER, QUARTER_HOURS, QUARTERS_PER_DAY, TimeGrid

logger = logging.getLogger(__name__)

CHECK_S: Final = 300.0
_DAY = timedelta(days=1)
# Of a day's light, so much must have been metered for it to tell of the sky.
_LEAST_METERED: Final = 0.9
_MOST_CHARACTERS: Final = 20_000
_REFUSED: Final = "refuse weather"


class SunDesk:
    """Keeps the forecast of a street's sun up to date.

    Parameters
    ----------
    sun
        The array, and where its forecast is put.
    feed, client
        Who is asked; None: nobody.
    service
        The array's meter, and where refused answers are kept.
    clock
        The street's time.
    """

    def __init__(
        self,
        sun: SunConfig,
        feed: WeatherFeed | None,
        client: WeatherClient | None,
        service: StateService,
        clock: Clock,
    ) -> None:
        self._sun, self._feed, self._client = sun, feed, client
        self._service, self._clock = service, clock
        self._answered: tuple[datetime, SunForecast] | None = None
        self._asked_at: datetime | None = None
        self._refused: tuple[Problem, ...] = ()
        self._metered: tuple[datetime, SunForecast | None] | None = None
        self._basis = ""

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            try:
                await self.renew()
            except Exception:
                # A defect in one round must not end the loop.
                logger.exception("the sun's forecast was not renewed")
            await self._clock.sleep(CHECK_S)

    async def renew(self) -> None:
        """Ask when it is time to, and put the best that is known in force."""
        now = self._clock.now()
        try:
            if self._feed is not None and self._client is not None and self._is_due(now, self._feed):
                self._asked_at = now
                await self._ask(self._client, self._feed, now)
        finally:
            await self._put_best(self._clock.now())

    async def _put_best(self, now: datetime) -> None:
        answered = self._young_answer(now)
        if answered is not None:
            self._put(answered, "its source")
            return
        metered = await self._from_meter(now)
        self._put(metered, "climate" if metered is None else "the array's meter")

    def _young_answer(self, now: datetime) -> SunForecast | None:
        if self._feed is None or self._answered is None:
            return None
        at, forecast = self._answered
        return forecast if now - at <= timedelta(hours=self._feed.most_age_hours) else None

    def _is_due(self, now: datetime, feed: WeatherFeed) -> bool:
        # Half a check early rather than a whole one late.
        pause = timedelta(minutes=feed.poll_minutes) - timedelta(seconds=CHECK_S / 2)
        return self._asked_at is None or now - self._asked_at >= pause

    async def _ask(self, client: WeatherClient, feed: WeatherFeed, now: datetime) -> None:
        assert self._sun.models is not None, "a street with a feed has them"
        try:
            answer = await client.fetch(now)
            self._answered = now, build_forecast(self._sun, self._sun.models, answer, now)
            self._refused = ()
        except (WeatherFeedError, OutdatedError) as error:
            logger.warning("%s: %s; what is in force stays", feed.source, error)
        except RefusedWeatherError as error:
            await self._refuse(feed, error, now)

    async def _refuse(self, feed: WeatherFeed, error: RefusedWeatherError, now: datetime) -> None:
        """Keep an answer that is refused, once: a source that is wrong says the same again and again."""
        if error.problems == self._refused:
            return
        self._refused = error.problems
        told = "\n".join(map(str, error.problems))
        logger.warning("an answer is refused, what is in force stays: %s", error)
        deed = Deed(now, str(feed.source), _REFUSED, None, error.text[:_MOST_CHARACTERS], told)
        await self._service.store.write(partial(record_deed, deed=deed))

    def _put(self, forecast: SunForecast | None, basis: str) -> None:
        self._sun.live.forecast = forecast
        if basis != self._basis:
            logger.info("the sun is forecast from %s", basis)
            self._basis = basis

    async def _from_meter(self, now: datetime) -> SunForecast | None:
        """Return the forecast of the running UTC day from the two before it, None while they are unknown."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._metered is None or self._metered[0] != day:
            yesterday, before = [await self._clearness(day - back * _DAY) for back in (1, 2)]
            forecast, models = None, self._sun.models
            if models is not None and yesterday is not None and before is not None:
                forecast = forecast_day(self._sun, models, day, yesterday, before, None)
            self._metered = day, forecast
        return self._metered[1]

    async def _clearness(self, day: datetime) -> float | None:
        """Return the clear-sky index of a UTC day by the array's meter, None where it was not metered."""
        meters = [
            meter.id
            for meter in self._service.catalogue.service.meters
            if meter.role is MeterRole.PV and meter.node == self._sun.node
        ]
        if not meters:
            return None
        work = partial(metered_quarters, meter_id=meters[0], start=day, end=day + _DAY)
        metered = {each.quarter: each.export_kwh for each in await self._service.store.read(work)}
        starts = TimeGrid(day, QUARTER, QUARTERS_PER_DAY).starts
        reference_kwh = clear_reference_kw(self._sun, starts) * QUARTER_HOURS
        known = np.array([start in metered for start in starts])
        if not known.any() or reference_kwh[known].sum() <= _LEAST_METERED * reference_kwh.sum():
            return None
        return float(sum(metered.values()) / reference_kwh[known].sum())


@asynccontextmanager
async def forecasting_sun(
    sun: SunConfig,
    feed: WeatherFeed | None,
    key: str,
    http: httpx.AsyncClient,
    service: StateService,
    clock: Clock,
) -> AsyncIterator[None]:
    """Keep the sun's forecast up to date for the block; climate holds again after it.

    Parameters
    ----------
    key
        What the source wants to see; empty for none.
    http
        Connection pool.
    sun, feed, service, clock
        As in `SunDesk`.
    """
    client = None if feed is None else WeatherClient(feed, key, sun.array, http)
    desk = SunDesk(sun, feed, client, service, clock)
    task = asyncio.create_task(desk.run(), name="sun")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sun.live.forecast = None
