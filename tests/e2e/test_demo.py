"""`wijkstroom demo` for an hour: one JSON document with the published names on stdout, a picture, a table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

NAMES = [
    "stations",
    "sessions",
    "energy_required_kwh",
    "energy_delivered_kwh",
    "energy_shortfall_kwh",
    "sessions_satisfied_fraction",
    "sessions_satisfied_fraction_none",
    "energy_discharged_kwh",
    "import_kwh",
    "export_kwh",
    "cost_eur",
    "peak_import_kw",
    "limit_exceeded_kwh",
    "pv_generated_kwh",
    "pv_self_consumed_fraction",
    "plans",
    "plan_seconds_p50",
    "plan_seconds_p95",
    "ocpp_messages",
    "ocpp_errors",
    "baselines",
    "config",
    "date",
    "seed",
    "versions",
]
# Of a baseline there is no plan and no message.
NOT_OF_BASELINES = {
    "stations",
    "plans",
    "plan_seconds_p50",
    "plan_seconds_p95",
    "ocpp_messages",
    "ocpp_errors",
    "baselines",
    "config",
    "date",
    "seed",
    "versions",
}


@pytest.mark.slow
def test_an_hour_of_the_demo(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    command = [sys.executable, "-c", "from wijkstroom.cli import main; main()", "demo"]
    options = ["--hours", "1", "--speed", "100000", "--json", "-", "--picture", str(picture)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(NAMES) <= set(figures)
    for policy in ("uncontrolled", "equal_share", "earliest_deadline"):
        assert set(NAMES) - NOT_OF_BASELINES <= set(figures["baselines"][policy])
    assert figures["stations"] == 24
    assert figures["plans"] >= 4
    assert figures["ocpp_errors"] == 0
    assert figures["limit_exceeded_kwh"] == 0.0
    assert figures["config"] == "configs/lombok.toml"
    assert figures["date"] == "2024-06-11"
    assert "uncontrolled" in done.stderr, "with JSON on stdout the table goes to stderr"
    assert "live page: http://127.0.0.1:" in done.stderr
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")
