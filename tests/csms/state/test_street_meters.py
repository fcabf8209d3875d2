"""The street's own meters: what is kept of their telegrams is enough for every quarter."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from csms.state.queries import meter_energy_by_quarter
from csms.state.service import StateService
from csms.state.street_meters import ReadingBuffer
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from tests.csms.state.said import minutes
from tests.csms.state.street import NOW


def reading(seconds: float, kw: float = 60.0) -> MeterReading:
    at = NOW + timedelta(seconds=seconds)
    return MeterReading(at, 1000.0 + kw * seconds / 3600, 5.0, kw)


async def test_every_telegram_is_published(service: StateService) -> None:
    with service.subscribe() as events:
        for seconds in range(0, 120, 10):
            await service.record_reading("transformer", reading(seconds))
        assert len(events.take_all()) == 12
    assert service.state.meters["transformer"].read_at == NOW + timedelta(seconds=110)


async def test_quarters_add_up_to_the_registers(service: StateService, clock: ManualClock) -> None:
    for seconds in range(3, 3 * 900, 10):
        await service.record_reading("transformer", reading(seconds))
    await service.close()
    energy = await service.store.read(partial(meter_energy_by_quarter, start=NOW, end=NOW + minutes(45)))
    quarters = energy["transformer"]
    assert [one.quarter for one in quarters] == [NOW, NOW + minutes(15), NOW + minutes(30)]
    assert quarters[1].import_kwh == pytest.approx(15.0)
    assert sum(one.import_kwh for one in quarters) == pytest.approx(60.0 * (2693 - 3) / 3600)
    assert all(one.export_kwh == 0.0 for one in quarters)


def test_a_telegram_a_minute_is_written_and_both_sides_of_an_edge() -> None:
    buffer = ReadingBuffer()
    written = [one for s in range(0, 1000, 10) for one in buffer.take("m", reading(s))]
    seconds = [(one.at - NOW).total_seconds() for one in written]
    assert seconds == [*range(0, 900, 60), 890, 900, 960]
    assert buffer.drain() == [("m", reading(990))]
    assert buffer.drain() == []


def test_an_old_telegram_is_not_written() -> None:
    buffer = ReadingBuffer()
    buffer.take("m", reading(100))
    assert buffer.take("m", reading(90)) == ()
    buffer.take("m", reading(120))
    assert buffer.take("m", reading(110)) == ()
