"""Small streets for whole runs: a few stations of one kind, and more visitors than they have in life."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from wijkstroom.scene import Scene, draw_scene
from wijkstroom.street import Street, load_street

DAY = date(2024, 6, 11)
# As fast as it goes: the clock waits for the work.
FASTEST = 1e6


@pytest.fixture(scope="session")
def street() -> Street:
    return load_street()


@pytest.fixture(scope="session")
def scene_of(street: Street) -> Callable[..., Scene]:
    """Return what sets the scene with the first stations of a model."""

    def build(model: str, stations: int, hours: float, *, visitors: float = 40.0, seed: int = 3) -> Scene:
        own = [each.id for each in street.stations if each.model == model][:stations]
        busy = street.limited_to(own)
        assert busy.simulation is not None
        simulation = busy.simulation.model_copy(update={"sessions_per_day": visitors})
        return draw_scene(Street(**{**vars(busy), "simulation": simulation}), DAY, hours, seed)

    return build
