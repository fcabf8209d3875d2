"""Two studies side by side: every figure of the years and policies that both have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grid.errors import DocumentError, Problem
from simulator.rollout.figures import MEANINGS, replicate_figures
from simulator.rollout.intervals import interval
from simulator.rollout.scenario import Scenario
from simulator.rollout.study import STUDY_FILE, load_tables


def load_study(directory: Path) -> Scenario:
    """Return the scenario of a study's folder.

    Raises
    ------
    DocumentError
        When there is no study.
    """
    path = directory / STUDY_FILE
    if not path.is_file():
        raise DocumentError(str(directory), [Problem(STUDY_FILE, "is missing: name a folder given to --out")])
    return Scenario.model_validate(json.loads(path.read_text(encoding="utf-8"))["scenario"])


def compare_studies(first: Path, second: Path) -> dict[str, Any]:
    """Return the figures of both and their difference with a 95 % interval.

    With the same seed and number of replicates the difference is taken replicate by replicate, which is sharp
    where both saw the same drivers.

    Raises
    ------
    DocumentError
        When a study is missing or they have no year and policy in common.
    """
    scenarios = load_study(first), load_study(second)
    tables = [
        replicate_figures(scenario, load_tables(path))
        for scenario, path in zip(scenarios, (first, second), strict=True)
    ]
    first_keys, second_keys = ([key[:2] for key in table.index] for table in tables)
    keys = [key for key in dict.fromkeys(first_keys) if key in second_keys]
    if not keys:
        raise DocumentError(str(second), [Problem("years", f"no year and policy in common with {first}")])
    studies = [scenario.study for scenario in scenarios]
    paired = studies[0].seed == studies[1].seed and studies[0].replicates == studies[1].replicates
    document: dict[str, Any] = {
        "first": studies[0].name,
        "second": studies[1].name,
        "paired": paired,
        "figures": {},
    }
    for year, policy in keys:
        rows = [table.xs((year, policy), level=("year", "policy")) for table in tables]
        document["figures"].setdefault(str(year), {})[policy] = {
            name: {
                "first": interval(rows[0][name].to_numpy()),
                "second": interval(rows[1][name].to_numpy()),
                "difference": interval((rows[1][name] - rows[0][name]).to_numpy()) if paired else None,
            }
            for name in MEANINGS
            if name in rows[0] and name in rows[1]
        }
    return document
