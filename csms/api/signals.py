"""Capacity signals: what grid operators send by REST or as a file, and what of it holds."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import AwareDatetime, Field
from starlette.responses import PlainTextResponse

from csms.api.context import PREFIX, ApiContext
from csms.api.problems import refused_fields
from csms.api.refusals import told_refusals
from grid.capacity.signalfile import TEMPLATE, parse_signals
from grid.capacity.signals import (
    Block,
    CapacitySignal,
    SignalKind,
    SignalSource,
    SignalStatus,
    check_signal,
)
from grid.config import StrictModel
from grid.errors import DocumentError, Problem
from grid.timegrid import to_utc
from grid.topology import Direction, Phase

Name = Annotated[str, Field(strict=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9 ._:-]+$")]
DryRun = Annotated[bool, Query(description="Check only: nothing is taken.")]
MOST_BLOCKS = 2000
MOST_FILE_BYTES = 60_000


class BlockBody(StrictModel):
    """A span with one limit.

    Parameters
    ----------
    start, end
        From, and until before, with time zone.
    limit_kw
        Most power [kW].
    phase
        ALL, or the one phase that it holds for.
    """

    start: AwareDatetime
    end: AwareDatetime
    limit_kw: Annotated[float, Field(ge=0.0, le=1e6)]
    phase: Phase = Phase.ALL


class SignalBody(StrictModel):
    """What a grid operator says.

    Parameters
    ----------
    id, sender
        Unique together: the same again changes nothing.
    group
        A node, a connection, or an EAN of 18 digits.
    direction
        import or export.
    kind
        limit, fallback (holds while the sender is silent) or optimum (a wish).
    binding
        Whether it must be kept.
    blocks
        Spans, not overlapping.
    """

    id: Name
    sender: Name
    group: Annotated[str, Field(strict=True, min_length=1, max_length=64)]
    direction: Direction
    kind: SignalKind = SignalKind.LIMIT
    binding: bool = True
    blocks: Annotated[tuple[BlockBody, ...], Field(min_length=1, max_length=MOST_BLOCKS)]

    def signal(self, received_at: datetime) -> CapacitySignal:
        """Return it in the grid's words."""
        return CapacitySignal(
            id=self.id,
            source=SignalSource.MANUAL,
            sender=self.sender,
            group=self.group,
            direction=self.direction,
            kind=self.kind,
            blocks=tuple(
                Block(to_utc(each.start), to_utc(each.end), each.limit_kw, each.phase) for each in self.blocks
            ),
            received_at=received_at,
            binding=self.binding,
        )


class SignalDocument(StrictModel):
    """A signal with where it is in its life."""

    id: str
    sender: str
    source: SignalSource
    group: str
    direction: Direction
    kind: SignalKind
    binding: bool
    status: SignalStatus
    received_at: datetime
    withdrawn_at: datetime | None
    blocks: tuple[BlockBody, ...]


class TakenDocument(StrictModel):
    """What became of what was sent.

    Parameters
    ----------
    taken
        Signals that are new.
    known
        Signals that were taken before.
    dry_run
        Whether they were only checked.
    """

    taken: tuple[str, ...]
    known: tuple[str, ...]
    dry_run: bool


def build_signals(context: ApiContext) -> APIRouter:
    """Return the routes of capacity signals."""
    router = APIRouter(tags=["capacity signals"])

    @router.get("/signals")
    async def list_signals(
        status: Annotated[SignalStatus | None, Query(description="Only those there in their life.")] = None,
    ) -> list[SignalDocument]:
        """List the signals of the last days and those to come, the last to arrive first."""
        book, now = context.service.state.signals, context.clock.now()
        found = [_describe(signal, book.status(signal, now)) for signal in reversed(book.signals)]
        return [each for each in found if status is None or each.status is status]

    @router.get("/signals/template.csv", response_class=PlainTextResponse)
    async def read_template() -> PlainTextResponse:
        """Return an example of the file that can be uploaded."""
        return PlainTextResponse(TEMPLATE, media_type="text/csv")

    @router.post("/signals", status_code=HTTPStatus.CREATED)
    async def send_signal(body: SignalBody, *, dry_run: DryRun = False) -> TakenDocument:
        """Send a signal; the plan follows within a minute."""
        return await take_signals(context, [body.signal(context.clock.now())], dry_run=dry_run)

    @router.post("/signals/csv", status_code=HTTPStatus.CREATED)
    async def upload_signals(
        sender: Annotated[Name, Query()],
        upload_id: Annotated[Name, Query()],
        text: Annotated[str, Body(media_type="text/csv", max_length=MOST_FILE_BYTES)],
        *,
        dry_run: DryRun = False,
    ) -> TakenDocument:
        """Upload a file of blocks; one mistake refuses all of it."""
        try:
            signals = parse_signals(text, "file", upload_id, sender, context.clock.now())
        except DocumentError as error:
            raise refused_fields(error.problems) from error
        return await take_signals(context, signals, dry_run=dry_run)

    @router.delete("/signals/{sender}/{signal_id}", status_code=HTTPStatus.NO_CONTENT)
    async def withdraw_signal(sender: str, signal_id: str) -> None:
        """Take a signal back; what it superseded holds again."""
        with told_refusals("signal", signal_id, f"{PREFIX}/signals"):
            await context.service.withdraw_signal(sender, signal_id)

    return router


async def take_signals(context: ApiContext, signals: list[CapacitySignal], *, dry_run: bool) -> TakenDocument:
    """Check all, then take all: a file is never taken in part.

    Raises
    ------
    ApiError
        With every mistake.
    """
    now, topology = context.clock.now(), context.grid.topology
    problems: list[Problem] = []
    for signal in signals:
        named = f"{signal.group} " if len(signals) > 1 else ""
        found = check_signal(signal, topology, now)
        problems += [Problem(f"{named}{problem.path}", problem.message) for problem in found]
    if problems:
        raise refused_fields(problems)
    book = context.service.state.signals
    if dry_run:
        known = {(each.sender, each.id) for each in book.signals}
        new = tuple(each.id for each in signals if (each.sender, each.id) not in known)
        old = tuple(each.id for each in signals if each.id not in new)
        return TakenDocument(taken=new, known=old, dry_run=True)
    taken: list[str] = []
    known_ids: list[str] = []
    for signal in signals:
        (taken if await context.service.receive_signal(signal) else known_ids).append(signal.id)
    return TakenDocument(taken=tuple(taken), known=tuple(known_ids), dry_run=False)


def _describe(signal: CapacitySignal, status: SignalStatus) -> SignalDocument:
    return SignalDocument(
        id=signal.id,
        sender=signal.sender,
        source=signal.source,
        group=signal.group,
        direction=signal.direction,
        kind=signal.kind,
        binding=signal.binding,
        status=status,
        received_at=signal.received_at,
        withdrawn_at=signal.withdrawn_at,
        blocks=tuple(
            BlockBody(start=each.start, end=each.end, limit_kw=each.limit_kw, phase=each.phase)
            for each in signal.blocks
        ),
    )
