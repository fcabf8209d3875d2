"""A VTN tells changes at once: subscription, notifications, and what is refused, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from csms.app import CentralSystem
from csms.settings import OpenAdrVtnConfig
from csms.state.audit import list_deeds
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from grid.topology import Direction
from optimizer.workers import InlineExecutor
from simulator.gridoperator.openadr import Vtn
from tests.e2e.test_openadr import EAN, NODE, NOW, STREET_EAN, event
from wijkstroom.running import build_catalogue
from wijkstroom.street import Street, load_street

NAME = "Stedin: west"
NONE_KW = float("inf")


@dataclass
class World:
    clock: ManualClock
    store: Store
    central: CentralSystem
    vtn: Vtn

    def limit_kw(self) -> float:
        """Return the limit of signals for the first pole [kW]."""
        service = self.central.service
        topology, now = service.catalogue.topology, self.clock.now()
        values, _ = service.state.signals.limit_kw(topology, "pole-01", Direction.IMPORT, [now], now)
        return float(values[0])

    async def refusals(self) -> list[str]:
        return [each.outcome for each in await self.store.read(list_deeds) if each.deed == "refuse event"]

    async def until(self, ready: Callable[[], Any]) -> None:
        """Wait for messages that are on their way."""
        async with asyncio.timeout(60):
            while not ready():  # noqa: ASYNC110 - waits for another server
                await asyncio.sleep(0.01)

    async def poll(self) -> None:
        """Let the VEN's next poll pass."""
        before, polls = self.offline_at(), self.vtn.polls
        async with asyncio.timeout(60):
            while self.vtn.polls == polls:
                await self.clock.advance(5)
                await asyncio.sleep(0.01)
        await self.until(lambda: self.offline_at() != before)

    def offline_at(self) -> datetime | None:
        state = self.central.service.state.signals.senders.get(NAME)
        return None if state is None else state.offline_at


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


@asynccontextmanager
async def running(street: Street, *, webhook: bool = True) -> AsyncIterator[World]:
    clock, numbers, vtn = ManualClock(NOW), count(1), Vtn()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(vtn.listening())
        store = open_store("sqlite://", inline=True)
        stack.push_async_callback(store.close)
        central = listening_to(street, vtn, store, clock, lambda: f"id-{next(numbers):032d}", webhook=webhook)
        await stack.enter_async_context(central)
        world = World(clock, store, central, vtn)
        await world.until(world.offline_at)
        yield world


def listening_to(
    street: Street, vtn: Vtn, store: Store, clock: ManualClock, new_id: Callable[[], str], *, webhook: bool
) -> CentralSystem:
    """Return the service of a street that knows a VTN."""
    config = OpenAdrVtnConfig(
        name=NAME,
        url=vtn.url,
        ven_name="NL-LMB",
        client_id="NL-LMB",
        groups={STREET_EAN: NODE},
        webhook=webhook,
    )
    own = replace(street, service=street.service.model_copy(update={"openadr_vtns": (config,)}))
    return CentralSystem(
        build_catalogue(own),
        own.grid,
        store,
        clock,
        InlineExecutor(),
        operator_token="operator-token",
        new_id=new_id,
        openadr_secrets={NAME: vtn.secret},
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"id": "e@1"}, "object.id"),
    ({"priority": 1}, "object.priority"),
    ({"modificationDateTime": None}, "object.modificationDateTime"),
    ({"intervals": []}, "object.intervals"),
    ({"intervals": "soon"}, "object.intervals"),
    (
        {"intervals": [{"id": 1, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [1e9]}]}]},
        "object.intervals[0].payloads[0].values[0]",
    ),
    (
        {"intervalPeriod": {"start": NOW.isoformat(), "duration": "P9999999999999D"}},
        "object.intervals[0].intervalPeriod.duration",
    ),
    ({"intervalPeriod": {"start": NOW.isoformat(), "duration": "P3000000D"}}, "object.intervals"),
    ({"intervalPeriod": {"start": "2024-06-10T12:00:00Z", "duration": "PT1H"}}, "blocks[0].end"),
]


def version(minutes: float) -> dict[str, Any]:
    return {"modificationDateTime": (NOW + timedelta(minutes=minutes)).isoformat()}


async def test_an_event_is_in_force_changed_and_gone_when_it_was_told(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        polls = vtn.polls
        answers = await vtn.publish(event(kw=8.0, **version(0)))
        assert [each.status_code for each in answers] == [204]
        assert world.limit_kw() == 8.0
        answers = await vtn.publish(event(kw=5.0, **version(1)))
        assert [each.status_code for each in answers] == [204]
        assert world.limit_kw() == 5.0
        # A repetition, and an earlier version that was on its way for long, change nothing.
        await vtn.notify("UPDATE", event(kw=5.0, **version(1)))
        await vtn.notify("UPDATE", event(kw=8.0, **version(0)))
        assert world.limit_kw() == 5.0
        answers = await vtn.cancel("e-1")
        assert [each.status_code for each in answers] == [204]
        assert world.limit_kw() == NONE_KW
        assert vtn.polls == polls


async def test_an_event_may_drop_a_target(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        await vtn.publish(event(kw=8.0, targets=[EAN, STREET_EAN], **version(0)))
        assert world.limit_kw() == 8.0
        await vtn.publish(event(kw=70.0, targets=[STREET_EAN], **version(1)))
        assert world.limit_kw() == 70.0
        assert (
            len([each for each in world.central.service.state.signals.signals if not each.withdrawn_at]) == 1
        )


async def test_a_poll_finds_what_was_not_told(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        await vtn.publish(event(kw=8.0, **version(0)))
        vtn.events = [event(kw=6.0, **version(1))]
        await world.poll()
        assert world.limit_kw() == 6.0
        vtn.events = []
        await world.poll()
        assert world.limit_kw() == NONE_KW


async def test_the_subscription_is_of_the_program_and_our_targets(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        (subscription,) = vtn.subscriptions.values()
        assert (subscription["clientName"], subscription["programID"]) == ("NL-LMB", "gac-1")
        assert {EAN, STREET_EAN} <= set(subscription["targets"])
        (wish,) = subscription["objectOperations"]
        assert wish["objects"] == ["EVENT"]
        assert wish["operations"] == ["CREATE", "UPDATE", "DELETE"]
        port = world.central.http_port
        assert wish["callbackUrl"] == f"http://127.0.0.1:{port}/openadr/3.1/notifications/Stedin%3A%20west"
        assert await vtn.publish(event(targets=["871694600000099992"])) == []


async def test_a_lost_subscription_is_renewed_and_all_of_ours_are_deleted(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        vtn.subscriptions.clear()
        await world.poll()
        assert len(vtn.subscriptions) == 1
        await world.poll()
        assert vtn.subscribed == 2
        await vtn.publish(event(kw=8.0, **version(2)))
        assert world.limit_kw() == 8.0
        # What an earlier run left behind has a token that nobody knows; what others have is theirs.
        ((name, own),) = vtn.subscriptions.items()
        stranger = {
            **own,
            "objectOperations": [{**own["objectOperations"][0], "callbackUrl": "http://other"}],
        }
        vtn.subscriptions |= {"left": {**own, "id": "left"}, "stranger": {**stranger, "id": "stranger"}}
        await world.poll()
        assert set(vtn.subscriptions) == {name, "stranger"}
    assert set(vtn.subscriptions) == {"stranger"}


async def test_without_the_switch_nobody_subscribes_and_nobody_listens(street: Street) -> None:
    async with running(street, webhook=False) as world:
        vtn = world.vtn
        assert vtn.subscribed == 0
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.central.http_port}") as http:
            headers = {"Authorization": "Bearer nonsense"}
            answer = await http.post(f"/openadr/3.1/notifications/{NAME}", json={}, headers=headers)
        assert answer.status_code == 401


async def test_a_stop_does_not_wait_for_a_vtn_that_refuses(street: Street) -> None:
    async with running(street) as world:
        world.vtn.silent = True
    assert len(world.vtn.subscriptions) == 1


async def test_only_the_token_of_the_subscription_counts(street: Street) -> None:
    async with running(street) as world:
        for token in ("nonsense", "operator-token"):
            (answer,) = await world.vtn.notify("CREATE", event(**version(0)), token=token)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert world.limit_kw() == NONE_KW


async def test_a_bad_change_is_refused_told_and_kept_and_the_event_holds(street: Street) -> None:
    async with running(street) as world:
        await world.vtn.publish(event(kw=8.0, **version(0)))
        for number, (changes, place) in enumerate(BAD, 1):
            (answer,) = await world.vtn.notify("UPDATE", event(kw=1.0, **{**version(1), **changes}))
            assert answer.status_code == 422
            assert place in [each["field"] for each in answer.json()["errors"]]
            assert world.limit_kw() == 8.0
            assert place in (await world.refusals())[0]
            assert len(await world.refusals()) == number
        # The same in the list, again and again, is told and kept once.
        world.vtn.events = [event(kw=1.0, priority=2, **version(1))]
        for _ in range(2):
            await world.poll()
        assert world.limit_kw() == 8.0
        assert len(await world.refusals()) == len(BAD) + 1


async def test_an_event_holds_to_its_end_and_may_change_while_it_runs(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        await vtn.publish(event(kw=8.0, **version(0)))
        await world.clock.advance(90 * 60)
        await world.poll()
        assert world.limit_kw() == 9.0
        (answer,) = await vtn.publish(event(kw=4.0, **version(90)))
        assert answer.status_code == 204
        assert world.limit_kw() == 5.0


async def test_a_message_that_is_none_is_refused(street: Street) -> None:
    async with running(street) as world:
        vtn = world.vtn
        (answer,) = await vtn.notify("CREATE", event(**version(0)), kind="PROGRAM")
        assert answer.json()["errors"][0]["field"] == "objectType"
        other = event(**version(0))
        vtn.subscriptions |= {key: {**each, "programID": "gac-2"} for key, each in vtn.subscriptions.items()}
        (answer,) = await vtn.notify("CREATE", {**other, "programID": "gac-2"})
        assert answer.json()["errors"][0]["field"] == "object.programID"
        assert world.limit_kw() == NONE_KW
        assert len(await world.refusals()) == 2
