"""Every key of every configuration file stands in the docs, with its meaning."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from wijkstroom.configuration import list_models, read_meanings, render_configuration

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_the_page_is_what_the_command_prints() -> None:
    assert PAGE.read_text() == render_configuration(), (
        "renew it: wijkstroom configuration > docs/configuration.md"
    )


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.__name__)
def test_every_key_says_what_it_means(model: type[BaseModel]) -> None:
    meanings = read_meanings(model)
    missing = [key for key in model.model_fields if not meanings.get(key)]
    assert not missing, f"{model.__name__}: no meaning for {missing}"
