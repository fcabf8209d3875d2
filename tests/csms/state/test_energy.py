"""Energy per quarter: the sum is the difference of the registers, and nothing flows backwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocpp.vocabulary import MeterReport
from csms.state.energy import RegisterReading, build_curve, quarter_edges
from csms.state.queries import energy_by_quarter, list_samples, list_sessions, session_totals
from csms.state.service import StateService
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, exported, minutes, register, say, stop_16
from tests.csms.state.street import NOW

RATED_KW = 11.0


@st.composite
def honest_readings(draw: st.DrawFn) -> list[RegisterReading]:
    """A register that never runs faster than its socket."""
    at, register_kwh = NOW, draw(st.floats(0, 1e6))
    readings = [RegisterReading(at, register_kwh)]
    for _ in range(draw(st.integers(0, 30))):
        step_s = draw(st.integers(1, 7200))
        at += timedelta(seconds=step_s)
        register_kwh += draw(st.floats(0, 1)) * RATED_KW * step_s / 3600
        readings.append(RegisterReading(at, register_kwh))
    return readings


@given(honest_readings(), st.integers(0, 3000), st.integers(0, 3000))
def test_quarters_add_up_to_the_registers(
    readings: list[RegisterReading], before_s: int, after_s: int
) -> None:
    curve = build_curve(readings, RATED_KW)
    start = readings[0].at - timedelta(seconds=before_s)
    end = readings[-1].at + timedelta(seconds=after_s)
    quarters, edges = quarter_edges(start, end)
    energy = curve.between(edges)
    difference_kwh = readings[-1].register_kwh - readings[0].register_kwh
    assert len(energy) == max(len(quarters), 1)
    assert energy.sum() == pytest.approx(difference_kwh, abs=1e-9)
    assert (energy >= 0).all()
    assert (energy <= RATED_KW / 4 + 1e-6).all()


@given(st.lists(st.tuples(st.integers(0, 10**5), st.floats(-1e6, 1e6)), max_size=30))
def test_no_reading_whatsoever_makes_energy_flow_backwards(readings: list[tuple[int, float]]) -> None:
    told = [RegisterReading(NOW + timedelta(seconds=s), value) for s, value in readings]
    curve = build_curve(told, RATED_KW)
    assert (np.diff(curve.total_kwh) >= 0).all()
    assert (np.diff(curve.seconds) > 0).all()
    assert curve.energy_kwh >= 0


@given(st.datetimes(datetime(2024, 1, 1), datetime(2024, 12, 31)), st.integers(1, 10**6))  # noqa: DTZ001
def test_edges_cover_the_period(naive: datetime, length_s: int) -> None:
    start = naive.replace(tzinfo=NOW.tzinfo)
    end = start + timedelta(seconds=length_s)
    quarters, edges = quarter_edges(start, end)
    assert (edges[0], edges[-1]) == (start.timestamp(), end.timestamp())
    assert len(edges) == len(quarters) + 1
    assert all(later - earlier == timedelta(minutes=15) for earlier, later in pairwise(quarters))


async def test_a_session_over_three_quarters(service: StateService, clock: ManualClock) -> None:
    transaction_id = await begin_16(service)
    for at_minutes, kwh in ((5, 100.5), (10, 101.0), (20, 102.0)):
        at = NOW + minutes(at_minutes)
        samples = (register(at, kwh), exported(at, at_minutes / 10))
        await say(service, MeterReport(1, transaction_id, samples), clock=clock)
    await say(service, stop_16(transaction_id, NOW + minutes(40), 104.0), clock=clock)
    end = NOW + minutes(60)
    energy = await service.store.read(partial(energy_by_quarter, start=NOW, end=end))
    assert list(energy) == [("OLD-1", 1)]
    quarters = energy["OLD-1", 1]
    assert [one.import_kwh for one in quarters] == pytest.approx([1.5, 1.5, 1.0, 0.0])
    assert [one.export_kwh for one in quarters] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    totals = await service.store.read(partial(session_totals, start=NOW, end=end))
    assert (totals.sessions, totals.running) == (1, 0)
    assert (totals.import_kwh, totals.export_kwh) == pytest.approx((4.0, 1.5))
    part = await service.store.read(partial(session_totals, start=NOW + minutes(20), end=NOW + minutes(30)))
    assert part.import_kwh == pytest.approx(1.0)


async def test_samples_come_back_as_they_went(service: StateService, clock: ManualClock) -> None:
    transaction_id = await begin_16(service)
    at = NOW + minutes(5)
    first = (register(at, 100.1, location="Outlet", context="Sample.Clock"), exported(at, 1 / 3))
    await say(service, MeterReport(1, transaction_id, first), clock=clock)
    second = (exported(at, 99.0), register(at, 100.1))
    await say(service, MeterReport(1, transaction_id, second), clock=clock)
    (session,) = await service.store.read(list_sessions)
    samples = await service.store.read(partial(list_samples, session_id=session.id))
    assert samples == [*first, second[1]]
