from __future__ import annotations

import pytest

from grid.clock import ManualClock
from grid.street import GridSide
from tests.csms.web.world import NOW, World, make_state, make_stations
from wijkstroom.street import load_street


@pytest.fixture(scope="session")
def grid() -> GridSide:
    return load_street().grid


@pytest.fixture
def world(grid: GridSide) -> World:
    stations = make_stations(4)
    return World(grid, stations, make_state(stations), ManualClock(NOW))
