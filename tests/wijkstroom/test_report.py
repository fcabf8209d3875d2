"""The document has the published names; the table fits a terminal; the checks can fail."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from wijkstroom.report import POLICIES, ROWS, checks, run_lines, table

SHARED = {key: 10.0 for key, *_ in ROWS}


@pytest.fixture
def figures() -> dict[str, Any]:
    baseline = {
        **SHARED,
        "limit_exceeded_kwh": 120.0,
        "signal_exceeded_kwh": 60.0,
        "cost_eur": 200.0,
        "sessions_satisfied_fraction_none": 0.9,
    }
    return {
        **SHARED,
        "config": "configs/lombok.toml",
        "date": "2024-06-11",
        "seed": 1,
        "hours": 24.0,
        "stations": 24,
        "limit_exceeded_kwh": 0.0,
        "energy_discharged_kwh": 130.0,
        "sessions_satisfied_fraction": 1.0,
        "sessions_satisfied_fraction_none": 0.9,
        "cost_eur": 100.0,
        "plans": 290,
        "plan_seconds_p50": 0.1,
        "plan_seconds_p95": 0.4,
        "ocpp_messages": 22000,
        "ocpp_errors": 0,
        "achieved_speed": 400.0,
        "clock_stalls": 3,
        "clock_stalled_seconds": 1.0,
        "wall_seconds": 220.0,
        "baselines": {policy: dict(baseline) for policy in POLICIES},
    }


def printed(figures: dict[str, Any], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(table(figures))
    return out.getvalue().splitlines()


def test_the_table_fits_eighty_columns_a_row_a_line(figures: dict[str, Any]) -> None:
    lines = printed(figures, 80)
    for _, label, _, _ in ROWS:
        assert sum(line.strip().startswith(label + "  ") for line in lines) == 1, label
    assert max(map(len, lines)) <= 80


def test_what_was_not_measured_is_a_dash(figures: dict[str, Any]) -> None:
    figures["pv_self_consumed_fraction"] = None
    (line,) = [line for line in printed(figures, 100) if "own sun used" in line]
    assert " - " in line


def test_the_run_itself_is_told(figures: dict[str, Any]) -> None:
    text = " ".join(run_lines(figures))
    assert "290 plans" in text
    assert "400 times real time" in text


def test_a_good_day_meets_everything(figures: dict[str, Any]) -> None:
    assert all(check.met for check in checks(figures))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limit_exceeded_kwh", 0.001),
        ("energy_discharged_kwh", 19.9),
        ("sessions_satisfied_fraction", 0.98),
        ("sessions_satisfied_fraction_none", 0.87),
        ("cost_eur", 200.0),
        ("ocpp_errors", 1),
    ],
)
def test_each_shortcoming_is_seen(figures: dict[str, Any], key: str, value: float) -> None:
    figures[key] = value
    assert sum(not check.met for check in checks(figures)) == 1


def test_a_signal_that_nobody_would_exceed_shows_nothing(figures: dict[str, Any]) -> None:
    figures["baselines"]["uncontrolled"]["signal_exceeded_kwh"] = 19.0
    assert sum(not check.met for check in checks(figures)) == 1
