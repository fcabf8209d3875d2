"""A service over every database at hand, and a clock that is moved by hand."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlmodel import Session, SQLModel

from csms.state.migrations import upgrade
from csms.state.service import StateService
from csms.state.store import Store, open_store
from grid.clock import ManualClock
from tests.csms.state.street import NOW, build_service

POSTGRES_VARIABLE = "WIJKSTROOM_TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def migrated_postgres_url() -> Iterator[str]:
    """A PostgreSQL database with tables, for many tests that empty it."""
    with new_postgres_database() as url:
        open_engine = create_engine(url)
        upgrade(open_engine)
        open_engine.dispose()
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database of its own for a test."""
    with new_postgres_database() as url:
        yield url


@contextmanager
def new_postgres_database() -> Iterator[str]:
    server = os.environ.get(POSTGRES_VARIABLE)
    if not server:
        pytest.skip(f"{POSTGRES_VARIABLE} is not set")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"wijkstroom_test_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that outlives its store, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/street.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("migrated_postgres_url")
    store = open_store(url, inline=True)
    if request.param == "postgres":
        await store.write(empty)
    yield store
    await store.close()


def empty(session: Session) -> None:
    names = ", ".join(SQLModel.metadata.tables)
    session.connection().exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")


@pytest.fixture
async def service(store: Store, clock: ManualClock) -> StateService:
    service = build_service(store, clock)
    await service.start()
    return service
