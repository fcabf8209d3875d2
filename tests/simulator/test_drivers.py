"""Drivers and the fleet's owner tell what they should, when they should, over HTTP and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from grid.clock import ManualClock, settle
from simulator.drivers import ATTEMPTS, RETRY_S, Drivers, connect_api
from simulator.fleet.draw import draw_fleet
from simulator.fleet.sessions import Fleet, InformationClass
from simulator.fleet.setup import FleetSetup

# Turns of the event loop that a request through a mocked transport needs at the most.
TURNS = 60
Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """A service that knows every session from the moment of its arrival on, and remembers what it was told."""

    def __init__(self, fleet: Fleet, clock: ManualClock) -> None:
        self.fleet, self.clock = fleet, clock
        self.told: list[tuple[datetime, str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        if request.method == "GET":
            return httpx.Response(200, json={"items": self.sessions(request), "next_cursor": None})
        self.told.append((self.clock.now(), request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={})

    def sessions(self, request: httpx.Request) -> list[dict[str, str]]:
        where = (request.url.params["station_id"], int(request.url.params["evse_id"]))
        assert request.url.params["active"] == "true"
        now = self.clock.now()
        return [
            {"id": f"tx-{one.id}", "started_at": one.arrival.isoformat()}
            for one in self.fleet.sessions
            if (one.station_id, one.evse_id) == where and one.arrival <= now < one.departure
        ]


def client_of(answer: Answer) -> httpx.AsyncClient:
    client = connect_api("http://service", "secret")
    return httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url=client.base_url, headers=client.headers
    )


def moments(fleet: Fleet) -> list[datetime]:
    """Every instant at which somebody may want to tell something, retries included."""
    firsts = [fleet.start, *(one.announced_at for one in fleet.bookings)]
    firsts += [one.declaration.at for one in fleet.sessions if one.declaration is not None]
    return sorted({at + timedelta(seconds=RETRY_S * n) for at in firsts for n in range(ATTEMPTS)})


async def run(fleet: Fleet, clock: ManualClock, answer: Answer) -> Drivers:
    """Let the people of a fleet live through their day."""
    async with client_of(answer) as client:
        drivers = Drivers(fleet, clock, client)
        people = asyncio.create_task(drivers.run())
        for moment in moments(fleet):
            await clock.advance_to(moment)
            await settle(TURNS)
        await asyncio.wait_for(people, timeout=60.0)
    return drivers


@pytest.fixture(scope="module")
def fleet(fleet_setup: FleetSetup) -> Fleet:
    return draw_fleet(fleet_setup, date(2024, 6, 11), 1)


@pytest.fixture
def clock(fleet: Fleet) -> ManualClock:
    return ManualClock(fleet.start)


async def test_everything_is_told_at_its_time(fleet: Fleet, clock: ManualClock) -> None:
    service = Service(fleet, clock)
    drivers = await run(fleet, clock, service)
    told = {path: (at, body) for at, path, body in service.told}
    declarations = [one for one in fleet.sessions if one.declaration is not None]
    assert drivers.counters.declared == len(declarations) > 10
    assert drivers.counters.booked == len(fleet.bookings) > 10
    assert drivers.counters.refused == drivers.counters.given_up == 0
    for session in declarations:
        assert session.declaration is not None
        at, body = told[f"/api/v1/sessions/tx-{session.id}/declaration"]
        assert at == session.declaration.at
        assert body["energy_kwh"] == session.declaration.energy_kwh
        assert datetime.fromisoformat(body["departure"]) == session.declaration.departure
        assert body["discharge_opt_in"] is False
    for booking in fleet.bookings:
        at, body = told[f"/api/v1/bookings/{booking.id}"]
        assert at == booking.announced_at
        assert body["energy_kwh"] == booking.energy_kwh
        assert body["token"] == booking.token


async def test_nothing_is_told_of_those_who_tell_nothing(fleet: Fleet, clock: ManualClock) -> None:
    service = Service(fleet, clock)
    await run(fleet, clock, service)
    silent = {one.id for one in fleet.sessions if one.information is not InformationClass.DRIVER}
    assert not [path for _, path, _ in service.told if any(f"tx-{name}/" in path for name in silent)]
    # Nor does what is told change when undisclosed departures do.
    moved = tuple(
        replace(one, departure=one.departure + timedelta(seconds=90)) if one.declaration is None else one
        for one in fleet.sessions
    )
    other_clock = ManualClock(fleet.start)
    other = Service(fleet, other_clock)
    await run(replace(fleet, sessions=moved), other_clock, other)
    assert other.told == service.told


async def test_a_driver_who_is_faster_than_the_station_tries_again(fleet: Fleet, clock: ManualClock) -> None:
    session = next(one for one in fleet.sessions if one.declaration is not None)
    alone = replace(fleet, sessions=(session,), bookings=())
    service = Service(alone, clock)
    assert session.declaration is not None
    known_from = session.declaration.at + timedelta(seconds=2.5 * RETRY_S)

    def late(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and clock.now() < known_from:
            return httpx.Response(200, json={"items": []})
        return service(request)

    drivers = await run(alone, clock, late)
    assert drivers.counters.declared == 1
    assert service.told[0][0] == session.declaration.at + timedelta(seconds=3 * RETRY_S)


async def test_the_session_of_whoever_was_there_before_is_left_alone(
    fleet: Fleet, clock: ManualClock
) -> None:
    session = next(one for one in fleet.sessions if one.declaration is not None)
    alone = replace(fleet, sessions=(session,), bookings=())
    before = (session.arrival - timedelta(minutes=3)).isoformat()

    def stale(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        return httpx.Response(200, json={"items": [{"id": "somebody else", "started_at": before}]})

    drivers = await run(alone, clock, stale)
    assert drivers.counters.given_up == 1
    assert session.station_id in drivers.counters.faults["given up"]


async def test_refusals_are_counted_and_told_once(fleet: Fleet, clock: ManualClock) -> None:
    owner = replace(fleet, sessions=(), bookings=fleet.bookings[:3])
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(422, text="unknown token")

    drivers = await run(owner, clock, refuse)
    assert drivers.counters.refused == 3
    assert len(asked) == 3
    assert "unknown token" in drivers.counters.faults["refused"]


@pytest.mark.parametrize("failure", [503, None])
async def test_a_service_that_is_away_is_asked_again_and_then_given_up(
    fleet: Fleet, clock: ManualClock, failure: int | None
) -> None:
    owner = replace(fleet, sessions=(), bookings=fleet.bookings[:1])
    asked: list[str] = []

    def away(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if failure is None:
            raise httpx.ConnectError("nobody listens", request=request)
        return httpx.Response(failure)

    drivers = await run(owner, clock, away)
    assert len(asked) == ATTEMPTS
    assert drivers.counters.given_up == 1
    assert drivers.counters.booked == 0
