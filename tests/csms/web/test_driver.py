from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from csms.api import problems
from csms.control.ledger import Ledger
from csms.control.pricing import PriceDesk
from csms.ocpp.vocabulary import ConnectorStatus
from csms.settings import ServiceConfig
from csms.state.catalogue import Catalogue
from csms.state.service import StateService
from csms.state.station_state import EvseState
from csms.state.store import open_store
from csms.web.driver import add_driver_page, judge_socket, list_prices
from csms.web.words import DUTCH, ENGLISH, WORDS, choose_language
from grid.clock import ManualClock
from grid.tariffs.driver import DriverPricing, IdleFeeConfig
from tests.csms.web.world import NOW, World
from wijkstroom.street import load_street


def visit(world: World, pricing: DriverPricing | None = None) -> httpx.AsyncClient:
    models = load_street().models
    catalogue = Catalogue(world.stations, models, world.grid.topology, ServiceConfig(pricing=pricing))
    app, router = FastAPI(), APIRouter()
    problems.install(app)
    service = StateService(open_store("sqlite://", inline=True), world.clock, catalogue, new_id=lambda: "id")
    desk = PriceDesk(service, world.grid, world.clock, Ledger({}), lambda _: None)
    add_driver_page(router, world.source, catalogue, desk)
    app.include_router(router)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://street")


def test_both_languages_say_the_same_things() -> None:
    assert WORDS[ENGLISH].keys() == WORDS[DUTCH].keys()
    for name, said in WORDS[ENGLISH].items():
        assert said.count("{") == WORDS[DUTCH][name].count("{")


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("nl", "en", "nl"),
        ("xx", "nl-NL,nl;q=0.9", "nl"),
        (None, "de-DE, NL;q=0.5", "nl"),
        (None, "fr", "en"),
        (None, "", "en"),
        (None, "*", "en"),
    ],
)
def test_the_language_is_the_readers(wanted: str | None, accepted: str, language: str) -> None:
    assert choose_language(wanted, accepted) == language


def test_a_socket_is_judged_by_what_is_known(world: World) -> None:
    assert judge_socket(world.state, "ST-0001", 1) == "used"
    assert judge_socket(world.state, "ST-0001", 2) == "free"
    assert judge_socket(world.state, "ST-0002", 2) == "trouble"
    assert judge_socket(world.state, "ST-0003", 2) == "offline"
    assert judge_socket(world.state, "nothing", 1) == "offline"
    station = world.state.stations["ST-0001"]
    station = replace(station, evses={1: EvseState(1, ConnectorStatus.FINISHING)})
    state = replace(world.state, stations={"ST-0001": station})
    assert judge_socket(state, "ST-0001", 1) == "used"
    assert judge_socket(state, "ST-0001", 2) == "trouble"


def test_a_price_is_the_sum_of_its_parts(world: World) -> None:
    prices = list_prices(world.source, NOW)
    assert len(prices) == 13
    whole = world.grid.prices.import_price_eur_per_kwh([price.start for price in prices], known_at=NOW)
    assert [price.total for price in prices] == pytest.approx(list(whole))
    assert prices[0].tax == world.grid.prices.energy_tax_eur_per_kwh
    assert not any(price.forecast for price in prices), "tomorrow is known since 13:00"
    morning = list_prices(world.source, datetime(2024, 6, 11, 10, 30, tzinfo=UTC))
    assert morning[-1].forecast


async def test_the_page_speaks_and_names_nobody(world: World) -> None:
    async with visit(world) as client:
        english = await client.get("/p/NL*WIJ*E0001*1")
        dutch = await client.get("/p/NL*WIJ*E0001*1", headers={"Accept-Language": "nl"})
    assert "In use" in english.text
    assert "Bezet" in dutch.text
    assert "€ 0," in dutch.text
    for text in (english.text, dutch.text):
        assert "<script" not in text
        assert "CARD" not in text
        assert "session-" not in text
        assert "Stedin evening signal" in text
    assert english.headers["cache-control"] == "no-store"


async def test_prices_and_the_idle_fee_are_shown_before_the_start(world: World) -> None:
    async with visit(world, DriverPricing(idle_fee=IdleFeeConfig())) as client:
        english = (await client.get("/p/NL*WIJ*E0001*1")).text
        dutch = (await client.get("/p/NL*WIJ*E0001*1?lang=nl")).text
    for word in ("Your price per kWh, VAT included", "Later", "Share", "Fast", "€ 0.05 a minute", "€ 6.00"):
        assert word in english
    assert "Never from 21:00 to 08:00." in english
    for word in ("Uw prijs per kWh", "Delen", "Snel", "€ 0,05 per minuut"):
        assert word in dutch
    async with visit(world) as client:
        assert "Your price" not in (await client.get("/p/NL*WIJ*E0001*1")).text


async def test_unknown_points_and_missing_prices_are_told(world: World) -> None:
    world.clock = ManualClock(datetime(1999, 1, 1, tzinfo=UTC))
    async with visit(world) as client:
        assert (await client.get("/p/<script>alert(1)</script>")).status_code == 404
        assert "No price is known" in (await client.get("/p/NL*WIJ*E0001*1")).text
        assert "Geen prijs" not in (await client.get("/p/NL*WIJ*E0001*1?lang=<b>")).text
