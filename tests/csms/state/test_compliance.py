"""What the rows say of limits: only metered quarters are judged, silences are remembered."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from csms.settings import MeterConfig, MeterRole
from csms.state.compliance import parse_month, report_month, report_span
from csms.state.queries import metered_quarters
from csms.state.service import StateService
from csms.state.signals import read_history
from grid.capacity.compliance import ComplianceReport, Rules
from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from grid.timegrid import QUARTER
from grid.topology import Direction
from tests.csms.state.said import minutes
from tests.csms.state.street import NOW

RULES = Rules(ZoneInfo("Europe/Amsterdam"))
METERS = (MeterConfig(id="m", role=MeterRole.NODE, node="transformer"),)


async def measure(service: StateService, begin: float, end: float, kw: float = 60.0) -> None:
    """Record a telegram a minute, from a minute until another."""
    for minute in range(round(begin), round(end) + 1):
        reading = MeterReading(NOW + timedelta(minutes=minute), 1000.0 + kw * minute / 60, 5.0, kw)
        await service.record_reading("m", reading)


async def judge(service: StateService, quarters: int) -> ComplianceReport:
    topology = service.catalogue.topology
    work = partial(
        report_span, start=NOW, end=NOW + quarters * QUARTER, topology=topology, meters=METERS, rules=RULES
    )
    await service.close()
    importing, exporting = await service.store.read(work)
    assert exporting.direction is Direction.EXPORT
    return importing


def make_signal(name: str, kw: float, kind: SignalKind, at: ManualClock) -> CapacitySignal:
    return CapacitySignal(
        id=name,
        source=SignalSource.OSCP,
        sender="Stedin",
        group="transformer",
        direction=Direction.IMPORT,
        kind=kind,
        blocks=(Block(NOW, NOW + timedelta(hours=4), kw),),
        received_at=at.now(),
    )


async def test_quarters_in_a_gap_are_not_guessed(service: StateService) -> None:
    await measure(service, 0, 30)
    await measure(service, 62, 90)
    await service.close()
    work = partial(metered_quarters, meter_id="m", start=NOW, end=NOW + timedelta(hours=2))
    told = await service.store.read(work)
    assert [(each.quarter - NOW) // QUARTER for each in told] == [0, 1, 5]
    assert [each.import_kwh for each in told] == pytest.approx([15.0] * 3)
    nobody = partial(metered_quarters, meter_id="n", start=NOW, end=NOW + timedelta(hours=2))
    assert await service.store.read(nobody) == []


async def test_a_signal_counts_from_when_it_came_also_after_it_was_withdrawn(
    service: StateService, clock: ManualClock
) -> None:
    await clock.advance(20 * 60)
    await service.receive_signal(make_signal("a", 50.0, SignalKind.LIMIT, clock))
    await clock.advance(30 * 60)
    await service.withdraw_signal("Stedin", "a")
    await measure(service, 0, 75)
    report = await judge(service, 5)
    assert [each.excess_kwh for each in report.verdicts] == pytest.approx([0, 0, 2.5, 0, 0])
    assert [each.late_kwh for each in report.verdicts] == pytest.approx([0, 2.5, 0, 0, 0])
    assert report.exceeded[0].source == "Stedin signal a"


async def test_a_silence_is_remembered_when_it_is_over(service: StateService, clock: ManualClock) -> None:
    await service.receive_signal(make_signal("f", 40.0, SignalKind.FALLBACK, clock))
    await service.hear_sender("Stedin", NOW + minutes(13))
    await clock.advance(40 * 60)
    history = await service.store.read(partial(read_history, start=NOW, end=NOW + timedelta(hours=2)))
    assert [(each.start, each.end) for each in history.silences] == [(NOW + minutes(13), None)]
    await service.hear_sender("Stedin", NOW + minutes(60))
    await clock.advance(10 * 60)
    await service.hear_sender("Stedin", NOW + minutes(600))
    history = await service.store.read(partial(read_history, start=NOW, end=NOW + timedelta(hours=2)))
    assert [(each.start, each.end) for each in history.silences] == [(NOW + minutes(13), NOW + minutes(40))]
    await measure(service, 0, 60)
    report = await judge(service, 4)
    assert [each.excess_kwh for each in report.verdicts] == pytest.approx([0, 5, 0, 0])
    assert [each.late_kwh for each in report.verdicts] == pytest.approx([5, 0, 0, 0])


async def test_a_month_is_judged_as_far_as_it_is_over(service: StateService) -> None:
    topology = service.catalogue.topology
    work = partial(report_month, topology=topology, meters=METERS, rules=RULES, now=NOW)
    june, _ = await service.store.read(partial(work, month=date(2024, 6, 30)))
    assert (june.end, june.unmetered_quarters) == (NOW, june.quarters)
    july, _ = await service.store.read(partial(work, month=date(2024, 7, 1)))
    assert july.quarters == 0
    assert await service.store.read(partial(work, month=date(2024, 6, 1), node="moon")) == []


@pytest.mark.parametrize("text", ["", "2024", "2024-13", "june", "2024-06-01"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match="a month like 2024-06"):
        parse_month(text)
