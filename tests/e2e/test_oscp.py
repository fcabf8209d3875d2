"""A grid operator talks OSCP 2.0 over HTTP: its capacity becomes the plan, its silence the fallback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from csms.app import CentralSystem
from csms.settings import OscpPartnerConfig
from csms.state.store import open_store
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from optimizer.workers import InlineExecutor
from simulator.gridoperator.oscp import CapacityProvider
from wijkstroom.running import build_catalogue
from wijkstroom.street import Street, load_street

NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)
TOKEN = "operator-token"
NODE = "lombok-transformer"


@dataclass
class World:
    clock: ManualClock
    central: CentralSystem
    provider: CapacityProvider
    operator: httpx.AsyncClient

    async def limit_kw(self) -> tuple[float, str]:
        limits = (await self.operator.get("/api/v1/limits")).json()
        (node,) = [each for each in limits if each["place"] == NODE]
        return node["import_limit_kw"], node["import_source"]

    async def until(self, ready: Callable[[], Any]) -> None:
        """Wait for messages that are on their way."""
        async with asyncio.timeout(10):
            while not ready():  # noqa: ASYNC110 - waits for another server
                await asyncio.sleep(0.01)

    async def join(self) -> None:
        """Invite, register both ways and shake hands."""
        invitation = (await self.operator.post("/api/v1/oscp/Stedin/invitation")).json()
        await self.provider.register_at(invitation["url"], invitation["token"])
        await self.until(lambda: self.provider.named("register"))
        await self.provider.shake_hands(heartbeat_interval_s=60)
        await self.until(lambda: self.provider.named("handshake"))


@pytest.fixture(scope="module")
def street() -> Street:
    street = load_street()
    partner = OscpPartnerConfig(name="Stedin", groups={"GRP-LOMBOK": NODE})
    return replace(street, service=street.service.model_copy(update={"oscp_partners": (partner,)}))


@asynccontextmanager
async def running(street: Street) -> AsyncIterator[World]:
    clock, numbers, provider = ManualClock(NOW), count(1), CapacityProvider()
    store = open_store("sqlite://", inline=True)
    central = CentralSystem(
        build_catalogue(street),
        street.grid,
        store,
        clock,
        InlineExecutor(),
        operator_token=TOKEN,
        new_id=lambda: f"id-{next(numbers):032d}",
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        await stack.enter_async_context(provider.listening())
        await stack.enter_async_context(central)
        operator = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{central.http_port}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        await stack.enter_async_context(operator)
        yield World(clock, central, provider, operator)


def block(kw: float, hours: float = 4.0, unit: str = "KW") -> dict[str, Any]:
    return {
        "capacity": kw,
        "phase": "ALL",
        "unit": unit,
        "start_time": NOW.isoformat(),
        "end_time": (NOW + timedelta(hours=hours)).isoformat(),
    }


async def test_registration_goes_both_ways_and_the_handshake_is_acknowledged(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        (acknowledged,) = world.provider.named("handshake_acknowledge")
        assert acknowledged.correlation_id is not None
        assert acknowledged.body["required_behaviour"]["heartbeat_interval"] == 60
        (ours,) = world.provider.named("handshake")
        assert ours.body["required_behaviour"]["heartbeat_interval"] == 60
        assert all(each.request_id for each in world.provider.heard)
        # The invitation counts once.
        refused = await world.provider.send("heartbeat", {}, check=False, Authorization="Token nonsense")
        assert refused.status_code == 401
        assert "message" in refused.json()


@pytest.mark.parametrize(
    ("capacity", "unit"), [(90.0, "KW"), (90_000.0, "W"), (360.0, "KWH"), (90_000 / 690, "A")]
)
async def test_a_forecast_becomes_the_limit_in_every_unit(street: Street, capacity: float, unit: str) -> None:
    async with running(street) as world:
        await world.join()
        answer = await world.provider.forecast("GRP-LOMBOK", "CONSUMPTION", [block(capacity, unit=unit)])
        assert answer.status_code == 204
        limit_kw, source = await world.limit_kw()
        assert limit_kw == pytest.approx(90.0)
        assert source.startswith("Stedin signal")


async def test_the_fallback_takes_over_when_heartbeats_stop(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        await world.provider.forecast("GRP-LOMBOK", "FALLBACK_CONSUMPTION", [block(40.0)])
        await world.provider.beat(NOW + timedelta(seconds=120))
        assert (await world.limit_kw())[0] > 300.0
        plans = world.central.loop.plans
        await world.clock.advance(125)
        assert (await world.limit_kw())[0] == 40.0
        assert world.central.loop.plans > plans
        await world.provider.beat(world.clock.now() + timedelta(seconds=120))
        assert (await world.limit_kw())[0] > 300.0


async def test_we_give_signs_of_life(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        for _ in range(30):
            await world.clock.advance(10)
        await world.until(lambda: len(world.provider.named("heartbeat")) >= 4)
        offline_at = datetime.fromisoformat(world.provider.named("heartbeat")[0].body["offline_mode_at"])
        assert offline_at > NOW


async def draw(world: World, minutes: int, kw: float) -> None:
    """Let the transformer's meter tell a constant power."""
    for minute in range(minutes + 1):
        reading = MeterReading(NOW + timedelta(minutes=minute), 500.0 + kw * minute / 60, 3.0, kw)
        await world.central.service.record_reading("transformer", reading)


@pytest.mark.parametrize(
    ("configuration", "values"), [("INTERMITTENT", (25.0, 0.0)), ("CONTINUOUS", (525.0, 3.0))]
)
async def test_what_was_measured_is_sent_when_the_quarter_is_over(
    street: Street, configuration: str, values: tuple[float, float]
) -> None:
    async with running(street) as world:
        await world.join()
        await world.provider.shake_hands(60, configuration)
        await world.until(lambda: len(world.provider.named("handshake")) == 2)
        await draw(world, 16, 100.0)
        await world.clock.advance(18 * 60)
        await world.until(lambda: world.provider.named("update_group_measurements"))
        (sent,) = world.provider.named("update_group_measurements")
        assert sent.body["group_id"] == "GRP-LOMBOK"
        told = {each["direction"]: each for each in sent.body["measurements"]}
        assert (told["IMPORT"]["value"], told["EXPORT"]["value"]) == values
        assert ("initial_measure_time" in told["IMPORT"]) is (configuration == "INTERMITTENT")
        assert datetime.fromisoformat(told["IMPORT"]["measure_time"]) == NOW + timedelta(minutes=15)
        assert world.provider.named("group_capacity_compliance_error") == []


async def test_a_forecast_that_was_not_kept_is_told_with_its_blocks(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        await world.clock.advance(10)
        headers = {"X-Request-ID": "forecast-1"}
        await world.provider.forecast("GRP-LOMBOK", "CONSUMPTION", [block(90.0)], **headers)
        await draw(world, 31, 100.0)
        await world.clock.advance(33 * 60)
        await world.until(lambda: world.provider.named("group_capacity_compliance_error"))
        (told,) = world.provider.named("group_capacity_compliance_error")
        assert told.correlation_id == "forecast-1"
        # The forecast came within the first quarter: only the second had to keep it.
        (late,) = told.body["forecasted_blocks"]
        assert datetime.fromisoformat(late["start_time"]) == NOW + timedelta(minutes=15)
        assert (late["capacity"], late["unit"]) == (90.0, "KW")
        assert "100.00 kW of 90.00 kW" in told.body["message"]


async def test_a_forecast_that_base_load_alone_will_exceed_is_told_before_and_once(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        headers = {"X-Request-ID": "forecast-2"}
        await world.provider.forecast("GRP-LOMBOK", "CONSUMPTION", [block(1.0, hours=1.0)], **headers)
        for _ in range(6):
            await world.clock.advance(10)
        await world.until(lambda: world.provider.named("group_capacity_compliance_error"))
        await world.clock.advance(30)
        (told,) = world.provider.named("group_capacity_compliance_error")
        assert told.correlation_id == "forecast-2"
        assert "expected" in told.body["message"]
        assert len(told.body["forecasted_blocks"]) == 4
        assert {each["capacity"] for each in told.body["forecasted_blocks"]} == {1.0}


async def test_what_a_partner_could_not_be_told_is_told_later(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        token, world.provider.token = world.provider.token, "changed"
        await world.clock.advance(10)
        await draw(world, 31, 100.0)
        await world.clock.advance(18 * 60)
        world.provider.token = token
        await world.clock.advance(15 * 60)
        await world.until(lambda: world.provider.named("update_group_measurements"))
        times = [
            each["measure_time"]
            for message in world.provider.named("update_group_measurements")
            for each in message.body["measurements"]
        ]
        assert {datetime.fromisoformat(each) for each in times} == {
            NOW + timedelta(minutes=minutes) for minutes in (15, 30)
        }


async def test_segments_count_when_the_last_is_there(street: Street) -> None:
    async with running(street) as world:
        await world.join()
        headers = {"X-Request-ID": "one", "X-Segment-Count": "2"}
        first = {**block(80.0), "end_time": (NOW + timedelta(hours=1)).isoformat()}
        second = {**block(70.0), "start_time": (NOW + timedelta(hours=1)).isoformat()}
        await world.provider.forecast(
            "GRP-LOMBOK", "CONSUMPTION", [second], **headers, **{"X-Segment-Index": "2"}
        )
        assert (await world.limit_kw())[0] > 300.0
        await world.provider.forecast(
            "GRP-LOMBOK", "CONSUMPTION", [first], **headers, **{"X-Segment-Index": "1"}
        )
        assert (await world.limit_kw())[0] == 80.0


@pytest.mark.parametrize(
    ("group", "kind", "blocks", "status", "said"),
    [
        ("GRP-MOON", "CONSUMPTION", [block(80.0)], 404, "GRP-MOON"),
        ("GRP-LOMBOK", "GUESS", [block(80.0)], 400, "type"),
        ("GRP-LOMBOK", "CONSUMPTION", [], 400, "forecasted_blocks"),
        ("GRP-LOMBOK", "CONSUMPTION", [block(-1.0)], 400, "capacity"),
        ("GRP-LOMBOK", "CONSUMPTION", [block(80.0, hours=-1.0)], 400, "end"),
        ("GRP-LOMBOK", "CONSUMPTION", [block(80.0), block(70.0)], 400, "overlaps"),
    ],
)
async def test_a_forecast_with_a_mistake_is_refused_whole(
    street: Street, group: str, kind: str, blocks: list[dict[str, Any]], status: int, said: str
) -> None:
    async with running(street) as world:
        await world.join()
        await world.provider.forecast("GRP-LOMBOK", "CONSUMPTION", [block(90.0)])
        answer = await world.provider.forecast(group, kind, blocks)
        assert answer.status_code == status
        assert said in answer.json()["message"]
        assert (await world.limit_kw())[0] == 90.0


async def test_no_common_version_is_said(street: Street) -> None:
    async with running(street) as world:
        invitation = (await world.operator.post("/api/v1/oscp/Stedin/invitation")).json()
        world.provider.their_url, world.provider.their_token = invitation["url"], invitation["token"]
        body = {"token": "x", "version_url": [{"version": "9.9", "base_url": "http://127.0.0.1:1"}]}
        assert (await world.provider.send("register", body, check=False)).status_code == 501


async def test_a_partner_that_is_not_configured_cannot_be_invited(street: Street) -> None:
    async with running(street) as world:
        assert (await world.operator.post("/api/v1/oscp/Nobody/invitation")).status_code == 404
