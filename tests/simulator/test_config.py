"""The table ``[simulation]`` refuses what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.config import BookingsTable, SimulationConfig
from wijkstroom.street import Street


@pytest.fixture
def table(street: Street) -> dict[str, Any]:
    assert street.simulation is not None
    return street.simulation.model_dump()


def test_the_shipped_table_is_read_back(table: dict[str, Any], street: Street) -> None:
    assert SimulationConfig.model_validate(table) == street.simulation


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"surprise": 1}, "Extra inputs"),
        ({"sessions_per_day": -1.0}, "greater than or equal to 0"),
        ({"vehicles": ()}, "at least 1 item"),
        ({"bookings": None}, r"add the table"),
        ({"class_shares": {"none": 0.0, "driver": 0.0, "car": 0.0}}, "give at least one class a share"),
        ({"usable_fraction": 0.0}, "greater than 0"),
    ],
)
def test_mistakes_name_their_remedy(table: dict[str, Any], change: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        SimulationConfig.model_validate(table | change)


def test_two_cars_cannot_share_a_socket(table: dict[str, Any]) -> None:
    table["shared_cars"] = (table["shared_cars"][0], table["shared_cars"][0])
    with pytest.raises(ValidationError, match="give each its own"):
        SimulationConfig.model_validate(table)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"per_day_min": 4}, "per_day_min must not be above per_day_max"),
        ({"energy_kwh_min": 40.0}, "exchange them"),
        ({"plugged_hours_min": 9.0}, "do not fit"),
    ],
)
def test_bookings_must_fit_a_day(table: dict[str, Any], change: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        BookingsTable.model_validate(table["bookings"] | change)
