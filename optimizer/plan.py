"""What the optimizer answers: a plan with its proof, in the names of the public JSON document."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class Proof(StrEnum):
    """What was proven about a plan."""

    OPTIMAL = "OPTIMAL"
    CERTIFIED = "CERTIFIED"
    FEASIBLE = "FEASIBLE"
    FALLBACK = "FALLBACK"


class Stop(StrEnum):
    """Why the search for a better plan stopped."""

    SOLVED = "solved"
    GAP_REACHED = "gap reached"
    SEARCH_ENDED = "search ended"
    TIME_LIMIT = "time limit"
    SOLVER_FAILED = "solver failed"


class PlanStatus(BaseModel):
    """Status in two parts, printed as one: ``CERTIFIED (gap reached)``.

    Parameters
    ----------
    proof
        OPTIMAL: no plan is better; CERTIFIED: within the wanted gap of the bound; FEASIBLE: every rule is
        kept; FALLBACK: made without the solver.
    stop
        Why the search stopped. ``time limit`` says that the wall clock decided: an equal request may get
        another plan.
    """

    model_config = ConfigDict(frozen=True)

    proof: Proof
    stop: Stop

    def __str__(self) -> str:
        return f"{self.proof} ({self.stop})"


def _read_status(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\w+) \((.+)\)", value)):
        return PlanStatus(proof=Proof(match[1]), stop=Stop(match[2]))
    return value


# Written as one text, read from it.
Status = Annotated[PlanStatus, BeforeValidator(_read_status), PlainSerializer(str, return_type=str)]


class EvPlan(BaseModel):
    """The plan of one session.

    Parameters
    ----------
    power_kw
        Power at the socket in each step, > 0 charges, 0 outside the session's window [kW].
    energy_kwh
        Energy in the battery at each of the ``steps + 1`` time points: what it arrives with before its
        window, what it leaves with after it [kWh].
    shortfall_kwh
        What is missing at departure [kWh].
    min_energy_shortfall_kwh
        Energy below the least, summed over the time points of the window [kWh]; 0 unless it arrives below it.
    undelivered_kwh
        Largest distance below ``min_delivered_kwh`` at any time point [kWh]: the part of that floor that no
        plan within the limits can keep.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    power_kw: tuple[float, ...]
    energy_kwh: tuple[float, ...]
    shortfall_kwh: float
    min_energy_shortfall_kwh: float = 0.0
    undelivered_kwh: float = 0.0


class PeakBandPlan(BaseModel):
    """A tariff band's peak.

    Parameters
    ----------
    peak_kw
        Highest import in the band's steps, or what was made before when that is more [kW].
    cost_eur
        Price of that peak, sunk part included [EUR].
    """

    model_config = ConfigDict(frozen=True)

    name: str
    peak_kw: float
    cost_eur: float


class Reason(StrEnum):
    """What a session waits for in a step, or why it takes no more."""

    PRICE = "price"
    SUN = "sun"
    PEAK = "peak"
    LIMIT = "limit"
    EVEN = "even"
    SERVED = "served"
    FULL = "full"
    MINIMUM_POWER = "minimum power"
    GIVES = "gives back"


class Wait(BaseModel):
    """Why one session charges with less than its most in some steps.

    Parameters
    ----------
    ev
        Id of the session.
    first_step, end_step
        First step of the wait, and first step after it.
    reason
        PRICE: energy is cheaper later; SUN: sun comes later, or it takes what there is; PEAK: charging would
        raise a band's peak; LIMIT: others need the power more, or the limit leaves too little; EVEN: waiting
        costs nothing; SERVED: it has or gets what it needs; MINIMUM_POWER: less than its smallest power was
        left; GIVES: it discharges.
    of
        Name of the band, the group, or the source of the connection's limit.
    cost_eur_per_kwh, worth_eur_per_kwh
        What a kWh at the socket costs there, peaks and scarcity included, and what it is worth to the
        session: means over the steps, from the duals of the final linear program [EUR/kWh].
    until_step
        When it charges next; None when it does not.
    words
        The same as a sentence.
    """

    model_config = ConfigDict(frozen=True)

    ev: str
    first_step: int
    end_step: int
    reason: Reason
    of: str | None
    cost_eur_per_kwh: float
    worth_eur_per_kwh: float
    until_step: int | None
    words: str


class LimitValue(BaseModel):
    """What one more kW of a limit would save in each step [EUR/kW]; empty where there is no limit.

    Parameters
    ----------
    id
        ``connection``, or the id of the group.
    import_eur_per_kw, export_eur_per_kw
        Over one step each: their sum is the worth of one more kW all the time.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    import_eur_per_kw: tuple[float, ...] = ()
    export_eur_per_kw: tuple[float, ...] = ()


class Values(BaseModel):
    """Marginal values, from the duals of the final linear program: slopes at this plan, pauses as decided.

    Parameters
    ----------
    energy_eur_per_kwh
        What one more kWh at a socket costs in each step, peaks included, limits not [EUR/kWh].
    connection, groups
        What one more kW of their limits would save.
    """

    model_config = ConfigDict(frozen=True)

    energy_eur_per_kwh: tuple[float, ...]
    connection: LimitValue
    groups: tuple[LimitValue, ...]


class Uncontrolled(BaseModel):
    """The same site when every car charges at its most from arrival, whatever the limits say.

    Parameters
    ----------
    money_eur
        What it would pay [EUR].
    saving_eur
        How much less the plan costs, energy missing at departure priced and energy left in the batteries
        valued in both [EUR].
    limit_excess_kwh
        Energy over the connection's limits [kWh].
    peak_import_kw
        Its highest import [kW].
    """

    model_config = ConfigDict(frozen=True)

    money_eur: float
    saving_eur: float
    limit_excess_kwh: float
    peak_import_kw: float


class Plan(BaseModel):
    """A checked plan of one site.

    Parameters
    ----------
    status
        What was proven, and why the search stopped.
    bound_eur
        No plan costs less [EUR]. None when the solver gave no bound.
    objective_eur
        ``money_eur`` plus the shortfall price times the shortfall, plus 100 times that price per kWh of
        ``limit_excess_kw`` and 10 times per kWh of ``min_energy_shortfall_kwh``, less
        ``final_energy_value_eur`` [EUR].
    money_eur
        Energy, degradation on discharged energy, and band peaks [EUR].
    gap
        ``(objective_eur - bound_eur) / max(abs(objective_eur), 0.01)`` [fraction]; where a floor of delivered
        energy is out of reach, its price is added to the denominator.
    solve_seconds
        Wall-clock time of the whole answer [s].
    import_kw, export_kw, curtailed_kw
        Flows at the connection and sun turned down, in each step [kW].
    limit_excess_kw
        Power over a limit of the connection that base load or sun alone causes, in each step [kW].
    min_energy_shortfall_kwh
        Sum over the sessions [kWh].
    final_energy_value_eur
        Worth of the energy that the batteries hold in the end [EUR].
    explanation
        Sentences: warnings first, then what binds.
    waits
        Why each session takes less than its most, from step to step; empty without the solver.
    values
        What one more kWh or kW would be worth; None without the solver.
    uncontrolled
        What the plan is compared with.
    """

    model_config = ConfigDict(frozen=True)

    status: Status
    bound_eur: float | None
    objective_eur: float
    money_eur: float
    gap: float | None
    solve_seconds: float
    import_kw: tuple[float, ...]
    export_kw: tuple[float, ...]
    curtailed_kw: tuple[float, ...]
    limit_excess_kw: tuple[float, ...]
    min_energy_shortfall_kwh: float = 0.0
    final_energy_value_eur: float = 0.0
    peak_bands: tuple[PeakBandPlan, ...]
    evs: tuple[EvPlan, ...]
    explanation: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    values: Values | None = None
    uncontrolled: Uncontrolled | None = None
