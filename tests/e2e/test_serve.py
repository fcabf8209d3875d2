from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

COMMAND = [sys.executable, "-c", "from wijkstroom.cli import main; main()", "serve"]
START_LIMIT_S = 120

pytestmark = pytest.mark.slow


@dataclass
class Served:
    """A service that runs, as its lines on the terminal tell."""

    process: subprocess.Popen[str]
    token: str
    ocpp_url: str
    http_url: str

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.http_url + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def station(self, station_id: str) -> ClientConnection:
        return connect(
            self.ocpp_url.replace("STATION_ID", station_id), subprotocols=[Subprotocol("ocpp1.6")], proxy=None
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def run(tmp_path: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WIJKSTROOM_")}
    return subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, "TMPDIR": str(tmp_path), **environment},
        cwd=tmp_path,
    )


@contextmanager
def serving(tmp_path: Path, *options: str, **environment: str) -> Iterator[Served]:
    process = run(tmp_path, "--ocpp-port", "0", "--http-port", "0", *options, **environment)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("operator token: "), process.stderr.read()
        words: list[str] = []
        while not any(word.startswith("http://") for word in words):  # the log may speak in between
            words += process.stderr.readline().split()
        yield Served(
            process,
            line.removeprefix("operator token: ").strip(),
            next(word for word in words if word.startswith("ws://")),
            next(word for word in words if word.startswith("http://")).rstrip("/"),
        )
    finally:
        process.kill()
        process.communicate()


def ask(station: ClientConnection, action: str, payload: dict[str, Any]) -> Any:
    """Send a call and return its answer; calls of the service are answered as not implemented."""
    station.send(json.dumps([2, "m-1", action, payload]))
    while True:
        kind, number, *rest = json.loads(station.recv(30))
        if kind == 3:
            return rest[0]
        assert kind == 2, rest
        station.send(json.dumps([4, number, "NotImplemented", "", {}]))


def start_session(station: ClientConnection) -> int:
    boot = ask(station, "BootNotification", {"chargePointVendor": "Wijk", "chargePointModel": "Duo"})
    assert boot["status"] == "Accepted"
    start = {"connectorId": 1, "idTag": "CARD", "meterStart": 1000, "timestamp": boot["currentTime"]}
    transaction: int = ask(station, "StartTransaction", start)["transactionId"]
    return transaction


def test_trying_out_takes_any_station_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--try") as served:
        assert served.get("/healthz").json()["ready"]
        assert httpx.get(served.http_url + "/").status_code == 200, "the live page is open on loopback"
        assert httpx.get(served.http_url + "/api/v1/stations").status_code == 401
        with served.station("never-heard-of") as station:
            start_session(station)
            found = served.get("/api/v1/stations/never-heard-of").json()
            assert (found["connected"], found["configured"]) == (True, False)
            (session,) = served.get("/api/v1/sessions").json()["items"]
            assert (session["station_id"], session["active"]) == ("never-heard-of", True)
            assert served.stop() == 0
            for _ in station:
                pass  # calls of the service, up to its farewell
            assert station.close_code == 1001
    assert not list(tmp_path.iterdir())


def test_a_restart_in_the_middle_of_a_session_loses_nothing(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/kept.db"
    with serving(tmp_path, "--try", "--db", database) as served, served.station("pole") as station:
        transaction = start_session(station)
        session_id = served.get("/api/v1/sessions").json()["items"][0]["id"]
        assert served.stop() == 0
    with serving(tmp_path, "--try", "--db", database) as served, served.station("pole") as station:
        session = served.get(f"/api/v1/sessions/{session_id}").json()
        assert session["active"]
        now = ask(station, "Heartbeat", {})["currentTime"]
        stop = {"transactionId": transaction, "meterStop": 1200, "timestamp": now}
        ask(station, "StopTransaction", stop)
        assert not served.get(f"/api/v1/sessions/{session_id}").json()["active"]


def test_without_trying_out_strangers_are_refused_and_the_page_asks(tmp_path: Path) -> None:
    token = "a-token-that-is-long-enough"
    environment = {"WIJKSTROOM_OPERATOR_TOKEN": token, "WIJKSTROOM_HOST": "127.0.0.1"}
    with serving(tmp_path, **environment) as served:
        assert token not in served.token, "a token that was given is not told"
        served.token = token
        assert served.get("/api/v1/plans").status_code == 200
        assert httpx.get(served.http_url + "/").status_code == 303
        with pytest.raises(Exception, match="401"), served.station("never-heard-of"):
            pass
        assert served.stop() == 0
    assert (tmp_path / "wijkstroom.db").exists()


@pytest.mark.parametrize("option", ["--http-port", "--ocpp-port"])
def test_a_port_in_use_is_a_clear_error(tmp_path: Path, option: str) -> None:
    other = "--ocpp-port" if option == "--http-port" else "--http-port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = run(tmp_path, "--try", option, port, other, "0")
        output, errors = process.communicate(timeout=START_LIMIT_S)
    assert process.returncode == 2
    assert output == ""
    assert f"port {port} on 127.0.0.1 cannot be opened (Address already in use)" in errors
    assert option in errors
    assert "Traceback" not in errors


def test_a_bad_environment_is_named_without_its_value(tmp_path: Path) -> None:
    process = run(tmp_path, "--try", WIJKSTROOM_OPERATOR_TOKEN="short-secret")
    _, errors = process.communicate(timeout=START_LIMIT_S)
    assert process.returncode == 2
    assert "WIJKSTROOM_OPERATOR_TOKEN" in errors
    assert "short-secret" not in errors


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    process = run(tmp_path, "--try", "--db", "mysql://somewhere/street")
    _, errors = process.communicate(timeout=START_LIMIT_S)
    assert process.returncode == 2
    assert "sqlite:///FILE" in errors
    assert "Traceback" not in errors
