"""A run in virtual time: the same cars at the same sockets, steered by a simple policy, without messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from optimizer.allocation import GroupHeadroom
from simulator.fleet.sessions import Session
from simulator.headroom import OperatorView
from simulator.result import RunRecord
from simulator.truth import SECONDS_PER_QUARTER
from simulator.vehicle.charging import Offer
from simulator.vehicle.socket import Socket
from simulator.world import StreetSetup, Turn, World, list_turns

# How often the policy looks at the street, besides every arrival and departure [s].
CONTROL_INTERVAL_S = 300
# A station passes on tenths of amperes.
TENTHS = 10.0


@dataclass(frozen=True, slots=True)
class Guest:
    """A car that is plugged in.

    Parameters
    ----------
    row
        Its socket.
    session
        Who it is; a policy reads no more of it than its class tells.
    phases
        Phases that it uses.
    max_kw, min_kw
        The most and the least that it charges with; the most is 0 when it wants nothing [kW].
    """

    row: int
    session: Session
    phases: int
    max_kw: float
    min_kw: float


class Policy(Protocol):
    """A way to share power without a plan."""

    @property
    def watches_limits(self) -> bool:
        """Whether it looks at the street at all; if not, it is asked at arrivals only."""
        ...

    def divide(self, guests: Sequence[Guest], groups: Sequence[GroupHeadroom], turn: int) -> dict[str, float]:
        """Return the power of each car by the text of its row [kW].

        Parameters
        ----------
        guests
            Cars that are plugged in, first come first.
        groups
            Limits; members are texts of rows.
        turn
            Number of the quarter, for taking turns.
        """
        ...


class Replay:
    """One run of a policy.

    Parameters
    ----------
    setup
        The street, who comes, and how households and sun really are, from the begin of a quarter on.
    policy
        How power is shared.
    """

    def __init__(self, setup: StreetSetup, policy: Policy) -> None:
        self.world = World(setup)
        self._setup, self._policy = setup, policy
        self._hardware = [station for station in setup.stations for _ in station.evses]
        self._sockets = [
            Socket(
                row,
                self.world.truth,
                phases=station.phases,
                voltage_v=setup.grid.voltage_v,
                bidirectional=station.bidirectional,
            )
            for row, station in enumerate(self._hardware)
        ]
        self._view = OperatorView(setup.grid, self.world.truth)
        self._guests: list[int] = []
        self._offered_a = [0.0] * len(self._sockets)

    def run(self) -> RunRecord:
        """Let everything happen and return what came of it."""
        by_id = {session.id: session for session in self._setup.fleet.sessions}
        turns: dict[int, list[Turn]] = {}
        if self._policy.watches_limits:
            turns = {second: [] for second in range(0, self._setup.seconds, CONTROL_INTERVAL_S)}
        for turn in list_turns(self._setup):
            turns.setdefault(turn.second, []).append(turn)
        for second in sorted(turns):
            for turn in turns[second]:
                if turn.comes:
                    self._plug_in(by_id[turn.session_id], second)
                else:
                    self._unplug(by_id[turn.session_id], second)
            if second < self._setup.seconds:
                self._steer(second)
        return self.world.record()

    def _plug_in(self, session: Session, second: int) -> None:
        row = self.world.row_of(session)
        socket = self._sockets[row]
        socket.plug_in(self._setup.fleet.model_of(session), self.world.battery_of(session), second)
        self.world.note_arrival(session, socket, second)
        self._guests.append(row)
        self._offered_a[row] = 0.0

    def _unplug(self, session: Session, second: int) -> None:
        row = self.world.row_of(session)
        self.world.note_departure(row, self._sockets[row].unplug(second), second)
        self._guests.remove(row)

    def _steer(self, second: int) -> None:
        self.world.advance_to(second)
        guests = [self._guest(row, second) for row in self._guests]
        groups: list[GroupHeadroom] = []
        if self._policy.watches_limits:
            groups = self._view.groups(second, {guest.row: guest.phases for guest in guests})
        power_kw = self._policy.divide(guests, groups, second // SECONDS_PER_QUARTER)
        for guest in guests:
            self._offer(guest, power_kw[str(guest.row)], second)

    def _guest(self, row: int, second: int) -> Guest:
        socket, session = self._sockets[row], self.world.session_at(row)
        assert session is not None, "its car is plugged in"
        model = self._setup.fleet.model_of(session)
        most_a = min(self._hardware[row].max_current_a, model.max_current_a) if socket.wants(second) else 0.0
        max_kw, min_kw = (
            model.power_kw(amperes, socket.phases_used, self._setup.grid.voltage_v)
            for amperes in (most_a, model.min_current_a)
        )
        return Guest(row, session, socket.phases_used, max_kw, min_kw)

    def _offer(self, guest: Guest, power_kw: float, second: int) -> None:
        amperes = power_kw * 1000.0 / (self._setup.grid.voltage_v * guest.phases)
        amperes = math.floor(amperes * TENTHS + 1e-6) / TENTHS
        if amperes != self._offered_a[guest.row]:
            self._sockets[guest.row].offer([(second, Offer(amperes))], second)
            self._offered_a[guest.row] = amperes
