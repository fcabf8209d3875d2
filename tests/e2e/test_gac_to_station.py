"""A GAC event reaches real stations: notification in, OCPP out, within a minute; and so does the safe mode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from csms.settings import OpenAdrVtnConfig
from simulator.gridoperator.openadr import Vtn
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
from wijkstroom.running import Running, RunOptions, running_scene
from wijkstroom.scene import Scene

EAN = "871694600000010901"
PLENTY_KW = 200.0


def event(name: str, at: datetime, kw: float, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "programID": "gac-1",
        "modificationDateTime": at.isoformat(),
        "targets": [EAN],
        "payloadDescriptors": [{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "KW"}],
        "intervalPeriod": {"start": at.isoformat(), "duration": "PT6H"},
        "intervals": [{"id": 0, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [kw]}]}],
        **changes,
    }


def listening_to(scene: Scene, vtn: Vtn) -> Scene:
    """Return a scene whose street listens to a VTN; it is asked seldom, so that notifications must tell."""
    config = OpenAdrVtnConfig(
        name="Stedin",
        url=vtn.url,
        ven_name="NL-LMB",
        client_id="NL-LMB",
        groups={EAN: NODE},
        poll_interval_s=300,
        webhook=True,
    )
    service = scene.street.service.model_copy(update={"openadr_vtns": (config,)})
    return replace(scene, street=replace(scene.street, service=service))


def silent_at(running: Running) -> datetime:
    """Return when the VTN counts as silent unless it is heard again."""
    at = running.central.service.state.signals.senders["Stedin"].offline_at
    assert at is not None
    return at


@pytest.mark.slow
async def test_an_event_and_a_silence_reach_the_stations_within_a_minute(
    scene_of: Callable[..., Scene],
) -> None:
    vtn = Vtn(secret="")  # a scene has no environment that could hold one
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(vtn.listening())
        scene = listening_to(scene_of("public-duo-201", 4, 5.0, visitors=80.0), vtn)
        running = await stack.enter_async_context(running_scene(scene, RunOptions(FASTEST)))
        clock = running.clock
        day = asyncio.create_task(running.simulated.run_to_end())
        stack.callback(day.cancel)
        with clock.hold(HELD_S):
            await until(lambda: vtn.subscriptions)
        while told_kw(running) < CHARGING_KW:
            await clock.sleep(5 * MINUTE_S)

        with clock.hold(HELD_S):
            (answer,) = await vtn.publish(event("limit", clock.now(), LITTLE_KW))
            assert answer.status_code == 204
        await within_a_minute(running, lambda: told_kw(running) < NOTHING_KW)

        with clock.hold(HELD_S):
            (answer,) = await vtn.publish(event("limit", clock.now(), PLENTY_KW))
            assert answer.status_code == 204
            safe = event("safe", clock.now(), LITTLE_KW, eventName="SAFE_MODE")
            (answer,) = await vtn.publish(safe)
            assert answer.status_code == 204
        while told_kw(running) < CHARGING_KW:
            await clock.sleep(MINUTE_S)
        vtn.silent = True
        assert clock.now() < silent_at(running)
        await clock.sleep_until(silent_at(running))
        await within_a_minute(running, lambda: told_kw(running) < NOTHING_KW)
