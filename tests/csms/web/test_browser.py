"""The pages in a real browser, served by the whole central system on a clock that the test moves."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from csms.app import CentralSystem, _configure, _HttpServer, _listen
from csms.ocpp.vocabulary import Boot, OcppVersion
from csms.settings import MeterConfig
from csms.state.events import Event, SamplesRecorded
from csms.state.records import Declaration
from csms.state.store import open_store
from csms.web.control import StationDesk
from csms.web.door import PageDoor
from csms.web.feed import LiveFeed
from csms.web.network import GridDesk
from csms.web.pages import build_pages
from csms.web.trace import Curve
from csms.web.uploads import UploadDesk
from grid.clock import ManualClock
from grid.feeds.p1 import MeterReading
from optimizer.workers import InlineExecutor
from tests.csms.api.world import NOW, STATION, TOKEN, Actor
from tests.csms.web.world import World, make_session, make_state, make_stations
from wijkstroom.running import build_catalogue
from wijkstroom.street import load_street

CHROMIUM = os.environ.get("WIJKSTROOM_TEST_CHROMIUM", "")
SCREENSHOTS = os.environ.get("WIJKSTROOM_TEST_SCREENSHOTS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="WIJKSTROOM_TEST_CHROMIUM does not name a browser"),
]


class Street(Actor):
    """The central system with a street that the test plays."""

    def __init__(self, central: CentralSystem, clock: ManualClock) -> None:
        self.central, self.service, self.clock = central, central.service, clock

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.central.http_port}"

    async def play_afternoon(self) -> None:
        """Let some cars charge and the meters speak."""
        for number, station in enumerate(self.service.catalogue.stations):
            version = OcppVersion.V201 if number != 5 else OcppVersion.V16
            await self.service.connected(station, version)
            await self.service.handle(station, version, Boot("Wijk", "Duo"))
            if number % 3 == 0:
                session = await self.plug_in(f"t-{number}", station_id=station, token=f"CARD-{number}")
                wish = Declaration(departure=self.clock.now() + timedelta(hours=12), energy_kwh=18.0)
                await self.service.declare(session, wish)
        await self.plug_in("t-1")
        await self.charge("t-1", to_kwh=11.0, minutes=30)
        await self.read_meters(61.5, -30.0)

    async def read_meters(self, node_kw: float, pv_kw: float) -> None:
        meters: tuple[MeterConfig, ...] = self.service.catalogue.service.meters
        for meter in meters:
            power_kw = node_kw if meter.role.value == "node" else pv_kw
            await self.service.record_reading(meter.id, MeterReading(self.clock.now(), 10.0, 5.0, power_kw))


@asynccontextmanager
async def serving_street(*, live_page_open: bool = True) -> AsyncIterator[Street]:
    street, clock, numbers = load_street(), ManualClock(NOW), itertools.count(1)
    store = open_store("sqlite://", inline=True)
    central = CentralSystem(
        build_catalogue(street),
        street.grid,
        store,
        clock,
        InlineExecutor(),
        operator_token=TOKEN,
        new_id=lambda: f"id-{next(numbers):06d}",
        live_page_open=live_page_open,
    )
    async with central:
        yield Street(central, clock)
    await store.close()


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with serving_street() as street:
        yield street


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM)
        context = await chromium.new_context(viewport={"width": 1280, "height": 900})
        yield context
        await chromium.close()


async def open_page(browser: BrowserContext, url: str, complaints: list[str]) -> Page:
    """Open a page that complains of errors, refused content and requests to other hosts."""
    page = await browser.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((url, "data:")) else complaints.append(asked.url),
    )
    return page


async def keep_picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


async def check_accessible(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def test_the_live_page_shows_the_street_as_it_changes(street: Street, browser: BrowserContext) -> None:
    complaints: list[str] = []
    page = await open_page(browser, street.url, complaints)
    for minutes in range(0, 690, 5):
        at = NOW - timedelta(minutes=690 - minutes)
        street.central._feed.trace.add(Curve.NODE, at, 40.0 + minutes / 20)
        street.central._feed.trace.add(Curve.CHARGING, at, 20.0 + minutes / 30)
    await street.play_afternoon()
    await page.goto(f"{street.url}/")
    await expect(page.locator("#link")).to_have_text("Live")
    await expect(page.locator("#street")).to_have_text("Lombok")
    await expect(page.locator("#node")).to_have_text("61.5")
    await expect(page.locator("#limit")).to_have_text("110 kW")
    await expect(page.locator("#now")).to_have_text("Tue 11 Jun, 18:00")
    card = page.locator(".station", has=page.get_by_role("heading", name=STATION, exact=True))
    await expect(card.locator(".socket").first).to_contain_text("1. Charging")
    await expect(card.locator(".power").first).to_have_text("4.0 kW")
    await expect(page.locator("#power-chart path.node")).not_to_have_count(0)
    await expect(page.locator("#price-chart rect.price")).not_to_have_count(0)
    await keep_picture(page, "live")
    await street.charge("t-1", to_kwh=11.2, minutes=2)
    await street.read_meters(72.25, -28.0)
    await expect(page.locator("#node")).to_have_text("72.3")
    await street.unplug("t-1", at_kwh=11.3)
    await expect(card.locator(".socket").first).to_contain_text("1. Free")
    assert complaints == []


async def test_the_live_page_is_accessible_light_dark_and_on_a_phone(
    street: Street, browser: BrowserContext
) -> None:
    complaints: list[str] = []
    await street.play_afternoon()
    page = await open_page(browser, street.url, complaints)
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{street.url}/")
        await expect(page.locator("#link")).to_have_text("Live")
        await page.get_by_text("The same as a table").click()
        await expect(page.locator("#figures-table tbody tr")).to_have_count(96)
        await check_accessible(page)
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"at {width} pixels the page is {overflow} too wide"
        await keep_picture(page, f"live-{scheme}-{width}")
    assert complaints == []


async def test_stations_are_filtered_by_keyboard(street: Street, browser: BrowserContext) -> None:
    await street.play_afternoon()
    page = await browser.new_page()
    await page.goto(f"{street.url}/")
    await expect(page.locator(".station:visible")).to_have_count(24)
    await page.get_by_role("button", name="In use").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".station:visible")).to_have_count(9)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(page.locator(".station:visible")).to_have_count(0)
    await expect(page.get_by_text("No station to show.")).to_be_visible()


async def test_a_station_shows_its_day_and_does_as_it_is_told(
    street: Street, browser: BrowserContext
) -> None:
    complaints: list[str] = []
    await street.play_afternoon()
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/")
    await page.get_by_role("link", name=STATION, exact=True).click()
    await expect(page.get_by_role("heading", name=STATION)).to_be_visible()
    await expect(page.locator("#link")).to_have_text("Live")
    await expect(page.locator("#sockets")).to_contain_text("1. Charging")
    await expect(page.locator("#sockets rect.charging")).not_to_have_count(0)
    await expect(page.get_by_role("button", name="Unlock 1")).to_be_disabled()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await check_accessible(page)
    await page.get_by_role("link", name="Show the operator token").click()
    await page.get_by_label("Operator token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{street.url}/")
    await page.goto(f"{street.url}/stations/{STATION}")
    await page.get_by_role("button", name="Unlock 1").click()
    await check_accessible(page)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#deeds")).to_contain_text("Nothing yet")
    await page.get_by_role("button", name="Unlock 1").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("#result")).to_contain_text("offline, the station is not connected")
    await expect(page.locator("#deeds")).to_contain_text("unlock")
    await keep_picture(page, "station")
    await page.set_viewport_size({"width": 360, "height": 800})
    overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"the page is {overflow} pixels too wide"
    assert complaints == []


async def test_the_grid_page_shows_load_against_limit(street: Street, browser: BrowserContext) -> None:
    complaints: list[str] = []
    await street.play_afternoon()
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/")
    await page.get_by_role("link", name="Grid").click()
    await expect(page.locator("#line > li > .place .flow")).to_have_text("61.5 of 110.0 kW")
    await expect(page.locator("#line ul li")).to_have_count(24)
    await expect(page.locator("#limits")).to_contain_text("17:00 to 21:00, daily: in force")
    for scheme, width in (("light", 1280), ("dark", 360)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900})
        await check_accessible(page)
        await keep_picture(page, f"grid-{scheme}-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert complaints == []


async def test_a_signal_is_checked_and_sent_from_the_grid_page(
    street: Street, browser: BrowserContext
) -> None:
    complaints: list[str] = []
    await street.play_afternoon()
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/enter")
    await page.get_by_label("Operator token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{street.url}/")
    await page.goto(f"{street.url}/grid")
    await page.get_by_label("Sender").fill("stedin")
    rows = "lombok-transformer,import,2024-06-11T18:00:00+02:00,2024-06-11T20:00:00+02:00,70,ALL"
    await page.get_by_label("Blocks").fill(f"group,direction,start,end,limit_kw,phase\n{rows}\n")
    await page.get_by_role("button", name="Check").click()
    await expect(page.locator("#effect")).to_contain_text("lower in 8 quarters")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#effect")).to_contain_text("Sent")
    await expect(page.locator("#signals")).to_contain_text("70.0 kW")
    await expect(page.locator("#line > li > .place .flow")).to_have_text("61.5 of 70.0 kW")
    await check_accessible(page)
    assert complaints == []


async def test_a_new_station_is_guided_in(street: Street, browser: BrowserContext) -> None:
    complaints: list[str] = []
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/enter")
    await page.get_by_label("Operator token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{street.url}/")
    await page.get_by_role("link", name="Connect a station").click()
    await page.get_by_label("The station's identity").fill("LMB-99")
    await page.keyboard.press("Enter")
    await expect(page.locator("#name-said")).to_contain_text("would be refused")
    await expect(page.locator("#table")).to_contain_text('id = "LMB-99"')
    await page.get_by_label("The station's identity").fill(STATION)
    await page.keyboard.press("Enter")
    await expect(page.locator("#table")).to_be_hidden()
    await expect(page.locator("#address")).to_have_text(f"ws://127.0.0.1:{street.central.ocpp_port}/ocpp/")
    await page.get_by_role("button", name="Make a password").click()
    await expect(page.locator("#key")).not_to_be_empty()
    await expect(page.locator('#checks [data-done="true"]')).to_have_count(0)
    await street.connect()
    await expect(page.locator('#checks [data-done="true"]')).to_have_count(3)
    await street.plug_in()
    await street.charge(minutes=5)
    await expect(page.locator("#done")).to_be_visible()
    await check_accessible(page)
    await keep_picture(page, "connect")
    assert complaints == []


async def test_a_driver_reads_state_and_price_without_scripts(
    street: Street, browser: BrowserContext
) -> None:
    await street.play_afternoon()
    assert browser.browser is not None
    plain = await browser.browser.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 740}
    )
    page = await plain.new_page()
    await page.goto(f"{street.url}/p/NL*WIJ*E0017*1")
    await expect(page.get_by_role("heading", name="In use")).to_be_visible()
    await page.get_by_role("link", name="Nederlands").click()
    await expect(page.get_by_role("heading", name="Bezet")).to_be_visible()
    await page.goto(f"{street.url}/p/NL*WIJ*E0017*2")
    await expect(page.get_by_role("heading", name="Free")).to_be_visible()
    await expect(page.locator("tbody tr")).to_have_count(12)
    await keep_picture(page, "driver")
    scripted = await browser.new_page()
    for scheme in ("light", "dark"):
        await scripted.emulate_media(color_scheme=scheme)
        await scripted.goto(f"{street.url}/p/NL*WIJ*E0017*2")
        await check_accessible(scripted)


async def test_the_city_sees_the_street_and_nobody_in_it(street: Street, browser: BrowserContext) -> None:
    complaints: list[str] = []
    await street.play_afternoon()
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/")
    await page.get_by_role("link", name="City").click()
    await expect(page.get_by_text("39 of 48")).to_be_visible()
    await expect(page.get_by_role("region", name="Energy of the day by the hour")).to_contain_text("17:00")
    for scheme, width in (("light", 1280), ("dark", 360)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900})
        await check_accessible(page)
        await keep_picture(page, f"city-{scheme}-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert complaints == []


async def test_what_stations_say_is_text_only(street: Street, browser: BrowserContext) -> None:
    complaints: list[str] = []
    page = await open_page(browser, street.url, complaints)
    await street.play_afternoon()
    hostile = "<img src=x onerror=document.title=1>"
    states = street.service._state.stations
    states[hostile] = states[STATION]
    await page.goto(f"{street.url}/")
    await expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    assert await page.locator(".station img").count() == 0
    assert await page.title() == "Lombok · wijkstroom"
    assert complaints == []


async def test_two_thousand_stations_are_kept_up_to_date(browser: BrowserContext) -> None:
    stations = make_stations(2000)
    world = World(load_street().grid, stations, make_state(stations), ManualClock(NOW))
    feed = LiveFeed(world.source)
    app = FastAPI()
    app.include_router(
        build_pages(
            feed,
            PageDoor(TOKEN, open_to_all=True),
            cast("StationDesk", None),
            cast("GridDesk", None),
            cast("UploadDesk", None),
        )
    )
    listening = _listen("127.0.0.1", 0)
    server = _HttpServer(_configure(app))
    serving, pushing = asyncio.create_task(server.serve([listening])), asyncio.create_task(feed.push())
    page = await browser.new_page()
    await page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    await expect(page.locator(".station")).to_have_count(2000)
    last = page.locator(".station").last
    for power_kw in (1.5, 2.5, 3.5):
        world.set_session("ST-2000", make_session(2000, power_kw))
        await feed.follow(one_event(SamplesRecorded("ST-2000", 1, "session-2000", (), NOW)))
        await expect(last.locator(".power").first).to_have_text(f"{power_kw} kW")
    feed.close()
    pushing.cancel()
    server.should_exit = True
    await serving


async def one_event(event: Event) -> AsyncIterator[Event]:
    yield event


async def test_the_description_of_the_api_needs_nothing_from_outside(
    street: Street, browser: BrowserContext
) -> None:
    complaints: list[str] = []
    page = await open_page(browser, street.url, complaints)
    await page.goto(f"{street.url}/docs")
    await expect(page.get_by_text("/api/v1/sessions/{session_id}/declaration").first).to_be_visible()
    await keep_picture(page, "docs")
    assert complaints == []


async def test_the_door_lets_in_whoever_has_the_token(browser: BrowserContext) -> None:
    async with serving_street(live_page_open=False) as street:
        page = await browser.new_page()
        await page.goto(f"{street.url}/")
        await check_accessible(page)
        await page.get_by_label("Operator token").fill("wrong")
        await page.get_by_role("button", name="Enter").click()
        await expect(page.get_by_role("alert")).to_contain_text("That is not the token")
        await check_accessible(page)
        await page.get_by_label("Operator token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.locator("#link")).to_have_text("Live")
