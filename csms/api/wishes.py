"""What drivers and fleet owners send, checked as far as it can be without the street and its time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, StrictBool, ValidationInfo, field_validator

from csms.state.records import Booking, Declaration
from grid.config import StrictModel
from grid.errors import Problem

MOST_KWH: Final = 1000.0

Energy = Annotated[float, Field(strict=True, gt=0.0, le=MOST_KWH, description="kWh")]
Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, description="between 0 and 1")]


class DeclarationBody(StrictModel):
    """What a session needs: an energy or a state of charge, by a moment.

    Parameters
    ----------
    departure
        When the car leaves, with time zone.
    energy_kwh
        Energy from the start of the session on [kWh].
    target_soc_fraction
        Or a state of charge, for a car that tells its own [fraction].
    discharge_opt_in
        Whether the car may be discharged in between.
    floor_soc_fraction
        Never below this; needed for that [fraction].
    """

    departure: AwareDatetime
    energy_kwh: Energy | None = None
    target_soc_fraction: Fraction | None = Field(default=None, validate_default=True)
    discharge_opt_in: StrictBool = False
    floor_soc_fraction: Fraction | None = Field(default=None, validate_default=True)

    @field_validator("target_soc_fraction")
    @classmethod
    def _one_wish(cls, value: float | None, info: ValidationInfo) -> float | None:
        if "energy_kwh" not in info.data:
            return value  # its own error is told
        if (value is None) == (info.data["energy_kwh"] is None):
            raise ValueError("give either energy_kwh or target_soc_fraction, not both and not neither")
        return value

    @field_validator("floor_soc_fraction")
    @classmethod
    def _floor_for_discharge(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None and info.data.get("discharge_opt_in"):
            raise ValueError("is needed when discharge_opt_in is true: say what must stay in the battery")
        target = info.data.get("target_soc_fraction")
        if value is not None and target is not None and value > target:
            raise ValueError(f"is above target_soc_fraction ({target}): lower it")
        return value

    def declaration(self) -> Declaration:
        """Return it in the state's words."""
        return Declaration(
            departure=self.departure,
            energy_kwh=self.energy_kwh,
            target_soc_fraction=self.target_soc_fraction,
            discharge_opt_in=self.discharge_opt_in,
            floor_soc_fraction=self.floor_soc_fraction,
        )


class BookingBody(StrictModel):
    """A shared car is needed.

    Parameters
    ----------
    token
        Which car, by its token.
    start, end
        When it is away, with time zone.
    energy_kwh
        What must be in its battery at the start [kWh].
    """

    token: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    start: AwareDatetime
    end: AwareDatetime
    energy_kwh: Energy

    @field_validator("end")
    @classmethod
    def _ends_later(cls, value: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start is not None and value <= start:
            raise ValueError("must be after start")
        return value

    def booking(self) -> Booking:
        """Return it in the state's words."""
        return Booking(token=self.token, start=self.start, end=self.end, energy_kwh=self.energy_kwh)


class SessionQuery(StrictModel):
    """Which sessions are listed.

    Parameters
    ----------
    station_id, evse_id
        Only those at a station, or at one of its sockets.
    active
        Only those that run, or only those that ended.
    limit, cursor
        How many, and from where on.
    """

    station_id: Annotated[str | None, Field(max_length=48)] = None
    evse_id: Annotated[int | None, Field(ge=1, description="needs station_id")] = None
    active: bool | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str | None, Field(max_length=100)] = None

    def problems(self) -> list[Problem]:
        """List what does not go together."""
        if self.evse_id is not None and self.station_id is None:
            return [Problem("station_id", "is needed with evse_id: sockets are numbered within a station")]
        return []
