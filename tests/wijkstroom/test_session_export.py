"""What the service exports is what `wijkstroom rollout propose` reads."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csms.api.exports import COLUMNS
from simulator.rollout import sessions
from tests.csms.api.world import STATION, World
from wijkstroom.cli import app
from wijkstroom.street import load_street

DAYS, KWH = 21, 10.0


async def export() -> str:
    """Return what the API answers after three weeks in which a station was nearly always full."""
    world = World(load_street())
    await world.service.start()
    await world.connect(STATION)
    for day in range(DAYS):
        for evse_id in (1, 2):
            await world.plug_in(f"{day}-{evse_id}", evse_id)
        await world.clock.advance(3600 * 23)
        for evse_id in (1, 2):
            await world.unplug(f"{day}-{evse_id}", evse_id, at_kwh=10.0 + KWH)
        await world.clock.advance(3600)
    async with world.client() as operator:
        answer = await operator.get("/api/v1/sessions.csv")
    await world.store.close()
    return answer.text


def test_both_sides_name_the_same_columns() -> None:
    assert COLUMNS == sessions.COLUMNS


def test_the_export_of_a_street_becomes_proposals(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(asyncio.run(export()))
    result = CliRunner().invoke(app, ["rollout", "propose", str(path), "--poles", "1", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (proposal,) = document["proposals"]
    assert proposal["beside"] == STATION
    assert proposal["sockets_in_reach"] == 2
    assert {row["lot"] for row in document["concession"]} == {"Lombok"}
    assert sum(row["energy_kwh"] for row in document["concession"]) == pytest.approx(2 * DAYS * KWH)
