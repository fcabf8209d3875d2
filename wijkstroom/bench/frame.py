"""The frame of every benchmark: one JSON document, the same everywhere."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
RESULTS = TREE / "docs" / "results"
REPORTED_PACKAGES = ("wijkstroom", "highspy", "numpy", "ocpp", "pyomo", "uvloop", "websockets")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Parameters
    ----------
    value
        None when it could not be measured; `reference` then says why.
    target
        What it should reach, None when it is only reported.
    met
        Whether it does; None without a target.
    reference
        What it was measured against in the same run.
    """

    name: str
    value: float | None
    unit: str
    target: str | None
    met: bool | None
    reference: str


def at_least(name: str, value: float, unit: str, target: float, reference: str) -> Figure:
    """Return a figure that should be ``target`` or more."""
    return Figure(name, _finite(value), unit, f">= {target:g}", bool(value >= target), reference)


def at_most(name: str, value: float, unit: str, target: float, reference: str) -> Figure:
    """Return a figure that should be ``target`` or less."""
    return Figure(name, _finite(value), unit, f"<= {target:g}", bool(value <= target), reference)


def unmeasured(name: str, unit: str, target: str | None, reason: str) -> Figure:
    """Return a figure that could not be measured, with the reason."""
    return Figure(name, None, unit, target, met=False, reference=reason)


def run(name: str, measure: Callable[[], Sequence[Figure]]) -> dict[str, Any]:
    """Run one benchmark and return its document.

    Parameters
    ----------
    name
        Name of the benchmark.
    measure
        Does the work; writes progress to stderr only.
    """
    began = time.monotonic()
    figures = measure()
    return {
        "bench": name,
        "figures": [asdict(figure) for figure in figures],
        "versions": versions(),
        "commit": commit(),
        "seconds": round(time.monotonic() - began, 3),
    }


def keep(document: dict[str, Any], directory: Path = RESULTS) -> Path | None:
    """Write a benchmark's document to ``directory``/NAME.json; None outside a source tree."""
    if not directory.is_dir():
        return None
    path = directory / f"{document['bench']}.json"
    measured = {**document, "measured_at": datetime.now(UTC).isoformat(timespec="seconds")}
    path.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return path


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in REPORTED_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str:
    """Return the commit of the source tree, ``unknown`` outside one; ``+`` marks changed files."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+" if changed else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(TREE), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
