from __future__ import annotations

from pathlib import Path

import pytest

from grid.errors import DocumentError
from wijkstroom.logs import LogFormat
from wijkstroom.serve import ServeEnvironment, read_environment


def test_every_variable_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
    for name in ServeEnvironment.model_fields:
        assert f"`WIJKSTROOM_{name.upper()}`" in text


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIJKSTROOM_LOG", "json")
    monkeypatch.setenv("WIJKSTROOM_OPERATOR_TOKEN", "a-token-that-is-long")
    environment = read_environment()
    assert environment.log is LogFormat.JSON
    assert "a-token" not in repr(environment)


def test_secrets_that_are_no_json_are_named_without_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIJKSTROOM_OPENADR_SECRETS", "{hush")
    with pytest.raises(DocumentError, match="WIJKSTROOM_OPENADR_SECRETS") as refused:
        read_environment()
    assert "hush" not in str(refused.value)


def test_what_is_wrong_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIJKSTROOM_LOG", "loudly")
    monkeypatch.setenv("WIJKSTROOM_OPERATOR_TOKEN", "short")
    with pytest.raises(DocumentError) as refused:
        read_environment()
    assert {problem.path for problem in refused.value.problems} == {
        "WIJKSTROOM_LOG",
        "WIJKSTROOM_OPERATOR_TOKEN",
    }
    assert "short" not in str(refused.value)
    assert "loudly" not in str(refused.value)
