"""The wheel holds everything: installed somewhere else, the demo runs from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and the packages of this one behind it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=TREE)
    (wheel,) = folder.glob("wijkstroom-*.whl")
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    python = venv / "bin" / "python"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "--python", str(python), "install", *quiet, str(wheel))
    # A path line adds the packages but not the editable install, whose own .pth is not read there.
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def run(*command: str, cwd: Path | None = None, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def test_packages_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import wijkstroom, csms, grid, optimizer, simulator as s; print(wijkstroom.__file__, s.__file__)"
    found = run(str(installed / "bin" / "python"), "-c", code, cwd=tmp_path).stdout.split()
    assert all(Path(each).is_relative_to(installed) for each in found)


def test_demo_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    command = str(installed / "bin" / "wijkstroom")
    done = run(command, "demo", "--hours", "1", "--json", str(path), cwd=tmp_path)
    figures = json.loads(path.read_text())
    assert figures["stations"] == 24
    assert figures["plans"] >= 4
    assert figures["ocpp_errors"] == 0
    assert figures["limit_exceeded_kwh"] == 0
    assert set(figures["baselines"]) == {"uncontrolled", "equal_share", "earliest_deadline"}
    assert "uncontrolled" in done.stdout


def test_wheel_ships_credits_beside_data(installed: Path) -> None:
    (configs,) = (installed / "lib").glob("python*/site-packages/wijkstroom/configs")
    assert (configs / "lombok.toml").is_file()
    data = {path.name for path in (configs / "data").iterdir()}
    assert "nl_day_ahead_2023_2024.csv" in data
    assert any("SOURCES" in name or "LICEN" in name or "README" in name for name in data)
