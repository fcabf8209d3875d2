"""A study: all years, policies and replicates of a scenario, kept on disk as they are finished.

Years follow one another, since poles that came stay; within a year policies and blocks of replicates are
independent tasks. Every finished task is a folder of Parquet files below ``parts/``; a study that was killed
goes on after the last of them.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from grid.errors import DocumentError, Problem
from simulator.rollout.executors import Executor
from simulator.rollout.placement import State
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.year import Part, Tables, Task, block_size

STUDY_FILE, STATE_FILE, PARTS = "study.json", "state.json", "parts"
TABLES = ("areas", "hours", "poles", "profiles", "transformers")
# Raised when results of older parts would not fit those of newer ones.
FORMAT = 2

Done = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """A scenario and where its results are.

    Parameters
    ----------
    scenario
        What is computed.
    data
        Folder with statistics and prices.
    directory
        Where results go.
    """

    scenario: Scenario
    data: Path
    directory: Path

    @property
    def total(self) -> int:
        """Tasks in all."""
        study = self.scenario.study
        blocks = -(-study.replicates // block_size(self.scenario))
        return len(study.years) * len(study.policies) * blocks

    def run(self, executor: Executor, done: Done | None = None) -> Tables:
        """Compute what is not yet there and return all tables, also kept as Parquet in the directory.

        Parameters
        ----------
        executor
            Where tasks are computed.
        done
            Told the name, count and total after every task.

        Raises
        ------
        DocumentError
            When the directory holds another study, or data or packages are missing.
        """
        _need_parquet()
        self._claim()
        chains: dict[tuple[Policy, int], tuple[State, ...]] = {}
        count = 0
        for year in self.scenario.study.years:
            tasks = self._tasks(year, chains)
            waiting = [task for task in tasks if not self._folder(task).is_dir()]
            count += len(tasks) - len(waiting)
            for task, part in executor.run(waiting):
                self._keep(task, part)
                count += 1
                if done:
                    done(task.name, count, self.total)
            for task in tasks:
                chains[task.policy, task.first] = self._states(task)
        return self._collect()

    def _tasks(self, year: int, chains: dict[tuple[Policy, int], tuple[State, ...]]) -> list[Task]:
        size, replicates = block_size(self.scenario), self.scenario.study.replicates
        return [
            Task(
                self.scenario,
                self.data,
                year,
                policy,
                first,
                min(size, replicates - first),
                chains.get((policy, first), ()),
            )
            for policy in self.scenario.study.policies
            for first in range(0, replicates, size)
        ]

    def _folder(self, task: Task) -> Path:
        return self.directory / PARTS / task.name

    def _claim(self) -> None:
        """Write down which study this folder holds, or refuse it."""
        (self.directory / PARTS).mkdir(parents=True, exist_ok=True)
        path, mine = self.directory / STUDY_FILE, fingerprint(self.scenario)
        if not path.exists():
            write_json(path, {"format": FORMAT, "fingerprint": mine, **describe(self.scenario)})
        elif json.loads(path.read_text(encoding="utf-8")).get("fingerprint") != mine:
            remedy = "it holds another study: choose another --out, or remove it to begin anew"
            raise DocumentError(str(self.directory), [Problem(STUDY_FILE, remedy)])

    def _keep(self, task: Task, part: Part) -> None:
        """Write a part so that it is there whole or not at all."""
        folder = self._folder(task)
        draft = folder.with_name(f".{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name, table in part.tables.items():
            table.to_parquet(draft / f"{name}.parquet", index=False)
        write_json(draft / STATE_FILE, [state.as_document() for state in part.states])
        os.replace(draft, folder)  # noqa: PTH105 - the atomic one, also on folders

    def _states(self, task: Task) -> tuple[State, ...]:
        documents = json.loads((self._folder(task) / STATE_FILE).read_text(encoding="utf-8"))
        return tuple(State.from_document(each) for each in documents)

    def _collect(self) -> Tables:
        folders = sorted(path for path in (self.directory / PARTS).iterdir() if not path.name.startswith("."))
        tables = {}
        for name in TABLES:
            table = pd.concat(
                [pd.read_parquet(folder / f"{name}.parquet") for folder in folders], ignore_index=True
            )
            table.to_parquet(self.directory / f"{name}.parquet", index=False)
            tables[name] = table
        return tables


def fingerprint(scenario: Scenario) -> str:
    """Return what tells one study from another."""
    return hashlib.sha256(f"{FORMAT}{scenario.model_dump_json()}".encode()).hexdigest()[:16]


def describe(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as plain values, for the folder and for the report."""
    return {"scenario": scenario.model_dump(mode="json")}


def load_tables(directory: Path) -> Tables:
    """Read the tables of a finished study.

    Raises
    ------
    DocumentError
        When there is none.
    """
    _need_parquet()
    missing = [name for name in TABLES if not (directory / f"{name}.parquet").is_file()]
    if missing:
        problem = Problem(f"{missing[0]}.parquet", "is missing: run the study to its end with the same --out")
        raise DocumentError(str(directory), [problem])
    return {name: pd.read_parquet(directory / f"{name}.parquet") for name in TABLES}


def write_json(path: Path, document: Any) -> None:
    """Write a document with sorted keys, the same bytes for the same values."""
    path.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _need_parquet() -> None:
    try:
        importlib.import_module("pyarrow")  # an optional extra
    except ImportError as error:
        problem = Problem("pyarrow", "is not installed: pip install 'wijkstroom[rollout]'")
        raise DocumentError("rollout", [problem]) from error
