"""`wijkstroom compliance`: what was kept of the limits in a month, from the database."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from csms.api.compliance import ComplianceDocument, NodeCompliance, write_csv
from csms.settings import MeterRole
from csms.state.compliance import build_rules, parse_month, report_month
from grid.capacity.compliance import ComplianceReport
from grid.errors import DocumentError, Problem
from wijkstroom.running import opened_store
from wijkstroom.street import Street, load_street

_SHOWN_QUARTERS = 20


def run_compliance(
    config: Path | None, db: str, month: str, node: str | None, *, as_json: bool, as_csv: bool
) -> None:
    """Judge a month and print what was kept.

    Raises
    ------
    DocumentError
        When an option or the street file is not as it should be.
    """
    street = load_street(config)
    first = _check(street, db, month, node, both=as_json and as_csv)
    rules = build_rules(street.service, street.grid.tz)
    reports = asyncio.run(_judge(street, db, first, node))
    document = ComplianceDocument.of(first, rules, reports)
    if as_json:
        print(document.model_dump_json(indent=2, by_alias=True))  # noqa: T201 - the document is the answer
    elif as_csv:
        print(write_csv(reports), end="")  # noqa: T201 - as above
    else:
        console = Console()
        console.print(build_table(document))
        for each in document.nodes:
            if each.exceeded:
                console.print(build_quarters(each, street))


def build_table(document: ComplianceDocument) -> Table:
    """Return the month for people, a line per node, direction and source of the limit."""
    table = Table(title=f"Limits in {document.month}, {document.timezone}", title_justify="left")
    table.add_column("node")
    table.add_column("direction")
    table.add_column("limit set by")
    for name in ("quarters", "above it", "kWh above"):
        table.add_column(name, justify="right")
    for each in document.nodes:
        for source in each.sources:
            table.add_row(
                each.node,
                each.direction.value,
                source.source,
                str(source.quarters),
                str(source.exceeded_quarters),
                f"{source.exceeded_kwh:.3f}",
            )
        late = f"{each.late_quarters} quarters, {each.late_kwh:.3f} kWh above what came too late"
        missing = each.quarters - each.metered_quarters
        table.add_row("", "", f"[dim]{late}; {missing} not metered[/]", "", "", "", end_section=True)
    return table


def build_quarters(node: NodeCompliance, street: Street) -> Table:
    """Return the quarters above the limit for people, the worst first."""
    worst = sorted(node.exceeded, key=lambda each: -each.excess_kwh)[:_SHOWN_QUARTERS]
    title = f"{node.node}, {node.direction.value}: {len(worst)} of {node.exceeded_quarters} above the limit"
    table = Table(title=title, title_justify="left")
    table.add_column("quarter")
    for name in ("mean kW", "limit kW", "kWh above"):
        table.add_column(name, justify="right")
    table.add_column("limit set by")
    for each in worst:
        local = each.start.astimezone(street.grid.tz).strftime("%Y-%m-%d %H:%M %Z")
        limit = "" if each.limit_kw is None else f"{each.limit_kw:.2f}"
        table.add_row(local, f"{each.mean_kw:.2f}", limit, f"{each.excess_kwh:.3f}", each.source)
    return table


async def _judge(street: Street, db: str, month: date, node: str | None) -> list[ComplianceReport]:
    work = partial(
        report_month,
        month=month,
        now=datetime.now(UTC),
        topology=street.grid.topology,
        meters=street.service.meters,
        rules=build_rules(street.service, street.grid.tz),
        node=node,
    )
    async with opened_store(db) as store:
        return await store.read(work)


def _check(street: Street, db: str, month: str, node: str | None, *, both: bool) -> date:
    """Return the month's first day, once every option makes sense."""
    problems: list[Problem] = []
    first = date.min
    try:
        first = parse_month(month)
    except ValueError as error:
        problems.append(Problem("--month", str(error)))
    metered = sorted({each.node for each in street.service.meters if each.role is MeterRole.NODE})
    if node is not None and node not in metered:
        message = f"no meter is configured at {node!r}: there is one at {', '.join(metered) or 'no node'}"
        problems.append(Problem("--node", message))
    missing = missing_file(db)
    if missing is not None:
        problems.append(
            Problem("--db", f"there is no database {missing}: name the one of `wijkstroom serve`")
        )
    if both:
        problems.append(Problem("--csv", "and --json exclude each other: give one of them"))
    if problems:
        raise DocumentError("compliance", problems)
    return first


def missing_file(db: str) -> str | None:
    """Return the SQLite file that a URL names when it is not there: asking must not make one."""
    try:
        url = make_url(db)
    except ArgumentError:
        return None  # the store says what is wrong with it
    if url.get_backend_name() != "sqlite" or url.database is None or Path(url.database).is_file():
        return None
    return url.database
