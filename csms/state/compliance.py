"""What was kept of limits, from the rows: metered quarters, and everything that was said and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from csms.settings import MeterConfig, MeterRole, ServiceConfig
from csms.state.queries import QuarterEnergy, metered_quarters
from csms.state.signals import read_history
from grid.capacity.compliance import ComplianceReport, Rules, judge_quarters
from grid.timegrid import QUARTER, floor_quarter, quarters_of_local_month
from grid.topology import Direction, Topology


def parse_month(text: str) -> date:
    """Return the first day of a month like ``2024-06`` (ValueError when it is none)."""
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError as error:
        raise ValueError(f"must be a month like 2024-06, not {text!r}") from error


def build_rules(service: ServiceConfig, tz: ZoneInfo) -> Rules:
    """Return how the street's quarters are judged."""
    config = service.compliance
    return Rules(tz, service.power_factor, timedelta(seconds=config.notice_s), config.tolerance_kw)


def report_month(
    session: Session,
    month: date,
    now: datetime,
    topology: Topology,
    meters: Iterable[MeterConfig],
    rules: Rules,
    *,
    node: str | None = None,
) -> list[ComplianceReport]:
    """Judge a local month, as far as it is over, for every node that has a meter.

    Parameters
    ----------
    session
        The rows.
    month
        Any day of it.
    now
        What is not over by now is not judged.
    topology, meters, rules
        The street's.
    node
        Only this one.

    Returns
    -------
    list of ComplianceReport
        Import, then export, of each node.
    """
    quarters = quarters_of_local_month(month, rules.tz)
    return report_span(
        session,
        quarters.start,
        min(quarters.end, max(quarters.start, floor_quarter(now))),
        topology,
        meters,
        rules,
        node=node,
    )


def report_span(
    session: Session,
    start: datetime,
    end: datetime,
    topology: Topology,
    meters: Iterable[MeterConfig],
    rules: Rules,
    *,
    node: str | None = None,
) -> list[ComplianceReport]:
    """Judge whole quarters from ``start`` until ``end``; else as `report_month`."""
    history, meters = read_history(session, start, end), tuple(meters)
    places = dict.fromkeys(meter.node for meter in meters if meter.role is MeterRole.NODE)
    reports = []
    for place in places if node is None else places.keys() & {node}:
        energy = metered_energy(session, meters, place, start, end)
        starts = [each.quarter for each in energy]
        net_kwh = [each.import_kwh - each.export_kwh for each in energy]
        for direction in Direction:
            verdicts = judge_quarters(topology, place, direction, starts, net_kwh, history, rules)
            count = (end - start) // QUARTER
            reports.append(ComplianceReport(place, direction, start, end, count, verdicts))
    return reports


def metered_energy(
    session: Session, meters: Iterable[MeterConfig], node: str, start: datetime, end: datetime
) -> list[QuarterEnergy]:
    """Return the quarters that all meters of a node told, added up; nothing without a meter."""
    ids = [meter.id for meter in meters if meter.role is MeterRole.NODE and meter.node == node]
    told: dict[datetime, list[QuarterEnergy]] = {}
    for meter_id in ids:
        for each in metered_quarters(session, meter_id, start, end):
            told.setdefault(each.quarter, []).append(each)
    return [
        QuarterEnergy(quarter, sum(one.import_kwh for one in each), sum(one.export_kwh for one in each))
        for quarter, each in sorted(told.items())
        if len(each) == len(ids)
    ]
