"""The command line teaches, refuses with a list, and keeps stdout clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import wijkstroom
from wijkstroom.cli import app

COMMANDS = ("demo", "serve", "plan", "simulate", "bench", "version")


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_help_names_every_command_and_shows_examples(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in COMMANDS:
        assert command in result.output
    assert "wijkstroom demo" in result.output


@pytest.mark.parametrize("command", ["demo", "serve", "plan", "simulate", "bench"])
def test_every_command_has_examples(runner: CliRunner, command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Examples" in result.output
    assert f"wijkstroom {command}" in result.output


def test_version(runner: CliRunner) -> None:
    assert runner.invoke(app, ["version"]).output.strip() == wijkstroom.__version__
    assert json.loads(runner.invoke(app, ["version", "--json"]).output)["wijkstroom"]


@pytest.mark.parametrize("command", ["demo", "serve", "simulate"])
def test_a_missing_street_file_is_named_with_a_remedy(
    runner: CliRunner, command: str, tmp_path: Path
) -> None:
    result = runner.invoke(app, [command, "--config", str(tmp_path / "nowhere.toml")])
    assert result.exit_code == 2
    assert "nowhere.toml" in result.stderr
    assert "configs/lombok.toml" in result.stderr
    assert result.stdout == ""


def test_an_unknown_benchmark_is_refused_with_the_known_ones(runner: CliRunner) -> None:
    result = runner.invoke(app, ["bench", "nothing"])
    assert result.exit_code == 2
    assert "loop" in result.stderr


def test_benchmarks_are_listed(runner: CliRunner) -> None:
    result = runner.invoke(app, ["bench"])
    assert result.exit_code == 0
    assert "loop" in result.output


def test_all_mistakes_of_a_street_file_are_told_at_once(runner: CliRunner, tmp_path: Path) -> None:
    shipped = Path(wijkstroom.__file__).parents[1] / "configs" / "lombok.toml"
    text = shipped.read_text()
    text = text.replace("latitude = 52.0945", "latitude = 152.0945")
    text = text.replace('connection = "pole-01"', 'connection = "pole-99"')
    text = text.replace("\n[sun]\n", "\n[sun]\nshade = 3\n")
    path = tmp_path / "street.toml"
    path.write_text(text + "\n[cafes]\nopen = true\n")
    result = runner.invoke(app, ["demo", "--config", str(path)])
    assert result.exit_code == 2
    for place in ("street.latitude", "stations[0].connection", "sun.shade", "cafes"):
        assert place in result.stderr, result.stderr
