"""Batteries and meters of a run, quarter by quarter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grid.timegrid import QUARTER_HOURS
from simulator.fleet.sessions import EMPTIEST_FRACTION
from wijkstroom.rolling.month import Month, Stay

Floats = NDArray[np.float64]
# Less than this is a full battery [kWh].
FULL_KWH = 0.01


@dataclass(slots=True)
class Guest:
    """A car that is plugged in.

    Parameters
    ----------
    stay
        Who.
    energy_kwh
        In its battery now [kWh].
    imported_kwh, exported_kwh
        At its socket so far [kWh].
    power_kw
        In the quarter before, > 0 charged [kW].
    """

    stay: Stay
    energy_kwh: float
    imported_kwh: float = 0.0
    exported_kwh: float = 0.0
    power_kw: float = 0.0

    @property
    def limit_kwh(self) -> float:
        """Energy at which it stops by itself [kWh]."""
        return self.stay.session.limit_fraction * self.stay.model.capacity_kwh

    @property
    def is_full(self) -> bool:
        """Whether it takes nothing any more."""
        return self.energy_kwh >= self.limit_kwh - FULL_KWH

    @property
    def missing_kwh(self) -> float:
        """What it still needs, in its battery [kWh]."""
        return max(0.0, self.stay.session.target_energy_kwh - self.energy_kwh)

    def carry_out(self, power_kw: float) -> float:
        """Let it follow an order for a quarter, as far as it can, and return its mean power [kW]."""
        model = self.stay.model
        wanted_kw = min(max(power_kw, -self.stay.max_kw), self.stay.max_kw)
        if abs(wanted_kw) < self.stay.least_kw - 1e-6:
            wanted_kw = 0.0
        change_kwh = model.battery_power_kw(wanted_kw) * QUARTER_HOURS
        floor_kwh = model.reserve_soc_fraction * model.capacity_kwh
        room_kwh = max(
            0.0, self.limit_kwh - self.energy_kwh if change_kwh > 0.0 else self.energy_kwh - floor_kwh
        )
        share = min(1.0, room_kwh / abs(change_kwh)) if change_kwh else 0.0
        self.power_kw = wanted_kw * share
        self.energy_kwh += change_kwh * share
        self.imported_kwh += max(0.0, self.power_kw) * QUARTER_HOURS
        self.exported_kwh += max(0.0, -self.power_kw) * QUARTER_HOURS
        return self.power_kw


@dataclass
class World:
    """The street as it is in a run.

    Parameters
    ----------
    month
        What happens.
    guests
        Who is plugged in, by session id, first come first.
    cars_kw, discharged_kw
        Power of all cars, and what of it they gave, shape (quarters,) [kW].
    fuse_excess_kw
        Power over the fuses of connections, all added, shape (quarters,) [kW].
    peaks_kw
        Highest import so far by month and tariff band [kW].
    shortfall_kwh
        Of every session that has ended, at the socket [kWh].
    """

    month: Month
    guests: dict[str, Guest] = field(default_factory=dict)
    cars_kw: Floats = field(init=False)
    discharged_kw: Floats = field(init=False)
    fuse_excess_kw: Floats = field(init=False)
    peaks_kw: dict[tuple[str, str], float] = field(default_factory=dict)
    shortfall_kwh: dict[str, float] = field(default_factory=dict)
    _left_with_kwh: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cars_kw, self.discharged_kw, self.fuse_excess_kw = np.zeros((3, self.month.quarters))
        self._coming = list(reversed(self.month.stays))

    def come_and_go(self, quarter: int) -> list[Guest]:
        """Let cars leave and arrive at the start of a quarter; return who came."""
        for guest in [one for one in self.guests.values() if one.stay.departure <= quarter]:
            del self.guests[guest.stay.id]
            self._left_with_kwh[guest.stay.id] = guest.energy_kwh
            self.shortfall_kwh[guest.stay.id] = guest.missing_kwh / guest.stay.efficiency
        came = []
        while self._coming and self._coming[-1].arrival <= quarter:
            guest = self._greet(self._coming.pop())
            self.guests[guest.stay.id] = guest
            came.append(guest)
        return came

    def _greet(self, stay: Stay) -> Guest:
        session, energy_kwh = stay.session, stay.session.start_energy_kwh
        if session.follows is not None and session.follows in self._left_with_kwh:
            least_kwh = EMPTIEST_FRACTION * stay.model.capacity_kwh
            energy_kwh = max(least_kwh, self._left_with_kwh[session.follows] - session.driven_kwh)
        return Guest(stay, energy_kwh)

    def carry_out(self, quarter: int, orders_kw: Mapping[str, float]) -> None:
        """Let everybody follow an order for a quarter; who has none pauses."""
        by_connection: dict[str, float] = {}
        for name, guest in self.guests.items():
            power_kw = guest.carry_out(orders_kw.get(name, 0.0))
            self.cars_kw[quarter] += power_kw
            self.discharged_kw[quarter] += max(0.0, -power_kw)
            connection = self.month.catalogue.station(guest.stay.session.station_id).connection
            by_connection[connection] = by_connection.get(connection, 0.0) + power_kw
        for connection, power_kw in by_connection.items():
            fuse_kw = self.month.grid.topology.connection(connection).fuse_power_kw(self.month.grid.voltage_v)
            self.fuse_excess_kw[quarter] += max(0.0, abs(power_kw) - fuse_kw)
        self._count_peak(quarter)

    def _count_peak(self, quarter: int) -> None:
        month = self.month
        net_kw = float(month.base_kw[quarter] - month.pv_kw[quarter] + self.cars_kw[quarter])
        period = month.periods[quarter]
        self.peaks_kw[period] = max(self.peaks_kw.get(period, 0.0), net_kw)
