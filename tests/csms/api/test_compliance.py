"""What was kept of limits, per node and month: JSON and CSV."""

from __future__ import annotations

import csv
from datetime import timedelta

import httpx

from csms.api.compliance import COLUMNS
from grid.feeds.p1 import MeterReading
from tests.csms.api.world import World

NODE = "lombok-transformer"


async def measure(world: World) -> None:
    """Draw 120 kW for half an hour of the evening, in which the schedule allows 110 kW."""
    meter = next(each for each in world.service.catalogue.service.meters if each.node == NODE)
    for minute in range(31):
        reading = MeterReading(world.clock.now(), minute * 2.0, 0.0, 120.0)
        await world.service.record_reading(meter.id, reading)
        if minute < 30:
            await world.clock.advance(60)


async def test_a_month_is_told_per_node_and_direction(world: World, operator: httpx.AsyncClient) -> None:
    begin = world.clock.now()
    await measure(world)
    answer = await operator.get("/api/v1/compliance", params={"month": "2024-06", "node": NODE})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["month"], document["timezone"], document["notice_s"]) == (
        "2024-06",
        "Europe/Amsterdam",
        60,
    )
    importing, exporting = document["nodes"]
    assert (importing["node"], importing["direction"]) == (NODE, "import")
    assert (importing["metered_quarters"], importing["exceeded_quarters"]) == (2, 2)
    assert (importing["exceeded_kwh"], importing["late_kwh"], importing["highest_kw"]) == (5.0, 0.0, 120.0)
    first, _ = importing["exceeded"]
    assert (first["limit_kw"], first["mean_kw"], first["excess_kwh"]) == (110.0, 120.0, 2.5)
    assert first["start"] == begin.isoformat().replace("+00:00", "Z")
    assert sum(each["quarters"] for each in importing["sources"]) == 2
    assert exporting["exceeded"] == []


async def test_every_quarter_is_a_line_of_the_file(world: World, operator: httpx.AsyncClient) -> None:
    await measure(world)
    answer = await operator.get("/api/v1/compliance.csv", params={"month": "2024-06"})
    assert answer.headers["content-type"].startswith("text/csv")
    head, *lines = csv.reader(answer.text.splitlines())
    assert tuple(head) == COLUMNS
    assert len(lines) == 4  # two quarters, both ways
    assert lines[0][:2] == [NODE, "import"]
    assert lines[0][3:5] == ["120.0", "110.0"]


async def test_a_wrong_month_or_node_is_named(world: World, operator: httpx.AsyncClient) -> None:
    refused = await operator.get("/api/v1/compliance", params={"month": "2024-99"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "month"
    unknown = await operator.get("/api/v1/compliance.csv", params={"month": "2024-06", "node": "moon"})
    assert unknown.status_code == 404
    async with world.client(token=None) as nobody:
        assert (await nobody.get("/api/v1/compliance", params={"month": "2024-06"})).status_code == 401


async def test_a_month_to_come_has_no_quarters(world: World, operator: httpx.AsyncClient) -> None:
    later = (world.clock.now() + timedelta(days=60)).strftime("%Y-%m")
    answer = await operator.get("/api/v1/compliance", params={"month": later})
    assert {each["quarters"] for each in answer.json()["nodes"]} == {0}
