"""Files for planners: sessions with their place, in the form that `wijkstroom rollout propose` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field
from sqlmodel import Session

from csms.api.actions import keep_deed
from csms.api.auth import Asker
from csms.api.context import ApiContext
from csms.api.problems import refused_fields
from csms.state.queries import StoredSession, list_sessions
from grid.config import StrictModel
from grid.errors import Problem

COLUMNS: Final = (
    "station_id",
    "lot",
    "latitude",
    "longitude",
    "sockets",
    "started_at",
    "ended_at",
    "energy_kwh",
)
# Sessions that are read at a time: the file may be of any length.
PAGE_SESSIONS: Final = 500


class ExportQuery(StrictModel):
    """Which sessions are exported.

    Parameters
    ----------
    start, end
        Only those that touch this period, with time zone.
    """

    start: Annotated[AwareDatetime | None, Field(description="with time zone")] = None
    end: Annotated[AwareDatetime | None, Field(description="with time zone")] = None

    def problems(self) -> list[Problem]:
        """List what does not go together."""
        if self.start is not None and self.end is not None and self.end <= self.start:
            return [Problem("end", "must be after start")]
        return []

    def describe(self) -> str:
        """Return the period for the audit."""
        start, end = (each.isoformat() if each else "open" for each in (self.start, self.end))
        return f"start {start}, end {end}"


def build_exports(context: ApiContext) -> APIRouter:
    """Return the routes of files."""
    router = APIRouter(tags=["sessions"])

    @router.get("/sessions.csv", response_class=StreamingResponse)
    async def export_sessions(query: Annotated[ExportQuery, Query()], asker: Asker) -> StreamingResponse:
        """Return the sessions that are over as CSV, the newest first: where, from when to when, how much.

        The form is the one that `wijkstroom rollout propose` reads. Nothing tells who charged; every export
        is kept in the audit. Sessions of stations that are no longer configured are left out, since their
        place is not known.
        """
        problems = query.problems()
        if problems:
            raise refused_fields(problems)
        await keep_deed(context, "export of sessions", None, query.describe(), "sent", asker.name)
        return StreamingResponse(
            _write_csv(context, query),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="sessions.csv"'},
        )

    return router


async def _write_csv(context: ApiContext, query: ExportQuery) -> AsyncIterator[str]:
    """Yield the file page by page."""
    yield _lines([COLUMNS])
    before: int | None = None
    while True:
        records = await context.service.store.read(_page(query, before))
        yield _lines(_rows(context, records))
        if len(records) < PAGE_SESSIONS:
            return
        before = records[-1].number


def _page(query: ExportQuery, before: int | None) -> Callable[[Session], list[StoredSession]]:
    def read(session: Session) -> list[StoredSession]:
        return list_sessions(
            session, running=False, start=query.start, end=query.end, before=before, limit=PAGE_SESSIONS
        )

    return read


def _rows(context: ApiContext, records: Sequence[StoredSession]) -> Iterable[Sequence[object]]:
    stations, street = context.service.catalogue.stations, context.grid
    for record in records:
        station = stations.get(record.station_id)
        if station is None or record.ended_at is None:
            continue
        placed = station.latitude is not None and station.longitude is not None
        yield (
            station.id,
            station.lot or street.name,
            station.latitude if placed else street.latitude,
            station.longitude if placed else street.longitude,
            len(station.evses),
            record.started_at.isoformat(timespec="seconds"),
            record.ended_at.isoformat(timespec="seconds"),
            round(record.imported_kwh, 3),
        )


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
