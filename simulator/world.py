"""A street without its wires: what stands there, who comes, and what became of everybody. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from grid.errors import DocumentError, Problem
from grid.street import GridSide
from simulator.fleet.sessions import Fleet, Session
from simulator.invariants import BrokenPhysicsError, Stay, check_stay
from simulator.meter.register import WH_PER_KWH
from simulator.noise import Uncontrolled
from simulator.result import RunRecord, SessionOutcome, record_run
from simulator.setup import StationSetup
from simulator.truth import SocketPlace, Truth, list_places
from simulator.vehicle.charging import BatteryState
from simulator.vehicle.socket import Socket


@dataclass(frozen=True, eq=False)
class StreetSetup:
    """Everything that a run begins with.

    Parameters
    ----------
    grid
        Network, limits, local time.
    stations
        What stands there.
    fleet
        Who comes.
    uncontrolled
        Households and sun as they really are.

    Raises
    ------
    DocumentError
        When two sessions want one socket at the same time, or one wants a socket that does not exist.
    """

    grid: GridSide
    stations: tuple[StationSetup, ...]
    fleet: Fleet
    uncontrolled: Uncontrolled

    def __post_init__(self) -> None:
        problems = [*_check_sessions(self.fleet.sessions, self.rows)]
        if problems:
            raise DocumentError("street", problems)

    @property
    def start(self) -> datetime:
        """Second 0."""
        return self.uncontrolled.start

    @property
    def seconds(self) -> int:
        """Length of the run."""
        return self.uncontrolled.seconds

    @property
    def end(self) -> datetime:
        """The first instant after the run."""
        return self.start + timedelta(seconds=self.seconds)

    @property
    def places(self) -> tuple[SocketPlace, ...]:
        """The sockets; their index is their row."""
        return list_places(self.stations)

    @property
    def rows(self) -> dict[tuple[str, int], int]:
        """Row of every socket by station and EVSE."""
        return {(place.station_id, place.evse_id): row for row, place in enumerate(self.places)}

    def second_of(self, instant: datetime) -> int:
        """Return the second of the run in which an instant lies."""
        return int((instant - self.start).total_seconds() // 1)


def _check_sessions(sessions: tuple[Session, ...], rows: Mapping[tuple[str, int], int]) -> Iterator[Problem]:
    by_socket: dict[tuple[str, int], list[Session]] = defaultdict(list)
    for index, one in enumerate(sessions):
        path = f"fleet.sessions[{index}]"
        if (one.station_id, one.evse_id) not in rows:
            yield Problem(path, f"{one.station_id} has no socket {one.evse_id}: name one that stands there")
        if one.departure <= one.arrival:
            yield Problem(path, f"{one.id} leaves before it comes: exchange arrival and departure")
        by_socket[one.station_id, one.evse_id].append(one)
    for (station_id, evse_id), own in by_socket.items():
        own.sort(key=lambda session: session.arrival)
        for before, after in pairwise(own):
            if after.arrival < before.departure:
                message = f"{after.id} comes before {before.id} has left: move one of them"
                yield Problem(f"{station_id}.evses[{evse_id}]", message)


@dataclass(slots=True)
class _Stay:
    """A car that is plugged in."""

    session: Session
    socket: Socket
    begin: Stay


class World:
    """The truth of a run as it comes about, and the book of its sessions, each held against physics.

    Parameters
    ----------
    setup
        What there is.
    """

    def __init__(self, setup: StreetSetup) -> None:
        self.setup = setup
        self.truth = Truth(
            setup.start, setup.seconds, setup.places, setup.uncontrolled.base_kw, setup.uncontrolled.pv_kw
        )
        self.rows = setup.rows
        self._stays: dict[int, _Stay] = {}
        self._outcomes: list[SessionOutcome] = []
        self._left_with_kwh: dict[str, float] = {}

    def row_of(self, session: Session) -> int:
        """Return the row of a session's socket."""
        return self.rows[session.station_id, session.evse_id]

    def battery_of(self, session: Session) -> BatteryState:
        """Return the battery with which a session's car comes."""
        return self.setup.fleet.battery_at_arrival(session, self._left_with_kwh)

    def session_at(self, row: int) -> Session | None:
        """Return who is plugged in at a socket."""
        stay = self._stays.get(row)
        return None if stay is None else stay.session

    def note_arrival(self, session: Session, socket: Socket, second: int) -> None:
        """Write down that a car was plugged in."""
        battery, car = socket.battery(second), socket.car
        assert battery is not None, "noted when it is plugged in"
        assert car is not None, "as above"
        begin = Stay(car.model, battery.energy_kwh, socket.registers(second), second, socket.voltage_v)
        self._stays[socket.row] = _Stay(session, socket, begin)
        self.truth.write_phases(socket.row, second, socket.phases_used)

    def note_departure(self, row: int, battery: BatteryState, second: int) -> SessionOutcome:
        """Write down that a car was unplugged; return what became of it.

        Raises
        ------
        BrokenPhysicsError
            When that cannot be.
        """
        stay = self._stays.pop(row)
        outcome = _settle_up(stay, battery, second, ended=True)
        self._outcomes.append(outcome)
        self._left_with_kwh[stay.session.id] = battery.energy_kwh
        self.truth.write_phases(row, second, 0)
        return outcome

    def advance_to(self, second: int) -> None:
        """Let every car's power up to a second be written."""
        for stay in self._stays.values():
            stay.socket.advance_to(second)

    def outcomes(self, second: int) -> tuple[SessionOutcome, ...]:
        """Return what became of everybody until a second: who left first, then who is there."""
        running = []
        for stay in self._stays.values():
            battery = stay.socket.battery(second)
            assert battery is not None, "its car is plugged in"
            running.append(_settle_up(stay, battery, second, ended=False))
        return (*self._outcomes, *running)

    def record(self) -> RunRecord:
        """Return what the whole run came to."""
        self.advance_to(self.setup.seconds)
        return record_run(self.truth, self.setup.grid, self.outcomes(self.setup.seconds))


def _settle_up(stay: _Stay, battery: BatteryState, second: int, *, ended: bool) -> SessionOutcome:
    registers, begin = stay.socket.registers(second), stay.begin
    problems = list(check_stay(begin, battery.energy_kwh, registers, second))
    if problems:
        raise BrokenPhysicsError(f"{stay.session.id}: {'; '.join(problems)}")
    return SessionOutcome(
        stay.session.id,
        begin.energy_kwh,
        battery.energy_kwh,
        (registers.import_wh - begin.registers.import_wh) / WH_PER_KWH,
        (registers.export_wh - begin.registers.export_wh) / WH_PER_KWH,
        ended=ended,
    )


@dataclass(frozen=True, order=True, slots=True)
class Turn:
    """A car comes or goes; who goes makes room first.

    Parameters
    ----------
    second
        When.
    comes
        False for a departure.
    session_id
        Whose.
    """

    second: int
    comes: bool
    session_id: str


def list_turns(setup: StreetSetup) -> list[Turn]:
    """Return every arrival and departure of the run in order."""
    turns = []
    for session in setup.fleet.sessions:
        arrival, departure = setup.second_of(session.arrival), setup.second_of(session.departure)
        if arrival < setup.seconds:
            turns.append(Turn(arrival, comes=True, session_id=session.id))
            if departure <= setup.seconds:
                turns.append(Turn(departure, comes=False, session_id=session.id))
    return sorted(turns)
