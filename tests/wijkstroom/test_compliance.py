"""`wijkstroom compliance`: a month from the database, as a table, as JSON, as CSV."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csms.state.store import open_store
from csms.state.street_meters import record_reading
from grid.feeds.p1 import MeterReading
from wijkstroom.cli import app

BEGIN = datetime(2024, 6, 11, 15, 30, tzinfo=UTC)  # 17:30 in the street: the schedule allows 110 kW


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Half an hour at 120 kW."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db')}/street.db"

    async def fill() -> None:
        store = open_store(url, inline=True)
        for minute in range(31):
            reading = MeterReading(BEGIN + timedelta(minutes=minute), minute * 2.0, 0.0, 120.0)
            await store.write(partial(record_reading, meter_id="transformer", reading=reading))
        await store.close()

    asyncio.run(fill())
    return url


def run(*options: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["compliance", *options])
    return result.exit_code, result.stdout, result.stderr


def test_a_table_for_people(database: str) -> None:
    code, out, _ = run("--db", database, "--month", "2024-06")
    assert code == 0
    assert "lombok-transformer" in out
    assert "2 of 2 above the limit" in out
    assert "17:45" in out


def test_documents_for_machines(database: str) -> None:
    code, out, _ = run("--db", database, "--month", "2024-06", "--node", "lombok-transformer", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["nodes"][0]["exceeded_kwh"] == 5.0
    code, out, _ = run("--db", database, "--month", "2024-06", "--csv")
    assert code == 0
    assert len(out.splitlines()) == 1 + 4


def test_every_mistake_is_named_and_no_database_is_made(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/nowhere.db"
    code, out, err = run("--db", db, "--month", "june", "--node", "moon", "--json", "--csv")
    assert (code, out) == (2, "")
    for place in ("--month", "--node", "--db", "--csv"):
        assert place in err
    assert list(tmp_path.iterdir()) == []
