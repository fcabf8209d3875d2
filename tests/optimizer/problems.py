"""Problems that hypothesis makes up: small sites with everything that a document may hold."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from optimizer.problem import Problem

LEASTS_KW = (0.0, 1.38, 4.14)


def numbers(low: float, high: float, decimals: int = 3) -> st.SearchStrategy[float]:
    """Draw round numbers: they shrink well, and ties are found."""
    scale = 10**decimals
    return st.integers(round(low * scale), round(high * scale)).map(lambda whole: whole / scale)


@st.composite
def evs(draw: st.DrawFn, index: int, steps: int, *, two_way: bool) -> dict[str, Any]:
    arrival = draw(st.integers(0, steps))
    capacity = draw(numbers(5.0, 80.0, 1))
    least = draw(st.sampled_from(LEASTS_KW))
    discharges = two_way and draw(st.booleans())
    ev = {
        "id": f"ev-{index}",
        "arrival_step": arrival,
        "departure_step": draw(st.integers(arrival, steps)),
        "capacity_kwh": capacity,
        "min_energy_kwh": draw(numbers(0.0, capacity, 1)),
        "initial_energy_kwh": draw(numbers(0.0, 1.1 * capacity, 1)),
        "departure_energy_kwh": draw(numbers(0.0, 1.2 * capacity, 1)),
        "max_charge_kw": draw(st.sampled_from([0.0, 4.14, 7.4, 11.04])),
        "max_discharge_kw": draw(st.sampled_from([4.14, 11.04])) if discharges else 0.0,
        "min_discharge_kw": least,
        "charge_efficiency": draw(numbers(0.5, 1.0, 2)),
        "discharge_efficiency": draw(numbers(0.5, 1.0, 2)),
        "degradation_eur_per_kwh": draw(numbers(0.0, 0.1, 2)),
        "final_energy_value_eur_per_kwh": draw(numbers(-0.1, 0.3, 2)),
    }
    ev["min_charge_kw"] = least
    if least > 0.0 and draw(st.booleans()):
        ev["charge_loss_kw"] = draw(st.sampled_from([0.0, 0.15, 0.3]))
        ev["discharge_loss_kw"] = draw(st.sampled_from([0.0, 0.15, 0.5]))
    if draw(st.booleans()):
        rises = draw(st.lists(numbers(0.0, 2.0, 1), min_size=steps + 1, max_size=steps + 1))
        ev["min_delivered_kwh"] = [round(sum(rises[: point + 1]), 6) for point in range(steps + 1)]
    return ev


@st.composite
def documents(draw: st.DrawFn, *, most_evs: int = 4, most_steps: int = 8) -> dict[str, Any]:
    """Draw a problem as plain data."""
    steps = draw(st.integers(1, most_steps))

    def array(low: float, high: float) -> list[float]:
        return draw(st.lists(numbers(low, high), min_size=steps, max_size=steps))

    two_way = draw(st.booleans())
    sessions = [draw(evs(index, steps, two_way=two_way)) for index in range(draw(st.integers(0, most_evs)))]
    base, sun = array(-2.0, 15.0), array(0.0, 15.0)
    margin = draw(numbers(0.0, 3.0, 1))
    document: dict[str, Any] = {
        "start": "2024-06-11T04:00:00Z",
        "step_minutes": draw(st.sampled_from([15, 30, 60])),
        "steps": steps,
        "import_price_eur_per_kwh": array(-0.3, 0.5),
        "export_price_eur_per_kwh": array(-0.3, 0.5),
        "base_load_kw": base,
        "pv_kw": sun,
        "base_load_upper_kw": [load + margin for load in base],
        "base_load_lower_kw": [load - margin for load in base],
        "pv_lower_kw": [max(0.0, power - margin) for power in sun],
        "pv_upper_kw": [power + margin for power in sun],
        "import_limit_kw": array(0.0, 40.0),
        "export_limit_kw": array(0.0, 40.0),
        "pv_curtailable": draw(st.booleans()),
        "netting": draw(st.sampled_from(["none", "confirmed"])),
        "peak_bands": [
            {
                "name": f"band-{index}",
                "steps": sorted(draw(st.sets(st.integers(0, steps - 1)))),
                "price_eur_per_kw": draw(numbers(0.0, 3.0, 1)),
                "realised_kw": draw(numbers(0.0, 30.0, 1)),
            }
            for index in range(draw(st.integers(0, 2)))
        ],
        "evs": sessions,
        "groups": [],
        "shortfall_eur_per_kwh": draw(st.sampled_from([0.5, 1.0, 5.0])),
        "gap": 1e-6,
    }
    for index in range(draw(st.integers(0, 2)) if sessions else 0):
        members = sorted(draw(st.sets(st.sampled_from([ev["id"] for ev in sessions]), min_size=1)))
        document["groups"].append(
            {
                "id": f"group-{index}",
                "members": members,
                "import_limit_kw": draw(st.none() | numbers(0.0, 25.0, 1)),
                "export_limit_kw": draw(st.none() | numbers(0.0, 25.0, 1)),
                "netting": draw(st.sampled_from(["none", "confirmed"])),
                "weights": {member: draw(st.sampled_from([0.0, 1 / 3, 1.0])) for member in members[:1]},
            }
        )
    return document


def problems(*, most_evs: int = 4, most_steps: int = 8) -> st.SearchStrategy[Problem]:
    """Draw validated problems."""
    return documents(most_evs=most_evs, most_steps=most_steps).map(Problem.model_validate)
