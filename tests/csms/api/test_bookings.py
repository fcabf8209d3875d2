from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.csms.api.world import World, later


def make_body(world: World, start_h: float = 2.0, end_h: float = 6.0, **changes: Any) -> dict[str, Any]:
    token = world.street.service.vehicles[0].token
    return {"token": token, "start": later(start_h), "end": later(end_h), "energy_kwh": 20.0} | changes


async def test_a_booking_is_made_listed_and_replaced(operator: httpx.AsyncClient, world: World) -> None:
    made = await operator.put("/api/v1/bookings/b-1", json=make_body(world))
    assert made.status_code == 200
    assert made.json()["energy_kwh"] == 20.0
    changed = await operator.put("/api/v1/bookings/b-1", json=make_body(world, energy_kwh=25.0))
    assert changed.status_code == 200
    await operator.put("/api/v1/bookings/b-0", json=make_body(world, 0.5, 1.5))
    listed = (await operator.get("/api/v1/bookings")).json()
    assert [(each["id"], each["energy_kwh"]) for each in listed] == [("b-0", 20.0), ("b-1", 25.0)]


async def test_a_car_is_booked_once_at_a_time(operator: httpx.AsyncClient, world: World) -> None:
    await operator.put("/api/v1/bookings/b-1", json=make_body(world))
    response = await operator.put("/api/v1/bookings/b-2", json=make_body(world, 5.0, 7.0))
    assert response.status_code == 409
    assert response.json()["errors"][0]["field"] == "start"
    assert "b-1" in response.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token": "nobody's"}, "token"),
        ({"token": ""}, "token"),
        ({"energy_kwh": 0}, "energy_kwh"),
        ({"energy_kwh": "20"}, "energy_kwh"),
        ({"energy_kwh": 900.0}, "energy_kwh"),
        ({"start": "2024-06-11T18:00:00"}, "start"),
        ({"end": later(1.0)}, "end"),
        ({"start": later(-5.0), "end": later(-1.0)}, "end"),
        ({"start": later(24 * 500), "end": later(24 * 501)}, "start"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_is_named(
    operator: httpx.AsyncClient, world: World, changes: dict[str, Any], field: str
) -> None:
    response = await operator.put("/api/v1/bookings/b-1", json=make_body(world, **changes))
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [error["field"] for error in errors] == [field]
    assert len(errors[0]["message"]) > 10
    assert not world.service.state.bookings


@pytest.mark.parametrize("name", ["a b", "<b>", "x" * 101])
async def test_an_id_is_a_plain_word(operator: httpx.AsyncClient, world: World, name: str) -> None:
    response = await operator.put(f"/api/v1/bookings/{name}", json=make_body(world))
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "booking_id"
