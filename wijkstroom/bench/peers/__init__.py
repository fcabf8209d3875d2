"""Other people's tools, each in an environment of its own, on the same work in the same run.

A peer is described by its pinned requirements and a script of ours that reads a JSON document from standard
input and prints one. Environments are made once below the user's cache folder and used again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

INSTALL_DEADLINE_S = 1200.0


class PeerError(Exception):
    """A peer could not be installed or did not answer; the benchmark goes on without it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tool.

    Parameters
    ----------
    name
        Its name, also that of its environment.
    requirements
        Pinned packages (``flexmeasures==1.0.1``).
    script
        Our script that runs in its environment, a file beside this one.
    """

    name: str
    requirements: tuple[str, ...]
    script: str

    @property
    def label(self) -> str:
        """Name and version, for the `reference` of a figure."""
        return " ".join(self.requirements)

    def environment(self) -> Path:
        """Return the folder of its environment, whether made or not."""
        digest = hashlib.sha256("\n".join((sys.version, *self.requirements)).encode()).hexdigest()[:12]
        return cache_folder() / f"{self.name}-{digest}"

    def install(self) -> Path:
        """Make its environment if it is not there, and return its Python.

        Raises
        ------
        PeerError
            When a package cannot be installed.
        """
        folder = self.environment()
        python, done = folder / "bin" / "python", folder / "installed"
        if not done.exists():
            _run([sys.executable, "-m", "venv", "--clear", str(folder)], INSTALL_DEADLINE_S)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, *self.requirements], INSTALL_DEADLINE_S)
            done.touch()
        return python

    def run(self, document: Any, *, deadline_s: float) -> dict[str, Any]:
        """Hand it a document and return its answer.

        Parameters
        ----------
        document
            Anything that JSON can carry.
        deadline_s
            Seconds after which it is ended.

        Raises
        ------
        PeerError
            When it cannot be installed, fails, or takes too long.
        """
        python = self.install()
        script = Path(__file__).with_name(self.script)
        answer = _run([str(python), str(script)], deadline_s, orjson.dumps(document))
        try:
            # Peers log to standard output, so the answer is the last line.
            result: dict[str, Any] = orjson.loads(answer.strip().splitlines()[-1])
        except (IndexError, ValueError) as error:
            raise PeerError(f"{self.name} printed no JSON: {answer[-300:]!r}") from error
        return result


def cache_folder() -> Path:
    """Return the folder that keeps the environments of peers."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wijkstroom" / "peers"


def _run(command: Sequence[str], deadline_s: float, stdin: bytes = b"") -> bytes:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=deadline_s, check=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"no answer within {deadline_s:g} s: {' '.join(command[:3])}") from error
    except (subprocess.CalledProcessError, OSError) as error:
        detail = getattr(error, "stderr", b"") or b""
        raise PeerError(
            f"{' '.join(command[:3])} failed: {detail.decode(errors='replace')[-500:]}"
        ) from error
    return done.stdout
