"""What must hold of every stay, whatever happened: energy, state of charge, registers, power. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grid.errors import WijkstroomError
from simulator.meter.register import Registers
from simulator.vehicle.model import NOMINAL_VOLTAGE_V, VehicleModel


class BrokenPhysicsError(WijkstroomError):
    """A run contradicts physics: a mistake of the simulator's, never of who uses it."""


# Energies that must agree agree to this [kWh].
TOLERANCE_KWH = 1e-6
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Stay:
    """A car at a socket, as it came.

    Parameters
    ----------
    model
        The car.
    energy_kwh
        In its battery [kWh].
    registers
        What the meter read.
    second
        When.
    voltage_v
        Of the socket, between phase and neutral [V].
    """

    model: VehicleModel
    energy_kwh: float
    registers: Registers
    second: int
    voltage_v: float = NOMINAL_VOLTAGE_V


def check_stay(stay: Stay, energy_kwh: float, registers: Registers, second: int) -> Iterator[str]:
    """Yield what of a stay contradicts physics, a sentence each.

    Parameters
    ----------
    stay
        The car as it came.
    energy_kwh
        In its battery at the end [kWh].
    registers
        What the meter reads at the end, without errors of class.
    second
        When that is.
    """
    model, hours = stay.model, (second - stay.second) / SECONDS_PER_HOUR
    imported = registers.import_kwh - stay.registers.import_kwh
    exported = registers.export_kwh - stay.registers.export_kwh
    if imported < -TOLERANCE_KWH or exported < -TOLERANCE_KWH:
        yield f"a register fell: import by {-imported:g}, export by {-exported:g} kWh"
    if not -TOLERANCE_KWH <= energy_kwh <= model.capacity_kwh + TOLERANCE_KWH:
        yield f"the battery holds {energy_kwh:g} of {model.capacity_kwh:g} kWh"
    lost = imported - exported - (energy_kwh - stay.energy_kwh)
    most = model.loss_fraction * imported + model.discharge_loss_fraction * exported
    most += model.loss_fixed_kw * hours
    if not -TOLERANCE_KWH <= lost <= most + TOLERANCE_KWH:
        yield f"{lost:g} kWh were lost, where 0 to {most:g} can be"
    cap_kwh = model.power_kw(model.max_current_a, model.phases, stay.voltage_v) * hours
    if imported > cap_kwh + TOLERANCE_KWH:
        yield f"{imported:g} kWh in {hours:g} h is more than {cap_kwh:g} at full power"
    back_kwh = model.power_kw(model.max_discharge_current_a, model.phases, stay.voltage_v) * hours
    if exported > back_kwh + TOLERANCE_KWH:
        yield f"{exported:g} kWh back in {hours:g} h is more than {back_kwh:g} at full power"
