"""Drivers and the owner of the shared cars: people with an app, who tell the service what they want.

They speak HTTP, and know what stands on the pole: its name and the number of the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from grid.clock import Clock
from grid.timegrid import to_utc
from simulator.fleet.sessions import Booking, Declaration, Fleet, Session

PREFIX = "/api/v1"
# The clock may run on so far while an answer is awaited [s].
HOLD_S = 1.0
# Real seconds until somebody gives up waiting for an answer.
TIMEOUT_S = 30.0
# Street seconds between two attempts, and how many there are.
RETRY_S = 10.0
ATTEMPTS = 6
# A session that began so long before the car came is somebody else's.
CLOCK_TOLERANCE = timedelta(seconds=5)


class NotYetError(Exception):
    """The service cannot take it now; it may in a moment."""


@dataclass(slots=True)
class DriverCounters:
    """What people told the service.

    Parameters
    ----------
    declared, booked
        What was taken.
    refused
        What the service refused.
    given_up
        What nobody answered, or no session was found for.
    faults
        The first refusal and the first failure, in words.
    """

    declared: int = 0
    booked: int = 0
    refused: int = 0
    given_up: int = 0
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Errand:
    """Something to tell at a moment."""

    at: datetime
    name: str
    run: Callable[[], Awaitable[None]]


def connect_api(base_url: str, token: str) -> httpx.AsyncClient:
    """Open a client of the service's API.

    Parameters
    ----------
    base_url
        Like ``http://127.0.0.1:8080``.
    token
        The bearer token.
    """
    return httpx.AsyncClient(
        base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
    )


class Drivers:
    """Everybody on a street who tells the service something.

    Parameters
    ----------
    fleet
        Who they are.
    clock
        The street's time.
    client
        From `connect_api`; closed by whoever opened it.
    """

    def __init__(self, fleet: Fleet, clock: Clock, client: httpx.AsyncClient) -> None:
        self.counters = DriverCounters()
        self._fleet, self._clock, self._client = fleet, clock, client

    async def run(self) -> None:
        """Tell everything at its time; return when all is told."""
        async with asyncio.TaskGroup() as group:
            for errand in sorted(self._errands(), key=lambda errand: (errand.at, errand.name)):
                await self._clock.sleep_until(errand.at)
                group.create_task(self._attempt(errand))

    def _errands(self) -> Iterator[_Errand]:
        for booking in self._fleet.bookings:
            yield _Errand(booking.announced_at, booking.id, lambda booking=booking: self._book(booking))  # type: ignore[misc]
        for session in self._fleet.sessions:
            if session.declaration is not None:
                yield _Errand(
                    session.declaration.at,
                    session.id,
                    lambda session=session, told=session.declaration: self._declare(session, told),  # type: ignore[misc]
                )

    async def _attempt(self, errand: _Errand) -> None:
        """Run an errand until it is done, refused or tried often enough."""
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._clock.sleep(RETRY_S)
            try:
                with self._clock.hold(HOLD_S):
                    await errand.run()
            except (NotYetError, httpx.TransportError) as error:
                reason = str(error) or type(error).__name__
            except httpx.HTTPStatusError as error:
                self.counters.refused += 1
                self.counters.faults.setdefault("refused", f"{errand.name}: {error.response.text}")
                return
            else:
                return
        self.counters.given_up += 1
        self.counters.faults.setdefault("given up", f"{errand.name}: {reason}")

    async def _book(self, booking: Booking) -> None:
        body = {
            "token": booking.token,
            "start": booking.start.isoformat(),
            "end": booking.end.isoformat(),
            "energy_kwh": booking.energy_kwh,
        }
        await self._send("PUT", f"/bookings/{booking.id}", json=body)
        self.counters.booked += 1

    async def _declare(self, session: Session, told: Declaration) -> None:
        session_id = await self._find(session)
        body = {
            "energy_kwh": told.energy_kwh,
            "departure": told.departure.isoformat(),
            "discharge_opt_in": False,
        }
        await self._send("PUT", f"/sessions/{session_id}/declaration", json=body)
        self.counters.declared += 1

    async def _find(self, session: Session) -> str:
        """Return the service's name of a session, found by its socket."""
        where = {"station_id": session.station_id, "evse_id": session.evse_id, "active": "true"}
        answer = await self._send("GET", "/sessions", params=where)
        earliest = session.arrival - CLOCK_TOLERANCE
        for item in answer.json()["items"]:
            if to_utc(datetime.fromisoformat(item["started_at"])) >= earliest:
                return str(item["id"])
        raise NotYetError(f"no session at {session.station_id}, socket {session.evse_id}")

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        answer = await self._client.request(method, PREFIX + path, **content)
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise NotYetError(f"{method} {path}: {answer.status_code}")
        answer.raise_for_status()
        return answer
