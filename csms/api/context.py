"""What the routes are given: the state, the rows, the grid and the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from csms.control.fleet import FleetDesk
from csms.gateway.counters import Counters
from csms.ocpp.vocabulary import Command, Outcome, Priority
from csms.state.service import StateService
from grid.clock import Clock
from grid.street import GridSide

PREFIX: Final = "/api/v1"


class CallStation(Protocol):
    """Tells a station to do something and returns what it says; the gateway's `call`."""

    async def __call__(
        self, station_id: str, command: Command, *, priority: Priority = ..., deadline_s: float | None = ...
    ) -> Outcome:
        """Call a station."""
        ...


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the routes are given.

    Parameters
    ----------
    service
        The state, and the rows behind it.
    grid
        Limits, prices, and the time zone.
    clock
        The street's time.
    counters
        What the gateway counts.
    call
        The way to the stations.
    operator_token
        Who shows it may ask everything.
    check_ready
        Returns why the service is not ready to work, nothing when it is.
    list_concerns
        Returns which limits cannot be guaranteed now and why, nothing when all are.
    fleet
        Where persons act on the whole fleet; without it there are no routes for that.
    """

    service: StateService
    grid: GridSide
    clock: Clock
    counters: Counters
    call: CallStation
    operator_token: str
    check_ready: Callable[[], Sequence[str]]
    list_concerns: Callable[[], Sequence[str]] = tuple
    fleet: FleetDesk | None = None
