"""The street itself: its meters and the limits that hold now."""

from __future__ import annotations

import math
from datetime import timedelta

from fastapi import APIRouter

from csms.api.context import ApiContext
from csms.api.documents import LimitDocument, MeterDocument
from csms.settings import MeterConfig
from grid.capacity.envelope import compute_envelope
from grid.timegrid import QUARTER, floor_quarter


def build_street(context: ApiContext) -> APIRouter:
    """Return the routes of meters and limits."""
    router = APIRouter(tags=["street"])
    topology, service = context.grid.topology, context.service.catalogue.service

    @router.get("/meters")
    async def list_meters() -> list[MeterDocument]:
        """List the street's own meters with their last reading."""
        return [_describe_meter(context, meter) for meter in service.meters]

    @router.get("/limits")
    async def list_limits() -> list[LimitDocument]:
        """List the lowest limit of every node and connection in the running quarter, with who sets it."""
        start = floor_quarter(context.clock.now())
        places = [node.id for node in topology.nodes] + [one.id for one in topology.connections]
        found = []
        for place in places:
            envelope = compute_envelope(
                topology,
                place,
                [start],
                context.grid.tz,
                service.power_factor,
                signals=context.service.state.signals,
                known_at=context.clock.now(),
            )
            found.append(
                LimitDocument(
                    place=place,
                    from_=start,
                    to=start + QUARTER,
                    import_limit_kw=_finite(envelope.import_limit_kw[0]),
                    import_source=envelope.import_source[0],
                    export_limit_kw=_finite(envelope.export_limit_kw[0]),
                    export_source=envelope.export_source[0],
                )
            )
        return found

    return router


def _describe_meter(context: ApiContext, meter: MeterConfig) -> MeterDocument:
    state = context.service.state.meters.get(meter.id)
    document = MeterDocument(id=meter.id, role=meter.role.value, node=meter.node, stale=True)
    if state is None:
        return document
    stale = context.clock.now() - state.read_at > timedelta(seconds=meter.stale_after_s)
    return document.model_copy(update={"stale": stale}).read(state)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
