"""Configurations are found in the tree and in a wheel, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grid.errors import DocumentError
from wijkstroom.resources import configs_directory, find_street, resolver
from wijkstroom.street import load_street

TREE = Path(__file__).resolve().parents[2]
PACKAGES = ("wijkstroom", "csms", "optimizer", "grid", "simulator")


def test_the_default_street_is_shipped() -> None:
    assert find_street() == configs_directory() / "lombok.toml"
    assert find_street(Path("configs/lombok.toml")).samefile(find_street())


def test_shipped_names_work_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_street(Path("configs/lombok.toml")) == find_street()
    assert find_street(Path("lombok.toml")) == find_street()


def test_a_file_of_the_user_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lombok.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert find_street(Path("lombok.toml")).resolve() == tmp_path / "lombok.toml"


def test_files_named_in_a_street_file_are_looked_for_beside_it_first(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    own = tmp_path / "data" / "nl_day_ahead_2023_2024.csv"
    shipped = resolver(tmp_path)("data/nl_day_ahead_2023_2024.csv")
    own.write_text("")
    assert shipped.parent == configs_directory() / "data"
    assert resolver(tmp_path)("data/nl_day_ahead_2023_2024.csv") == own


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"data/none\.csv is neither in"):
        resolver(tmp_path)("data/none.csv")


def test_only_resources_looks_for_configs() -> None:
    pattern = re.compile(r"""["']configs["'/]""")
    guilty = [
        str(path.relative_to(TREE))
        for package in PACKAGES
        for path in (TREE / package).rglob("*.py")
        if pattern.search(path.read_text()) and path.name not in {"resources.py", "cli.py"}
    ]
    assert guilty == []


@pytest.mark.parametrize(
    "path", sorted((configs_directory() / "stations").glob("*.toml")), ids=lambda p: p.stem
)
def test_every_shipped_station_model_can_stand_in_a_street(path: Path, tmp_path: Path) -> None:
    text = (configs_directory() / "lombok.toml").read_text()
    street = tmp_path / "street.toml"
    street.write_text(text.replace('model = "public-duo-16"', f'model = "{path.stem}"'))
    assert path.stem in load_street(street).models
