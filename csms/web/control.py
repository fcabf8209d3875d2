"""The page of one station: what it does, what it was planned to do, what it said, and what it can be told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from csms.api.actions import ActionBody, ActionDocument, perform
from csms.api.context import ApiContext
from csms.api.problems import ApiError, not_found
from csms.api.sessions import list_page
from csms.api.stations import describe_station
from csms.api.wishes import SessionQuery
from csms.state.audit import Deed, list_deeds
from csms.state.journal import LoggedMessage, list_messages
from csms.state.queries import Notice, QuarterEnergy, energy_by_quarter, list_notices
from csms.state.station_state import EvseState
from csms.web.assets import load_assets
from csms.web.door import PageDoor
from csms.web.feed import LiveSource
from csms.web.view import Document, PlanView, day_start, view_station
from grid.timegrid import QUARTER, QUARTER_HOURS, QUARTERS_PER_DAY

_MESSAGES: Final = 60
_LINES: Final = 20
_LONGEST_TEXT: Final = 2000


class StationDesk:
    """Gathers what the page of a station shows.

    Parameters
    ----------
    context
        State, rows, and the way to the station.
    source
        Names of sockets.
    plan
        Returns the latest plan.
    """

    def __init__(self, context: ApiContext, source: LiveSource, plan: Callable[[], PlanView | None]) -> None:
        self._context = context
        self._source = source
        self._plan = plan

    async def describe(self, station_id: str) -> Document:
        """Return everything that the page shows.

        Raises
        ------
        ApiError
            When there is no such station.
        """
        service = self._context.service
        state = service.state.stations.get(station_id)
        if state is None and station_id not in service.catalogue.stations:
            raise not_found("station", station_id, "/")
        now, plan = self._context.clock.now(), self._plan()
        sessions = await list_page(self._context, SessionQuery(station_id=station_id, limit=_LINES))
        rows = await service.store.read(partial(self._read, station_id=station_id))
        return {
            "now_ms": _ms(now.timestamp()),
            "timezone": self._context.grid.tz.key,
            "station": describe_station(service.catalogue, station_id, state).model_dump(mode="json"),
            "live": view_station(station_id, state, self._source.names(station_id), now, plan),
            "sessions": [each.model_dump(mode="json", exclude={"running"}) for each in sessions.items],
            **rows,
        }

    async def tell(self, station_id: str, body: ActionBody) -> ActionDocument:
        """Tell the station to do something."""
        return await perform(self._context, station_id, body)

    def _read(self, session: Session, station_id: str) -> Document:
        return {
            "day": self._view_day(session, station_id),
            "messages": [
                _view_message(each) for each in list_messages(session, station_id=station_id, limit=_MESSAGES)
            ],
            "notices": [
                _view_notice(each) for each in list_notices(session, station_id=station_id, limit=_LINES)
            ],
            "deeds": [_view_deed(each) for each in list_deeds(session, station_id=station_id, limit=_LINES)],
        }

    def _view_day(self, session: Session, station_id: str) -> Document:
        """Return measured and planned power of each socket, per quarter of the page's day."""
        start = day_start(self._context.clock.now(), self._context.grid)
        starts = [start + index * QUARTER for index in range(QUARTERS_PER_DAY)]
        now, plan = self._context.clock.now(), self._plan()
        measured = energy_by_quarter(session, start, now, station_id=station_id)
        state = self._context.service.state.stations.get(station_id)
        evses = {} if state is None else state.evses
        numbers = sorted({*self._source.names(station_id).emi3, *evses})
        return {
            "start_ms": _ms(start.timestamp()),
            "step_ms": _ms(QUARTER.total_seconds()),
            "sockets": [
                {
                    "id": number,
                    "measured_kw": _mean_powers(measured.get((station_id, number), [])),
                    "planned_kw": [
                        None
                        if plan is None or each + QUARTER <= now
                        else _planned(plan, evses.get(number), each)
                        for each in starts
                    ],
                }
                for number in numbers
            ],
        }


def add_stations(router: APIRouter, door: PageDoor, desk: StationDesk) -> None:
    """Add the page of a station, its facts and its actions."""
    page = load_assets("csms.web", "static", {"station.html"})["station.html"]

    @router.get("/stations/{station_id}")
    async def show(request: Request, station_id: str) -> Response:
        del station_id  # the page asks for its own
        if not door.admits(request):
            return RedirectResponse("/enter", status_code=HTTPStatus.SEE_OTHER)
        return page.respond(request)

    @router.get("/control/stations/{station_id}")
    async def describe(request: Request, station_id: str) -> dict[str, Any]:
        if not door.admits(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "open / and show the operator token first")
        return await desk.describe(station_id) | {"may_act": door.lets_act(request)}

    @router.post("/control/stations/{station_id}/actions")
    async def act(request: Request, station_id: str, body: ActionBody) -> ActionDocument:
        if not door.lets_act(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "show the operator token at /enter first")
        return await desk.tell(station_id, body)


def _mean_powers(quarters: list[QuarterEnergy]) -> list[float]:
    return [round((each.import_kwh - each.export_kwh) / QUARTER_HOURS, 2) for each in quarters]


def _planned(plan: PlanView, evse: EvseState | None, at: Any) -> float | None:
    if evse is None or evse.session is None:
        return None
    value_kw = plan.session_at(evse.session.id, at)
    return None if value_kw is None else round(value_kw, 2)


def _view_message(message: LoggedMessage) -> Document:
    return {
        "at_ms": _ms(message.at.timestamp()),
        "way": message.way.value,
        "kind": message.kind.value,
        "action": message.action,
        "payload": message.payload[:_LONGEST_TEXT],
    }


def _view_notice(notice: Notice) -> Document:
    return {
        "at_ms": _ms(notice.last_at.timestamp()),
        "kind": notice.kind,
        "count": notice.count,
        "detail": notice.detail[:_LONGEST_TEXT],
    }


def _view_deed(deed: Deed) -> Document:
    return {
        "at_ms": _ms(deed.at.timestamp()),
        "actor": deed.actor,
        "deed": deed.deed,
        "detail": deed.detail,
        "outcome": deed.outcome,
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
