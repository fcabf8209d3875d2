"""The control page: by HTTP, and by hand in a browser.

`WIJKSTROOM_TEST_CHROMIUM` names the browser; `WIJKSTROOM_SCREENSHOTS` a folder for pictures.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright, expect

from grid.clock import SystemClock
from simulator.accept_all import AcceptAll
from simulator.control.app import build_app, serving_control
from simulator.crowd import Crowd
from simulator.faults.scenario import NO_SCENARIO
from simulator.fleet.file import load_fleet
from wijkstroom.resources import configs_directory, resolver
from wijkstroom.simulate_fleet import FleetOptions, build_crowd_setup

CHROMIUM = os.environ.get("WIJKSTROOM_TEST_CHROMIUM", "")
SCREENSHOTS = os.environ.get("WIJKSTROOM_SCREENSHOTS", "")
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="WIJKSTROOM_TEST_CHROMIUM does not name a browser")


@asynccontextmanager
async def running_crowd() -> AsyncIterator[Crowd]:
    path = configs_directory() / "fleets" / "utrecht.toml"
    plan = load_fleet(path, resolver(path.parent), 12)
    clock = SystemClock()
    options = FleetOptions(Path("x"), "ws://x", hours=1.0)
    setup = build_crowd_setup(plan, NO_SCENARIO, options, datetime.now(UTC))
    setup = replace(setup, fleet=replace(setup.fleet, sessions=()))
    async with Crowd(setup, clock, AcceptAll(clock.now).connect) as crowd:
        await crowd.wait_online()
        yield crowd


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    async with running_crowd() as crowd:
        yield crowd


@asynccontextmanager
async def client_of(crowd: Crowd, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(crowd))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        yield client


async def test_orders_over_http(crowd: Crowd) -> None:
    async with client_of(crowd) as client:
        state = (await client.get("/state")).json()
        assert state["counters"]["online"] == 12
        station = state["stations"][0]["id"]
        base = f"/stations/{station}/1"
        car = {"vehicle": state["vehicles"][0], "soc_fraction": 0.5}
        assert (await client.post(f"{base}/plug", json=car)).status_code == 200
        assert (await client.post(f"{base}/plug", json=car)).status_code == 409
        found = (await client.get("/state", params={"find": station})).json()
        assert [one["id"] for one in found["stations"]] == [station]
        assert found["stations"][0]["sockets"][0]["soc"] == 0.5
        broken = await client.post(f"{base}/break", json={"kind": "rcd_trip", "seconds": 60})
        assert broken.status_code == 200
        socket = (await client.get("/state", params={"find": station})).json()["stations"][0]["sockets"][0]
        assert (socket["state"], socket["error"], socket["pilot"]) == ("Faulted", "GroundFailure", "F")
        assert (await client.post(f"{base}/tap", json={"token": "X"})).status_code == 200
        assert (await client.post(f"{base}/unplug", json={})).status_code == 200
        assert (await client.post(f"{base}/unplug", json={})).status_code == 409


async def test_mistakes_and_strangers_are_refused(crowd: Crowd) -> None:
    async with client_of(crowd) as client:
        station = crowd.setup.stations[0].id
        base = f"/stations/{station}/1"
        assert (await client.post(f"{base}/break", json={"kind": "meteor"})).status_code == 422
        assert (await client.post(f"{base}/plug", json={"vehicle": "Trabant"})).status_code == 422
        assert (await client.post("/stations/nowhere/1/tap", json={"token": "X"})).status_code == 409
        form = await client.post(f"{base}/unplug", content="x", headers={"Content-Type": "text/plain"})
        assert form.status_code == 415
        assert (await client.get("/static/app.py")).status_code == 404
    async with client_of(crowd, "evil.example") as client:
        assert (await client.get("/state")).status_code == 400


async def test_the_page_has_no_inline_scripts_and_forbids_them(crowd: Crowd) -> None:
    async with client_of(crowd) as client:
        page = await client.get("/")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert page.text.count("<script") == 1
        assert "onclick" not in page.text
        assert "<style" not in page.text


@needs_browser
async def test_a_fault_is_injected_by_hand(crowd: Crowd) -> None:
    complaints: list[str] = []
    station = crowd.setup.stations[0].id
    async with serving_control(crowd, 0) as port, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM)
        page = await chromium.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{port}/")
        row = page.locator(f'tr[data-socket="{station}/1"]')
        await expect(row).to_contain_text("Available")
        await page.get_by_label("Find station").fill(station)
        await expect(page.locator("#sockets tr")).to_have_count(2)
        await page.get_by_role("button", name=f"Plug {station} socket 1", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("plugged in")
        await expect(row).to_contain_text("Charging", timeout=30_000)
        await page.locator("#kind").select_option("rcd_trip")
        await page.get_by_role("button", name=f"Break {station} socket 1", exact=True).click()
        await expect(row).to_contain_text("Faulted, GroundFailure")
        await expect(page.locator("#happened")).to_contain_text("rcd trip")
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            if SCREENSHOTS:
                await page.screenshot(path=Path(SCREENSHOTS) / f"simulator-control-{scheme}.png")
        await page.set_viewport_size({"width": 360, "height": 800})
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"the page is {overflow} pixels too wide"
        await chromium.close()
    assert complaints == []
