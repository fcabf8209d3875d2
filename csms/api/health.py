"""Is it alive, is it ready, and what is not as it should be."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from csms.api.context import ApiContext
from csms.api.metrics import CONTENT_TYPE, expose
from grid.tariffs.energy import PriceBook


class HealthDocument(BaseModel):
    """How the service is.

    Parameters
    ----------
    live
        It answers.
    ready
        It can do its work.
    reasons
        Why it is not ready.
    warnings
        What it works without.
    """

    live: bool = True
    ready: bool
    reasons: list[str]
    warnings: list[str]


def build_health(context: ApiContext) -> APIRouter:
    """Return the routes that a monitoring system asks; they need no token and tell nothing personal."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=HealthDocument, responses={503: {"model": HealthDocument}})
    async def health() -> Response:
        """Say whether the service is ready: 200 when it is, 503 with reasons when it is not."""
        reasons = list(context.check_ready())
        document = HealthDocument(ready=not reasons, reasons=reasons, warnings=list_warnings(context))
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return JSONResponse(document.model_dump(), status_code=status)

    @router.get("/healthz/live")
    async def live() -> dict[str, bool]:
        """Say that the service answers."""
        return {"live": True}

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Return figures in the text format of Prometheus."""
        return Response(expose(context), media_type=CONTENT_TYPE)

    return router


def list_warnings(context: ApiContext) -> list[str]:
    """List limits that cannot be guaranteed, and silent meters: forecasts stand in for them."""
    now, readings = context.clock.now(), context.service.state.meters
    warnings = [*context.list_concerns(), *_warn_of_prices(context.grid.prices, now)]
    for meter in context.service.catalogue.service.meters:
        reading = readings.get(meter.id)
        if reading is None:
            warnings.append(f"meter {meter.id} has said nothing: check its address in [[service.meters]]")
        elif now - reading.read_at > timedelta(seconds=meter.stale_after_s):
            at = reading.read_at.isoformat(timespec="seconds")
            warnings.append(f"meter {meter.id} is silent since {at}: check its line")
    return warnings


def _warn_of_prices(prices: PriceBook, now: datetime) -> list[str]:
    if not prices.is_stale(now):
        return []
    until = prices.series.end.isoformat(timespec="minutes")
    return [f"prices are known until {until}: plans take a mean price; look at [prices] and [prices.feed]"]
