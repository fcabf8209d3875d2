from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from csms.settings import MeterRole
from csms.web.network import GridDesk, _is_in_force, connection_loads_kw
from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.feeds.p1 import MeterReading
from grid.street import GridSide
from grid.timegrid import QUARTER
from grid.topology import Direction, Limit, LimitKind, LimitUnit
from tests.csms.api.world import World
from wijkstroom.street import load_street


async def test_this_month_and_the_last_are_judged_and_read_once_a_quarter() -> None:
    world = World(load_street())
    await world.service.start()
    (meter,) = (one for one in world.service.catalogue.service.meters if one.role is MeterRole.NODE)
    begin = world.clock.now()  # 17:30 in the street: the evening signal allows 110 kW
    for minute in range(46):
        at = begin + timedelta(minutes=minute)
        await world.service.record_reading(meter.id, MeterReading(at, minute * 2.0, 0.0, 120.0))
    desk = GridDesk(world.context)
    await world.clock.advance(45 * 60)
    kept = (await desk.describe())["kept"]
    assert [(each["month"], each["direction"]) for each in kept] == [
        ("2024-06", "import"),
        ("2024-06", "export"),
        ("2024-05", "import"),
        ("2024-05", "export"),
    ]
    this, _, last, _ = kept
    assert (this["quarters"], this["exceeded_quarters"], this["highest_kw"]) == (3, 3, 120.0)
    assert (this["exceeded_kwh"], this["late_kwh"]) == (7.5, 0.0)
    assert (last["quarters"], last["unmetered_quarters"], last["highest_kw"]) == (0, 31 * 96, None)
    assert (await desk.describe())["kept"] is kept
    await world.store.close()


@pytest.mark.parametrize(
    ("begin", "end", "hour", "in_force"),
    [
        (17, 21, 16, False),
        (17, 21, 17, True),
        (17, 21, 21, False),
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
    ],
)
def test_a_daily_signal_holds_in_its_window(
    grid: GridSide, begin: int, end: int, hour: int, in_force: bool
) -> None:
    limit = Limit(
        value=1.0,
        unit=LimitUnit.KW,
        direction=Direction.IMPORT,
        kind=LimitKind.SIGNAL,
        source="s",
        daily_from=time(begin),
        daily_to=time(end),
    )
    now = datetime(2024, 6, 11, hour, tzinfo=grid.tz)
    assert _is_in_force(limit, grid, now) is in_force
    assert _is_in_force(limit.model_copy(update={"daily_from": None}), grid, now)


async def test_loads_are_added_up_by_connection() -> None:
    world = World(load_street())
    await world.service.start()
    await world.connect()
    await world.plug_in("t-1", 1)
    await world.plug_in("t-2", 2)
    await world.charge("t-1", 1, minutes=1)
    await world.charge("t-2", 2, minutes=0)
    loads_kw = connection_loads_kw(world.service.state, world.service.catalogue)
    assert loads_kw["pole-17"] == 8.0
    (meter, *_) = world.service.catalogue.service.meters
    await world.service.record_reading(meter.id, MeterReading(world.clock.now(), 10.0, 0.0, 61.5))
    facts: dict[str, Any] = await GridDesk(world.context).describe()
    (node,) = facts["nodes"]
    assert (node["load_kw"], node["import_limit_kw"]) == (61.5, 110.0)
    assert facts["signals"] == []
    signal = node["limits"][2]
    assert (signal["in_force"], signal["daily_from"]) == (True, "17:00")
    assert datetime.fromtimestamp(signal["begins_ms"] / 1000, UTC) > world.clock.now() + timedelta(hours=12)
    assert next(one for one in facts["connections"] if one["id"] == "pole-17")["stations"] == ["LMB-17"]
    await world.service.receive_signal(make_signal(world.clock.now()))
    facts = await GridDesk(world.context).describe()
    assert facts["nodes"][0]["import_limit_kw"] == 42.0
    (told,) = facts["signals"]
    assert (told["sender"], told["limit_kw"], told["status"]) == ("stedin", 42.0, "active")
    await world.store.close()


def make_signal(now: datetime) -> CapacitySignal:
    return CapacitySignal(
        id="tonight",
        source=SignalSource.MANUAL,
        sender="stedin",
        group="lombok-transformer",
        direction=Direction.IMPORT,
        kind=SignalKind.LIMIT,
        blocks=(Block(now - QUARTER, now + 4 * QUARTER, 42.0),),
        received_at=now - QUARTER,
    )
