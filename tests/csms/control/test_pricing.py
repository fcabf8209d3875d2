"""Every session has a price; the idle fee follows what the ledger offers and what the car does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from csms.control.curve import PowerCurve
from csms.control.ledger import EvseKey, Ledger, Order
from csms.control.pricing import PriceDesk
from csms.ocpp.vocabulary import (
    ChargingProfile,
    Measurand,
    MeterReport,
    OcppVersion,
    Period,
    ProfilePurpose,
    RateUnit,
    Sample,
)
from csms.state.driver_rows import SessionAccount, read_account
from csms.state.errors import ConflictError, NotFoundError, RejectedError
from csms.state.records import Declaration
from grid.tariffs.driver import Choice, DriverPricing, IdleFeeConfig
from tests.csms.api.world import STATION, World
from wijkstroom.street import Street, load_street

KEY = EvseKey(STATION, 1)
FULL_KW = 11.04


@dataclass
class Counter:
    """A desk over a street, with a session in its first socket."""

    world: World
    desk: PriceDesk
    ledger: Ledger
    session_id: str

    def new_desk(self, planned_kw: float = 0.0) -> PriceDesk:
        """Return another desk over the same rows."""
        world = self.world
        return PriceDesk(world.service, world.street.grid, world.clock, self.ledger, lambda _: planned_kw)

    def offer(self, kw: float) -> None:
        """Let the socket confirm an order from now on."""
        now = self.world.clock.now()
        periods = (Period(0, limit=kw * 1000),)
        profile = ChargingProfile(1, 1, ProfilePurpose.TX, RateUnit.WATT, now, periods)
        order = Order(now, KEY, self.session_id, profile, PowerCurve((now,), (kw,)))
        self.ledger.send(order)
        self.ledger.confirm(order)

    async def wait(self, minutes: int, draws_kw: float = 0.0) -> None:
        """Let minutes pass; the car is measured and looked at in each."""
        for _ in range(minutes):
            await self.world.clock.advance(60)
            power = Sample(self.world.clock.now(), Measurand.POWER_IMPORT, draws_kw, "kW")
            await self.world.service.handle(STATION, OcppVersion.V201, MeterReport(1, "t-1", (power,)))
            await self.desk.look()

    async def account(self) -> SessionAccount:
        return await self.world.store.read(partial(read_account, session_id=self.session_id))

    async def idle_eur(self) -> Decimal:
        return sum((each.amount_eur for each in (await self.account()).idle), Decimal(0))


@pytest.fixture(scope="module")
def street() -> Street:
    street = load_street()
    pricing = DriverPricing(idle_fee=IdleFeeConfig())
    return replace(street, service=street.service.model_copy(update={"pricing": pricing}))


@pytest.fixture
async def counter(street: Street) -> AsyncIterator[Counter]:
    world = World(street)  # 17:30 in the street
    await world.service.start()
    await world.connect()
    yield Counter(world, world.prices, world.ledger, await world.plug_in())
    await world.store.close()


async def test_a_full_car_is_told_first_and_pays_then(counter: Counter) -> None:
    counter.offer(FULL_KW)
    await counter.wait(16)
    (notice,) = (await counter.account()).notices
    assert notice.announced_at == counter.world.clock.now()
    assert notice.runs_from == notice.announced_at + timedelta(minutes=15)
    assert (await counter.account()).idle == ()
    await counter.wait(25)
    assert await counter.idle_eur() == Decimal("0.50")


async def test_it_does_not_run_while_the_plan_or_a_limit_offers_less_than_the_minimum(
    counter: Counter,
) -> None:
    counter.offer(3.0)
    await counter.wait(60)
    assert (await counter.account()).notices == ()
    counter.offer(FULL_KW)
    await counter.wait(40)
    counter.offer(0.0)
    await counter.wait(60)
    assert await counter.idle_eur() == Decimal("0.45")  # 31 of the 40 minutes passed before it ran
    assert len((await counter.account()).notices) == 1


async def test_the_fallback_is_an_offer_and_an_order_in_doubt_is_none(counter: Counter) -> None:
    await counter.wait(40)
    assert (await counter.account()).notices == ()  # nobody confirmed anything
    counter.ledger.guard(KEY, 4.14)
    await counter.wait(16)
    assert len((await counter.account()).notices) == 1
    counter.offer(FULL_KW)
    counter.ledger.send(counter.ledger.confirmed(KEY))  # type: ignore[arg-type]  # it is there
    await counter.wait(60)
    assert (await counter.account()).idle == ()


async def test_a_car_that_charges_or_is_declared_to_stay_pays_nothing(counter: Counter) -> None:
    counter.offer(FULL_KW)
    await counter.wait(30, draws_kw=7.0)
    leaves = counter.world.clock.now() + timedelta(hours=2)
    await counter.world.service.declare(counter.session_id, Declaration(leaves, energy_kwh=5.0))
    await counter.wait(90)
    assert ((await counter.account()).notices, await counter.idle_eur()) == ((), Decimal(0))


async def test_a_restart_keeps_the_cap_and_begins_anew(counter: Counter) -> None:
    counter.offer(FULL_KW)
    await counter.wait(36)
    before = await counter.idle_eur()
    counter.desk = counter.new_desk()
    await counter.wait(30)
    assert await counter.idle_eur() == before > 0
    await counter.wait(10)
    account = await counter.account()
    assert len(account.notices) == 2
    assert account.idle[0].amount_eur > before


async def test_every_session_has_the_price_of_sharing_and_keeps_it(counter: Counter) -> None:
    await counter.desk.look()
    price = (await counter.account()).price
    assert price is not None
    quote = counter.desk.quote(STATION)
    assert quote is not None
    assert (price.choice, price.eur_per_kwh) == (Choice.SHARE, quote.eur_per_kwh[Choice.SHARE])
    await counter.wait(120, draws_kw=5.0)
    assert (await counter.account()).price == price


async def test_a_choice_is_priced_and_planned_for(counter: Counter) -> None:
    await counter.desk.look()
    leaves = counter.world.clock.now() + timedelta(hours=12)
    later = await counter.desk.choose(counter.session_id, Choice.LATER, 15.0, leaves)
    fast = await counter.desk.choose(counter.session_id, Choice.FAST, 15.0, None)
    assert later.eur_per_kwh < fast.eur_per_kwh
    assert (await counter.account()).price == fast
    found = counter.world.service.state.find_session(counter.session_id)
    assert found is not None
    declared = found[2].declaration
    assert declared is not None
    assert declared.departure < counter.world.clock.now() + timedelta(hours=2)


async def test_what_cannot_be_chosen_is_named(counter: Counter) -> None:
    name, leaves = counter.session_id, counter.world.clock.now() + timedelta(hours=1)
    with pytest.raises(RejectedError, match="energy_kwh"):
        await counter.desk.choose(name, Choice.FAST, None, None)
    with pytest.raises(RejectedError, match="departure"):
        await counter.desk.choose(name, Choice.LATER, 10.0, None)
    with pytest.raises(ConflictError, match="does not fit"):
        await counter.desk.choose(name, Choice.LATER, 50.0, leaves)
    with pytest.raises(NotFoundError):
        await counter.desk.choose("nothing", Choice.SHARE, None, None)
    await counter.world.clock.advance(16 * 60)
    with pytest.raises(ConflictError, match="within 15 minutes"):
        await counter.desk.choose(name, Choice.SHARE, None, None)


async def test_the_plan_leaves_less_room_for_later(counter: Counter) -> None:
    free = counter.desk.quote(STATION)
    full = counter.new_desk(1e6).quote(STATION)
    assert free is not None
    assert full is not None
    assert Choice.LATER in free.eur_per_kwh
    assert Choice.LATER not in full.eur_per_kwh


async def test_tariff_and_cost_are_told_and_a_choice_is_taken(counter: Counter) -> None:
    world = counter.world
    counter.offer(FULL_KW)
    async with world.client() as client:
        tariff = (await client.get("/api/v1/tariffs")).json()
        assert tariff["idle_fee"]["cap_eur_per_day"] == "6.00"
        station = next(each for each in tariff["stations"] if each["station_id"] == STATION)
        prices = [Decimal(station["eur_per_kwh"][choice]) for choice in ("later", "share", "fast")]
        assert prices == sorted(prices)
        leaves: datetime = world.clock.now() + timedelta(hours=12)
        body = {"choice": "later", "energy_kwh": 10.0, "departure": leaves.isoformat()}
        chosen = await client.put(f"/api/v1/sessions/{counter.session_id}/choice", json=body)
        assert chosen.status_code == 200, chosen.text
        await world.charge(to_kwh=14.0)
        cost = (await client.get(f"/api/v1/sessions/{counter.session_id}/cost")).json()
        price = Decimal(chosen.json()["eur_per_kwh"])
        assert (cost["energy_kwh"], Decimal(cost["energy_eur"])) == (4.0, price * 4)
        assert cost["total_eur"] == cost["energy_eur"]
        late = await client.put(f"/api/v1/sessions/{counter.session_id}/choice", json=body)
        assert late.status_code == 409
        assert (await client.get("/api/v1/sessions/nothing/cost")).status_code == 404
