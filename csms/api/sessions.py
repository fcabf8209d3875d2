"""Sessions: what was charged, and what drivers say that they need."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from sqlmodel import Session

from csms.api.context import PREFIX, ApiContext
from csms.api.documents import DeclarationDocument, Page, RunningDocument, SessionDocument
from csms.api.problems import refused_fields
from csms.api.refusals import told_refusals
from csms.api.wishes import DeclarationBody, SessionQuery
from csms.control.sessions import InformationClass, list_cars
from csms.state.errors import ConflictError, NotFoundError
from csms.state.queries import StoredSession, find_session, list_sessions
from csms.state.records import Declaration
from grid.errors import Problem

WHERE = f"{PREFIX}/sessions"


def build_sessions(context: ApiContext) -> APIRouter:
    """Return the routes of sessions."""
    router = APIRouter(tags=["sessions"])
    service = context.service

    @router.get("/sessions")
    async def get_sessions(query: Annotated[SessionQuery, Query()]) -> Page[SessionDocument]:
        """List sessions, the newest first."""
        return await list_page(context, query)

    @router.get("/sessions/{session_id}")
    async def get_session(session_id: str) -> SessionDocument:
        """Return one session."""
        with told_refusals("session", session_id, WHERE):
            record = await service.store.read(partial(find_session, session_id=session_id))
        return _describe(context, record, _classes(context))

    @router.put("/sessions/{session_id}/declaration", responses={409: {}})
    async def declare(session_id: str, body: DeclarationBody) -> DeclarationDocument:
        """Say what a running session needs, and until when; the last word counts."""
        with told_refusals("session", session_id, WHERE):
            return DeclarationDocument.of(await service.declare(session_id, body.declaration()))

    @router.delete("/sessions/{session_id}/declaration", responses={409: {}})
    async def opt_out(session_id: str) -> DeclarationDocument:
        """Take back the consent to discharging; energy and departure stand as declared."""
        with told_refusals("session", session_id, WHERE):
            return DeclarationDocument.of(
                await service.declare(session_id, _without_consent(context, session_id))
            )

    return router


def _without_consent(context: ApiContext, session_id: str) -> Declaration:
    found = context.service.state.find_session(session_id)
    if found is None:
        raise NotFoundError(session_id)
    declared = found[2].declaration
    if declared is None:
        message = "nothing is declared for this session: PUT a declaration with discharge_opt_in false"
        raise ConflictError("discharge_opt_in", message)
    return Declaration(
        departure=declared.departure,
        energy_kwh=declared.energy_kwh,
        target_soc_fraction=declared.target_soc_fraction,
    )


async def list_page(context: ApiContext, query: SessionQuery) -> Page[SessionDocument]:
    """Return a page of sessions, the newest first.

    Raises
    ------
    ApiError
        When filters or cursor make no sense.
    """
    problems = query.problems()
    before = None if query.cursor is None else _read_cursor(query.cursor)
    if query.cursor is not None and before is None:
        problems.append(Problem("cursor", "is none of ours: give the next_cursor of the page before"))
    if problems:
        raise refused_fields(problems)

    def read(session: Session) -> list[StoredSession]:
        return list_sessions(
            session,
            station_id=query.station_id,
            evse_id=query.evse_id,
            running=query.active,
            before=before,
            limit=query.limit + 1,
        )

    records = await context.service.store.read(read)
    shown, classes = records[: query.limit], _classes(context)
    return Page(
        items=[_describe(context, each, classes) for each in shown],
        next_cursor=_make_cursor(shown[-1]) if len(records) > len(shown) else None,
    )


def _classes(context: ApiContext) -> dict[str, InformationClass]:
    service = context.service
    cars = list_cars(context.clock.now(), service.state, service.catalogue, {}, {})
    return {car.session.id: car.information for car in cars}


def _describe(
    context: ApiContext, record: StoredSession, classes: dict[str, InformationClass]
) -> SessionDocument:
    found = context.service.state.find_session(record.id)
    running = None
    if found is not None:
        running = RunningDocument.of(found[2], classes.get(record.id, InformationClass.NONE))
    return SessionDocument(
        id=record.id,
        station_id=record.station_id,
        evse_id=record.evse_id,
        active=record.ended_at is None,
        started_at=record.started_at,
        ended_at=record.ended_at,
        imported_kwh=record.imported_kwh,
        exported_kwh=record.exported_kwh,
        running=running,
    )


def _make_cursor(record: StoredSession) -> str:
    return base64.urlsafe_b64encode(str(record.number).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int | None:
    try:
        return int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
    except (ValueError, binascii.Error):
        return None
