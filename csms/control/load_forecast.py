"""The load of tomorrow, for suppliers: made every morning, kept as announced, written where they fetch it.

Every quarter is asked whether the day's forecast is there, so that what a restart or a full disk held up is
made up for. It is made once: what stands in the rows is never made again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import orjson
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from csms.control.expected_load import HISTORY, expect_load, group_sessions, usual_day_kwh
from csms.control.schedule import every_quarter, occurrences
from csms.state.load_forecasts import FrozenForecast, freeze_forecasts, has_frozen, read_frozen
from csms.state.queries import energy_by_quarter, latest_plan
from csms.state.service import StateService
from grid.clock import Clock
from grid.street import GridSide
from grid.tariffs.deviation import write_forecasts
from optimizer.plan import Plan

logger = logging.getLogger(__name__)

# Until when suppliers take the forecast of the next day, local time.
DEADLINE: Final = time(10)


def is_late(day: date, made_at: datetime, tz: ZoneInfo) -> bool:
    """Say whether the forecast of a local day was made after suppliers had to have it."""
    return made_at > datetime.combine(day - timedelta(days=1), DEADLINE, tz)


async def look_ahead(service: StateService, grid: GridSide, day: date, now: datetime) -> FrozenForecast:
    """Forecast every connection's quarters of a local day, from the newest plan and what is usual.

    Parameters
    ----------
    service
        The state, and the rows behind it.
    grid
        The connections and their suppliers.
    day
        Which day.
    now
        What is known by then counts.
    """
    usual, days = await _read_usual(service, now)
    sessions = {
        evse.session.id: service.catalogue.stations[station.station_id].connection
        for station in service.state.stations.values()
        for evse in station.evses.values()
        if evse.session is not None and station.station_id in service.catalogue.stations
    }
    by_connection = group_sessions(sessions)
    record = await service.store.read(latest_plan)
    plan, start = None, now
    if record is not None and record.plan_json:
        plan = Plan.model_validate_json(record.plan_json)
        start = datetime.fromisoformat(orjson.loads(record.problem_json)["start"])
    forecasts = tuple(
        expect_load(
            day,
            grid.tz,
            connection,
            usual_day_kwh(usual[connection.id], days, grid.tz),
            plan,
            start,
            by_connection.get(connection.id, frozenset()),
        )
        for connection in grid.topology.connections
    )
    return FrozenForecast(now, is_late(day, now, grid.tz), forecasts)


async def _read_usual(
    service: StateService, now: datetime
) -> tuple[dict[str, list[tuple[datetime, float]]], float]:
    """Return the net energy of quarters by connection [kWh], and of how many days they are."""
    stations = service.catalogue.stations
    taken = await service.store.read(partial(energy_by_quarter, start=now - HISTORY, end=now))
    usual: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    first = now
    for (station_id, _), quarters in taken.items():
        if station_id in stations:
            own = [(each.quarter, each.import_kwh - each.export_kwh) for each in quarters]
            usual[stations[station_id].connection] += own
            used = [each.quarter for each in quarters if each.import_kwh > 0.0]
            first = min(first, *used) if used else first
    return usual, (now - first) / timedelta(days=1)


class LoadForecastDesk:
    """Makes tomorrow's forecast every day and keeps it.

    Parameters
    ----------
    service
        The state, the rows behind it, and ``[service.load_forecast]``.
    grid
        The connections and their suppliers.
    clock
        The street's time.
    """

    def __init__(self, service: StateService, grid: GridSide, clock: Clock) -> None:
        self._service, self._grid, self._clock = service, grid, clock
        self._config = service.catalogue.service.load_forecast
        self._done: date | None = None

    async def run(self) -> None:
        """Make forecasts when they are due, for ever. A failure is logged and tried again every quarter."""
        await self._try()
        at = self._config.made_at
        daily = CronTrigger(hour=at.hour, minute=at.minute, second=at.second, timezone=self._grid.tz)
        async for _ in occurrences(OrTrigger([daily, every_quarter()]), self._clock):
            await self._try()

    async def _try(self) -> None:
        try:
            await self.make_due()
        except Exception:
            logger.exception("the load forecast failed: it is tried again in a quarter of an hour")

    async def make_due(self) -> None:
        """Make tomorrow's forecast when it is time and there is none; write its file when there is none.

        Raises
        ------
        OSError
            When the file cannot be written; the forecast stands in the rows.
        """
        local = self._clock.now().astimezone(self._grid.tz)
        day = local.date() + timedelta(days=1)
        if local.time() < self._config.made_at or day == self._done:
            return
        store = self._service.store
        if not await store.read(partial(has_frozen, day=day)):
            await self._freeze(day)
        if self._config.folder is not None:
            frozen = await store.read(partial(read_frozen, day=day))
            if frozen is not None:
                write_file(Path(self._config.folder), day, frozen)
        self._done = day

    async def _freeze(self, day: date) -> None:
        now = self._clock.now()
        announced = await look_ahead(self._service, self._grid, day, now)
        if await self._service.store.write(partial(freeze_forecasts, day=day, announced=announced)):
            count, late = len(announced.forecasts), ", late" if announced.late else ""
            logger.info("load forecast of %s made for %d connections%s", day, count, late)


def write_file(folder: Path, day: date, frozen: FrozenForecast) -> None:
    """Write a day's forecast as a CSV file, unless it is there; whoever looks never sees half of it.

    Raises
    ------
    OSError
        When the folder is missing or full.
    """
    target = folder / f"load-forecast-{day.isoformat()}.csv"
    if target.exists():
        return
    partly = target.with_suffix(".partial")
    partly.write_text("\n".join(write_forecasts(frozen.forecasts)) + "\n")
    partly.replace(target)
