"""Scenario files: the shipped ones say what they claim, mistakes are listed all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.errors import DocumentError
from simulator.rollout.demand import electric_cars
from simulator.rollout.scenario import Scenario, load_scenario

SHIPPED = Path(__file__).parents[3] / "configs" / "rollout"
NAMES = (
    "kanaleneiland",
    "lombok-145",
    "region-1000",
    "tariff-500",
    "utrecht-2025",
    "utrecht-2030",
    "utrecht-growth",
)

BROKEN = """
[study]
name = "broken"
years = [2030, 2025]

[adoption]
years = [2025, 2030]
electric_fraction = [0.2]

[poles]
socket_amps = 16

[grid]
flow_network = "own.csv"

[control]
static_from_hour = 21.0
static_to_hour = 17.0

[[neighbourhoods]]
id = "a"
households = 100
poles = 500
area_km2 = 0.1

[[neighbourhoods]]
id = "a"
households = 0
poles = 2
latitude = 52.0
"""


def shipped(name: str) -> Scenario:
    return load_scenario(SHIPPED / f"{name}.toml")


def test_all_and_only_the_named_scenarios_are_shipped() -> None:
    assert sorted(path.stem for path in SHIPPED.glob("*.toml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_scenario_loads_and_names_its_assumptions(name: str) -> None:
    scenario = shipped(name)
    assert scenario.study.assumptions
    assert all(area.latitude is not None for area in scenario.neighbourhoods)


@pytest.mark.parametrize(
    ("name", "year", "cars", "sockets"),
    [("utrecht-2025", 2025, 25_000, 5_000), ("utrecht-2030", 2030, 55_000, 10_000)],
)
def test_the_citys_numbers_hold(name: str, year: int, cars: int, sockets: int) -> None:
    scenario = shipped(name)
    assert scenario.sockets == sockets
    assert electric_cars(scenario, year).sum() == pytest.approx(cars, rel=0.01)


def test_published_counts() -> None:
    assert shipped("lombok-145").sockets == 290
    assert sum(area.shared_cars for area in shipped("lombok-145").neighbourhoods) == 100
    assert sum(area.poles for area in shipped("tariff-500").neighbourhoods) == 500
    region = shipped("region-1000").neighbourhoods
    assert sum(area.poles for area in region) == 1000
    assert sum(area.shared_cars for area in region) == 1000


def test_growth_covers_the_decade_and_has_a_waiting_list() -> None:
    scenario = shipped("utrecht-growth")
    assert scenario.study.years == tuple(range(2025, 2036))
    assert any(area.connectable_from > 2025 for area in scenario.neighbourhoods)


def test_every_mistake_of_the_tables_is_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN + "\n[colour]\nred = 1\n")
    with pytest.raises(DocumentError) as caught:
        load_scenario(path)
    text = "\n".join(str(problem) for problem in caught.value.problems)
    assert "socket_amps" in text
    assert "colour" in text


def test_every_contradiction_between_tables_is_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN.replace("socket_amps = 16", ""))
    with pytest.raises(DocumentError) as caught:
        load_scenario(path)
    places = {problem.path for problem in caught.value.problems}
    assert places >= {
        "study.years",
        "adoption.electric_fraction",
        "control.static_to_hour",
        "grid.flow_feeders",
        "neighbourhoods[0].poles",
        "neighbourhoods[1].id",
        "neighbourhoods[1].latitude",
        "neighbourhoods[1].households",
    }
    impossible = next(each for each in caught.value.problems if each.path == "neighbourhoods[0].poles")
    assert "largest_poles_per_cell" in str(impossible)
