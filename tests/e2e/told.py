"""What the stations of a running street confirmed, and how to wait for it on the street's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from csms.control.curve import worst_import_kw
from wijkstroom.running import Running

NODE = "lombok-transformer"
MINUTE_S = 60.0
STEP_S = 20.0
HELD_S = 300.0
CHARGING_KW = 3.0
NOTHING_KW = 0.1
# Under the base load: nothing is left for cars.
LITTLE_KW = 1.0


def told_kw(running: Running) -> float:
    """Return what the stations confirmed that cars may draw now [kW]."""
    ledger, now = running.central.loop.ledger, running.clock.now()
    curves = []
    for station in running.central.service.state.stations.values():
        for key in ledger.keys:
            evse = station.evses.get(key.evse_id)
            if key.station_id == station.station_id and evse is not None and evse.session is not None:
                curves.append(ledger.curves(key, evse.session.id))
    return sum(worst_import_kw(each, now, now + timedelta(seconds=1)) for each in curves)


async def until(ready: Callable[[], Any]) -> None:
    """Wait for messages that are on their way."""
    async with asyncio.timeout(120):
        while not ready():  # noqa: ASYNC110 - waits for another server
            await asyncio.sleep(0.01)


async def within_a_minute(running: Running, ready: Callable[[], bool]) -> None:
    """Give the street 20 s, then messages all the time of the wall that they need in 20 s more at the most."""
    begin = running.clock.now()
    await running.clock.sleep(STEP_S)
    with running.clock.hold(STEP_S):
        await until(ready)
    assert running.clock.now() - begin <= timedelta(seconds=MINUTE_S)
