"""What is answered for a site with scenarios: one plan a scenario, equal in the first steps."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from optimizer.plan import Plan, Status


class ScenarioPlan(BaseModel):
    """The plan of one scenario.

    Parameters
    ----------
    id, probability
        As asked.
    plan
        Checked against the scenario's own problem.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    probability: float
    plan: Plan


class FirstSteps(BaseModel):
    """What one session does until it is known which scenario comes true.

    Parameters
    ----------
    power_kw
        Power at the socket in each of the shared steps, > 0 charges [kW]: the same in every scenario in which
        it is connected.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    power_kw: tuple[float, ...]


class UncertainPlan(BaseModel):
    """A checked plan of a site with scenarios.

    Parameters
    ----------
    status
        What was proven, and why the search stopped.
    bound_eur
        No plan has a lower expectation [EUR]. None when the solver gave no bound.
    objective_eur, money_eur
        Expectations of what the scenarios' plans cost [EUR].
    gap
        As in `optimizer.plan.Plan`, of the expectations.
    first_steps_eur, without_scenarios_eur
        Expectation of what the first steps, and those of the plan without scenarios, cost at the least,
        floors of delivery that are given up included: the answers of the scenarios are relaxed [EUR]. None
        for a simple plan, and where a scenario does not allow the other steps.
    solve_seconds
        Wall-clock time of the whole answer [s].
    first_steps
        What to do now, for the sessions that are connected in the shared steps.
    scenarios
        One plan each, in the order of the question.
    explanation
        Sentences.
    """

    model_config = ConfigDict(frozen=True)

    status: Status
    bound_eur: float | None
    objective_eur: float
    money_eur: float
    gap: float | None
    first_steps_eur: float | None
    without_scenarios_eur: float | None
    solve_seconds: float
    first_steps: tuple[FirstSteps, ...]
    scenarios: tuple[ScenarioPlan, ...]
    explanation: tuple[str, ...] = ()
