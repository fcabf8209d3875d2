"""Problem documents: every error is named with its path, in one run."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from grid.errors import DocumentError
from optimizer.problem import Netting, Problem, parse_problem


def document(**changes: Any) -> dict[str, Any]:
    ev = {
        "id": "ev-1",
        "arrival_step": 0,
        "departure_step": 4,
        "capacity_kwh": 50.0,
        "min_energy_kwh": 5.0,
        "initial_energy_kwh": 10.0,
        "departure_energy_kwh": 20.0,
        "max_charge_kw": 11.0,
        "max_discharge_kw": 0.0,
        "min_charge_kw": 4.14,
        "min_discharge_kw": 4.14,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.9,
        "degradation_eur_per_kwh": 0.06,
    }
    return {
        "start": "2024-06-11T06:00:00+02:00",
        "step_minutes": 15,
        "steps": 4,
        "import_price_eur_per_kwh": [0.1, 0.2, 0.3, 0.4],
        "export_price_eur_per_kwh": 0.05,
        "base_load_kw": 1,
        "pv_kw": 0,
        "import_limit_kw": 17.25,
        "export_limit_kw": 0,
        "pv_curtailable": False,
        "netting": "none",
        "peak_bands": [{"name": "evening", "steps": [2, 3], "price_eur_per_kw": 3.1, "realised_kw": 2}],
        "evs": [ev],
        "groups": [{"id": "pole", "members": ["ev-1"], "import_limit_kw": 17.25}],
        **changes,
    }


def paths_of(data: Any) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_problem(data)
    assert all(problem.message for problem in caught.value.problems)
    return [problem.path for problem in caught.value.problems]


def test_a_document_becomes_a_problem_in_utc_with_a_number_for_every_step() -> None:
    problem = parse_problem(json.dumps(document()))
    assert problem.start == datetime(2024, 6, 11, 4, tzinfo=UTC)
    assert problem.base_load_kw == (1.0,) * 4
    assert problem.step_h == 0.25
    assert problem.shortfall_eur_per_kwh == 1.0
    assert (problem.gap, problem.time_limit_s) == (0.001, 10.0)
    assert problem.netting is Netting.NONE
    assert problem.evs[0].min_delivered_kwh is None
    assert problem.base_load_upper_kw is None


def test_arrays_and_numbers_of_numpy_are_welcome() -> None:
    data = document(import_limit_kw=np.full(4, 20.0), base_load_kw=np.float64(2.0), steps=np.int64(4))
    assert parse_problem(data).import_limit_kw == (20.0,) * 4


def test_a_problem_survives_pickling() -> None:
    problem = parse_problem(document())
    assert pickle.loads(pickle.dumps(problem)) == problem


def _edit(path: list[Any], value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(document()))
    inner: Any = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return data


EV = ["evs", 0]


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (["start"], "2024-06-11T06:00:00", "start"),
        (["start"], 1718000000, "start"),
        (["start"], "tomorrow", "start"),
        (["step_minutes"], 0, "step_minutes"),
        (["steps"], 4.5, "steps"),
        (["steps"], True, "steps"),
        (["import_price_eur_per_kwh"], [0.1, 0.2, 0.3], "import_price_eur_per_kwh"),
        (["import_price_eur_per_kwh"], [0.1, "0.2", 0.3, 0.4], "import_price_eur_per_kwh[1]"),
        (["import_price_eur_per_kwh"], [0.1, None, 0.3, 0.4], "import_price_eur_per_kwh[1]"),
        (["import_price_eur_per_kwh", 2], float("nan"), "import_price_eur_per_kwh[2]"),
        (["export_price_eur_per_kwh"], float("inf"), "export_price_eur_per_kwh"),
        (["export_price_eur_per_kwh"], float("nan"), "export_price_eur_per_kwh"),
        (["pv_kw"], -1, "pv_kw"),
        (["pv_kw"], [0, 0, -1, 0], "pv_kw[2]"),
        (["import_limit_kw"], -0.1, "import_limit_kw"),
        (["export_limit_kw"], "10", "export_limit_kw"),
        (["pv_curtailable"], 1, "pv_curtailable"),
        (["netting"], "always", "netting"),
        (["base_load_upper_kw"], [1, 1, 0.5, 1], "base_load_upper_kw[2]"),
        (["pv_lower_kw"], [1, 0, 0, 0], "pv_lower_kw[0]"),
        (["shortfall_eur_per_kwh"], 0, "shortfall_eur_per_kwh"),
        (["gap"], -0.1, "gap"),
        (["time_limit_s"], 0, "time_limit_s"),
        (["surprise"], 1, "surprise"),
        ([*EV, "id"], "", "evs[0].id"),
        ([*EV, "arrival_step"], -1, "evs[0].arrival_step"),
        ([*EV, "arrival_step"], 5, "evs[0].arrival_step"),
        ([*EV, "departure_step"], 5, "evs[0].departure_step"),
        ([*EV, "capacity_kwh"], -50, "evs[0].capacity_kwh"),
        ([*EV, "capacity_kwh"], 1e300, "evs[0].capacity_kwh"),
        ([*EV, "min_energy_kwh"], 60, "evs[0].min_energy_kwh"),
        ([*EV, "min_charge_kw"], 12, "evs[0].min_charge_kw"),
        ([*EV, "charge_efficiency"], 1.1, "evs[0].charge_efficiency"),
        ([*EV, "discharge_efficiency"], 0, "evs[0].discharge_efficiency"),
        ([*EV, "min_delivered_kwh"], [0, 1, 2, 3], "evs[0].min_delivered_kwh"),
        ([*EV, "min_delivered_kwh"], [0, 1, 3, 2, 3], "evs[0].min_delivered_kwh[3]"),
        ([*EV, "min_delivered_kwh"], [0, 1, float("nan"), 2, 3], "evs[0].min_delivered_kwh[2]"),
        ([*EV, "colour"], "red", "evs[0].colour"),
        (["peak_bands", 0, "steps"], [2, 4], "peak_bands[0].steps[1]"),
        (["peak_bands", 0, "steps"], [2, 2], "peak_bands[0].steps[1]"),
        (["peak_bands", 0, "realised_kw"], -1, "peak_bands[0].realised_kw"),
        (["groups", 0, "members"], ["ev-1", "ev-2"], "groups[0].members[1]"),
        (["groups", 0, "members"], ["ev-1", "ev-1"], "groups[0].members[1]"),
        (["groups", 0, "weights"], {"ev-2": 1.0}, "groups[0].weights.ev-2"),
        (["groups", 0, "import_limit_kw"], -1, "groups[0].import_limit_kw"),
        (["groups", 0, "import_limit_kw"], [1, 2], "groups[0].import_limit_kw"),
    ],
)
def test_an_error_names_its_place(place: list[Any], value: Any, path: str) -> None:
    assert paths_of(json.dumps(_edit(place, value))) == [path]


def test_every_error_is_named_in_one_run() -> None:
    data = document(import_limit_kw=-1, surprise=1, export_price_eur_per_kwh=[1, 2])
    data["evs"] += [{**data["evs"][0], "departure_step": 1, "arrival_step": 3, "capacity_kwh": "big"}]
    del data["evs"][0]["max_charge_kw"]
    assert set(paths_of(data)) == {
        "import_limit_kw",
        "surprise",
        "export_price_eur_per_kwh",
        "evs[0].max_charge_kw",
        "evs[1].id",
        "evs[1].departure_step",
        "evs[1].capacity_kwh",
    }


@pytest.mark.parametrize("required", ["start", "steps", "import_price_eur_per_kwh", "import_limit_kw", "evs"])
def test_what_is_missing_is_named(required: str) -> None:
    data = document()
    del data[required]
    assert required in paths_of(data)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[1]", b"3", b"null", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    assert paths_of(text) == [""]


def test_a_direction_that_is_off_may_keep_its_least() -> None:
    assert parse_problem(document()).evs[0].max_discharge_kw == 0.0


def test_a_problem_built_in_python_is_checked_too() -> None:
    problem = parse_problem(document())
    with pytest.raises(DocumentError, match="departure_step"):
        Problem(**{**dict(problem), "evs": [problem.evs[0].model_copy(update={"departure_step": 9})]})
