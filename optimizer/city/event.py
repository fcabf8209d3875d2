"""A car arrives: plan its site again, alone, within what the city's last plan left for it."""

from __future__ import annotations

import time

import numpy as np

from optimizer.city.assemble import QUOTA_FIELDS
from optimizer.city.district import SITE_GAP
from optimizer.city.plan import Quota
from optimizer.city.site import answer_signal, forbid
from optimizer.coefficients import Floats
from optimizer.evaluate import ROUNDING_KW
from optimizer.explain import explain
from optimizer.plan import Plan
from optimizer.problem import Problem


def replan_site(problem: Problem, quota: Quota) -> Plan:
    """Plan one site of a city again.

    Parameters
    ----------
    problem
        The site as it is now, over the horizon of the city's plan.
    quota
        Of the site in that plan.

    Returns
    -------
    Plan
        It has passed the checker of sites, and stays within the quota where base load and sun allow that;
        where they do not, its explanation begins with a warning.

    Raises
    ------
    ValueError
        When the quota is over another number of steps.
    """
    started_s = time.monotonic()
    quota_kw = read_quota(quota, problem.steps)
    signal = forbid(problem, np.zeros_like(quota_kw), quota_kw)
    answer = answer_signal(problem, signal, SITE_GAP, problem.time_limit_s)
    excess_kwh = problem.step_h * float(np.maximum(0.0, answer.flows_kw - quota_kw).max(axis=0).sum())
    sentences = explain(problem, answer.plan, answer.plan.status)
    if excess_kwh > ROUNDING_KW:
        warning = f"Warning: the site takes {excess_kwh:.2f} kWh more than the city left for it"
        sentences = (f"{warning}: plan the city again.", *sentences)
    return answer.plan.model_copy(
        update={"explanation": tuple(sentences), "solve_seconds": time.monotonic() - started_s}
    )


def read_quota(quota: Quota, steps: int) -> Floats:
    """Return a quota as an array, infinite where nothing is asked, shape (4, steps) [kW].

    Raises
    ------
    ValueError
        When it is over another number of steps.
    """
    result = np.full((4, steps), np.inf)
    for flow, name in QUOTA_FIELDS.items():
        values = getattr(quota, name)
        if values is None:
            continue
        if len(values) != steps:
            raise ValueError(
                f"the quota's {name} has {len(values)} steps, the site {steps}: plan the city again"
            )
        result[flow] = values
    return result
