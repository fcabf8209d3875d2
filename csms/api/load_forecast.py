"""What connections will take tomorrow: for their suppliers, before ten in the morning."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from csms.api.context import ApiContext
from csms.control.expected_load import HISTORY, expect_load, group_sessions, usual_day_kwh
from csms.state.queries import energy_by_quarter, latest_plan
from grid.tariffs.deviation import LoadForecast, write_forecasts
from optimizer.plan import Plan

Day = Annotated[date | None, Query(description="Local day; default: tomorrow.")]
Supplier = Annotated[str | None, Query(description="Only the connections that it buys for.")]


class QuarterLoad(BaseModel):
    """A quarter that is expected: import less export [kWh]."""

    utc_start: datetime
    net_kwh: float


class LoadForecastDocument(BaseModel):
    """What a connection is expected to take.

    Parameters
    ----------
    ean18
        Which.
    supplier
        Who buys for it, empty when the street file does not say.
    quarters
        Of the local day: 92, 96 or 100.
    """

    ean18: str
    supplier: str
    quarters: list[QuarterLoad]


def build_load_forecast(context: ApiContext) -> APIRouter:
    """Return the routes of the day-ahead load forecast."""
    router = APIRouter(tags=["load forecast"])

    @router.get("/load-forecast")
    async def get_forecast(day: Day = None, supplier: Supplier = None) -> list[LoadForecastDocument]:
        """Return what every connection is expected to take on a day, from the plan and what is usual."""
        return [_describe(each) for each in await _forecast(context, day, supplier)]

    @router.get("/load-forecast.csv", response_class=PlainTextResponse)
    async def get_file(day: Day = None, supplier: Supplier = None) -> PlainTextResponse:
        """Return the same as a file: ean18,supplier,utc_start,net_kwh."""
        lines = write_forecasts(await _forecast(context, day, supplier))
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/csv")

    return router


async def _forecast(context: ApiContext, day: date | None, supplier: str | None) -> list[LoadForecast]:
    now, tz, catalogue = context.clock.now(), context.grid.tz, context.service.catalogue
    chosen = day or now.astimezone(tz).date() + timedelta(days=1)
    store = context.service.store
    taken = await store.read(partial(energy_by_quarter, start=now - HISTORY, end=now))
    usual: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    first = now
    for (station_id, _), quarters in taken.items():
        if station_id in catalogue.stations:
            own = [(each.quarter, each.import_kwh - each.export_kwh) for each in quarters]
            usual[catalogue.stations[station_id].connection] += own
            used = [each.quarter for each in quarters if each.import_kwh > 0.0]
            first = min(first, *used) if used else first
    sessions = {
        evse.session.id: catalogue.stations[station.station_id].connection
        for station in context.service.state.stations.values()
        for evse in station.evses.values()
        if evse.session is not None and station.station_id in catalogue.stations
    }
    by_connection = group_sessions(sessions)
    record = await store.read(latest_plan)
    plan, start = None, now
    if record is not None and record.plan_json:
        plan = Plan.model_validate_json(record.plan_json)
        start = datetime.fromisoformat(orjson.loads(record.problem_json)["start"])
    days = (now - first) / timedelta(days=1)
    return [
        expect_load(
            chosen,
            tz,
            connection,
            usual_day_kwh(usual[connection.id], days, tz),
            plan,
            start,
            by_connection.get(connection.id, frozenset()),
        )
        for connection in context.grid.topology.connections
        if supplier is None or connection.supplier == supplier
    ]


def _describe(forecast: LoadForecast) -> LoadForecastDocument:
    quarters = [
        QuarterLoad(utc_start=start, net_kwh=round(energy_kwh, 3))
        for start, energy_kwh in zip(forecast.starts, forecast.net_kwh.tolist(), strict=True)
    ]
    return LoadForecastDocument(ean18=forecast.ean18, supplier=forecast.supplier, quarters=quarters)
