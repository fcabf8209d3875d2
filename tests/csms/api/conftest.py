from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.csms.api.world import World
from wijkstroom.street import Street, load_street


@pytest.fixture(scope="session")
def street() -> Street:
    return load_street()


@pytest.fixture
async def world(street: Street) -> AsyncIterator[World]:
    world = World(street)
    await world.service.start()
    yield world
    await world.store.close()


@pytest.fixture
async def operator(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client
