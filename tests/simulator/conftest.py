"""The shipped street, and what its fleets are drawn from."""

from __future__ import annotations

import pytest

from simulator.fleet.setup import FleetSetup, load_fleet_setup
from simulator.setup import StationSetup
from wijkstroom.hardware import list_setups
from wijkstroom.resources import resolver
from wijkstroom.street import Street, load_street


@pytest.fixture(scope="session")
def street() -> Street:
    return load_street()


@pytest.fixture(scope="session")
def stations(street: Street) -> tuple[StationSetup, ...]:
    return list_setups(street)


@pytest.fixture(scope="session")
def fleet_setup(street: Street, stations: tuple[StationSetup, ...]) -> FleetSetup:
    assert street.simulation is not None
    return load_fleet_setup(street.simulation, stations, street.grid.tz, resolver(street.path.parent))
