"""Declarations and bookings: each refusal names the field and the remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from csms.state.errors import ConflictError, NotFoundError, RejectedError
from csms.state.events import BookingMade, SessionDeclared
from csms.state.records import Booking, Declaration
from csms.state.service import StateService
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, minutes, say, stop_16
from tests.csms.state.street import NOW

LEAVES = Declaration(NOW + minutes(60), energy_kwh=8.0)
TRIP = Booking("ZOE-TAG", NOW + minutes(60), NOW + minutes(120), 20.0)


async def session_id_of(service: StateService) -> str:
    await begin_16(service)
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    return session.id


async def test_a_declaration_reaches_its_session_and_the_last_one_counts(service: StateService) -> None:
    session_id = await session_id_of(service)
    with service.subscribe() as events:
        await service.declare(session_id, LEAVES)
        declared = await service.declare(
            session_id, replace(LEAVES, energy_kwh=None, target_soc_fraction=0.8)
        )
        assert events.take_all()[1] == declared
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.declaration == declared == SessionDeclared(session_id, NOW, LEAVES.departure, None, 0.8)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"departure": NOW}, "departure"),
        ({"departure": NOW + timedelta(days=15)}, "departure"),
        ({"departure": NOW.replace(tzinfo=None)}, "departure"),
        ({"energy_kwh": None}, "energy_kwh"),
        ({"target_soc_fraction": 0.5}, "energy_kwh"),
        ({"energy_kwh": -1.0}, "energy_kwh"),
        ({"energy_kwh": float("nan")}, "energy_kwh"),
        ({"energy_kwh": float("inf")}, "energy_kwh"),
        ({"energy_kwh": None, "target_soc_fraction": 1.1}, "target_soc_fraction"),
        ({"discharge_opt_in": True}, "floor_soc_fraction"),
        ({"discharge_opt_in": True, "floor_soc_fraction": -0.1}, "floor_soc_fraction"),
    ],
)
async def test_declarations_without_sense_are_refused(
    service: StateService, change: dict[str, Any], field: str
) -> None:
    session_id = await session_id_of(service)
    with pytest.raises(RejectedError) as refused:
        await service.declare(session_id, replace(LEAVES, **change))
    assert refused.value.field == field
    assert len(refused.value.message.split()) > 3
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    assert session.declaration is None


async def test_only_running_sessions_can_be_declared(service: StateService, clock: ManualClock) -> None:
    with pytest.raises(NotFoundError, match="no session 'x'"):
        await service.declare("x", LEAVES)
    transaction_id = await begin_16(service)
    session = service.state.stations["OLD-1"].evses[1].session
    assert session is not None
    await say(service, stop_16(transaction_id, NOW + minutes(1), 100.0), clock=clock)
    with pytest.raises(ConflictError, match="has ended"):
        await service.declare(session.id, LEAVES)


async def test_a_booking_is_known_and_its_id_replaces_it(service: StateService) -> None:
    await service.book("trip", TRIP)
    moved = replace(TRIP, start=TRIP.start + minutes(10), energy_kwh=25.0)
    made = await service.book("trip", moved)
    assert made == BookingMade("trip", "ZOE-TAG", moved.start, moved.end, 25.0, NOW)
    assert service.state.bookings == {"trip": made}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"end": TRIP.start}, "end"),
        ({"start": NOW - minutes(60), "end": NOW}, "end"),
        ({"start": NOW + timedelta(days=400), "end": NOW + timedelta(days=401)}, "start"),
        ({"start": TRIP.start.replace(tzinfo=None)}, "start"),
        ({"energy_kwh": 52.1}, "energy_kwh"),
        ({"energy_kwh": -1.0}, "energy_kwh"),
        ({"token": "NOBODY"}, "token"),
    ],
)
async def test_bookings_without_sense_are_refused(
    service: StateService, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(RejectedError) as refused:
        await service.book("trip", replace(TRIP, **change))
    assert refused.value.field == field
    assert service.state.bookings == {}


async def test_a_car_is_booked_once_at_a_time_whatever_the_case(service: StateService) -> None:
    await service.book("first", TRIP)
    for shift in (-59, 0, 59):
        clash = replace(
            TRIP, token="zoe-tag", start=TRIP.start + minutes(shift), end=TRIP.end + minutes(shift)
        )
        with pytest.raises(ConflictError, match="first") as refused:
            await service.book("second", clash)
        assert refused.value.field == "start"
    await service.book("after", replace(TRIP, start=TRIP.end, end=TRIP.end + minutes(60)))
    assert set(service.state.bookings) == {"first", "after"}
