from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from csms.state.catalogue import Catalogue
from csms.state.service import StateService
from csms.state.store import open_store
from csms.web.history import read_history
from csms.web.trace import Curve
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from tests.csms.web.world import METERS
from wijkstroom.street import load_street

START = datetime(2024, 6, 11, 10, tzinfo=UTC)


async def test_the_day_is_read_back_from_registers() -> None:
    street = load_street()
    stations = {station.id: station for station in street.stations}
    catalogue = Catalogue(stations, street.models, street.grid.topology, street.service)
    store = open_store("sqlite://", inline=True)
    service = StateService(store, ManualClock(START), catalogue, new_id=lambda: "s")
    await service.start()
    for minute in range(61):
        at = START + timedelta(minutes=minute)
        await service.record_reading("node", MeterReading(at, 100.0 + minute * 0.5, 7.0, 30.0))
        await service.record_reading("pv", MeterReading(at, 0.0, 50.0 + minute * 0.2, -12.0))
    end = START + timedelta(hours=1)
    points = await store.read(lambda session: read_history(session, METERS, START - timedelta(hours=1), end))
    await store.close()
    assert {curve for curve, _, _ in points} == {Curve.NODE, Curve.PV}
    assert min(at for _, at, _ in points) == START, "where no meter was read nothing is drawn"
    assert all(value_kw == pytest.approx(30.0) for curve, _, value_kw in points if curve is Curve.NODE)
    assert all(value_kw == pytest.approx(12.0) for curve, _, value_kw in points if curve is Curve.PV)
    assert len(points) == 2 * 12
