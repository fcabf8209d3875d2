"""The readable model of several scenarios whose first steps are shared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pyomo.environ as pyo

from optimizer.coefficients import Coefficients
from optimizer.model.build import build_model
from optimizer.model.objective import objective_terms


def build_two_stage(
    scenarios: Sequence[Coefficients],
    names: Sequence[Sequence[str]],
    probabilities: Sequence[float],
    shared_steps: int,
    *,
    exact: bool,
) -> pyo.ConcreteModel:
    r"""Build the model: one site a scenario, equal powers in the first steps, the expected cost.

    .. math::

        min \sum_s \pi_s f_s,   c_{s,i,t} = c_{r,i,t},   d_{s,i,t} = d_{r,i,t}   for t < shared_steps

    and the same of y and z, whether it charges or discharges at all.

    Parameters
    ----------
    scenarios
        Numbers of the site in each scenario.
    names
        Ids of each scenario's sessions, in the order of its numbers: equal ids are the same car.
    probabilities
        pi, of each scenario [fraction].
    shared_steps
        Steps that are decided before the scenario is known.
    exact
        With binaries, or the linear relaxation.
    """
    model = pyo.ConcreteModel(name="two stages")
    model.scenario = pyo.Block(range(len(scenarios)))
    slots: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for s, data in enumerate(scenarios):
        model.scenario[s].transfer_attributes_from(build_model(data, exact=exact))
        model.scenario[s].total_cost.deactivate()
        for i, t in model.scenario[s].connected:
            if t < shared_steps:
                slots[names[s][i], t].append((s, i))
    model.not_anticipated = pyo.ConstraintList()
    for (_, t), (first, *others) in slots.items():
        for s, i in others:
            for family in ("charge_kw", "discharge_kw", "charging", "discharging"):
                one, other = (getattr(model.scenario[at], family)[who, t] for at, who in (first, (s, i)))
                model.not_anticipated.add(one == other)
    model.expected_cost = pyo.Objective(
        expr=pyo.quicksum(
            probability * sum(objective_terms(model.scenario[s], data).values())
            for s, (probability, data) in enumerate(zip(probabilities, scenarios, strict=True))
        ),
        sense=pyo.minimize,
    )
    return model
