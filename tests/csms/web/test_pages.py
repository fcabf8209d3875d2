from __future__ import annotations

import re
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from csms.api import problems
from csms.api.bounds import BoundedBody, SecureHeaders
from csms.web import feed as feed_module
from csms.web.control import StationDesk
from csms.web.door import COOKIE, PageDoor
from csms.web.feed import LiveFeed
from csms.web.network import GridDesk
from csms.web.pages import build_pages
from csms.web.uploads import UploadDesk
from tests.csms.web.world import World

TOKEN = "the-token"
# The pages of stations have tests of their own.
NO_DESK = cast("StationDesk", None)
NO_GRID = cast("GridDesk", None)
NO_UPLOADS = cast("UploadDesk", None)


def make_client(feed: LiveFeed, *, open_to_all: bool = True) -> httpx.AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None)
    problems.install(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(SecureHeaders)
    app.include_router(
        build_pages(feed, PageDoor(TOKEN, open_to_all=open_to_all), NO_DESK, NO_GRID, NO_UPLOADS)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://street")


def local_names(text: str) -> set[str]:
    return set(re.findall(r"""(?:href|src|from)[=\s]+["'](/static/[^"']+)""", text))


@pytest.mark.parametrize("page", ["/", "/docs", "/enter", "/stations/LMB-01", "/grid"])
async def test_pages_are_self_contained(world: World, page: str) -> None:
    async with make_client(LiveFeed(world.source)) as client:
        response = await client.get(page)
        assert response.status_code == 200
        assert "<script>" not in response.text
        assert " style=" not in response.text
        assert "http" not in response.text.replace("http-equiv", "")
        names = local_names(response.text)
        assert names
        for name in names:
            found = await client.get(name)
            assert found.status_code == 200, name
            if name.endswith(".js") and "bundle" not in name:
                for imported in local_names(found.text):
                    assert (await client.get(imported)).status_code == 200


async def test_browsers_keep_what_has_not_changed(world: World) -> None:
    async with make_client(LiveFeed(world.source)) as client:
        first = await client.get("/static/live.css")
        again = await client.get("/static/live.css", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["live.html", "nothing.js", "..%2Fpages.py", "..%2F..%2Fapp.py"])
async def test_only_listed_files_are_served(world: World, name: str) -> None:
    async with make_client(LiveFeed(world.source)) as client:
        assert (await client.get(f"/static/{name}")).status_code == 404


async def test_only_the_description_may_have_inline_styles_and_no_page_inline_scripts(world: World) -> None:
    async with make_client(LiveFeed(world.source)) as client:
        for path, inline_styles in (("/", False), ("/enter", False), ("/docs", True)):
            policy = (await client.get(path)).headers["content-security-policy"]
            rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
            assert rules["default-src"] == "'none'"
            assert rules["script-src"] == "'self'"
            assert ("unsafe-inline" in rules["style-src"]) is inline_styles


async def test_strangers_are_led_to_the_door(world: World) -> None:
    async with make_client(LiveFeed(world.source), open_to_all=False) as client:
        response = await client.get("/")
        assert (response.status_code, response.headers["location"]) == (303, "/enter")
        assert (await client.get("/live/events")).status_code == 403
        client.cookies.set(COOKIE, TOKEN)
        assert (await client.get("/")).status_code == 303


async def test_the_token_opens_the_door(world: World) -> None:
    async with make_client(LiveFeed(world.source), open_to_all=False) as client:
        for wrong in ({"token": "no"}, {"token": ""}, {}):
            refused = await client.post("/enter", data=wrong)
            assert refused.status_code == 403
            assert "That is not the token" in refused.text
        entered = await client.post("/enter", data={"token": f" {TOKEN} "})
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert (await client.get("/")).status_code == 200


async def test_a_full_house_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_VIEWERS", 0)
    async with make_client(LiveFeed(world.source)) as client:
        response = await client.get("/live/events")
        assert response.status_code == 503
        assert response.headers["retry-after"]
