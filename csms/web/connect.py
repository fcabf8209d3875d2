"""The guide that connects a new station: name, password, address, and a test that looks for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from csms.api.actions import make_station_key
from csms.api.context import ApiContext
from csms.api.problems import ApiError
from csms.gateway.auth import PATH_PREFIX, read_station_id
from csms.ocpp.vocabulary import ConnectorStatus
from csms.state.station_state import StationState
from csms.web.assets import load_assets
from csms.web.door import PageDoor
from csms.web.view import Document

_TABLE = """[[stations]]
id = "{name}"
connection = "{connection}"
model = "{model}"
evses = [{{ id = 1, emi3 = "NL*ABC*E0001*1", phase_rotation = "RST" }}]
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a station must have shown.

    Parameters
    ----------
    name, done
        What, and whether it did.
    hint
        What to do while it did not.
    """

    name: str
    done: bool
    hint: str


def list_checks(station: StationState | None) -> list[Check]:
    """List what a new station shows one after the other, from its first connection to its first energy."""
    evses = [] if station is None else [evse for number, evse in station.evses.items() if number > 0]
    sessions = [evse.session for evse in evses if evse.session is not None]
    return [
        Check(
            "It connects",
            station is not None and station.connected,
            "check address, name and password in the station, and that its network reaches this service",
        ),
        Check(
            "It says who it is",
            station is not None and station.booted_at is not None,
            "restart it: a station says who it is when it starts",
        ),
        Check(
            "No socket is out of order",
            station is not None
            and station.booted_at is not None
            and bool(evses)
            and not any(
                evse.status in {ConnectorStatus.FAULTED, ConnectorStatus.UNAVAILABLE} for evse in evses
            ),
            "it tells the status of every socket after its start; look at its display for a fault",
        ),
        Check("A session begins", bool(sessions), "plug in a car and show a card"),
        Check(
            "Its meter counts",
            any(session.sampled_at is not None for session in sessions),
            "within some minutes of charging it sends meter values; if not, switch them on in its settings",
        ),
    ]


class ConnectDesk:
    """Guides a station in.

    Parameters
    ----------
    context
        State and configuration.
    ocpp_port
        Returns the port that stations connect to.
    """

    def __init__(self, context: ApiContext, ocpp_port: Callable[[], int]) -> None:
        self._context = context
        self._ocpp_port = ocpp_port

    def describe(self, name: str, host: str) -> Document:
        """Say where a station stands on its way in.

        Parameters
        ----------
        name
            Its id.
        host
            The name under which the browser knows this service.
        """
        catalogue = self._context.service.catalogue
        valid = read_station_id(f"{PATH_PREFIX}{name}") == name
        configured = name in catalogue.stations
        checks = list_checks(self._context.service.state.stations.get(name))
        return {
            "valid": valid,
            "configured": configured,
            "welcome": valid and catalogue.knows(name),
            "address": f"ws://{host}:{self._ocpp_port()}{PATH_PREFIX}",
            "table": _TABLE.format(
                name=name if valid else "...",
                connection=catalogue.topology.connections[0].id if catalogue.topology.connections else "...",
                model=next(iter(catalogue.models), "..."),
            ),
            "checks": [asdict(check) for check in checks],
        }

    async def make_key(self, name: str) -> str:
        """Give a station a new password."""
        return await make_station_key(self._context, name)


def add_guide(router: APIRouter, door: PageDoor, desk: ConnectDesk) -> None:
    """Add the guide's page, its facts and the making of passwords."""
    page = load_assets("csms.web", "static", {"connect.html"})["connect.html"]

    @router.get("/connect")
    async def show(request: Request) -> Response:
        if not door.admits(request):
            return RedirectResponse("/enter", status_code=HTTPStatus.SEE_OTHER)
        return page.respond(request)

    @router.get("/control/connect/{name}")
    async def describe(request: Request, name: str) -> Document:
        if not door.admits(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "open / and show the operator token first")
        host = request.url.hostname or "HOST"
        return desk.describe(name, f"[{host}]" if ":" in host else host) | {"may_act": door.lets_act(request)}

    @router.post("/control/connect/{name}/key")
    async def make_key(request: Request, response: Response, name: str) -> dict[str, str]:
        if not door.lets_act(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "show the operator token at /enter first")
        response.headers["Cache-Control"] = "no-store"
        return {"key": await desk.make_key(name)}
