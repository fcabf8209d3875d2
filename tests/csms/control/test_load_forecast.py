"""What suppliers are told every morning: once, in time or marked, and never changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from csms.control.load_forecast import LoadForecastDesk, is_late
from csms.settings import LoadForecastConfig
from csms.state.load_forecasts import FrozenForecast, read_frozen
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from grid.tariffs.deviation import read_forecasts
from tests.csms.control.street import load_lombok
from tests.csms.state.street import build_catalogue, counted_ids

GRID = load_lombok()
TZ = GRID.tz
TUESDAY, WEDNESDAY = date(2024, 6, 11), date(2024, 6, 12)


def local(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), TZ).astimezone(UTC)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = open_store("sqlite://", inline=True)
    yield store
    await store.close()


class Desk:
    """A desk that runs, perhaps not the first of its database."""

    def __init__(self, store: Store, clock: ManualClock, config: LoadForecastConfig) -> None:
        self.store, self.clock = store, clock
        catalogue = build_catalogue()
        settings = catalogue.service.model_copy(update={"load_forecast": config})
        self.service = StateService(store, clock, replace(catalogue, service=settings), new_id=counted_ids())
        self.desk = LoadForecastDesk(self.service, GRID, clock)

    async def frozen(self, day: date) -> FrozenForecast | None:
        return await self.store.read(partial(read_frozen, day=day))


@asynccontextmanager
async def running(
    store: Store, clock: ManualClock, config: LoadForecastConfig | None = None
) -> AsyncIterator[Desk]:
    made = Desk(store, clock, config or LoadForecastConfig())
    await made.service.start()
    task = asyncio.create_task(made.desk.run())
    await clock.advance(0)
    yield made
    task.cancel()
    await asyncio.wait([task])
    await made.service.close()


async def test_every_morning_at_half_past_nine(store: Store) -> None:
    clock = ManualClock(local(TUESDAY, 9, 29))
    async with running(store, clock) as desk:
        assert await desk.frozen(WEDNESDAY) is None
        await clock.advance_to(local(TUESDAY, 9, 30))
        found = await desk.frozen(WEDNESDAY)
        assert found is not None
        assert found.made_at == local(TUESDAY, 9, 30)
        assert not found.late
        assert [each.ean18 for each in found.forecasts] == [each.ean18 for each in GRID.topology.connections]
        assert {len(each.starts) for each in found.forecasts} == {96}
        assert found.forecasts[0].starts[0] == local(WEDNESDAY, 0)
        await clock.advance_to(local(WEDNESDAY, 9, 30))
        assert await desk.frozen(date(2024, 6, 13)) is not None
        again = await desk.frozen(WEDNESDAY)
        assert again is not None
        assert again.made_at == found.made_at


@pytest.mark.parametrize(("day", "quarters"), [(date(2024, 3, 31), 92), (date(2024, 10, 27), 100)])
async def test_days_on_which_the_clock_changes(store: Store, day: date, quarters: int) -> None:
    eve = day.replace(day=day.day - 1)
    async with running(store, ManualClock(local(eve, 9, 30))) as desk:
        found = await desk.frozen(day)
        assert found is not None
        assert {len(each.starts) for each in found.forecasts} == {quarters}


async def test_a_restart_makes_up_for_what_is_missing_and_nothing_twice(store: Store) -> None:
    clock = ManualClock(local(TUESDAY, 11, 5))
    async with running(store, clock) as desk:
        found = await desk.frozen(WEDNESDAY)
        assert found is not None
        assert found.late
        assert found.made_at == local(TUESDAY, 11, 5)
    await clock.advance(3600)
    async with running(store, clock) as desk:
        again = await desk.frozen(WEDNESDAY)
        assert again is not None
        assert again.made_at == found.made_at
        assert len(again.forecasts) == len(found.forecasts)


async def test_a_folder_gets_a_file_as_soon_as_it_can(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "suppliers"
    clock = ManualClock(local(TUESDAY, 9, 0))
    config = LoadForecastConfig(made_at=time(9, 10), folder=str(folder))
    async with running(store, clock, config) as desk:
        await clock.advance_to(local(TUESDAY, 9, 10))
        found = await desk.frozen(WEDNESDAY)
        assert found is not None, "no folder is no reason not to announce"
        folder.mkdir()
        await clock.advance_to(local(TUESDAY, 9, 15))
        (file,) = folder.iterdir()
        assert file.name == "load-forecast-2024-06-12.csv"
        written = read_forecasts(file)
        assert [each.starts for each in written] == [each.starts for each in found.forecasts]
        file.write_text("taken")
        await clock.advance_to(local(TUESDAY, 12, 0))
        assert file.read_text() == "taken", "once"


def test_late_is_after_ten() -> None:
    assert not is_late(WEDNESDAY, local(TUESDAY, 10), TZ)
    assert is_late(WEDNESDAY, local(TUESDAY, 10, 1), TZ)
    assert not is_late(date(2024, 3, 31), local(date(2024, 3, 30), 9, 59), TZ)


@pytest.mark.parametrize("made_at", [time(10), time(9, tzinfo=UTC)])
def test_ten_is_too_late_to_plan_it(made_at: time) -> None:
    with pytest.raises(ValidationError, match=r"before 10:00"):
        LoadForecastConfig(made_at=made_at)
