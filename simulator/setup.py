"""What hardware stands where: stations and their EVSEs, as the simulator needs to know them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from simulator.station.quirks import Quirks


class Protocol(StrEnum):
    """Websocket subprotocol that a station speaks."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"
    V21 = "ocpp2.1"


PHASES = ("L1", "L2", "L3")
# Which conductor feeds phase 1, 2, 3 of an EVSE, by the letters of OCPP's ConnectorPhaseRotation.
_LETTERS = {"R": 0, "S": 1, "T": 2}


@dataclass(frozen=True, slots=True)
class EvseSetup:
    """One socket.

    Parameters
    ----------
    id
        Its number in the station, from 1.
    phase_rotation
        Which conductor feeds its phase 1, 2 and 3: ``RST`` is straight, ``STR`` turned by one.
    """

    id: int
    phase_rotation: str = "RST"

    @property
    def conductors(self) -> tuple[int, int, int]:
        """Index of the connection's phase behind phases 1, 2 and 3 of this socket."""
        first, second, third = (_LETTERS[letter] for letter in self.phase_rotation)
        return first, second, third


@dataclass(frozen=True, slots=True)
class StationSetup:
    """One charging station.

    Parameters
    ----------
    id
        Its identity on the wire.
    connection_id
        The grid connection that it hangs on.
    protocol
        What it speaks.
    evses
        Its sockets.
    vendor, model
        What it says of itself.
    phases
        Phases of each socket.
    max_current_a
        Highest current per phase of each socket [A].
    rate_unit
        Unit of charging rates that it understands: A or W; both are taken, this one is reported.
    max_periods, max_stack_level
        Bounds of a charging profile; what is beyond is refused.
    bidirectional
        Whether its sockets let power flow back.
    password
        For basic authentication; None: without.
    quirks
        What it does otherwise than its standard says.
    direct_current
        Whether the station rectifies, instead of the car.
    switches_phases
        Whether it can feed a car on one phase when a profile says so.
    shared_current_a
        What all sockets may draw together on each phase [A]; None: no bound of the station's own.
    """

    id: str
    connection_id: str
    protocol: Protocol
    evses: tuple[EvseSetup, ...]
    vendor: str = "Wijk"
    model: str = "Simulated"
    phases: int = 3
    max_current_a: float = 16.0
    rate_unit: str = "A"
    max_periods: int = 24
    max_stack_level: int = 10
    bidirectional: bool = False
    password: bytes | None = None
    quirks: Quirks = field(default_factory=Quirks)
    direct_current: bool = False
    switches_phases: bool = False
    shared_current_a: float | None = None
