from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from csms.settings import MeterConfig, MeterRole
from grid.feeds.p1 import MeterReading
from tests.csms.api.world import World
from wijkstroom.street import Street

METERS = (
    MeterConfig(id="node", role=MeterRole.NODE, node="lombok-transformer"),
    MeterConfig(id="pv", role=MeterRole.PV, node="lombok-transformer"),
)


@pytest.fixture
def street(street: Street) -> Street:
    service = street.service.model_copy(update={"meters": METERS})
    return type(street)(**{**vars(street), "service": service})


async def read(world: World, power_kw: float = 61.5) -> None:
    await world.service.record_reading("node", MeterReading(world.clock.now(), 1000.5, 3.25, power_kw))


async def test_limits_name_their_source_and_time(operator: httpx.AsyncClient, world: World) -> None:
    limits = {each["place"]: each for each in (await operator.get("/api/v1/limits")).json()}
    transformer = limits["lombok-transformer"]
    assert transformer["import_limit_kw"] == 110.0
    assert transformer["import_source"] == "lombok-transformer: Stedin evening signal"
    assert (transformer["from"], transformer["to"]) == ("2024-06-11T15:30:00Z", "2024-06-11T15:45:00Z")
    assert limits["pole-01"]["import_limit_kw"] == pytest.approx(17.25)
    assert limits["pole-01"]["import_source"] == "pole-01: fuse 3x25A of pole-01"
    await world.clock.advance(4 * 3600)
    limits = {each["place"]: each for each in (await operator.get("/api/v1/limits")).json()}
    assert limits["lombok-transformer"]["import_source"] == "lombok-transformer: name plate"


async def test_meters_show_their_last_reading_and_whether_to_trust_it(
    operator: httpx.AsyncClient, world: World
) -> None:
    await read(world)
    node, pv = (await operator.get("/api/v1/meters")).json()
    assert (node["power_kw"], node["import_kwh"], node["export_kwh"], node["stale"]) == (
        61.5,
        1000.5,
        3.25,
        False,
    )
    assert (pv["power_kw"], pv["stale"]) == (None, True)
    await world.clock.advance(61)
    assert (await operator.get("/api/v1/meters")).json()[0]["stale"]


async def test_health_tells_reasons_and_warnings_without_a_token(world: World) -> None:
    await read(world)
    async with world.client(token=None) as anybody:
        response = await anybody.get("/healthz")
        assert response.status_code == 200
        assert response.json()["ready"]
        assert [warning.split()[1] for warning in response.json()["warnings"]] == ["pv"]
        await world.clock.advance(3600)
        assert len((await anybody.get("/healthz")).json()["warnings"]) == 2
        world.reasons.append("the service is stopping")
        response = await anybody.get("/healthz")
        assert (response.status_code, response.json()["reasons"]) == (503, ["the service is stopping"])
        assert (await anybody.get("/healthz/live")).status_code == 200


async def test_metrics_are_in_the_text_format(world: World) -> None:
    await read(world)
    await world.connect()
    await world.plug_in()
    await world.charge(minutes=0.5)
    world.counters.messages_in = 7
    async with world.client(token=None) as anybody:
        response = await anybody.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#"))
    assert float(lines['wijkstroom_ocpp_messages_total{direction="in"}']) == 7
    assert float(lines["wijkstroom_stations_connected"]) == 1
    assert float(lines["wijkstroom_sessions"]) == 1
    assert float(lines['wijkstroom_session_power_kw{direction="charge"}']) == 4.0
    assert float(lines['wijkstroom_evses{status="Occupied"}']) == 1
    assert float(lines['wijkstroom_meter_power_kw{meter="node"}']) == 61.5
    assert float(lines['wijkstroom_meter_age_seconds{meter="node"}']) == 30
    assert float(lines['wijkstroom_limit_kw{direction="import",node="lombok-transformer"}']) == 110.0
    assert "CARD" not in response.text
    assert "session-" not in response.text


async def test_every_route_of_the_api_asks_for_the_token(world: World) -> None:
    async with world.client(token=None) as anybody:
        document = (await anybody.get("/openapi.json")).json()
        asked = 0
        for path, methods in document["paths"].items():
            if not path.startswith("/api/v1"):
                continue
            for method in methods:
                response = await anybody.request(method, path.replace("{", "").replace("}", ""), json={})
                assert response.status_code == 401, (method, path)
                asked += 1
        assert asked >= 12


async def test_the_dashboard_asks_for_figures_that_there_are(world: World) -> None:
    await read(world)
    dashboard = json.loads((Path(__file__).parents[3] / "docs" / "grafana.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"wijkstroom_\w+", target["expr"])
    }
    async with world.client(token=None) as anybody:
        text = (await anybody.get("/metrics")).text
    told = set(re.findall(r"^(wijkstroom_\w+)", text, re.MULTILINE)) | set(
        re.findall(r"^# TYPE (wijkstroom_\w+)", text, re.MULTILINE)
    )
    assert asked
    assert asked <= told
