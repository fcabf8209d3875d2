"""What the rollout's tests share: a small neighbourhood, sessions to draw from, the folder of statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.rollout.demand import Library, build_library
from simulator.rollout.scenario import Adoption, Neighbourhood, Policy, Scenario, Study

DATA = Path(__file__).parents[3] / "configs" / "data"


def area(**changes: Any) -> Neighbourhood:
    values: dict[str, Any] = {
        "id": "A",
        "households": 300,
        "poles": 4,
        "transformers": 2,
        "area_km2": 0.25,
        "pv_kw": 60.0,
        "bidirectional_fraction": 0.5,
    }
    return Neighbourhood(**{**values, **changes})


def scenario(*areas: Neighbourhood, study: dict[str, Any] | None = None, **tables: Any) -> Scenario:
    values: dict[str, Any] = {
        "name": "small",
        "years": (2025,),
        "replicates": 2,
        "seed": 3,
        "months": 1,
        "policies": (Policy.UNCONTROLLED, Policy.SMART),
    }
    return Scenario(
        study=Study(**{**values, **(study or {})}),
        adoption=Adoption(years=(2025, 2030), electric_fraction=(0.21, 0.44)),
        neighbourhoods=areas or (area(),),
        **tables,
    )


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def library() -> Library:
    return build_library(DATA, Adoption(years=(2025,), electric_fraction=(0.21,)), 20_000)
