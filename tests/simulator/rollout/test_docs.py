"""Every setting of a scenario stands in the documentation, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grid.config import StrictModel
from simulator.rollout.node import Node
from simulator.rollout.scenario import TABLES, Neighbourhood
from simulator.rollout.sessions import COLUMNS
from simulator.rollout.study import TABLES as PARQUET

TEXT = (Path(__file__).parents[3] / "docs" / "rollout.md").read_text(encoding="utf-8")
MODELS: dict[str, type[StrictModel]] = {
    **{f"[{name}]": model for name, model in TABLES.items()},
    "[[neighbourhoods]]": Neighbourhood,
    "[[neighbourhoods.nodes]]": Node,
}


@pytest.mark.parametrize("title", MODELS)
def test_every_key_is_documented_under_its_table(title: str) -> None:
    section = TEXT.split(f"### `{title}`\n")[1].split("\n### ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    assert documented == list(MODELS[title].model_fields)


@pytest.mark.parametrize("name", [*COLUMNS, *(f"{table}.parquet" for table in PARQUET)])
def test_files_are_documented(name: str) -> None:
    assert f"`{name}`" in TEXT
