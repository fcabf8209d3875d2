"""A file of capacity signals from the grid operator's page: checked, its effect shown, then taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, StrictBool

from csms.api.context import ApiContext
from csms.api.problems import ApiError, refused_fields
from csms.api.signals import MOST_FILE_BYTES, Name, take_signals
from csms.web.door import PageDoor
from csms.web.view import Document, PlanView
from grid.capacity.envelope import compute_envelope
from grid.capacity.signalfile import parse_signals
from grid.capacity.signals import CapacitySignal, SignalBook
from grid.config import StrictModel
from grid.errors import DocumentError
from grid.timegrid import QUARTER, QUARTER_HOURS, QUARTERS_PER_DAY, floor_quarter


class UploadBody(StrictModel):
    """A file as it is sent by the page.

    Parameters
    ----------
    sender
        Who says so.
    text
        The file.
    dry_run
        Only check and show the effect.
    """

    sender: Name
    text: Annotated[str, Field(min_length=1, max_length=MOST_FILE_BYTES)]
    dry_run: StrictBool


class UploadDesk:
    """Takes files of signals.

    Parameters
    ----------
    context
        State, network and time.
    plan
        Returns the latest plan.
    """

    def __init__(self, context: ApiContext, plan: Callable[[], PlanView | None]) -> None:
        self._context = context
        self._plan = plan

    async def take(self, body: UploadBody) -> Document:
        """Check a file and say what it changes; take it unless it is a dry run.

        Raises
        ------
        ApiError
            With every mistake of the file.
        """
        now = self._context.clock.now()
        try:
            signals = parse_signals(body.text, "text", f"page {now:%Y%m%dT%H%M%S}", body.sender, now)
        except DocumentError as error:
            raise refused_fields(error.problems) from error
        book = self._context.service.state.signals
        effect = self._compute_effect(book, signals, now)
        taken = await take_signals(self._context, signals, dry_run=body.dry_run)
        return {"taken": len(taken.taken), "dry_run": body.dry_run, "effect": effect}

    def _compute_effect(self, book: SignalBook, signals: list[CapacitySignal], now: datetime) -> Document:
        """Compare the street's limit and the latest plan before and after, over the coming day."""
        context, plan = self._context, self._plan()
        starts = [floor_quarter(now) + index * QUARTER for index in range(QUARTERS_PER_DAY)]
        after = book
        for signal in signals:
            after = after.with_signal(signal)
        before_kw, after_kw = (
            compute_envelope(
                context.grid.topology,
                context.grid.topology.root.id,
                starts,
                context.grid.tz,
                context.service.catalogue.service.power_factor,
                signals=each,
                known_at=now,
            ).import_limit_kw
            for each in (book, after)
        )
        lower = [float(new) for old, new in zip(before_kw, after_kw, strict=True) if new < old]
        planned = [None if plan is None else plan.net_at(start) for start in starts]
        above_kw = [
            max(flow - float(limit), 0.0)
            for flow, limit in zip(planned, after_kw, strict=True)
            if flow is not None
        ]
        return {
            "lowered_quarters": len(lower),
            "lowest_kw": round(min(lower), 2) if lower else None,
            "planned_above_kwh": round(sum(above_kw) * QUARTER_HOURS, 2),
        }


def add_uploads(router: APIRouter, door: PageDoor, desk: UploadDesk) -> None:
    """Add the route that the page's form sends to."""

    @router.post("/control/grid/signals")
    async def upload(request: Request, body: UploadBody) -> Document:
        if not door.lets_act(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "show the operator token at /enter first")
        return await desk.take(body)
