"""From tables to what people read: summary, validation and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator.rollout.demand import build_library
from simulator.rollout.flow import check_feeders, with_margin
from simulator.rollout.gap import measure_gap
from simulator.rollout.report import write_report
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.study import Study, fingerprint, write_json
from simulator.rollout.summary import summarise
from simulator.rollout.validation import distances, validate
from simulator.rollout.year import Tables

Json = dict[str, Any]
FLOW_FILE = "flow.json"


def prepare(scenario: Scenario, data: Path, directory: Path, out: Path) -> tuple[Scenario, Json | None]:
    """Check the fullest feeders by power flow where asked for, and raise the margin where needed.

    Parameters
    ----------
    scenario
        As read.
    data
        Folder with statistics and prices.
    directory
        Of the scenario's file.
    out
        Where ``flow.json`` is kept; a study that goes on reads it again.

    Returns
    -------
    tuple
        The scenario to run, and what the power flow said.
    """
    if not scenario.grid.flow_feeders:
        return scenario, None
    path, mine = out / FLOW_FILE, fingerprint(scenario)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("fingerprint") != mine:
        kept = {"fingerprint": mine, **check_feeders(scenario, data, directory)}
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
    flow = {name: value for name, value in kept.items() if name != "fingerprint"}
    return with_margin(scenario, flow), flow


def write_results(study: Study, tables: Tables, flow: Json | None = None) -> Json:
    """Write ``summary.json`` and ``report.html`` beside the tables and return the summary.

    Parameters
    ----------
    study
        What was computed and where it is.
    tables
        All of its tables.
    flow
        What the power flow of `prepare` said.

    Raises
    ------
    DocumentError
        When the package for plots is missing.
    """
    scenario = study.scenario
    summary = summarise(scenario, tables)
    library = build_library(study.data, scenario.adoption)
    summary["validation"] = validate(library, seed=scenario.study.seed)
    summary["distances"] = distances(library, study.data)
    if scenario.control.exact_days:
        planned = [policy for policy in scenario.study.policies if policy in {Policy.SMART, Policy.V2G}]
        summary["policy_gap"] = [
            measure_gap(scenario, study.data, policy, scenario.control.exact_days) for policy in planned
        ]
    if flow is not None:
        summary["powerflow"] = flow
    write_json(study.directory / "summary.json", summary)
    write_report(study.directory / "report.html", scenario, summary, tables)
    return summary
