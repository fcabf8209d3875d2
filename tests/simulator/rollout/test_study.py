"""Studies: the same bytes wherever they run, and on from where they were killed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from grid.errors import DocumentError
from simulator.rollout.executors import Dask, Executor, Inline, Processes, make_executor
from simulator.rollout.scenario import Placement, PlacementRule, Scenario
from simulator.rollout.study import Study, load_tables, write_json
from simulator.rollout.summary import summarise
from simulator.rollout.year import Part, Task
from tests.simulator.rollout.conftest import DATA, area, scenario


def world(**changes: Any) -> Scenario:
    rules = Placement(
        rule=PlacementRule.OCCUPANCY, occupancy_trigger=0.3, lead_months=0, connections_per_month=1
    )
    return scenario(area(households=500), study={"years": (2025, 2026), **changes}, placement=rules)


def summary_bytes(study: Study, executor: Executor) -> bytes:
    try:
        tables = study.run(executor)
    finally:
        executor.close()
    path = study.directory / "summary.json"
    write_json(path, summarise(study.scenario, tables))
    return path.read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, bytes]:
    study = Study(world(), DATA, tmp_path_factory.mktemp("one"))
    return study, summary_bytes(study, Inline())


class Counting(Inline):
    """Counts tasks, and is killed after some."""

    def __init__(self, most: int = 1000) -> None:
        self.count, self.most = 0, most

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Part]]:
        for done in super().run(tasks):
            if self.count == self.most:
                raise KeyboardInterrupt
            self.count += 1
            yield done


def test_two_workers_give_the_same_summary(finished: tuple[Study, bytes], tmp_path: Path) -> None:
    assert summary_bytes(Study(world(), DATA, tmp_path), Processes(2)) == finished[1]


def test_a_dask_cluster_gives_the_same_summary(finished: tuple[Study, bytes], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert summary_bytes(Study(world(), DATA, tmp_path), Dask(cluster.scheduler_address)) == finished[1]


def test_a_killed_study_goes_on(finished: tuple[Study, bytes], tmp_path: Path) -> None:
    study = Study(world(), DATA, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        study.run(Counting(3))
    rest = Counting()
    assert summary_bytes(study, rest) == finished[1]
    assert rest.count == study.total - 3


def test_another_study_is_not_mixed_in(finished: tuple[Study, bytes]) -> None:
    other = Study(world(seed=4), DATA, finished[0].directory)
    with pytest.raises(DocumentError, match="another study"):
        other.run(Inline())


def test_progress_counts_every_task(tmp_path: Path) -> None:
    study = Study(scenario(study={"replicates": 1}), DATA, tmp_path)
    seen: list[tuple[int, int]] = []
    study.run(Inline(), lambda _, count, total: seen.append((count, total)))
    assert seen == [(1, 2), (2, 2)]


def test_tables_are_kept_as_parquet(finished: tuple[Study, bytes]) -> None:
    tables = load_tables(finished[0].directory)
    keys = ["year", "policy", "replicate", "month", "transformer"]
    assert not tables["transformers"].duplicated(keys).any()
    assert set(tables["areas"]["year"]) == {2025, 2026}


def test_poles_stay_from_year_to_year(finished: tuple[Study, bytes]) -> None:
    areas = load_tables(finished[0].directory)["areas"]
    poles = areas[(areas["policy"] == "smart") & (areas["replicate"] == 0)].set_index("year")["poles"]
    assert poles[2026] > poles[2025] > 3


def test_the_summary_says_what_a_planner_asks(finished: tuple[Study, bytes]) -> None:
    summary = json.loads(finished[1])
    assert set(summary["figures"]) == {"2025", "2026"}
    smart = summary["figures"]["2025"]["smart"]
    assert smart["charged_kwh"]["low"] <= smart["charged_kwh"]["mean"] <= smart["charged_kwh"]["high"]
    assert smart["energy_balance_fraction"]["mean"] < 1e-6
    assert smart["saved_eur"]["mean"] > 0
    assert summary["figures"]["2025"]["uncontrolled"]["saved_eur"]["mean"] == 0
    place = summary["neighbourhoods"]["A"]
    assert place["next_pole"]["from_year"] == 2025
    assert place["years"]["2025"]["wanting_months"]["mean"] == 1  # the one that is simulated
    assert 0 <= place["years"]["2025"]["free_busiest_fraction"]["high"] <= 1
    assert summary["placement"]["neighbourhoods"]["A"]["connected"] > 0


def test_nobody_at_the_address_is_said(tmp_path: Path) -> None:
    del tmp_path
    pytest.importorskip("distributed")
    with pytest.raises(DocumentError, match="no scheduler answers"):
        make_executor(1, "not-an-address")


def test_an_unfinished_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="run the study to its end"):
        load_tables(tmp_path)
