"""Acts on the whole fleet: the switch to the fallback, and the second person's word."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from csms.api.actions import keep_deed
from csms.api.auth import Asker
from csms.api.context import ApiContext
from csms.control.fleet import AGREED, FleetDesk


class FleetDocument(BaseModel):
    """How the fleet stands.

    Parameters
    ----------
    held_by
        Who turned the switch on, so that every session is held at its fallback; null while it is planned.
    released_by
        Who has agreed to release it: two persons do.
    agreed_by
        Who has agreed within ten minutes that operators act on more stations than one person may: two do.
    acted_on, stations_alone
        Stations that operators acted on within ten minutes, and how many one person may.
    """

    held_by: str | None
    released_by: list[str]
    agreed_by: list[str]
    acted_on: int
    stations_alone: int


def build_fleet(context: ApiContext, desk: FleetDesk) -> APIRouter:
    """Return the routes of acts on the whole fleet."""
    router = APIRouter(tags=["fleet"])

    @router.get("/fleet")
    async def get_fleet() -> FleetDocument:
        """Say how the fleet stands."""
        return _describe(desk)

    @router.post("/fleet/fallback")
    async def hold(asker: Asker) -> FleetDocument:
        """Hold the whole fleet at its fallback, over restarts, until two persons release it."""
        await desk.switch.turn_on(asker.name)
        return _describe(desk)

    @router.post("/fleet/release")
    async def release(asker: Asker) -> FleetDocument:
        """Agree that the fleet is planned again; it is when two persons have."""
        await desk.switch.release(asker.name)
        return _describe(desk)

    @router.post("/fleet/agreement")
    async def agree(asker: Asker) -> FleetDocument:
        """Agree that operators act on many stations for ten minutes; they may when two persons have."""
        desk.gate.agree(asker.name)
        persons = ", ".join(sorted(desk.gate.agreed_by))
        await keep_deed(context, AGREED, None, "for ten minutes", f"agreed: {persons}", asker.name)
        return _describe(desk)

    return router


def _describe(desk: FleetDesk) -> FleetDocument:
    state, gate = desk.switch.state, desk.gate
    return FleetDocument(
        held_by=state.by,
        released_by=sorted(state.released_by),
        agreed_by=sorted(gate.agreed_by),
        acted_on=gate.acted_on,
        stations_alone=gate.stations_alone,
    )
