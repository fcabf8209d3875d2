"""What a car is: battery, on-board charger, losses. Read from configs/vehicles/*.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from grid.config import Document, StrictModel, load_document

NOMINAL_VOLTAGE_V = 230.0
# A charger draws this little of its taper's power before it declares the battery full.
CUTOFF_FRACTION = 0.05
# A full battery starts charging again only after so much has left it.
RESUME_FRACTION = 0.02

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class VehicleModel(StrictModel):
    """A model of car.

    Parameters
    ----------
    name
        For people.
    capacity_kwh
        Usable capacity of the battery [kWh].
    phases
        Phases of the on-board charger, 1 or 3.
    max_current_a, min_current_a
        Bounds of the current per phase [A]; below the lower one the car pauses.
    max_discharge_current_a
        Current per phase that it gives back [A]; 0 for a car that cannot.
    transition_soc_fraction
        State of charge from which the acceptance of the battery falls, linearly to 0 when full.
    loss_fixed_kw, loss_fraction
        Losses of charging, ``p0 + a P`` with P the power at the socket [kW, fraction].
    discharge_loss_fraction
        The same ``a`` of discharging; p0 is shared.
    reserve_soc_fraction
        State of charge below which the car itself refuses to discharge.
    deadband_a
        How much less than offered the car draws per phase [A].
    wake_delay_s
        Seconds from an offer after a pause until it draws.
    reports_soc
        Whether it tells its state of charge over ISO 15118.
    step_a
        Steps in which its charger sets the current [A]; 0: any current.
    ramp_a_per_s
        How fast its charger raises the current [A/s]; 0: at once. It falls at once.
    max_dc_power_kw
        What it takes as direct current [kW]; 0 for a car that cannot.
    dc_transition_soc_fraction
        State of charge from which it takes less of that.
    """

    name: str = Field(min_length=1)
    capacity_kwh: float = Field(gt=0.0, le=200.0)
    phases: int = Field(ge=1, le=3)
    max_current_a: float = Field(ge=6.0, le=32.0)
    min_current_a: float = Field(default=6.0, ge=6.0, le=32.0)
    max_discharge_current_a: float = Field(default=0.0, ge=0.0, le=32.0)
    transition_soc_fraction: float = Field(gt=0.0, lt=1.0)
    loss_fixed_kw: float = Field(ge=0.0)
    loss_fraction: float = Field(ge=0.0, lt=1.0)
    discharge_loss_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    reserve_soc_fraction: Fraction = 0.1
    deadband_a: float = Field(default=0.0, ge=0.0, le=2.0)
    wake_delay_s: int = Field(default=5, ge=0, le=120)
    reports_soc: bool = False
    step_a: float = Field(default=0.0, ge=0.0, le=6.0)
    ramp_a_per_s: float = Field(default=0.0, ge=0.0, le=32.0)
    max_dc_power_kw: float = Field(default=0.0, ge=0.0, le=500.0)
    dc_transition_soc_fraction: float = Field(default=0.6, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _real_phases(self) -> Self:
        if self.phases == 2:  # noqa: PLR2004 - the one number between 1 and 3
            raise ValueError("phases must be 1 or 3: give a two-phase charger as one of 1")
        if self.min_current_a > self.max_current_a:
            raise ValueError("min_current_a must not be above max_current_a: exchange them")
        return self

    @property
    def bidirectional(self) -> bool:
        """Whether it can discharge."""
        return self.max_discharge_current_a > 0.0

    def power_kw(self, current_a: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
        """Return the power of a current on each of some phases [kW]."""
        return current_a * voltage_v * phases / 1000.0

    @property
    def taper_power_kw(self) -> float:
        """Power that the battery accepts below the transition [kW]: what its charger can give at the most."""
        return self.battery_power_kw(self.power_kw(self.max_current_a, self.phases))

    @property
    def full_soc_fraction(self) -> float:
        """State of charge at which charging ends by itself."""
        return 1.0 - (1.0 - self.transition_soc_fraction) * CUTOFF_FRACTION

    def battery_power_kw(self, power_kw: float) -> float:
        """Return what reaches (> 0) or leaves (< 0) the battery [kW] at a power at the socket [kW]."""
        if power_kw > 0.0:
            return max(0.0, power_kw * (1.0 - self.loss_fraction) - self.loss_fixed_kw)
        if power_kw < 0.0:
            return power_kw * (1.0 + self.discharge_loss_fraction) - self.loss_fixed_kw
        return 0.0

    def efficiency(self, power_kw: float) -> float:
        """Return battery per socket energy when charging, the reverse when discharging [fraction]."""
        battery_kw = self.battery_power_kw(power_kw)
        if battery_kw == 0.0:
            return 0.0
        return battery_kw / power_kw if power_kw > 0.0 else power_kw / battery_kw


# What a rectifying station loses of the power that it takes, and while it works at all: 95 % of 50 kW
# are left (assumption).
DC_LOSS_FRACTION, DC_LOSS_FIXED_KW = 0.045, 0.25


def on_direct_current(model: VehicleModel, station_kw: float) -> VehicleModel:
    """Return a car as it is at a station that rectifies: the same battery, without its own charger.

    The supply of the station is written as three phases, so that the one physics serves both.

    Parameters
    ----------
    model
        The car.
    station_kw
        What the station takes at the most [kW].
    """
    kw_per_a = model.power_kw(1.0, 3)
    power_kw = min(station_kw, (model.max_dc_power_kw + DC_LOSS_FIXED_KW) / (1.0 - DC_LOSS_FRACTION))
    most_a = power_kw / kw_per_a if model.max_dc_power_kw > 0.0 else 0.0
    back_a = min(most_a, model.power_kw(model.max_discharge_current_a, model.phases) / kw_per_a)
    changes = {
        "phases": 3,
        "max_current_a": most_a,
        "min_current_a": min(1.5, most_a),
        "max_discharge_current_a": back_a,
        "transition_soc_fraction": model.dc_transition_soc_fraction,
        "loss_fixed_kw": DC_LOSS_FIXED_KW,
        "loss_fraction": DC_LOSS_FRACTION,
        "discharge_loss_fraction": DC_LOSS_FRACTION,
        "step_a": 0.0,
        "deadband_a": 0.0,
    }
    return model.model_copy(update=changes)


def load_vehicle(path: Path) -> VehicleModel:
    """Read a model of car from a TOML file.

    Raises
    ------
    DocumentError
        With every problem of the file.
    """
    document = load_document(path)
    whole = Document(document.source, document.directory, {"vehicle": document.tables})
    return whole.table("vehicle", VehicleModel)
