"""A grid operator's word reaches real stations: HTTP in, OCPP out, within a minute of the street's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from csms.settings import OscpPartnerConfig
from simulator.gridoperator.oscp import CapacityProvider
from tests.e2e.conftest import FASTEST
from tests.e2e.told import (
    CHARGING_KW,
    HELD_S,
    LITTLE_KW,
    MINUTE_S,
    NODE,
    NOTHING_KW,
    told_kw,
    until,
    within_a_minute,
)
from wijkstroom.running import Running, RunOptions, http_url, new_ids, running_scene
from wijkstroom.scene import Scene

GROUP = "GRP-LOMBOK"


def block(start: datetime, kw: float) -> dict[str, Any]:
    span = {"start_time": start.isoformat(), "end_time": (start + timedelta(hours=6)).isoformat()}
    return {"capacity": kw, "phase": "ALL", "unit": "KW", **span}


async def join(running: Running, provider: CapacityProvider) -> None:
    """Invite the grid operator, register both ways, shake hands."""
    token = {"Authorization": f"Bearer {new_ids(running.scene.seed)()}"}
    async with httpx.AsyncClient(base_url=http_url(running.central), headers=token) as operator:
        invitation = (await operator.post("/api/v1/oscp/Stedin/invitation")).json()
    await provider.register_at(invitation["url"], invitation["token"])
    await until(lambda: provider.named("register"))
    await provider.shake_hands(heartbeat_interval_s=60)
    await until(lambda: provider.named("handshake"))


@pytest.mark.slow
async def test_a_signal_and_a_silence_reach_the_stations_within_a_minute(
    scene_of: Callable[..., Scene],
) -> None:
    scene = scene_of("public-duo-201", 4, 4.0, visitors=80.0)
    partner = OscpPartnerConfig(name="Stedin", groups={GROUP: NODE})
    service = scene.street.service.model_copy(update={"oscp_partners": (partner,)})
    scene = replace(scene, street=replace(scene.street, service=service))
    provider = CapacityProvider()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(provider.listening())
        running = await stack.enter_async_context(running_scene(scene, RunOptions(FASTEST)))
        clock = running.clock
        day = asyncio.create_task(running.simulated.run_to_end())
        stack.callback(day.cancel)
        with clock.hold(HELD_S):
            await join(running, provider)
        while told_kw(running) < CHARGING_KW:
            await clock.sleep(5 * MINUTE_S)

        with clock.hold(HELD_S):
            answer = await provider.forecast(GROUP, "CONSUMPTION", [block(clock.now(), LITTLE_KW)])
            assert answer.status_code == 204
        await within_a_minute(running, lambda: told_kw(running) < NOTHING_KW)

        with clock.hold(HELD_S):
            await provider.forecast(GROUP, "CONSUMPTION", [block(clock.now(), 200.0)])
            await provider.forecast(GROUP, "FALLBACK_CONSUMPTION", [block(clock.now(), LITTLE_KW)])
            silent_at = clock.now() + timedelta(minutes=20)
            await provider.beat(silent_at)
        while told_kw(running) < CHARGING_KW:
            await clock.sleep(MINUTE_S)
        assert clock.now() < silent_at
        await clock.sleep_until(silent_at)
        await within_a_minute(running, lambda: told_kw(running) < NOTHING_KW)
