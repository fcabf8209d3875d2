"""Two controllers started: the second is refused until the first has gone, however it went."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from csms.state.errors import LeadershipError
from csms.state.leadership import leading

LEADER = """
import sys
from csms.state.leadership import leading
with leading(sys.argv[1]):
    print("leads", flush=True)
    sys.stdin.read()
"""


def test_the_second_controller_on_a_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/street.db"
    with leading(url):
        with pytest.raises(LeadershipError, match="another service leads"), leading(url):
            pass
        with leading(f"sqlite:///{tmp_path}/other.db"), leading("sqlite://"), leading("sqlite://"):
            pass
    with leading(url):
        pass


def test_a_killed_controller_gives_way_at_once_a_stopped_one_does_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/street.db"
    command = [sys.executable, "-c", LEADER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"leads\n"
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(LeadershipError), leading(url):
            pass
        process.kill()
        process.wait()
        with leading(url):
            pass
