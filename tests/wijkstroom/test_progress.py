"""The progress line shows what the service knows, and nothing that it does not."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from csms.settings import MeterConfig, MeterRole
from csms.state.station_state import EvseState, MeterState, SessionState, StationState, StreetState
from grid.config import load_document
from grid.street import GridSide, load_grid_side
from wijkstroom.progress import compose_line, shown_progress
from wijkstroom.resources import find_street, resolver

EVENING = datetime(2024, 6, 11, 18, 5, tzinfo=UTC)
METER = MeterConfig(id="m", role=MeterRole.NODE, node="lombok-transformer")


@pytest.fixture(scope="module")
def grid() -> GridSide:
    path = find_street()
    return load_grid_side(load_document(path), resolver(path.parent))


def session(power_kw: float, soc_fraction: float | None) -> SessionState:
    return SessionState(
        "s", "t", None, EVENING - timedelta(hours=1), power_kw=power_kw, soc_fraction=soc_fraction
    )


def test_time_power_limit_cars_and_price(grid: GridSide) -> None:
    evses = {1: EvseState(1, session=session(7.4, 0.4)), 2: EvseState(2, session=session(-3.0, None))}
    state = StreetState(
        {"LMB-21": StationState("LMB-21", evses=evses)},
        meters={"m": MeterState("m", EVENING, 87.25, 0.0, 0.0)},
    )
    line = compose_line(EVENING, state, grid, (METER,))
    for part in ("Tue 20:05", "87.2 of 110 kW", "2 cars +7.4 -3.0 kW", "SoC 40 %", "125.83 EUR/MWh"):
        assert part in line


def test_what_is_unknown_is_left_out(grid: GridSide) -> None:
    line = compose_line(EVENING, StreetState(), grid, (METER,))
    assert "of" not in line
    assert "SoC" not in line


async def test_progress_ends_with_its_block_and_hides_no_error() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)

    def broken() -> str:
        raise ValueError("no line")

    with pytest.raises(ValueError, match="no line"):
        async with shown_progress(console, EVENING, EVENING + timedelta(hours=1), lambda: EVENING, broken):
            await asyncio.sleep(0)
