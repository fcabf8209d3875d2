"""The grid operator's window: nodes and connections with load and limit, signals, and what was kept."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from csms.api.context import ApiContext
from csms.api.problems import ApiError
from csms.settings import MeterRole
from csms.state.catalogue import Catalogue
from csms.state.compliance import build_rules, report_month
from csms.state.station_state import StreetState
from csms.web.assets import load_assets
from csms.web.door import PageDoor
from csms.web.view import Document, measured_kw
from grid.capacity.compliance import ComplianceReport
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import CapacitySignal, SignalBook
from grid.street import GridSide
from grid.timegrid import floor_quarter
from grid.topology import Limit, Node


class GridDesk:
    """Gathers what the grid operator's page shows.

    Parameters
    ----------
    context
        State, rows, network and time.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._kept: tuple[datetime, list[Document]] | None = None

    async def describe(self) -> Document:
        """Return everything that the page shows."""
        context, now = self._context, self._context.clock.now()
        grid, catalogue = context.grid, context.service.catalogue
        state, power_factor = context.service.state, catalogue.service.power_factor
        loads_kw = connection_loads_kw(state, catalogue)
        return {
            "now_ms": _ms(now),
            "timezone": grid.tz.key,
            "nodes": [_view_node(node, state, catalogue, grid, now) for node in grid.topology.nodes],
            "connections": [
                {
                    "id": one.id,
                    "node": one.node,
                    "fuse": one.fuse,
                    "load_kw": round(loads_kw.get(one.id, 0.0), 2),
                    **_view_envelope(one.id, state, grid, power_factor, now),
                    "stations": [
                        each.id for each in catalogue.stations.values() if each.connection == one.id
                    ],
                }
                for one in grid.topology.connections
            ],
            "signals": [_view_signal(each, state.signals, now) for each in reversed(state.signals.signals)],
            "kept": await self._judge(now),
        }

    async def _judge(self, now: datetime) -> list[Document]:
        """Return what was kept this month and the last one; it changes when a quarter ends."""
        quarter = floor_quarter(now)
        if self._kept is None or self._kept[0] != quarter:
            self._kept = quarter, await self._context.service.store.read(partial(self._read_kept, now=now))
        return self._kept[1]

    def _read_kept(self, session: Session, now: datetime) -> list[Document]:
        grid, service = self._context.grid, self._context.service.catalogue.service
        this = now.astimezone(grid.tz).date().replace(day=1)
        rules = build_rules(service, grid.tz)
        return [
            view_kept(month, report)
            for month in (this, (this - timedelta(days=1)).replace(day=1))
            for report in report_month(session, month, now, grid.topology, service.meters, rules)
        ]


def connection_loads_kw(state: StreetState, catalogue: Catalogue) -> dict[str, float]:
    """Return the measured power of the sessions behind every connection [kW]."""
    loads_kw: dict[str, float] = {}
    for station in state.stations.values():
        if catalogue.knows(station.station_id):
            name = catalogue.connection_of(station.station_id).id
            powers_kw = [evse.session.power_kw for evse in station.evses.values() if evse.session is not None]
            loads_kw[name] = loads_kw.get(name, 0.0) + sum(powers_kw)
    return loads_kw


def view_kept(month: date, report: ComplianceReport) -> Document:
    """Return what was kept at a node in a month."""
    highest = report.highest
    return {
        "node": report.node,
        "direction": report.direction.value,
        "month": f"{month:%Y-%m}",
        "quarters": len(report.verdicts),
        "unmetered_quarters": report.unmetered_quarters,
        "exceeded_quarters": len(report.exceeded),
        "exceeded_kwh": round(report.exceeded_kwh, 3),
        "late_quarters": len(report.late),
        "late_kwh": round(report.late_kwh, 3),
        "highest_kw": None if highest is None else round(highest.mean_kw, 2),
    }


def add_grid(router: APIRouter, door: PageDoor, desk: GridDesk) -> None:
    """Add the page of the network and its facts."""
    page = load_assets("csms.web", "static", {"grid.html"})["grid.html"]

    @router.get("/grid")
    async def show(request: Request) -> Response:
        if not door.admits(request):
            return RedirectResponse("/enter", status_code=HTTPStatus.SEE_OTHER)
        return page.respond(request)

    @router.get("/control/grid")
    async def describe(request: Request) -> Document:
        if not door.admits(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "open / and show the operator token first")
        return await desk.describe() | {"may_act": door.lets_act(request)}


def _stations_behind(connection_id: str, catalogue: Catalogue) -> list[str]:
    return [each.id for each in catalogue.stations.values() if each.connection == connection_id]


def _view_node(
    node: Node, state: StreetState, catalogue: Catalogue, grid: GridSide, now: datetime
) -> Document:
    meters = [meter for meter in catalogue.service.meters if meter.node == node.id]
    power_factor = catalogue.service.power_factor
    return {
        "id": node.id,
        "kind": node.kind.value,
        "parent": node.parent,
        "load_kw": measured_kw(state, meters, MeterRole.NODE, now),
        **_view_envelope(node.id, state, grid, power_factor, now),
        "limits": [_view_limit(limit, grid, power_factor, now) for limit in node.limits],
    }


def _view_limit(limit: Limit, grid: GridSide, power_factor: float, now: datetime) -> Document:
    begins = None if limit.daily_from is None else _next_begin(limit.daily_from, grid, now)
    power_kw = limit.power_kw(grid.voltage_v, power_factor)
    return {
        "power_kw": None if power_kw is None else round(power_kw, 2),
        "stated": f"{limit.value:g} {limit.unit.value}",
        "direction": limit.direction.value,
        "kind": limit.kind.value,
        "source": limit.source,
        "averaging": limit.averaging.value,
        "netting": limit.netting.value,
        "daily_from": None if limit.daily_from is None else limit.daily_from.isoformat("minutes"),
        "daily_to": None if limit.daily_to is None else limit.daily_to.isoformat("minutes"),
        "in_force": _is_in_force(limit, grid, now),
        "begins_ms": None if begins is None else _ms(begins),
    }


def _is_in_force(limit: Limit, grid: GridSide, now: datetime) -> bool:
    if limit.daily_from is None or limit.daily_to is None:
        return True
    local = now.astimezone(grid.tz).timetz().replace(tzinfo=None)
    if limit.daily_from < limit.daily_to:
        return limit.daily_from <= local < limit.daily_to
    return local >= limit.daily_from or local < limit.daily_to


def _next_begin(begin: time, grid: GridSide, now: datetime) -> datetime:
    local = now.astimezone(grid.tz)
    today = datetime.combine(local.date(), begin, grid.tz)
    return today if today > local else datetime.combine(local.date() + timedelta(days=1), begin, grid.tz)


def _view_signal(signal: CapacitySignal, book: SignalBook, now: datetime) -> Document:
    running = [block for block in signal.blocks if block.start <= now < block.end]
    coming = [block for block in signal.blocks if block.start > now]
    shown = (running or coming or list(signal.blocks))[0]
    return {
        "id": signal.id,
        "sender": signal.sender,
        "group": signal.group,
        "direction": signal.direction.value,
        "kind": signal.kind.value,
        "status": book.status(signal, now).value,
        "binding": signal.binding,
        "limit_kw": shown.limit_kw,
        "from_ms": _ms(shown.start),
        "to_ms": _ms(shown.end),
        "blocks": len(signal.blocks),
    }


def _view_envelope(
    place: str, state: StreetState, grid: GridSide, power_factor: float, now: datetime
) -> Document:
    envelope = compute_envelope(
        grid.topology, place, [now], grid.tz, power_factor, signals=state.signals, known_at=now
    )
    return {
        "import_limit_kw": _finite(float(envelope.import_limit_kw[0])),
        "import_source": envelope.import_source[0],
        "export_limit_kw": _finite(float(envelope.export_limit_kw[0])),
        "export_source": envelope.export_source[0],
    }


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
