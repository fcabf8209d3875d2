"""Problems with scenarios that hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from optimizer.problem import Problem
from optimizer.uncertain.problem import Scenario, Uncertain, parse_uncertain
from tests.optimizer.problems import documents, numbers

WEIGHTS = {1: (1.0,), 2: (0.25, 0.75), 3: (0.5, 0.3, 0.2)}


@st.composite
def documents_with_scenarios(
    draw: st.DrawFn, *, most_evs: int = 3, most_steps: int = 6, floors: bool = True
) -> dict[str, Any]:
    """Draw a problem whose scenarios have another sun, other limits, earlier departures and new cars."""
    document = draw(documents(most_evs=most_evs, most_steps=most_steps))
    if not floors:
        for ev in document["evs"]:
            ev.pop("min_delivered_kwh", None)
    steps = document["steps"]
    weights = WEIGHTS[draw(st.integers(1, 3))]
    scenarios = []
    for index, weight in enumerate(weights):
        scenario: dict[str, Any] = {"id": f"s{index}", "probability": weight}
        if draw(st.booleans()):
            scenario["pv_kw"] = draw(st.lists(numbers(0.0, 15.0), min_size=steps, max_size=steps))
            scenario |= {"pv_lower_kw": None, "pv_upper_kw": None}
        if draw(st.booleans()):
            scenario["import_limit_kw"] = draw(numbers(0.0, 40.0))
        scenario["evs"] = [
            {"id": ev["id"], "departure_step": draw(st.integers(ev["arrival_step"], ev["departure_step"]))}
            for ev in document["evs"]
            if draw(st.booleans())
        ]
        if document["evs"] and draw(st.booleans()):
            arrival = draw(st.integers(0, steps))
            scenario["evs"].append(
                document["evs"][0] | {"id": "late", "arrival_step": arrival, "departure_step": steps}
            )
        scenarios.append(scenario)
    return document | {"scenarios": scenarios, "shared_steps": draw(st.integers(1, steps))}


def uncertain(**options: Any) -> st.SearchStrategy[Uncertain]:
    """Draw validated problems with scenarios."""
    return documents_with_scenarios(**options).map(parse_uncertain)


def repeat(problem: Problem, times: int, shared_steps: int = 1) -> Uncertain:
    """Return a problem with so many scenarios that are all the problem itself."""
    scenarios = tuple(Scenario(f"s{index}", 1.0 / times, problem) for index in range(times))
    return Uncertain(problem, scenarios, shared_steps)
