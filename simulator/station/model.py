"""Models of stations, as files: what `configs/stations` says, and what only the simulated hardware knows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grid.config import StrictModel, load_document, validate
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.quirks import NEEDS_VALUE, Quirk, Quirks

Positive = Annotated[float, Field(gt=0.0)]


class Supply(StrEnum):
    """What a socket gives."""

    AC = "AC"
    DC = "DC"


class HardwareTable(StrictModel):
    """``[hardware]``: what a central system is never told.

    Parameters
    ----------
    supply
        Alternating or direct current.
    sockets
        How many sockets share the station's connection.
    switches_phases
        Whether it can feed a car on one phase when a profile says so.
    shared_current_a
        What all sockets may draw together on each phase [A]; None: no bound of the station's own.
    quirks
        What it does otherwise than its standard says; 1 for those without a value.
    """

    supply: Supply = Supply.AC
    sockets: int = Field(default=2, ge=1, le=16)
    switches_phases: bool = False
    shared_current_a: Positive | None = None
    quirks: dict[Quirk, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _quirks_without_value(self) -> Self:
        for quirk, value in self.quirks.items():
            if quirk not in NEEDS_VALUE and value != 1.0:
                raise ValueError(f"{quirk.value} takes no value: write 1")
        return self


class StationFile(StrictModel):
    """A file of ``configs/stations``; keys as in docs/configuration.md.

    Parameters
    ----------
    protocol, vendor, model, rate_unit, max_periods, max_stack_level, phases, max_current_a
        As a central system is told them.
    min_current_a, discharge_dialect, grid_code_conformant
        The central system's business; a dialect other than ``none`` means sockets that let power flow back.
    hardware
        What it is never told.
    """

    protocol: Protocol
    vendor: str = Field(min_length=1, max_length=20)
    model: str = Field(min_length=1, max_length=20)
    rate_unit: Literal["A", "W"] = "A"
    max_periods: int = Field(default=24, ge=1)
    max_stack_level: int = Field(default=10, ge=0)
    phases: int = Field(default=3, ge=1, le=3)
    max_current_a: Positive = 16.0
    min_current_a: Positive = 6.0
    discharge_dialect: str = "none"
    grid_code_conformant: bool = False
    hardware: HardwareTable = HardwareTable()

    def build(self, station_id: str, connection_id: str) -> StationSetup:
        """Return a station of this model."""
        return StationSetup(
            id=station_id,
            connection_id=connection_id,
            protocol=self.protocol,
            evses=tuple(EvseSetup(number + 1) for number in range(self.hardware.sockets)),
            vendor=self.vendor,
            model=self.model,
            phases=self.phases,
            max_current_a=self.max_current_a,
            rate_unit=self.rate_unit,
            max_periods=self.max_periods,
            max_stack_level=self.max_stack_level,
            bidirectional=self.discharge_dialect != "none",
            quirks=Quirks(self.hardware.quirks),
            direct_current=self.hardware.supply is Supply.DC,
            switches_phases=self.hardware.switches_phases,
            shared_current_a=self.hardware.shared_current_a,
        )


def load_station(path: Path) -> StationFile:
    """Read a model of station.

    Raises
    ------
    DocumentError
        With every problem of the file.
    """
    document = load_document(path)
    return validate(StationFile, document.tables, source=document.source)
