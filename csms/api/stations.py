"""Stations: what they are, what they do, and their passwords."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from csms.api.actions import make_station_key
from csms.api.auth import Asker
from csms.api.context import PREFIX, ApiContext
from csms.api.documents import EvseDocument, KeyDocument, StationDocument
from csms.api.problems import not_found
from csms.state.catalogue import Catalogue
from csms.state.station_state import EvseState, StationState


def build_stations(context: ApiContext) -> APIRouter:
    """Return the routes of stations."""
    router = APIRouter(tags=["stations"])
    catalogue = context.service.catalogue

    @router.get("/stations")
    async def list_stations() -> list[StationDocument]:
        """List every station, those of the configuration first."""
        states = context.service.state.stations
        ids = [*catalogue.stations, *sorted(states.keys() - catalogue.stations.keys())]
        return [describe_station(catalogue, each, states.get(each)) for each in ids]

    @router.get("/stations/{station_id}")
    async def get_station(station_id: str) -> StationDocument:
        """Return one station."""
        state = context.service.state.stations.get(station_id)
        if state is None and station_id not in catalogue.stations:
            raise not_found("station", station_id, f"{PREFIX}/stations")
        return describe_station(catalogue, station_id, state)

    @router.post("/stations/{station_id}/key")
    async def make_key(station_id: str, response: Response, asker: Asker) -> KeyDocument:
        """Give a station a new password, told this once; the one before it stops working."""
        key = await make_station_key(context, station_id, asker.name)
        response.headers["Cache-Control"] = "no-store"
        return KeyDocument(station_id=station_id, key=key)

    return router


def describe_station(catalogue: Catalogue, station_id: str, state: StationState | None) -> StationDocument:
    """Say what is configured and what is known of a station; unknown ones stand behind an open door."""
    config = catalogue.station(station_id)
    configured = station_id in catalogue.stations
    emi3 = {evse.id: evse.emi3 for evse in config.evses} if configured else {}
    evses = {} if state is None or state.seen_at is None else state.evses
    return StationDocument(
        id=station_id,
        connection=config.connection,
        model=config.model,
        configured=configured,
        connected=state is not None and state.connected,
        version=None if state is None else state.version,
        booted_at=None if state is None else state.booted_at,
        seen_at=None if state is None else state.seen_at,
        evses=[_describe_evse(each, emi3.get(each), evses.get(each)) for each in sorted({*emi3, *evses})],
    )


def _describe_evse(evse_id: int, emi3: str | None, evse: EvseState | None) -> EvseDocument:
    session = None if evse is None else evse.session
    return EvseDocument(
        evse_id=evse_id,
        emi3=emi3,
        status=None if evse is None else evse.status,
        session_id=None if session is None else session.id,
        power_kw=0.0 if session is None else session.power_kw,
    )
