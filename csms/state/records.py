"""What others ask the state to record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a driver says of a session.

    Parameters
    ----------
    departure
        When the car leaves (aware).
    energy_kwh, target_soc_fraction
        What it needs by then: energy from the start of the session on [kWh], or a state of charge [fraction];
        one of both.
    discharge_opt_in
        Whether the car may be discharged; needs a floor.
    floor_soc_fraction
        Never discharged below [fraction].
    """

    departure: datetime
    energy_kwh: float | None = None
    target_soc_fraction: float | None = None
    discharge_opt_in: bool = False
    floor_soc_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A shared car is needed.

    Parameters
    ----------
    token
        Which car, by its token.
    start, end
        When it is away (aware).
    energy_kwh
        What must be in its battery at ``start`` [kWh].
    """

    token: str
    start: datetime
    end: datetime
    energy_kwh: float


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan that was made.

    Parameters
    ----------
    id
        Ours.
    at
        When it was asked for.
    trigger
        Why: a quarter, an arrival, a departure, a signal.
    status
        How it ended, in the words of the optimizer.
    objective_eur, gap
        As the optimizer says; None when there is no plan [EUR, fraction].
    solve_seconds
        Real seconds.
    problem_json, plan_json
        The documents; the plan's is empty when there is none.
    """

    id: str
    at: datetime
    trigger: str
    status: str
    objective_eur: float | None
    gap: float | None
    solve_seconds: float
    problem_json: str
    plan_json: str
