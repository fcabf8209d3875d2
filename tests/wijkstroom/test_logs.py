from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from wijkstroom.logs import LogFormat, start_logging


@pytest.fixture(autouse=True)
def _kept_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def log_something(form: LogFormat) -> str:
    stream = io.StringIO()
    start_logging(form, stream)
    try:
        int("the socket\nis gone")
    except ValueError:
        logging.getLogger("csms.test").exception("station %s failed", 'A"1\n')
    logging.getLogger("websockets.server").info("server listening")
    return stream.getvalue()


def test_a_json_line_is_one_object_whatever_is_said() -> None:
    (line,) = log_something(LogFormat.JSON).splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("error", "csms.test", 'station A"1\n failed')
    assert "ValueError" in said["error"]
    assert said["at"].endswith("+00:00")


def test_text_is_for_people() -> None:
    text = log_something(LogFormat.TEXT)
    assert "ERROR csms.test: station" in text
    assert "listening" not in text
