"""Our messages against an OSCP 2.0 that we did not write: pyoscp, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from csms.share.metering import GroupAccount, Kept
from csms.share.oscp_messages import describe_excess, describe_measurements
from csms.state.queries import QuarterEnergy
from grid.feeds.oscp import (
    CAPACITY_PROVIDER_PATH,
    FLEXIBILITY_PROVIDER_PATH,
    ForecastedBlock,
    ForecastType,
    GroupCapacityForecast,
    Handshake,
    Heartbeat,
    OscpClient,
    OscpError,
    OscpPhase,
    OscpUnit,
    Register,
    RequiredBehaviour,
    VersionUrl,
)
from grid.topology import Direction

VARIABLE = "WIJKSTROOM_TEST_PYOSCP"
NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)

# Its capacity provider as it is, over managers that write down what it let through.
SERVER = """
import json, socket, sys
from flask import Flask
from flask_restx import Api
from werkzeug.serving import make_server
from oscp.cp_endpoints import cap_provider_ns

def tell(name):
    return lambda payload=None, *_: print(json.dumps([name, payload]), flush=True)

class Manager:
    def _check_access_token(self):
        return "token"
    def __getattr__(self, name):
        return tell(name)

for route in cap_provider_ns.resources:
    injected = {"registrationmanager": Manager(), "capacityprovider": Manager()}
    route.kwargs["resource_class_kwargs"] = injected
app = Flask("reference")
api = Api(app, prefix="/oscp", validate=True)
api.add_namespace(cap_provider_ns)
server = make_server("127.0.0.1", 0, app)
print(json.dumps(["listening", server.server_port]), flush=True)
server.serve_forever()
"""


class Reference:
    """The other side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> tuple[str, Any]:
        """Return the next thing that it let through."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            name, payload = json.loads(await self._process.stdout.readline())
        return name, payload


@asynccontextmanager
async def reference() -> AsyncIterator[tuple[Reference, OscpClient]]:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python that has pyoscp")
    process = await asyncio.create_subprocess_exec(
        python, "-c", SERVER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        other = Reference(process)
        _, port = await other.hear()
        async with httpx.AsyncClient() as http:
            yield other, OscpClient(f"http://127.0.0.1:{port}{CAPACITY_PROVIDER_PATH}", "token", http)
    finally:
        process.kill()
        await process.wait()


def block(kw: float) -> ForecastedBlock:
    return ForecastedBlock(
        capacity=kw,
        phase=OscpPhase.ALL,
        unit=OscpUnit.KW,
        start_time=NOW,
        end_time=NOW + timedelta(minutes=15),
    )


def account() -> GroupAccount:
    return GroupAccount("GRP", "node", (QuarterEnergy(NOW, 25.0, 0.5),), ((525.0, 3.5),), ())


async def test_what_we_say_is_taken() -> None:
    async with reference() as (other, client):
        urls = (VersionUrl(version="2.0", base_url=f"http://127.0.0.1:1{FLEXIBILITY_PROVIDER_PATH}"),)
        await client.register(Register(token="ours", version_url=urls))
        name, told = await other.hear()
        assert (name, told["token"]) == ("handleRegister", "ours")
        behaviour = RequiredBehaviour(heartbeat_interval=60)
        await client.handshake(Handshake(required_behaviour=behaviour))
        assert (await other.hear())[1]["required_behaviour"]["heartbeat_interval"] == 60
        await client.heartbeat(Heartbeat(offline_mode_at=NOW))
        assert (await other.hear())[0] == "handleHeartbeat"
        await client.request_adjustment(
            GroupCapacityForecast(
                group_id="GRP", type=ForecastType.CONSUMPTION, forecasted_blocks=(block(120.0),)
            )
        )
        name, told = await other.hear()
        assert (name, told["forecasted_blocks"][0]["capacity"]) == (
            "handleAdjustGroupCapacityForecast",
            120.0,
        )
        for intermittent in (True, False):
            await client.send_measurements(describe_measurements(account(), intermittent=intermittent))
            name, told = await other.hear()
            assert (name, len(told["measurements"])) == ("handleUpdateGroupMeasurements", 2)
        kept = Kept("forecast-1", Direction.IMPORT, (NOW,), (90.0,), (100.0,))
        await client.report_error(describe_excess("GRP", kept), kept.signal_id)
        name, told = await other.hear()
        assert (name, told["forecasted_blocks"][0]["unit"]) == ("handleGroupCapacityComplianceError", "KW")


async def test_its_acknowledgement_has_a_path_of_its_own() -> None:
    """The standard says handshake_acknowledge; pyoscp 0.1 listens at handshake_acknowledgment."""
    async with reference() as (_, client):
        with pytest.raises(OscpError, match="404"):
            await client.acknowledge_handshake(Handshake(), "handshake-1")
