"""Scenario files: which faults happen where and when, and which stations have which quirks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from grid.config import Document, StrictModel, load_document, validate
from simulator.station.quirks import NEEDS_VALUE, Quirk


class FaultKind(StrEnum):
    """What may go wrong; the meaning of ``value`` in the comments."""

    LINK_DROP = "link_drop"
    LINK_HALF_OPEN = "link_half_open"
    LINK_SLOW = "link_slow"  # seconds that every message takes
    LINK_DUPLICATES = "link_duplicates"  # part of the calls that are sent twice
    LINK_REORDER = "link_reorder"  # longest delay of an answer, in seconds
    RECONNECT_STORM = "reconnect_storm"
    REBOOT = "reboot"
    POWER_LOSS = "power_loss"
    LOCK_FAILURE = "lock_failure"
    CABLE_PULLED = "cable_pulled"
    RCD_TRIP = "rcd_trip"
    OVER_TEMPERATURE = "over_temperature"  # part of the current that is left
    EMERGENCY_STOP = "emergency_stop"
    BLOCKED_BAY = "blocked_bay"
    METER_FROZEN = "meter_frozen"


# Faults of one socket; the others are of the whole station.
OF_SOCKET = frozenset(
    {
        FaultKind.LOCK_FAILURE,
        FaultKind.CABLE_PULLED,
        FaultKind.RCD_TRIP,
        FaultKind.OVER_TEMPERATURE,
        FaultKind.EMERGENCY_STOP,
        FaultKind.BLOCKED_BAY,
        FaultKind.METER_FROZEN,
    }
)
# Values of those that have one and are given none.
DEFAULT_VALUES = {
    FaultKind.LINK_SLOW: 3.0,
    FaultKind.LINK_DUPLICATES: 0.5,
    FaultKind.LINK_REORDER: 2.0,
    FaultKind.OVER_TEMPERATURE: 0.5,
}


class FaultRule(StrictModel):
    """``[[faults]]``: one kind of fault, at an instant or at a rate.

    Parameters
    ----------
    kind
        What goes wrong.
    stations
        Pattern of the stations' names, ``*`` for all.
    evse
        Which socket; 0 for one at random. Faults of a station take no notice of it.
    at_minutes
        When, after the begin of the run [min].
    per_day
        How often at each station, on average in 24 hours; gaps are exponential.
    duration_minutes_min, duration_minutes_max
        How long it lasts [min]; drawn between them.
    value
        What the kind of fault needs.
    """

    kind: FaultKind
    stations: str = Field(default="*", min_length=1)
    evse: int = Field(default=0, ge=0)
    at_minutes: float | None = Field(default=None, ge=0.0)
    per_day: float | None = Field(default=None, gt=0.0)
    duration_minutes_min: float = Field(default=1.0, ge=0.0)
    duration_minutes_max: float = Field(default=10.0, ge=0.0)
    value: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.at_minutes is None) == (self.per_day is None):
            raise ValueError("give either at_minutes or per_day: an instant or a rate")
        if self.duration_minutes_min > self.duration_minutes_max:
            raise ValueError("duration_minutes_min must not be above duration_minutes_max: exchange them")
        if self.value is not None and self.kind not in DEFAULT_VALUES:
            raise ValueError(f"{self.kind.value} takes no value: remove it")
        if self.kind in {FaultKind.LINK_DUPLICATES, FaultKind.OVER_TEMPERATURE} and (self.value or 0.0) > 1.0:
            raise ValueError(f"the value of {self.kind.value} is a part of a whole: give 0 to 1")
        return self


class QuirkRule(StrictModel):
    """``[[quirks]]``: stations that do not do as their standard says.

    Parameters
    ----------
    kind
        Which quirk.
    stations
        Pattern of the stations' names, ``*`` for all.
    share
        Part of those stations that have it, chosen at random.
    value
        What the quirk needs.
    """

    kind: Quirk
    stations: str = Field(default="*", min_length=1)
    share: float = Field(default=1.0, gt=0.0, le=1.0)
    value: float | None = None

    @model_validator(mode="after")
    def _valued(self) -> Self:
        if self.kind in NEEDS_VALUE and self.value is None:
            raise ValueError(f"{self.kind.value} needs a value: add it")
        if self.kind not in NEEDS_VALUE and self.value is not None:
            raise ValueError(f"{self.kind.value} takes no value: remove it")
        return self


class ScenarioHead(StrictModel):
    """``[scenario]``.

    Parameters
    ----------
    name
        For people.
    seed
        Of everything random in it, added to the seed of the run.
    """

    name: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0)


class Scenario(StrictModel):
    """A whole scenario file.

    Parameters
    ----------
    scenario
        Its head.
    faults, quirks
        What goes wrong, and what is odd.
    """

    scenario: ScenarioHead
    faults: tuple[FaultRule, ...] = ()
    quirks: tuple[QuirkRule, ...] = ()


NO_SCENARIO = Scenario(scenario=ScenarioHead(name="nothing goes wrong"))


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises
    ------
    DocumentError
        With every problem of the file.
    """
    return read_scenario(load_document(path))


def read_scenario(document: Document) -> Scenario:
    """Validate the tables of a scenario file.

    Raises
    ------
    DocumentError
        With every problem.
    """
    return validate(Scenario, document.tables, source=document.source)
