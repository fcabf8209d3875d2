"""The control page of a running crowd: a small HTTP service for whoever sits at the machine.

It has no password: it listens on loopback, answers to names of loopback only, and takes orders only as JSON,
which no foreign page can send without being asked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from grid.config import StrictModel
from simulator.crowd import Crowd, NoSuchSocketError
from simulator.faults.behaviours import Patient
from simulator.faults.scenario import FaultKind
from simulator.station.evse import Evse, PlugIn
from simulator.vehicle.charging import BatteryState

LOOPBACK = "127.0.0.1"
SHOWN = 60
NEWEST_FAULTS = 12
_KINDS = {"page.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PlugOrder(StrictModel):
    """Plug a car in.

    Parameters
    ----------
    vehicle
        Name of a model of the fleet's.
    soc_fraction
        State of charge that it comes with.
    token
        The card that is held to the reader.
    communicates
        Whether the car tells needs and state of charge.
    """

    vehicle: str
    soc_fraction: float = Field(default=0.4, ge=0.0, le=1.0)
    token: str = Field(default="HAND0001", min_length=1, max_length=20)
    communicates: bool = True


class CardOrder(StrictModel):
    """Hold a card to the reader."""

    token: str = Field(min_length=1, max_length=20)


class BreakOrder(StrictModel):
    """Let something break for some seconds."""

    kind: FaultKind
    seconds: float = Field(default=60.0, ge=0.0, le=86_400.0)


def build_app(crowd: Crowd) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    crowd
        What is controlled.
    """
    app = FastAPI(title="Simulated stations", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])

    @app.middleware("http")
    async def _protect(request: Request, call_next: Any) -> Response:
        if request.method == "POST" and request.headers.get("content-type", "") != "application/json":
            return JSONResponse({"detail": "send application/json"}, 415, headers=_HEADERS)
        response: Response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(NoSuchSocketError)
    async def _refuse(_: Request, error: NoSuchSocketError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 409)

    _add_page(app)
    _add_orders(app, crowd)
    return app


def _add_page(app: FastAPI) -> None:
    @app.get("/")
    async def _page() -> Response:
        return _file("page.html")

    @app.get("/static/{name}")
    async def _static(name: str) -> Response:
        if name not in _KINDS:
            raise HTTPException(404, "no such file")
        return _file(name)


def _file(name: str) -> Response:
    text = files("simulator.control").joinpath("static", name).read_bytes()
    return Response(text, media_type=_KINDS[name])


def _add_orders(app: FastAPI, crowd: Crowd) -> None:
    @app.get("/state")
    async def _state(find: Annotated[str, Query(max_length=60)] = "") -> dict[str, Any]:
        return describe_state(crowd, find)

    @app.post("/stations/{station_id}/{evse_id}/plug")
    async def _plug(station_id: str, evse_id: int, order: PlugOrder) -> dict[str, str]:
        models = {model.name: model for model in crowd.models().values()}
        if order.vehicle not in models:
            raise HTTPException(422, f"no such car: {', '.join(models)}")
        model = models[order.vehicle]
        battery = BatteryState(order.soc_fraction * model.capacity_kwh)
        crowd.plug(station_id, evse_id, PlugIn(model, battery, order.token, communicates=order.communicates))
        return {"done": f"{order.vehicle} plugged in at {station_id} socket {evse_id}"}

    @app.post("/stations/{station_id}/{evse_id}/unplug")
    async def _unplug(station_id: str, evse_id: int) -> dict[str, str]:
        crowd.unplug(station_id, evse_id)
        return {"done": f"unplugged at {station_id} socket {evse_id}"}

    @app.post("/stations/{station_id}/{evse_id}/tap")
    async def _tap(station_id: str, evse_id: int, order: CardOrder) -> dict[str, str]:
        crowd.tap(station_id, evse_id, order.token)
        return {"done": f"card {order.token} held to {station_id} socket {evse_id}"}

    @app.post("/stations/{station_id}/{evse_id}/break")
    async def _break(station_id: str, evse_id: int, order: BreakOrder) -> dict[str, str]:
        await crowd.break_(order.kind, station_id, evse_id, order.seconds)
        return {"done": f"{order.kind.value} at {station_id} socket {evse_id} for {order.seconds:g} s"}


def describe_state(crowd: Crowd, find: str) -> dict[str, Any]:
    """Return what the page shows: counters, stations whose name has some text in it, the newest faults."""
    found = [one for name, one in crowd.patients.items() if find.lower() in name.lower()]
    counters = crowd.counters
    return {
        "counters": {
            "stations": len(crowd.patients),
            "online": crowd.online,
            "cars": crowd.cars,
            "messages": counters.messages,
            "errors": counters.errors,
            "faults": len(crowd.injector.happened),
        },
        "vehicles": [model.name for model in crowd.models().values()],
        "kinds": [kind.value for kind in FaultKind],
        "found": len(found),
        "stations": [_describe_station(one, crowd) for one in found[:SHOWN]],
        "happened": [
            {"at": log.at.isoformat(timespec="seconds"), "what": log.event.kind.value, "where": _where(log)}
            for log in reversed(crowd.injector.happened[-NEWEST_FAULTS:])
        ],
    }


def _where(log: Any) -> str:
    socket = f" socket {log.event.evse_id}" if log.event.evse_id else ""
    return f"{log.event.station_id}{socket}"


def _describe_station(patient: Patient, crowd: Crowd) -> dict[str, Any]:
    client = patient.client
    return {
        "id": client.setup.id,
        "protocol": client.setup.protocol.value,
        "online": client.online,
        "quirks": [quirk.value for quirk in client.setup.quirks.values],
        "sockets": [_describe_socket(evse, patient, crowd) for evse in client.firmware.evses.values()],
    }


def _describe_socket(evse: Evse, patient: Patient, crowd: Crowd) -> dict[str, Any]:
    second = patient.client.firmware.second_of(crowd.now())
    battery = evse.socket.battery(second)
    plug = evse.plug
    return {
        "id": evse.id,
        "state": evse.connector_state().value,
        "error": evse.error,
        "blocked": evse.id in patient.blocked,
        "pilot": evse.pilot(second).value,
        "car": None if plug is None else plug.model.name,
        "soc": None
        if plug is None or battery is None
        else round(battery.energy_kwh / plug.model.capacity_kwh, 3),
        "power_kw": round(evse.socket.recent_power_kw(second), 2),
        "import_kwh": round(evse.socket.registers(second).import_kwh, 3),
    }


@asynccontextmanager
async def serving_control(crowd: Crowd, port: int) -> AsyncIterator[int]:
    """Serve the page on loopback for the length of the block; yield its port.

    Parameters
    ----------
    crowd
        What is controlled.
    port
        Where; 0 is any free one.
    """
    config = uvicorn.Config(build_app(crowd), LOOPBACK, port, log_level="warning", lifespan="off", ws="none")
    server = _Server(config)
    task = asyncio.create_task(server.serve(), name="control")
    try:
        yield await server.port()
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


class _Server(uvicorn.Server):
    """A server that leaves the signals of the process alone and says where it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._listening = asyncio.Event()

    @property
    def capture_signals(self) -> Any:
        """Return a context that captures nothing."""
        return suppress

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._listening.set()

    async def port(self) -> int:
        """Return the port on which it listens."""
        await self._listening.wait()
        return int(self.servers[0].sockets[0].getsockname()[1])
