"""`wijkstroom simulate FLEET.toml`: on a central system in another process, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from wijkstroom.cli import app


@pytest.fixture
def central() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "simulator.accept_all"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()
        process.terminate()


def test_a_fleet_on_any_central_system(central: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer a-secret"
        asked.append(f"{request.method} {request.url.path}")
        running = [{"id": "session", "started_at": "2999-01-01T00:00:00Z"}]
        return httpx.Response(200, json={"items": running})

    def connect(url: str, token: str) -> httpx.AsyncClient:
        header = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url=url, headers=header)

    monkeypatch.setattr("wijkstroom.simulate_fleet.connect_api", connect)
    monkeypatch.setenv("WIJKSTROOM_OPERATOR_TOKEN", "a-secret")
    path = tmp_path / "report.json"
    fleet = ["simulate", "utrecht.toml", "--csms", central, "--stations", "12", "--hours", "0.003"]
    more = ["--speed", "300", "--scenario", "rough-day.toml", "--control", "0", "--report", str(path)]
    api = ["--api", "http://127.0.0.1:8080"]
    result = CliRunner().invoke(app, [*fleet, *more, *api])
    assert result.exit_code == 0, result.output
    assert "12, of which" in result.stdout
    assert "0 violated" in result.stdout
    assert "control page: http://127.0.0.1:" in result.stderr
    report = json.loads(path.read_text())
    assert report["stations"] == 12
    assert report["schema_failures"] == 0
    told = report["told"]
    assert told["declared"] + told["booked"] == sum(one.startswith("PUT") for one in asked)
    assert report["told"]["refused"] == 0
    assert f"told          {report['told']['declared']} declared" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "nowhere.toml"], "configs/fleets/utrecht.toml"),
        (["simulate", "utrecht.toml", "--csms", "http://x"], "ws://HOST:PORT/PATH"),
        (["simulate", "utrecht.toml", "--scenario", "calm.toml"], "configs/scenarios/rough-day.toml"),
        (["simulate", "utrecht.toml", "--stations", "60000"], "ulimit -n"),
        (["simulate", "utrecht.toml", "--api", "127.0.0.1:8080"], "http://HOST:PORT"),
        (["simulate", "utrecht.toml", "--api", "http://127.0.0.1:8080"], "WIJKSTROOM_OPERATOR_TOKEN"),
        (["simulate", "ws://127.0.0.1:1", "--scenario", "rough-day.toml"], "belongs to a fleet file"),
        (["simulate", "ws://127.0.0.1:1", "--control", "0", "--report", "x"], "2 error(s)"),
    ],
)
def test_mistakes_are_refused_with_a_remedy(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
