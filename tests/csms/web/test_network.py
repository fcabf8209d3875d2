from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from csms.state.queries import QuarterEnergy
from csms.web.network import GridDesk, _is_in_force, check_kept, connection_loads_kw
from grid.capacity.signals import Block, CapacitySignal, SignalBook, SignalKind, SignalSource
from grid.feeds.p1 import MeterReading
from grid.street import GridSide
from grid.timegrid import QUARTER
from grid.topology import Direction, Limit, LimitKind, LimitUnit
from tests.csms.api.world import World
from tests.csms.web.world import METERS
from wijkstroom.street import load_street

EVENING = datetime(2024, 6, 11, 14, 30, tzinfo=UTC)  # 16:30 in the street; the signal begins at 17:00


END = EVENING + 8 * QUARTER


def test_quarters_are_judged_by_the_limit_that_held(grid: GridSide) -> None:
    quarters = [
        QuarterEnergy(EVENING + n * QUARTER, kwh, 0.0) for n, kwh in enumerate((30.0, 30.0, 30.0, 27.5, 27.0))
    ]
    (kept,) = check_kept({"node": quarters}, METERS, grid, 0.95, END, SignalBook())
    assert (kept["node"], kept["quarters"], kept["exceeded_quarters"]) == ("lombok-transformer", 5, 1)
    assert kept["exceeded_kwh"] == pytest.approx(30.0 - 27.5)
    assert kept["highest_kw"] == 120.0


def test_quarters_that_nobody_measured_are_not_counted_as_kept(grid: GridSide) -> None:
    (kept,) = check_kept({"node": [QuarterEnergy(EVENING, 0.0, 0.0)]}, METERS, grid, 0.95, END, SignalBook())
    assert (kept["quarters"], kept["highest_kw"]) == (0, None)
    assert check_kept({}, (), grid, 0.95, END, SignalBook()) == []


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
