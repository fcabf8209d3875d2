"""A socket as hardware: contactor, meter and the car behind it, second by second.

The same code serves stations on real time and replays in virtual time. Seconds are whole numbers since the
run's start. Power is computed some way ahead and thrown away from the moment at which something changes.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.meter.register import Registers
from simulator.vehicle.charging import (
    PAUSE,
    BatteryState,
    Offer,
    advance,
    requested_power_kw,
    settle,
    stop_energy_kwh,
)
from simulator.vehicle.model import NOMINAL_VOLTAGE_V, VehicleModel

Floats = NDArray[np.float64]
AHEAD_S = 900


class Recorder(Protocol):
    """Whoever wants to know the power of every second."""

    def write(self, row: int, start_s: int, power_kw: Floats) -> None:
        """Take the power of a socket from a second on; a later call may overwrite it."""
        ...


class NoRecorder:
    """Nobody wants to know."""

    def write(self, row: int, start_s: int, power_kw: Floats) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Car:
    """A car at a socket."""

    model: VehicleModel
    battery: BatteryState


class Socket:
    """One socket.

    Parameters
    ----------
    row
        Its number for the recorder.
    recorder
        Gets the power of every second.
    phases
        Phases of the socket.
    voltage_v
        Voltage between phase and neutral [V].
    bidirectional
        Whether power may flow back.
    start_s
        The second at which it begins.
    registers
        What its meter reads then.
    """

    def __init__(
        self,
        row: int,
        recorder: Recorder,
        *,
        phases: int = 3,
        voltage_v: float = NOMINAL_VOLTAGE_V,
        bidirectional: bool = False,
        start_s: int = 0,
        registers: Registers | None = None,
    ) -> None:
        self.row = row
        self.phases = phases
        self.voltage_v = voltage_v
        self.bidirectional = bidirectional
        self._recorder = recorder
        self._registers = registers or Registers()
        self._car: Car | None = None
        self._offers: list[tuple[int, Offer]] = [(start_s, PAUSE)]
        self._starts: list[int] = [start_s]
        # From which second on the car is offered power and when it reacts; None while it is offered none.
        self._pilot: list[tuple[int, int | None]] = [(start_s, None)]
        self._begin_s = start_s
        self._last_power_kw = 0.0
        self._power = np.zeros(0)
        self._energy = np.zeros(1)

    @property
    def car(self) -> Car | None:
        """The car as it was at the last change."""
        return self._car

    @property
    def phases_used(self) -> int:
        """Phases that the car uses, 0 without one."""
        return 0 if self._car is None else min(self.phases, self._car.model.phases)

    def phases_at(self, second: int) -> int:
        """Return the phases that the car uses at a second, 0 without one."""
        return min(self.phases_used, self.offer_at(second).phases or self.phases)

    def plug_in(self, model: VehicleModel, battery: BatteryState, at_s: int) -> None:
        """Plug a car in; it gets no offer yet."""
        self._change(at_s)
        assert self._car is None, "one cable at a time"
        self._car = Car(model, settle(model, battery, battery.energy_kwh))
        self._set_offers([(at_s, PAUSE)])
        self._pilot = [(at_s, None)]
        self._energy = np.full(1, battery.energy_kwh)

    def unplug(self, at_s: int) -> BatteryState:
        """Take the car away and return its battery as it leaves."""
        self._change(at_s)
        assert self._car is not None, "nothing is plugged in"
        battery, self._car = self._car.battery, None
        self._set_offers([(at_s, PAUSE)])
        self._energy = np.zeros(1)
        self._write_idle(at_s)
        return battery

    def offer(self, offers: Sequence[tuple[int, Offer]], at_s: int) -> None:
        """Offer power from a second on.

        Parameters
        ----------
        offers
            Second and offer, ascending; the last holds for ever. The first may begin earlier than ``at_s``.
        at_s
            When the change takes effect.
        """
        self._change(at_s)
        self._set_offers(list(offers))

    def advance_to(self, second: int) -> None:
        """Let everything up to (not including) a second happen."""
        while self._begin_s + len(self._power) < second:
            self._change(self._begin_s + len(self._power))
            self._extend(AHEAD_S)

    def power_kw(self, second: int) -> float:
        """Return the power of a second, > 0 charges [kW]."""
        self.advance_to(second + 1)
        return float(self._power[second - self._begin_s])

    def recent_power_kw(self, second: int) -> float:
        """Return the power of the second before, the last thing that a meter has seen [kW]."""
        self.advance_to(second)
        happened = second - self._begin_s
        return float(self._power[happened - 1]) if happened > 0 else self._last_power_kw

    def registers(self, second: int) -> Registers:
        """Return what the meter reads at the begin of a second."""
        self.advance_to(second)
        return self._registers.after(self._power[: second - self._begin_s])

    def battery(self, second: int) -> BatteryState | None:
        """Return the battery of the car at the begin of a second, None without one."""
        self.advance_to(second)
        if self._car is None:
            return None
        energy_kwh = float(self._energy[second - self._begin_s])
        return settle(self._car.model, self._car.battery, energy_kwh)

    def offer_at(self, second: int) -> Offer:
        """Return what is offered at a second."""
        index = bisect.bisect_right(self._starts, second) - 1
        return self._offers[max(index, 0)][1]

    def wants(self, second: int) -> bool:
        """Whether the car would charge if it were offered power."""
        battery = self.battery(second)
        if battery is None or self._car is None or battery.full:
            return False
        return battery.energy_kwh < stop_energy_kwh(self._car.model, battery)

    def waking(self, second: int) -> bool:
        """Whether the car has been offered power and does not react yet."""
        self.advance_to(second + 1)
        known = [awake_s for start, awake_s in self._pilot if start <= second]
        return bool(known) and known[-1] is not None and second < known[-1]

    def next_change(self, second: int) -> int | None:
        """Return the next second, as far as it is known, at which power begins, ends or turns round."""
        self.advance_to(second + 1)
        sign = np.sign(self._power[second - self._begin_s :])
        changes = np.flatnonzero(sign[1:] != sign[:-1])
        return None if len(changes) == 0 else second + 1 + int(changes[0])

    def _set_offers(self, offers: list[tuple[int, Offer]]) -> None:
        self._offers = offers
        self._starts = [start for start, _ in offers]

    def _change(self, at_s: int) -> None:
        """Keep what happened before a second and forget what was computed beyond it."""
        if at_s > self._begin_s + len(self._power):
            self.advance_to(at_s)
        happened = at_s - self._begin_s
        assert happened >= 0, "the past cannot be changed"
        self._registers.add(self._power[:happened])
        if happened:
            self._last_power_kw = float(self._power[happened - 1])
        energy_kwh = float(self._energy[happened])
        if self._car is not None:
            self._car = Car(self._car.model, settle(self._car.model, self._car.battery, energy_kwh))
        self._pilot = [one for one in self._pilot if one[0] < at_s][-1:] or [(at_s, None)]
        self._begin_s, self._power, self._energy = at_s, np.zeros(0), np.full(1, energy_kwh)

    def _extend(self, seconds: int) -> None:
        end_s = self._begin_s + seconds
        powers: list[Floats] = []
        energies: list[Floats] = [self._energy]
        car, at_s = self._car, self._begin_s
        while at_s < end_s:
            until_s, offer = self._stretch(at_s, end_s)
            if car is None:
                powers.append(np.zeros(until_s - at_s))
                energies.append(np.zeros(until_s - at_s))
            else:
                until_s = self._until_ramped(car, powers, at_s, until_s)
                car, power, energy = self._follow(car, offer, powers, at_s, until_s)
                powers.append(power)
                energies.append(energy[1:])
            at_s = until_s
        self._power, self._energy = np.concatenate(powers), np.concatenate(energies)
        self._recorder.write(self.row, self._begin_s, self._power)

    def _stretch(self, at_s: int, end_s: int) -> tuple[int, Offer]:
        """Return until when the offer at a second holds, and the offer."""
        index = max(bisect.bisect_right(self._starts, at_s) - 1, 0)
        until_s = self._starts[index + 1] if index + 1 < len(self._starts) else end_s
        return min(until_s, end_s), self._offers[index][1]

    def _until_ramped(self, car: Car, powers: Sequence[Floats], at_s: int, until_s: int) -> int:
        """Return the end of a stretch; a car that raises its current slowly is looked at every second."""
        ramps = car.model.ramp_a_per_s > 0.0 and self._drawn_kw(powers) < self._ramp_top_kw(car)
        return min(at_s + 1, until_s) if ramps else until_s

    def _drawn_kw(self, powers: Sequence[Floats]) -> float:
        last = next((float(one[-1]) for one in reversed(powers) if len(one)), self._last_power_kw)
        return max(last, 0.0)

    def _ramp_top_kw(self, car: Car) -> float:
        return car.model.power_kw(car.model.max_current_a, self.phases_used, self.voltage_v)

    def _ramped_kw(self, car: Car, wanted_kw: float, powers: Sequence[Floats]) -> float:
        """Return what a car that raises its current slowly takes of what it wants [kW]."""
        if car.model.ramp_a_per_s == 0.0 or wanted_kw <= 0.0:
            return wanted_kw
        step_kw = car.model.power_kw(car.model.ramp_a_per_s, self.phases_used, self.voltage_v)
        least_kw = car.model.power_kw(car.model.min_current_a, self.phases_used, self.voltage_v)
        return min(wanted_kw, max(self._drawn_kw(powers) + step_kw, least_kw))

    def _follow(
        self, car: Car, offer: Offer, powers: Sequence[Floats], at_s: int, until_s: int
    ) -> tuple[Car, Floats, Floats]:
        if not self.bidirectional and offer.setpoint_kw is not None and offer.setpoint_kw < 0.0:
            offer = PAUSE
        wanted_kw = requested_power_kw(car.model, offer, self.phases, self.voltage_v)
        sleeping_s = self._sleep(car, wanted_kw, at_s, until_s)
        trace = advance(
            car.model, car.battery, self._ramped_kw(car, wanted_kw, powers), until_s - at_s - sleeping_s
        )
        power = np.concatenate((np.zeros(sleeping_s), trace.power_kw))
        energy = np.concatenate((np.full(sleeping_s, car.battery.energy_kwh), trace.energy_kwh))
        battery = settle(car.model, car.battery, float(energy[-1]))
        return Car(car.model, battery), power, energy

    def _sleep(self, car: Car, wanted_kw: float, at_s: int, until_s: int) -> int:
        """Return for how many seconds of a stretch the car does not react yet."""
        awake_s = self._pilot[-1][1]
        if wanted_kw == 0.0:
            awake_s = None
        elif awake_s is None:
            awake_s = at_s + car.model.wake_delay_s
        self._pilot.append((at_s, awake_s))
        return 0 if awake_s is None else min(max(awake_s - at_s, 0), until_s - at_s)

    def _write_idle(self, at_s: int) -> None:
        self._recorder.write(self.row, at_s, np.zeros(AHEAD_S))
