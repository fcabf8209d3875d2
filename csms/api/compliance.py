"""What was kept of the limits, per node and month, as documents and as a file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Final, Self

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import PlainTextResponse

from csms.api.context import PREFIX, ApiContext
from csms.api.problems import not_found, refused_fields
from csms.settings import MeterRole
from csms.state.compliance import build_rules, parse_month, report_month
from grid.capacity.compliance import ComplianceReport, Rules, SourceSummary, Verdict
from grid.config import StrictModel
from grid.errors import Problem
from grid.topology import Direction

COLUMNS: Final = (
    "node",
    "direction",
    "utc_start",
    "mean_kw",
    "limit_kw",
    "source",
    "excess_kwh",
    "late_limit_kw",
    "late_source",
    "late_kwh",
)
Month = Annotated[str, Query(description="A month of local time, like 2024-06.", max_length=7)]
NodeName = Annotated[str | None, Query(description="Only this node.", max_length=64)]


class VerdictDocument(StrictModel):
    """A quarter; a limit of None is no limit."""

    start: datetime
    mean_kw: float
    limit_kw: float | None
    source: str
    excess_kwh: float
    late_limit_kw: float | None = Field(description="known by the end of the quarter")
    late_source: str
    late_kwh: float = Field(description="above late_limit_kw and not above limit_kw: told too late")

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Say what a verdict says."""
        return cls(
            start=verdict.start,
            mean_kw=round(verdict.mean_kw, 3),
            limit_kw=_finite(verdict.limit_kw),
            source=verdict.source,
            excess_kwh=round(verdict.excess_kwh, 3),
            late_limit_kw=_finite(verdict.late_limit_kw),
            late_source=verdict.late_source,
            late_kwh=round(verdict.late_kwh, 3),
        )


class SourceDocument(StrictModel):
    """The quarters in which one source set the limit."""

    source: str
    quarters: int
    exceeded_quarters: int
    exceeded_kwh: float

    @classmethod
    def of(cls, summary: SourceSummary) -> Self:
        """Say what a summary says."""
        return cls(
            source=summary.source,
            quarters=summary.quarters,
            exceeded_quarters=summary.exceeded_quarters,
            exceeded_kwh=round(summary.exceeded_kwh, 3),
        )


class NodeCompliance(StrictModel):
    """A node and direction over the part of a month that is over.

    Quarters without a meter's word are in ``quarters`` and nowhere else. ``late`` are those above a limit
    that came too late to be kept; their energy is not in ``exceeded_kwh``.
    """

    node: str
    direction: Direction
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    quarters: int
    metered_quarters: int
    exceeded_quarters: int
    exceeded_kwh: float
    late_quarters: int
    late_kwh: float
    highest_kw: float | None
    highest_at: datetime | None
    sources: tuple[SourceDocument, ...]
    exceeded: tuple[VerdictDocument, ...]
    late: tuple[VerdictDocument, ...]

    @classmethod
    def of(cls, report: ComplianceReport) -> Self:
        """Say what a report says."""
        highest = report.highest
        return cls(
            node=report.node,
            direction=report.direction,
            from_=report.start,
            to=report.end,
            quarters=report.quarters,
            metered_quarters=len(report.verdicts),
            exceeded_quarters=len(report.exceeded),
            exceeded_kwh=round(report.exceeded_kwh, 3),
            late_quarters=len(report.late),
            late_kwh=round(report.late_kwh, 3),
            highest_kw=None if highest is None else round(highest.mean_kw, 3),
            highest_at=None if highest is None else highest.start,
            sources=tuple(SourceDocument.of(each) for each in report.by_source()),
            exceeded=tuple(VerdictDocument.of(each) for each in report.exceeded),
            late=tuple(VerdictDocument.of(each) for each in report.late),
        )


class ComplianceDocument(StrictModel):
    """A month of all nodes, with the rules by which it was judged."""

    month: str
    timezone: str
    notice_s: float
    tolerance_kw: float
    nodes: tuple[NodeCompliance, ...]

    @classmethod
    def of(cls, month: date, rules: Rules, reports: Iterable[ComplianceReport]) -> Self:
        """Say what reports say."""
        return cls(
            month=f"{month:%Y-%m}",
            timezone=rules.tz.key,
            notice_s=rules.notice.total_seconds(),
            tolerance_kw=rules.tolerance_kw,
            nodes=tuple(NodeCompliance.of(each) for each in reports),
        )


def write_csv(reports: Iterable[ComplianceReport]) -> str:
    """Return every metered quarter as a line: whoever has the meter can reckon it again."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in reports:
        for each in report.verdicts:
            told = VerdictDocument.of(each).model_dump(exclude={"start"})
            cells = ["" if value is None else value for value in told.values()]
            writer.writerow([report.node, report.direction.value, each.start.isoformat(), *cells])
    return text.getvalue()


def build_compliance(context: ApiContext) -> APIRouter:
    """Return the routes of what was kept."""
    router = APIRouter(tags=["capacity signals"])
    rules = build_rules(context.service.catalogue.service, context.grid.tz)

    @router.get("/compliance")
    async def report(month: Month, node: NodeName = None) -> ComplianceDocument:
        """Judge a month's metered quarter-hours by what was in force then, per node and direction."""
        first = _read_month(month)
        return ComplianceDocument.of(first, rules, await _judge(context, rules, first, node))

    @router.get("/compliance.csv", response_class=PlainTextResponse)
    async def export(month: Month, node: NodeName = None) -> PlainTextResponse:
        """Return every metered quarter of a month with its limit and who set it."""
        reports = await _judge(context, rules, _read_month(month), node)
        return PlainTextResponse(write_csv(reports), media_type="text/csv; charset=utf-8")

    return router


async def _judge(
    context: ApiContext, rules: Rules, month: date, node: str | None
) -> Sequence[ComplianceReport]:
    meters = context.service.catalogue.service.meters
    if node is not None and all(each.node != node or each.role is not MeterRole.NODE for each in meters):
        raise not_found("metered node", node, f"{PREFIX}/meters")
    work = partial(
        report_month,
        month=month,
        now=context.clock.now(),
        topology=context.grid.topology,
        meters=meters,
        rules=rules,
        node=node,
    )
    return await context.service.store.read(work)


def _read_month(text: str) -> date:
    try:
        return parse_month(text)
    except ValueError as error:
        raise refused_fields([Problem("month", str(error))]) from error


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
