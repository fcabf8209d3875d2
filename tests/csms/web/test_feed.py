from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from csms.state.events import (
    BookingMade,
    Event,
    MeterRead,
    SamplesRecorded,
    SessionDeclared,
    StationDisconnected,
)
from csms.web import feed as feed_module
from csms.web.feed import PULSE_EVERY, LiveFeed, TooManyViewersError
from csms.web.view import PlanView
from grid.timegrid import QUARTER
from tests.csms.web.world import NOW, World, make_session

SAMPLED = SamplesRecorded("ST-0001", 1, "session-0", (), NOW)


def read(message: bytes) -> tuple[str, dict[str, Any]]:
    event, data, *rest = message.decode().split("\n")
    assert rest == ["", ""]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def note(feed: LiveFeed, *events: Event) -> None:
    async def stream() -> AsyncIterator[Event]:
        for event in events:
            yield event

    await feed.follow(stream())


async def next_change(feed: LiveFeed, page: AsyncGenerator[bytes]) -> dict[str, Any]:
    await feed.push_once()
    kind, document = read(await asyncio.wait_for(anext(page), 5))
    assert kind == "change"
    return document


async def test_a_page_gets_everything_first(world: World) -> None:
    page = LiveFeed(world.source).view()
    kind, document = read(await anext(page))
    assert kind == "snapshot"
    assert [station["id"] for station in document["stations"]] == list(world.stations)
    assert document["street"] == {"name": "Lombok", "timezone": "Europe/Amsterdam"}
    await page.aclose()


async def test_only_what_changed_is_pushed(world: World) -> None:
    feed = LiveFeed(world.source)
    page = feed.view()
    await anext(page)
    world.set_session("ST-0001", make_session(0, 3.3))
    await note(feed, SAMPLED)
    change = await next_change(feed, page)
    assert [station["id"] for station in change["stations"]] == ["ST-0001"]
    assert change["stations"][0]["sockets"][0]["session"]["power_kw"] == 3.3
    assert "day" not in change
    assert change["trace"][-1]["charging_kw"] == pytest.approx(3.3 + 2 * 7.4)
    assert change["trace"][-1]["discharging_kw"] == pytest.approx(5.0)
    await page.aclose()


async def test_every_kind_of_event_is_understood(world: World) -> None:
    feed = LiveFeed(world.source)
    page = feed.view()
    await anext(page)
    declared = SessionDeclared("session-3", NOW, departure=NOW)
    booked = BookingMade("b", "CARD", NOW, NOW + QUARTER, 1.0, NOW)
    await note(
        feed, StationDisconnected("ST-0002", NOW), declared, booked, MeterRead("node", NOW, 84.2, 1.0, 1.0)
    )
    change = await next_change(feed, page)
    assert [station["id"] for station in change["stations"]] == ["ST-0002", "ST-0004"]
    assert (change["trace"][-1]["node_kw"], change["trace"][-1]["pv_kw"]) == (84.2, 31.5)
    await page.aclose()


async def test_a_new_plan_and_a_new_quarter_are_pushed(world: World) -> None:
    feed = LiveFeed(world.source)
    page = feed.view()
    await anext(page)
    world.plan = PlanView(NOW, "OPTIMAL (solved)", 0.1, NOW, QUARTER, (50.0,) * 8, {}, ("Because.",))
    change = await next_change(feed, page)
    assert change["plan"]["explanation"] == ["Because."]
    assert change["day"]["planned_kw"].count(50.0) == 8
    await world.clock.advance_to(NOW + QUARTER)
    change = await next_change(feed, page)
    assert len(change["stations"]) == 4
    assert "plan" not in change
    assert change["day"]["planned_kw"].count(50.0) == 7
    await page.aclose()


async def test_a_quiet_street_gives_signs_of_life(world: World) -> None:
    feed = LiveFeed(world.source)
    page = feed.view()
    await anext(page)
    for _ in range(PULSE_EVERY - 1):
        await feed.push_once()
    await world.clock.advance_to(NOW + timedelta(seconds=30))
    change = await next_change(feed, page)
    assert list(change) == ["totals"]
    await page.aclose()


async def test_a_new_page_takes_no_news_from_the_others(world: World) -> None:
    feed = LiveFeed(world.source)
    old = feed.view()
    await anext(old)
    world.plan = PlanView(NOW, "OPTIMAL (solved)", 0.1, NOW, QUARTER, (50.0,) * 8, {}, ("Because.",))
    world.set_session("ST-0001", None)
    await note(feed, SAMPLED)
    new = feed.view()
    await anext(new)
    _, change = read(await asyncio.wait_for(anext(old), 5))
    assert change["plan"]["explanation"] == ["Because."]
    assert 50.0 in change["day"]["planned_kw"]
    assert "ST-0001" in [station["id"] for station in change["stations"]]
    await old.aclose()
    await new.aclose()


async def test_a_slow_page_gets_the_whole_and_holds_up_nobody(world: World) -> None:
    feed = LiveFeed(world.source)
    slow, quick = feed.view(), feed.view()
    await anext(slow)
    await anext(quick)
    for power_kw in range(1, 30):
        world.set_session("ST-0001", make_session(0, float(power_kw)))
        await note(feed, SAMPLED)
        change = await next_change(feed, quick)
        assert change["stations"][0]["sockets"][0]["session"]["power_kw"] == power_kw
    powers: list[float] = []
    kinds: list[str] = []
    while not powers or powers[-1] != 29.0:
        kind, document = read(await asyncio.wait_for(anext(slow), 5))
        kinds.append(kind)
        powers.append(document["stations"][0]["sockets"][0]["session"]["power_kw"])
    assert kinds[0] == "snapshot"
    assert len(kinds) <= 5
    assert powers == sorted(powers)
    await slow.aclose()
    await quick.aclose()


async def test_viewers_are_counted_bounded_and_sent_home(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_VIEWERS", 2)
    feed = LiveFeed(world.source)
    pages = [feed.view(), feed.view()]
    for page in pages:
        await anext(page)
    with pytest.raises(TooManyViewersError):
        await anext(feed.view())
    await pages.pop().aclose()
    assert feed.viewers == 1
    feed.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(pages[0]), 5)
    assert feed.viewers == 0
    with pytest.raises(TooManyViewersError):
        await anext(feed.view())


async def test_stations_that_are_not_configured_are_shown_too(world: World) -> None:
    stranger = replace(world.state.stations["ST-0001"], station_id="<b>stranger</b>")
    world.state = replace(world.state, stations={**world.state.stations, "<b>stranger</b>": stranger})
    document = await LiveFeed(world.source).snapshot()
    assert document["stations"][-1]["id"] == "<b>stranger</b>"
    assert document["stations"][-1]["model"] == "unknown"
    assert document["totals"]["stations"] == 5


async def test_nothing_is_reckoned_while_nobody_looks(world: World) -> None:
    feed = LiveFeed(world.source, interval_s=0.001)
    await note(feed, SAMPLED)
    pushing = asyncio.create_task(feed.push())
    page = feed.view()
    await anext(page)
    assert read(await asyncio.wait_for(anext(page), 20))[0] == "change"
    await page.aclose()
    fetched = world.plan_fetches
    await asyncio.sleep(0.01)
    assert world.plan_fetches == fetched
    pushing.cancel()
