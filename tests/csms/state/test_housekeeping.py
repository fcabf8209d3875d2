"""Old samples become quarters without changing a single watt-hour; the rest goes when it is due."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlmodel import Session, SQLModel

from csms.ocpp.vocabulary import MeterReport, OcppVersion, RejectedSample
from csms.settings import RetentionConfig
from csms.state.columns import table_of
from csms.state.housekeeping import Tidied, next_night, tidy
from csms.state.journal import Journal, Way
from csms.state.load_forecasts import FrozenForecast, freeze_forecasts
from csms.state.models import MessageRow, MeterValueRow, PlanRow, RejectedSampleRow, SessionQuarterRow
from csms.state.queries import energy_by_quarter, list_sessions, session_totals
from csms.state.records import PlanRecord
from csms.state.redaction import Redactor
from csms.state.service import StateService
from grid.clock import ManualClock
from grid.tariffs.deviation import LoadForecast
from tests.csms.state.said import begin_16, exported, minutes, register, say, stop_16
from tests.csms.state.street import NOW

RETENTION = RetentionConfig(load_forecasts_days=90)
NOTHING = Tidied(0, 0, 0, 0, 0, 0)


def count(model: type[SQLModel]) -> partial[int]:
    return partial(_count, model=model)


def _count(session: Session, *, model: type[SQLModel]) -> int:
    return int(session.connection().execute(select(func.count()).select_from(table_of(model))).scalar_one())


async def live(service: StateService, clock: ManualClock) -> None:
    """A session that is over, one that runs, an idle socket, a message, a bad sample and a plan."""
    over = await begin_16(service)
    await begin_16(service, evse_id=2)
    for at_minutes in range(7, 60, 7):
        at = NOW + minutes(at_minutes)
        samples = (register(at, 100 + at_minutes / 9), exported(at, at_minutes / 31))
        await say(service, MeterReport(1, over, samples), clock=clock)
        await say(service, MeterReport(2, None, (register(at, 100 + at_minutes / 7),)), clock=clock)
    bad = (RejectedSample("x", "no number"),)
    await say(service, MeterReport(1, over, (register(clock.now(), 99.0),), bad), "OLD-2")
    await say(service, stop_16(over, NOW + minutes(61), 107.0), clock=clock)
    await service.record_plan(PlanRecord("p", NOW, "quarter", "CERTIFIED", 1.0, 0.0, 0.1, "{}", "{}"))
    forecast = LoadForecast("871694600000010178", "", (NOW,), np.zeros(1))
    await service.store.write(
        partial(freeze_forecasts, day=NOW.date(), announced=FrozenForecast(NOW, False, (forecast,)))
    )
    journal = Journal(service.store, clock, Redactor(b""))
    journal.note("OLD-1", OcppVersion.V16, Way.RECEIVED, '[2,"1","Heartbeat",{}]')
    await journal.close()


async def test_energy_is_the_same_before_and_after(service: StateService, clock: ManualClock) -> None:
    await live(service, clock)
    end = NOW + minutes(75)
    energy = await service.store.read(lambda session: energy_by_quarter(session, NOW, end))
    totals = await service.store.read(lambda session: session_totals(session, NOW, end))
    sessions = await service.store.read(list_sessions)
    samples = await service.store.read(count(MeterValueRow))
    tidied = await tidy(service.store, NOW + timedelta(days=100), RETENTION)
    assert tidied == Tidied(
        sessions=1, idle_values=1, messages=1, rejected_samples=1, plans=1, load_forecasts=1
    )
    assert await service.store.read(count(SessionQuarterRow)) == 5
    assert await service.store.read(count(MeterValueRow)) == samples - 9
    after = await service.store.read(lambda session: energy_by_quarter(session, NOW, end))
    assert after.keys() == energy.keys()
    for key, quarters in energy.items():
        assert [one.import_kwh for one in after[key]] == pytest.approx([one.import_kwh for one in quarters])
        assert [one.export_kwh for one in after[key]] == pytest.approx([one.export_kwh for one in quarters])
    again = await service.store.read(lambda session: session_totals(session, NOW, end))
    assert (again.import_kwh, again.export_kwh) == pytest.approx((totals.import_kwh, totals.export_kwh))
    for one, other in zip(await service.store.read(list_sessions), sessions, strict=True):
        assert one.imported_kwh == pytest.approx(other.imported_kwh)
    assert await tidy(service.store, NOW + timedelta(days=100), RETENTION) == NOTHING


async def test_what_is_young_stays(service: StateService, clock: ManualClock) -> None:
    await live(service, clock)
    assert await tidy(service.store, NOW + timedelta(days=30), RETENTION) == NOTHING
    for model in (MessageRow, RejectedSampleRow, PlanRow):
        assert await service.store.read(count(model)) == 1


async def test_the_session_that_runs_keeps_its_samples(service: StateService, clock: ManualClock) -> None:
    await live(service, clock)
    before = service.state
    await tidy(service.store, NOW + timedelta(days=365), RETENTION)
    await service.start()
    assert service.state.stations["OLD-1"].evses[2] == before.stations["OLD-1"].evses[2]


def test_nights_come_once_a_day() -> None:
    first = next_night(NOW)
    assert first == NOW.replace(hour=2, minute=30) + timedelta(days=1)
    assert next_night(first) == first + timedelta(days=1)
    assert next_night(first - timedelta(seconds=1)) == first
