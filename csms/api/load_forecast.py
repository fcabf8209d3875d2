"""What connections will take tomorrow: for their suppliers, before ten in the morning."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from csms.api.context import ApiContext
from csms.control.load_forecast import look_ahead
from csms.state.load_forecasts import FrozenForecast, read_frozen
from grid.tariffs.deviation import LoadForecast, write_forecasts

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
    made_at
        When it was made.
    frozen
        Whether it is what was announced; else it is how things look now and will change.
    late
        Whether it was made after ten in the morning of the day before.
    quarters
        Of the local day: 92, 96 or 100.
    """

    ean18: str
    supplier: str
    made_at: datetime
    frozen: bool
    late: bool
    quarters: list[QuarterLoad]


def build_load_forecast(context: ApiContext) -> APIRouter:
    """Return the routes of the day-ahead load forecast."""
    router = APIRouter(tags=["load forecast"])

    @router.get("/load-forecast")
    async def get_forecast(day: Day = None, supplier: Supplier = None) -> list[LoadForecastDocument]:
        """Return what every connection is expected to take on a day: as announced, else as it looks now."""
        chosen = _choose(context, day)
        announced = await _read(context, chosen)
        found = announced or await _look_now(context, chosen)
        return [
            _describe(each, found, frozen=announced is not None) for each in _of_supplier(found, supplier)
        ]

    @router.get("/load-forecast.csv", response_class=PlainTextResponse)
    async def get_file(day: Day = None, supplier: Supplier = None) -> PlainTextResponse:
        """Return the same as a file: ean18,supplier,utc_start,net_kwh."""
        chosen = _choose(context, day)
        found = await _read(context, chosen) or await _look_now(context, chosen)
        lines = write_forecasts(_of_supplier(found, supplier))
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/csv")

    return router


def _choose(context: ApiContext, day: date | None) -> date:
    return day or context.clock.now().astimezone(context.grid.tz).date() + timedelta(days=1)


async def _read(context: ApiContext, day: date) -> FrozenForecast | None:
    return await context.service.store.read(partial(read_frozen, day=day))


async def _look_now(context: ApiContext, day: date) -> FrozenForecast:
    return await look_ahead(context.service, context.grid, day, context.clock.now())


def _of_supplier(found: FrozenForecast, supplier: str | None) -> list[LoadForecast]:
    return [each for each in found.forecasts if supplier is None or each.supplier == supplier]


def _describe(forecast: LoadForecast, found: FrozenForecast, *, frozen: bool) -> LoadForecastDocument:
    quarters = [
        QuarterLoad(utc_start=start, net_kwh=round(energy_kwh, 3))
        for start, energy_kwh in zip(forecast.starts, forecast.net_kwh.tolist(), strict=True)
    ]
    return LoadForecastDocument(
        ean18=forecast.ean18,
        supplier=forecast.supplier,
        made_at=found.made_at,
        frozen=frozen,
        late=found.late,
        quarters=quarters,
    )
