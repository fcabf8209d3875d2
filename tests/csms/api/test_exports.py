"""Sessions as a file for planners."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from csms.api import exports
from tests.csms.api.world import NOW, STATION, World

ROUTE = "/api/v1/sessions.csv"


async def charge_once(world: World, transaction: str, to_kwh: float = 12.0) -> None:
    await world.plug_in(transaction)
    await world.charge(transaction, to_kwh=to_kwh)
    await world.unplug(transaction, at_kwh=to_kwh)
    await world.clock.advance(60)


def read_rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_a_session_that_is_over_is_a_row(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    await charge_once(world, "t-1", to_kwh=12.5)
    await world.plug_in("t-2")  # runs: it has no end to tell
    answer = await operator.get(ROUTE)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "sessions.csv" in answer.headers["content-disposition"]
    (row,) = read_rows(answer)
    station = world.street.stations[[each.id for each in world.street.stations].index(STATION)]
    assert row == {
        "station_id": STATION,
        "lot": "Lombok",
        "latitude": str(station.latitude),
        "longitude": str(station.longitude),
        "sockets": "2",
        "started_at": "2024-06-11T15:30:00+00:00",
        "ended_at": "2024-06-11T16:00:00+00:00",
        "energy_kwh": "2.5",
    }


async def test_pages_make_one_file(
    operator: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_SESSIONS", 2)
    await world.connect()
    for number in range(5):
        await charge_once(world, f"t-{number}")
    starts = [row["started_at"] for row in read_rows(await operator.get(ROUTE))]
    assert len(starts) == 5
    assert starts == sorted(starts, reverse=True)


async def test_only_sessions_of_the_period(operator: httpx.AsyncClient, world: World) -> None:
    await world.connect()
    for number in range(3):
        await charge_once(world, f"t-{number}")
    period = {"start": "2024-06-11T16:10:00Z", "end": "2024-06-11T16:32:00Z"}
    (row,) = read_rows(await operator.get(ROUTE, params=period))
    assert row["started_at"] == "2024-06-11T16:01:00+00:00"


async def test_nothing_tells_who_charged_and_the_export_is_kept(
    operator: httpx.AsyncClient, world: World
) -> None:
    await world.connect()
    await charge_once(world, "t-1")
    assert "CARD" not in (await operator.get(ROUTE, params={"start": NOW.isoformat()})).text
    (deed,) = (await operator.get("/api/v1/audit")).json()
    assert deed["deed"] == "export of sessions"
    assert deed["detail"] == f"start {NOW.isoformat()}, end open"


async def test_without_sessions_the_file_has_its_columns(operator: httpx.AsyncClient) -> None:
    assert (await operator.get(ROUTE)).text == ",".join(exports.COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "2024-06-11T15:30:00"}, "start"),
        ({"start": "2024-06-12T00:00:00Z", "end": "2024-06-11T00:00:00Z"}, "end"),
        ({"until": "2024-06-12T00:00:00Z"}, "until"),
    ],
)
async def test_a_period_that_cannot_be_is_refused(
    operator: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    answer = await operator.get(ROUTE, params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_strangers_get_nothing(world: World) -> None:
    async with world.client(token=None) as stranger:
        assert (await stranger.get(ROUTE)).status_code == 401
