"""Models of stations and cars as files, and what their hardware does."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.errors import DocumentError
from simulator.faults.scenario import load_scenario
from simulator.setup import Protocol
from simulator.station.composite import CompositeRules, Transaction
from simulator.station.model import load_station
from simulator.station.offers import compute_offers
from simulator.station.profiles import Kind, Profile, Purpose, SchedulePeriod
from simulator.vehicle.model import load_vehicle
from wijkstroom.resources import configs_directory

CONFIGS = configs_directory()
STATIONS = sorted((CONFIGS / "stations").glob("*.toml"))


@pytest.mark.parametrize("path", STATIONS, ids=lambda path: path.stem)
def test_every_shipped_model_can_be_built(path: Path) -> None:
    setup = load_station(path).build("S-1", "pole")
    assert setup.evses
    assert setup.bidirectional == ("bidirectional" in path.stem)
    assert bool(setup.quirks.values) == ("quirky" in path.stem)


def test_the_library_has_what_it_should() -> None:
    built = [load_station(path).build("S", "p") for path in STATIONS]
    assert {one.protocol for one in built} == set(Protocol)
    assert {one.phases for one in built} == {1, 3}
    assert any(one.direct_current for one in built)
    assert any(one.shared_current_a for one in built)
    cars = [load_vehicle(path) for path in sorted((CONFIGS / "vehicles").glob("*.toml"))]
    assert len(cars) >= 10
    assert sum(car.bidirectional for car in cars) >= 2
    assert {car.phases for car in cars} == {1, 3}


def test_shipped_scenarios_can_be_read() -> None:
    for path in (CONFIGS / "scenarios").glob("*.toml"):
        assert load_scenario(path).faults


def test_a_quirk_without_a_value_has_none(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(
        'protocol = "ocpp1.6"\nvendor = "V"\nmodel = "M"\n[hardware]\nquirks = { rejects_zero = 2 }\n'
    )
    with pytest.raises(DocumentError, match="takes no value"):
        load_station(path)


def test_two_sockets_share_a_connection_and_one_phase_is_one_phase() -> None:
    setup = load_station(CONFIGS / "stations" / "switching-duo-201.toml").build("S", "p")
    one_phase = Profile(
        1, 0, Purpose.TX_DEFAULT, Kind.ABSOLUTE, 1, "A", (SchedulePeriod(0, 16.0, phases=1),), start_s=0.0
    )
    steps = compute_offers(
        [one_phase],
        {1: Transaction("a", 0.0), 2: Transaction("b", 0.0)},
        setup.max_current_a,
        0.0,
        60.0,
        CompositeRules(switches_phases=setup.switches_phases),
        setup.shared_current_a or 0.0,
    )
    offers = {evse_id: own[0].offer for evse_id, own in steps.items()}
    assert [offers[1].current_a, offers[2].current_a] == [10.0, 10.0]
    assert [offers[1].phases, offers[2].phases] == [1, None]
