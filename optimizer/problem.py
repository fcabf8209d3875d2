"""What the optimizer is asked: one site behind one connection, as a validated document.

The field names are those of the public JSON document. Power is in kW, energy in kWh at the battery unless
said otherwise, money in EUR. Arrays have one number per step; a single number stands for all steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from grid.config import StrictModel, list_problems
from grid.errors import DocumentError
from grid.errors import Problem as Fault
from optimizer.rules import Place, find_contradictions

SOURCE = "problem"
# No quantity of a street is larger; anything above is a wrong unit or a typing error and spoils the numerics.
LARGEST = 1e6
# One year of quarters.
MOST_STEPS = 35_136


def _to_list(value: Any, info: ValidationInfo) -> Any:
    """Turn a number into an array of it, and an array of numpy into a list."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value] * info.data.get("steps", 1)
    return value


def _to_names(value: Any, info: ValidationInfo) -> Any:
    """Turn a name into an array of it."""
    return [value] * info.data.get("steps", 1) if isinstance(value, str) else value


def _to_number(value: Any) -> Any:
    """Turn a number of numpy into one of Python."""
    return value.item() if hasattr(value, "item") else value


_Finite = Field(strict=True, allow_inf_nan=False, ge=-LARGEST, le=LARGEST)
_FromZero = Field(strict=True, allow_inf_nan=False, ge=0.0, le=LARGEST)
_AboveZero = Field(strict=True, allow_inf_nan=False, gt=0.0, le=LARGEST)
Number = Annotated[float, BeforeValidator(_to_number), _Finite]
Amount = Annotated[float, BeforeValidator(_to_number), _FromZero]
Positive = Annotated[float, BeforeValidator(_to_number), _AboveZero]
Fraction = Annotated[float, BeforeValidator(_to_number), Field(strict=True, gt=0.0, le=1.0)]
Index = Annotated[StrictInt, BeforeValidator(_to_number), Field(ge=0)]
Name = Annotated[StrictStr, Field(min_length=1)]
Numbers = Annotated[tuple[Annotated[float, _Finite], ...], BeforeValidator(_to_list)]
Amounts = Annotated[tuple[Annotated[float, _FromZero], ...], BeforeValidator(_to_list)]


class Netting(StrEnum):
    """Whether a limit counts discharge as relief of import, and charge as relief of export."""

    NONE = "none"
    CONFIRMED = "confirmed"


class Ev(StrictModel):
    """One session: a battery that is connected in the steps ``arrival_step <= t < departure_step``.

    Parameters
    ----------
    arrival_step, departure_step
        First connected step, and first step after it; equal for a window of zero length.
    capacity_kwh, min_energy_kwh, initial_energy_kwh, departure_energy_kwh
        Energy in the battery: the most, the least, at arrival, wanted at time point ``departure_step`` [kWh].
    max_charge_kw, max_discharge_kw
        Largest power at the socket [kW]; 0 means that the direction is not available.
    min_charge_kw, min_discharge_kw
        Smallest power other than a pause [kW] (6 A x 230 V x phases).
    charge_efficiency, discharge_efficiency
        Battery energy per energy at the socket, and the reverse when discharging [fraction].
    charge_loss_kw, discharge_loss_kw
        What a charger loses at the battery while it charges, and while it discharges, whatever the power:
        ``battery power = charge_efficiency * power - charge_loss_kw`` and
        ``battery power = power / discharge_efficiency + discharge_loss_kw`` [kW]. So trickling is dear. It
        needs a smallest power in that direction.
    degradation_eur_per_kwh
        Wear per kWh discharged at the socket [EUR/kWh].
    min_delivered_kwh
        Least energy charged since step 0, measured at the socket, at each of the ``steps + 1`` time points
        [kWh]. It never decreases, and what discharging takes out is not subtracted. None: no such floor.
    final_energy_value_eur_per_kwh
        Worth of the energy in the battery at time point ``departure_step`` [EUR/kWh].
    """

    id: Name
    arrival_step: Index
    departure_step: Index
    capacity_kwh: Amount
    min_energy_kwh: Amount = 0.0
    initial_energy_kwh: Amount
    departure_energy_kwh: Amount
    max_charge_kw: Amount
    max_discharge_kw: Amount = 0.0
    min_charge_kw: Amount = 0.0
    min_discharge_kw: Amount = 0.0
    charge_efficiency: Fraction
    discharge_efficiency: Fraction
    charge_loss_kw: Amount = 0.0
    discharge_loss_kw: Amount = 0.0
    degradation_eur_per_kwh: Amount = 0.06
    min_delivered_kwh: Amounts | None = None
    final_energy_value_eur_per_kwh: Number = 0.0


class Group(StrictModel):
    """Sessions behind one fuse, cable or connection inside the site.

    Parameters
    ----------
    members
        Ids of sessions.
    import_limit_kw, export_limit_kw
        Limits on the weighted sum of the members' power [kW], a number or one per step. None: no limit.
    netting
        Whether confirmed discharge relieves the import limit, and charge the export limit.
    weights
        A member's share of its power that counts in the group, 1 where it is not named; one third for a
        three-phase car in the group of one phase [fraction].
    """

    id: Name
    members: tuple[Name, ...]
    import_limit_kw: Amounts | None = None
    export_limit_kw: Amounts | None = None
    netting: Netting = Netting.NONE
    weights: dict[str, Amount] = Field(default_factory=dict)


class PeakBand(StrictModel):
    """A tariff band that charges the highest import in its steps.

    Parameters
    ----------
    steps
        Indices of the steps in the band.
    price_eur_per_kw
        Price of the band's peak [EUR/kW].
    realised_kw
        Peak that was made before the first step in the same period: sunk [kW].
    """

    name: Name
    steps: tuple[Index, ...]
    price_eur_per_kw: Amount
    realised_kw: Amount = 0.0


class Problem(StrictModel):
    """One site, its prices, limits and sessions over a horizon.

    Parameters
    ----------
    start
        First instant (aware, UTC).
    step_minutes, steps
        Length of a step [min], and the number of them.
    import_price_eur_per_kwh, export_price_eur_per_kwh
        Price of a kWh taken from, and given to the grid [EUR/kWh].
    base_load_kw, pv_kw
        Expected load without the sessions, and expected sun [kW].
    import_limit_kw, export_limit_kw
        Limits at the connection [kW].
    import_limit_source
        Who sets the import limit, in all steps or step by step, for the explanation. None: ``connection``.
    pv_curtailable
        Whether the sun may be turned down.
    netting
        Under ``none`` base + charge - (pv - curtailed) <= import limit and pv - curtailed + discharge - base
        <= export limit; under ``confirmed`` the net flow meets both.
    base_load_upper_kw, base_load_lower_kw, pv_lower_kw, pv_upper_kw
        Quantiles used in limits only [kW]; None: the expected arrays.
    shortfall_eur_per_kwh
        Price of a kWh missing at departure [EUR/kWh].
    gap
        Relative distance from the bound at which the search may stop [fraction].
    time_limit_s
        Wall-clock budget of the solve [s].
    """

    start: AwareDatetime
    step_minutes: Annotated[Positive, Field(le=1440.0)]
    steps: Annotated[Index, Field(ge=1, le=MOST_STEPS)]
    import_price_eur_per_kwh: Numbers
    export_price_eur_per_kwh: Numbers
    base_load_kw: Numbers = Field(default=0.0, validate_default=True)
    pv_kw: Amounts = Field(default=0.0, validate_default=True)
    import_limit_kw: Amounts
    export_limit_kw: Amounts
    import_limit_source: Annotated[tuple[Name, ...], BeforeValidator(_to_names)] | None = None
    pv_curtailable: StrictBool = False
    netting: Netting = Netting.NONE
    peak_bands: tuple[PeakBand, ...] = ()
    evs: tuple[Ev, ...]
    groups: tuple[Group, ...] = ()
    base_load_upper_kw: Numbers | None = None
    base_load_lower_kw: Numbers | None = None
    pv_lower_kw: Amounts | None = None
    pv_upper_kw: Amounts | None = None
    shortfall_eur_per_kwh: Positive = 1.0
    gap: Annotated[Amount, Field(lt=1.0)] = 0.001
    time_limit_s: Positive = 10.0

    @field_validator("start", mode="before")
    @classmethod
    def _no_timestamp(cls, value: Any) -> Any:
        if not isinstance(value, str | datetime):
            raise ValueError("must be an instant in ISO 8601, like 2024-06-11T04:00:00Z")  # noqa: TRY004
        return value

    @field_validator("start")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _agree(self) -> Problem:
        contradictions = find_contradictions(dict(self))
        if contradictions:
            raise DocumentError(SOURCE, contradictions)
        return self

    @property
    def step_h(self) -> float:
        """Length of a step [h]."""
        return self.step_minutes / 60.0


def parse_problem(document: bytes | str | Mapping[str, Any], *, source: str = SOURCE) -> Problem:
    """Read a problem from JSON text or from plain data.

    Parameters
    ----------
    document
        JSON text, or a mapping with the same names.
    source
        Name of the document for the error.

    Raises
    ------
    DocumentError
        With every error and its JSON path.
    """
    data = _read_json(document, source) if isinstance(document, bytes | str) else dict(document)
    if not isinstance(data, dict):
        raise DocumentError(source, [Fault("", f"must be a JSON object, not {type(data).__name__}")])
    try:
        return Problem.model_validate(data)
    except DocumentError as error:
        raise DocumentError(source, error.problems) from None
    except ValidationError as error:
        wrong = {_existing_place(data, detail["loc"]) for detail in error.errors(include_url=False)}
        # One run names everything: the rules between fields are tried on the fields that are right.
        faults = [*_list_faults(error, data), *find_contradictions(data, wrong)]
        raise DocumentError(source, faults) from None


def _read_json(text: bytes | str, source: str) -> Any:
    # The parser of the standard library takes NaN and Infinity, so that they get an error with their place.
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(source, [Fault("", f"is no JSON: {error}")]) from None


def _existing_place(data: Any, location: Place) -> Place:
    """Cut a location where the document ends: the number that stands for all steps has no elements."""
    for depth, part in enumerate(location):
        known = range(len(data)) if isinstance(data, list | tuple) else data if isinstance(data, dict) else ()
        if part in known:
            data = data[part]
        else:
            return location[: depth + isinstance(data, list | tuple | dict)]
    return location


def _list_faults(error: ValidationError, data: Any) -> list[Fault]:
    faults = list_problems(error, Problem)
    for position, detail in enumerate(error.errors(include_url=False)):
        excess = len(detail["loc"]) - len(_existing_place(data, detail["loc"]))
        if excess:
            path = faults[position].path
            faults[position] = Fault(path[: path.rindex("[")], faults[position].message)
    # The same number is wrong once, not once a step.
    return list(dict.fromkeys(faults))
