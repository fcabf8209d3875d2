"""Every benchmark prints the same document."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from wijkstroom.bench import stdout_to_stderr
from wijkstroom.bench.frame import Figure, at_least, at_most, keep, run, unmeasured


def test_document_has_exactly_the_published_keys(tmp_path: Path) -> None:
    document = run("nothing", lambda: [at_least("speed", 3.0, "1/s", 2.0, "itself")])
    assert list(document) == ["bench", "figures", "versions", "commit", "seconds"]
    assert list(document["figures"][0]) == ["name", "value", "unit", "target", "met", "reference"]
    kept = keep(document, tmp_path)
    assert kept is not None
    assert json.loads(kept.read_text())["bench"] == "nothing"


@pytest.mark.parametrize(("value", "met"), [(2.0, True), (1.9, False), (float("nan"), False)])
def test_at_least(value: float, met: bool) -> None:
    assert at_least("speed", value, "1/s", 2.0, "itself").met is met


@pytest.mark.parametrize(("value", "met"), [(2.0, True), (2.1, False), (float("inf"), False)])
def test_at_most(value: float, met: bool) -> None:
    figure = at_most("time", value, "s", 2.0, "itself")
    assert figure.met is met
    json.dumps(figure.value, allow_nan=False)


def test_what_could_not_be_measured_is_not_met() -> None:
    assert unmeasured("peer", "s", "<= 1", "cannot be installed") == Figure(
        "peer", None, "s", "<= 1", met=False, reference="cannot be installed"
    )


def test_results_are_not_kept_outside_a_source_tree(tmp_path: Path) -> None:
    assert keep({"bench": "x"}, tmp_path / "no-such-folder") is None


def test_stdout_stays_clean(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_to_stderr():
        sys.stdout.write("from Python\n")
        os.write(1, b"past Python\n")
    sys.stdout.write("{}\n")
    captured = capfd.readouterr()
    assert captured.out == "{}\n"
    assert "from Python" in captured.err
    assert "past Python" in captured.err
