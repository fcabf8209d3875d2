"""What stations told beside charging, and their device models."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel

from csms.api.context import PREFIX, ApiContext
from csms.api.problems import not_found
from csms.ocpp.reporting import DeviceVariable, NewsKind
from csms.state.errors import NotFoundError
from csms.state.news import StationNewsRow, list_news, list_variables

Limit = Annotated[int, Query(ge=1, le=500)]


class NewsDocument(BaseModel):
    """One thing that a station told."""

    station_id: str
    at: datetime
    received_at: datetime
    action: str
    kind: NewsKind
    subject: str
    status: str
    payload: dict[str, Any]


class VariableDocument(BaseModel):
    """An attribute of a variable of a device model, as last reported."""

    component: str
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None
    mutability: str
    data_type: str | None
    unit: str | None
    reported_at: datetime


def build_reports(context: ApiContext) -> APIRouter:
    """Return the routes of news and device models."""
    router = APIRouter(tags=["stations"])
    store = context.service.store

    @router.get("/news")
    async def read_news(kind: NewsKind | None = None, limit: Limit = 100) -> list[NewsDocument]:
        """List what stations told, the last to arrive first: security events, firmware, logs, monitoring."""
        rows = await store.read(partial(list_news, station_id=None, kind=kind, limit=limit))
        return [_describe_news(row) for row in rows]

    @router.get("/stations/{station_id}/news")
    async def read_station_news(
        station_id: str, kind: NewsKind | None = None, limit: Limit = 100
    ) -> list[NewsDocument]:
        """List what a station told, the last to arrive first."""
        _check_station(context, station_id)
        rows = await store.read(partial(list_news, station_id=station_id, kind=kind, limit=limit))
        return [_describe_news(row) for row in rows]

    @router.get("/stations/{station_id}/variables")
    async def read_variables(station_id: str, component: str | None = None) -> list[VariableDocument]:
        """List a station's device model, as far as it was reported: ask for it with GetBaseReport."""
        _check_station(context, station_id)
        rows = await store.read(partial(list_variables, station_id=station_id, component=component))
        return [_describe_variable(variable, at) for variable, at in rows]

    return router


def _check_station(context: ApiContext, station_id: str) -> None:
    try:
        context.service.catalogue.station(station_id)
    except NotFoundError as error:
        raise not_found("station", station_id, f"{PREFIX}/stations") from error


def _describe_news(row: StationNewsRow) -> NewsDocument:
    told = {name: getattr(row, name) for name in NewsDocument.model_fields if name != "payload"}
    return NewsDocument(**told, payload=orjson.loads(row.payload))


def _describe_variable(variable: DeviceVariable, at: datetime) -> VariableDocument:
    return VariableDocument(
        **{name: getattr(variable, name) for name in DeviceVariable.__slots__}, reported_at=at
    )
