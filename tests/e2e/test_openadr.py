"""A grid operator's VTN speaks OpenADR 3.1 with the GAC profile over HTTP: events become limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from csms.settings import OpenAdrVtnConfig
from csms.share.openadr import Ven
from csms.state.compliance import build_rules
from csms.state.service import StateService
from csms.state.store import open_store
from grid.clock import ManualClock
from grid.feeds.openadr import Event, check_event, check_program, parse_duration
from grid.feeds.openadr import Program as AdrProgram
from grid.feeds.p1 import MeterReading
from grid.topology import Direction
from simulator.gridoperator.openadr import PROGRAM, Vtn
from wijkstroom.running import build_catalogue
from wijkstroom.street import Street, load_street

NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)
EAN = "871694600000010017"
STREET_EAN = "871694600000010901"
NODE = "lombok-transformer"


def event(name: str = "e-1", kw: float = 8.0, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": name,
        "programID": "gac-1",
        "targets": [EAN],
        "payloadDescriptors": [{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "KW"}],
        "intervalPeriod": {"start": NOW.isoformat(), "duration": "PT1H"},
        "intervals": [
            {"id": number, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [kw + number]}]}
            for number in range(2)
        ],
    }
    return {key: value for key, value in (document | changes).items() if value is not None}


@dataclass
class World:
    clock: ManualClock
    service: StateService
    vtn: Vtn
    ven: Ven

    def limit_kw(self, place: str = "pole-01", hours: float = 0.0) -> float:
        start = NOW + timedelta(hours=hours)
        topology = self.service.catalogue.topology
        values, _ = self.service.state.signals.limit_kw(
            topology, place, Direction.IMPORT, [start], self.clock.now()
        )
        return float(values[0])


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


@asynccontextmanager
async def running(street: Street, secret: str = "vtn-secret") -> AsyncIterator[World]:
    clock, numbers, vtn = ManualClock(NOW), count(1), Vtn()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(vtn.listening())
        config = OpenAdrVtnConfig(
            name="Stedin", url=vtn.url, ven_name="NL-LMB", client_id="NL-LMB", groups={STREET_EAN: NODE}
        )
        own = replace(street, service=street.service.model_copy(update={"openadr_vtns": (config,)}))
        store = open_store("sqlite://", inline=True)
        stack.push_async_callback(store.close)
        service = StateService(store, clock, build_catalogue(own), new_id=lambda: f"id-{next(numbers)}")
        await service.start()
        rules = build_rules(own.service, own.grid.tz)
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield World(clock, service, vtn, Ven(config, secret, service, clock, http, rules))


async def test_an_event_becomes_the_limit_of_its_connection(street: Street) -> None:
    async with running(street) as world:
        world.vtn.events = [event()]
        await world.ven.poll()
        assert [world.limit_kw(hours=hours) for hours in (0.0, 1.0, 2.0)] == [8.0, 9.0, float("inf")]


async def test_an_ean_may_stand_for_a_node(street: Street) -> None:
    async with running(street) as world:
        world.vtn.events = [event(kw=70.0, targets=[STREET_EAN])]
        await world.ven.poll()
        assert world.limit_kw(NODE) == 70.0
        assert world.limit_kw("pole-05") == 70.0


async def test_a_changed_event_replaces_and_a_vanished_one_is_withdrawn(street: Street) -> None:
    async with running(street) as world:
        world.vtn.events = [event(modificationDateTime=NOW.isoformat())]
        await world.ven.poll()
        later = (NOW + timedelta(minutes=1)).isoformat()
        world.vtn.events = [event(kw=5.0, modificationDateTime=later)]
        await world.ven.poll()
        assert world.limit_kw() == 5.0
        world.vtn.events = []
        await world.ven.poll()
        assert world.limit_kw() == float("inf")


async def test_the_safe_mode_event_rules_while_the_vtn_is_silent(street: Street) -> None:
    async with running(street) as world:
        safe = event("safe", 3.0, eventName="safe mode", intervalPeriod={"start": NOW.isoformat()})
        safe["intervals"] = safe["intervals"][:1]
        world.vtn.events = [safe]
        await world.ven.poll()
        assert world.limit_kw() == float("inf")
        world.vtn.silent = True
        await world.ven.poll()
        await world.clock.advance(181)
        assert world.limit_kw() == 3.0
        world.vtn.silent = False
        await world.ven.poll()
        assert world.limit_kw() == float("inf")


async def test_quarter_means_and_what_was_allowed_are_reported_once(street: Street) -> None:
    async with running(street) as world:
        world.vtn.events = [event("other"), event(kw=70.0, targets=[STREET_EAN])]
        await world.ven.poll()
        for minute in range(32):
            reading = MeterReading(NOW + timedelta(minutes=minute), minute * 1.5, 0.0, 90.0)
            await world.service.record_reading("transformer", reading)
        await world.clock.advance(31 * 60)
        world.vtn.silent = True
        await world.ven.poll()
        world.vtn.silent = False
        await world.clock.advance(60)
        for _ in range(2):
            await world.ven.poll()
        (report,) = world.vtn.reports
        assert (report["eventID"], report["clientName"]) == ("e-1", "NL-LMB")
        (resource,) = report["resources"]
        assert resource["resourceName"] == STREET_EAN
        told = [
            [(each["type"], each["values"]) for each in interval["payloads"]]
            for interval in resource["intervals"]
        ]
        # The event came within the first quarter: there the transformer's own limit counted.
        assert [dict(each)["READING"] for each in told] == [[90.0], [90.0]]
        assert dict(told[0])["IMPORT_CAPACITY_LIMIT"][0] > 300.0
        assert dict(told[1])["IMPORT_CAPACITY_LIMIT"] == [70.0]


async def test_an_expired_token_is_fetched_anew(street: Street) -> None:
    async with running(street) as world:
        await world.ven.poll()
        world.vtn.token = "token-2"
        world.vtn.events = [event()]
        await world.ven.poll()
        assert world.limit_kw() == 8.0


async def test_a_wrong_secret_takes_nothing_and_stops_nothing(street: Street) -> None:
    async with running(street, secret="wrong") as world:
        world.vtn.events = [event()]
        await world.ven.poll()
        assert world.limit_kw() == float("inf")


async def test_more_events_than_a_page_are_all_taken(street: Street) -> None:
    async with running(street) as world:
        world.vtn.events = [event(f"e-{number}", 20.0 + number) for number in range(60)]
        await world.ven.poll()
        assert len(world.service.state.signals.signals) == 60


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"priority": 1}, "priority"),
        ({"payloadDescriptors": []}, "payloadDescriptors"),
        (
            {"payloadDescriptors": [{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "W"}]},
            "payloadDescriptors",
        ),
        ({"targets": []}, "targets"),
        ({"targets": ["871694600000010018"]}, "targets[0]"),
        ({"intervals": []}, "intervals"),
        ({"intervalPeriod": None}, "intervalPeriod"),
        (
            {"intervalPeriod": {"start": "2024-06-11T12:00:00Z", "duration": "soon"}},
            "intervals[0].intervalPeriod",
        ),
        (
            {"intervals": [{"id": 1, "payloads": []}]},
            "intervals[0].payloads",
        ),
        (
            {"intervals": [{"id": 1, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [-1]}]}]},
            "intervals[0].payloads[0]",
        ),
        (
            {
                "intervals": [
                    {"id": number, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [1]}]}
                    for number in (2, 1)
                ]
            },
            "intervals",
        ),
    ],
)
async def test_an_event_that_breaks_the_profile_is_refused_and_the_others_taken(
    street: Street, changes: dict[str, Any], place: str
) -> None:
    found = check_event(Event.model_validate(event(**changes)))
    assert any(problem.path.startswith(place) for problem in found), found
    async with running(street) as world:
        world.vtn.events = [event("bad", 1.0, **changes), event("good", 9.0)]
        await world.ven.poll()
        assert world.limit_kw() == 9.0


def test_a_program_must_name_itself() -> None:
    assert check_program(AdrProgram.model_validate(PROGRAM)) == []
    bare = AdrProgram.model_validate({**PROGRAM, "attributes": []})
    assert len(check_program(bare)) == 3


@pytest.mark.parametrize(("text", "minutes"), [("PT15M", 15), ("PT1H30M", 90), ("P1D", 1440), ("PT90S", 1.5)])
def test_durations(text: str, minutes: float) -> None:
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "P", "PT", "15M", "P1Y", "PT-5M"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)
