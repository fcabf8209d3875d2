from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st

from csms.state.queries import QuarterEnergy
from csms.web.city import CityDesk, add_city
from csms.web.open_data import CROWD, DICTIONARY, Span, compute_hours, local_day
from grid.street import GridSide
from grid.timegrid import QUARTER
from tests.csms.api.world import World
from wijkstroom.street import load_street

START = datetime(2024, 6, 11, 10, tzinfo=UTC)
END = START + timedelta(hours=6)
minutes = st.integers(min_value=-120, max_value=480)
spans = st.lists(
    st.tuples(minutes, st.one_of(st.none(), st.integers(min_value=1, max_value=300))).map(
        lambda pair: (
            START + timedelta(minutes=pair[0]),
            None if pair[1] is None else START + timedelta(minutes=pair[0] + pair[1]),
        )
    ),
    max_size=12,
)


def flat(kwh: float) -> list[QuarterEnergy]:
    return [QuarterEnergy(START + n * QUARTER, kwh, kwh / 2) for n in range(24)]


@given(spans)
def test_no_hour_is_told_of_fewer_than_a_crowd(spans: list[Span]) -> None:
    hours = compute_hours(START, END, spans, {("a", 1): flat(2.0)}, [])
    for hour in hours:
        until = hour.start + timedelta(hours=1)
        there = [one for one in spans if one[0] < until and (one[1] is None or one[1] > hour.start)]
        assert len(there) == hour.sessions >= CROWD
        assert (hour.charged_kwh, hour.given_back_kwh, hour.sun_fraction) == (8.0, 4.0, None)


def test_sun_counts_only_in_the_quarter_in_which_it_shone() -> None:
    spans: list[Span] = [(START, None)] * CROWD
    charged = {("a", 1): [QuarterEnergy(START + n * QUARTER, 2.0, 0.0) for n in range(4)]}
    array = [QuarterEnergy(START, 0.0, 8.0), QuarterEnergy(START + QUARTER, 0.0, 1.0)]
    first, *_ = compute_hours(START, END, spans, charged, [array])
    assert first.sun_fraction == pytest.approx((2.0 + 1.0) / 8.0, abs=0.0051)
    assert compute_hours(START, END, spans, {}, [array])[0].sun_fraction is None


def test_a_day_has_its_own_length(grid: GridSide) -> None:
    for day, hours in ((date(2024, 3, 31), 23), (date(2024, 6, 11), 24), (date(2024, 10, 27), 25)):
        start, end = local_day(day, grid)
        assert (end - start) // timedelta(hours=1) == hours


async def visit(world: World) -> httpx.AsyncClient:
    await world.service.start()
    router = APIRouter(include_in_schema=False)
    add_city(router, CityDesk(world.context))
    world.app.include_router(router)
    return world.client(token=None)


async def test_open_data_needs_no_token_and_names_nobody() -> None:
    world = World(load_street())
    async with await visit(world) as client:
        await world.connect()
        assert (await client.get("/open/hours.csv")).text.splitlines() == [",".join(DICTIONARY)]
        for number in range(CROWD):
            await world.connect(f"LMB-1{number + 5}")
            await world.plug_in(f"t-{number}", station_id=f"LMB-1{number + 5}", token=f"CARD-{number}")
        await world.clock.advance(1800)
        response = await client.get("/open/hours.csv")
        assert response.headers["content-type"].startswith("text/csv")
        (hour,) = csv.DictReader(io.StringIO(response.text))
        assert (hour["start"], hour["sessions"]) == ("2024-06-11T15:00:00+00:00", str(CROWD))
        page = await client.get("/city")
        assert "62 days" in page.text
        for text in (response.text, page.text):
            assert "CARD" not in text
            assert "session-" not in text
            assert "LMB-" not in text
        dictionary = csv.DictReader(io.StringIO((await client.get("/open/dictionary.csv")).text))
        assert [row["column"] for row in dictionary] == list(hour)
    await world.store.close()


@pytest.mark.parametrize("day", ["2024-06-12", "2024-01-01", "yesterday"])
async def test_days_that_cannot_be_told_are_refused(day: str) -> None:
    world = World(load_street())
    async with await visit(world) as client:
        response = await client.get(f"/open/hours.csv?day={day}")
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "day"
    await world.store.close()
