"""The table ``[simulation]``: who comes, in which cars, and how far the truth is off the forecast."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Self

from pydantic import Field, model_validator

from grid.config import StrictModel

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0)]


class ClassShares(StrictModel):
    """``[simulation.class_shares]``: what visitors tell, as parts of a whole of any size.

    Parameters
    ----------
    none
        Nothing: neither need nor departure.
    driver
        Need and departure, in a declaration.
    car
        State of charge, target and departure, by the protocol; only at stations that speak OCPP 2.x. Who
        finds none of them free tells nothing.
    """

    none: Share
    driver: Share
    car: Share

    @model_validator(mode="after")
    def _anybody(self) -> Self:
        if self.none + self.driver + self.car <= 0.0:
            raise ValueError("the shares are all 0: give at least one class a share")
        return self


class VehicleShare(StrictModel):
    """``[[simulation.vehicles]]``: a model among the visitors' cars.

    Parameters
    ----------
    file
        TOML file of the model, like ``vehicles/tesla-model-3.toml``.
    share
        Its part of the visitors, of a whole of any size.
    """

    file: str = Field(min_length=1)
    share: float = Field(gt=0.0)


class NoiseTable(StrictModel):
    """``[simulation.noise]``: how the truth leaves the forecast.

    Both deviations wander as first-order autoregressive noise. They count in standard deviations of the
    forecast itself: at 1 the truth lies under the upper bound 95 % of the time, as the forecast says.

    Parameters
    ----------
    base_load_deviations, pv_deviations
        Standard deviation of base load and of sun, in those of the forecast.
    base_load_correlation_minutes, pv_correlation_minutes
        Time after which a deviation has fallen to 1/e [min].
    """

    base_load_deviations: float = Field(ge=0.0, le=3.0)
    base_load_correlation_minutes: float = Field(gt=0.0)
    pv_deviations: float = Field(ge=0.0, le=3.0)
    pv_correlation_minutes: float = Field(gt=0.0)


class BookingsTable(StrictModel):
    """``[simulation.bookings]``: how the shared cars are used.

    Parameters
    ----------
    per_day_min, per_day_max
        Bookings of each car and day.
    first_local_time, last_local_time
        When the first one may begin and the last one has ended.
    duration_hours_min, duration_hours_max
        How long a car is away [h].
    energy_kwh_min, energy_kwh_max
        What a trip takes out of the battery [kWh].
    plugged_hours_min
        How long a car is plugged in between two trips at the least [h].
    announced_hours_ahead
        How long before it begins a booking is made known [h].
    floor_soc_fraction
        State of charge that a trip must leave: the car wants this and the trip's energy at departure.
    start_soc_fraction_min, start_soc_fraction_max
        State of charge at the begin of the run.
    """

    per_day_min: int = Field(ge=1, le=6)
    per_day_max: int = Field(ge=1, le=6)
    first_local_time: time
    last_local_time: time
    duration_hours_min: float = Field(gt=0.0)
    duration_hours_max: float = Field(gt=0.0)
    energy_kwh_min: float = Field(gt=0.0)
    energy_kwh_max: float = Field(gt=0.0)
    plugged_hours_min: float = Field(gt=0.0)
    announced_hours_ahead: float = Field(ge=0.0)
    floor_soc_fraction: Fraction
    start_soc_fraction_min: Fraction
    start_soc_fraction_max: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("per_day", "duration_hours", "energy_kwh", "start_soc_fraction"):
            if getattr(self, f"{name}_min") > getattr(self, f"{name}_max"):
                raise ValueError(f"{name}_min must not be above {name}_max: exchange them")
        if self.day_hours < self.per_day_max * (self.duration_hours_min + self.plugged_hours_min):
            raise ValueError(
                f"{self.per_day_max} bookings do not fit between first_local_time and last_local_time: "
                "lower per_day_max, duration_hours_min or plugged_hours_min"
            )
        return self

    @property
    def day_hours(self) -> float:
        """Hours between the first and the last local time [h]."""
        first, last = self.first_local_time, self.last_local_time
        return last.hour - first.hour + (last.minute - first.minute) / 60.0


class SharedCarTable(StrictModel):
    """``[[simulation.shared_cars]]``: a car with a socket of its own.

    Parameters
    ----------
    token
        Its card, which bookings name.
    station, evse
        Its socket.
    file
        TOML file of its model.
    """

    token: str = Field(min_length=1, max_length=20)
    station: str = Field(min_length=1)
    evse: int = Field(ge=1)
    file: str = Field(min_length=1)


class SimulationConfig(StrictModel):
    """``[simulation]``.

    Parameters
    ----------
    meter_interval_s
        Time between two meter values of a station [s].
    telegram_interval_s
        Time between two telegrams of the street's own meters [s].
    sessions_per_day
        Visitors who want to plug in on a day, on average; who finds no free socket drives on.
    usable_fraction
        Nobody needs more than the car takes in this part of the stay at full power.
    declaration_delay_s
        Longest time after plugging in until a driver has declared need and departure [s].
    class_shares
        What visitors tell.
    vehicles
        The visitors' cars.
    noise
        How the truth leaves the forecast.
    bookings
        How the shared cars are used; needed when there are any.
    shared_cars
        Cars with a socket of their own, which no visitor uses.
    """

    meter_interval_s: int = Field(default=300, ge=10, le=3600)
    telegram_interval_s: int = Field(default=10, ge=1, le=300)
    sessions_per_day: float = Field(ge=0.0)
    usable_fraction: float = Field(default=0.85, gt=0.0, le=1.0)
    declaration_delay_s: int = Field(default=120, ge=0, le=3600)
    class_shares: ClassShares
    vehicles: tuple[VehicleShare, ...] = Field(min_length=1)
    noise: NoiseTable
    bookings: BookingsTable | None = None
    shared_cars: tuple[SharedCarTable, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.shared_cars and self.bookings is None:
            raise ValueError("there are shared_cars but no [simulation.bookings]: add the table")
        sockets = [(car.station, car.evse) for car in self.shared_cars]
        tokens = [car.token for car in self.shared_cars]
        if len(set(sockets)) < len(sockets) or len(set(tokens)) < len(tokens):
            raise ValueError("two shared_cars have the same socket or token: give each its own")
        return self
