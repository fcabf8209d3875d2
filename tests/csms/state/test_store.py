"""Works are committed in groups, and one that fails takes nobody along."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.errors import StoreError
from csms.state.models import ConnectionRow
from csms.state.store import Store, open_store
from csms.state.upserts import insert_new

CONNECTION = table_of(ConnectionRow)


def add(session: Session, name: str) -> str:
    row = {"id": name, "node": "n", "ean18": name, "kind": "home", "fuse": "1x35A"}
    insert_new(
        session.connection(), CONNECTION, [row | {"feed_in_registered": False, "export_limit_kw": 0.0}]
    )
    return name


def adding(name: str) -> Callable[[Session], str]:
    return lambda session: add(session, name)


def names(session: Session) -> list[str]:
    return list(session.connection().execute(select(CONNECTION.c.id).order_by(CONNECTION.c.id)).scalars())


def break_in_python(session: Session) -> None:
    add(session, "never")
    raise ValueError("mine")


def break_in_sql(session: Session) -> None:
    session.connection().execute(text("SELECT nothing FROM nowhere"))


@pytest.fixture(params=["inline", "threads"])
def any_store(request: pytest.FixtureRequest, database_url: str) -> Store:
    return open_store(database_url, inline=request.param == "inline")


async def test_what_is_written_can_be_read(any_store: Store) -> None:
    assert await any_store.write(lambda session: add(session, "a")) == "a"
    assert await any_store.read(names) == ["a"]
    await any_store.close()


@pytest.mark.parametrize("breaking", [break_in_python, break_in_sql])
async def test_a_work_that_fails_keeps_nothing_and_harms_nobody(
    any_store: Store, breaking: Callable[[Session], None]
) -> None:
    works: list[Callable[[Session], object]] = [adding(f"n{i:02}") for i in range(20)]
    works.insert(7, breaking)
    results = await asyncio.gather(*(any_store.write(work) for work in works), return_exceptions=True)
    assert isinstance(results.pop(7), Exception)
    assert results == [f"n{i:02}" for i in range(20)]
    assert await any_store.read(names) == [f"n{i:02}" for i in range(20)]
    await any_store.close()


async def test_works_that_wait_share_a_transaction_and_are_answered_in_order(database_url: str) -> None:
    store = open_store(database_url)
    gate, answered, sessions = threading.Event(), [], set()

    def work(session: Session, name: str) -> str:
        sessions.add(id(session))
        return add(session, name)

    async def ask(name: str) -> None:
        answered.append(await store.write(lambda session: work(session, name)))

    blocking = asyncio.create_task(store.write(lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(ask(f"n{i}")) for i in range(9)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(blocking, *tasks)
    assert answered == [f"n{i}" for i in range(9)]
    assert len(sessions) == 1
    await store.close()


async def test_two_processes_may_write_the_same_database(database_url: str) -> None:
    def count_up(session: Session) -> None:
        add(session, f"n{len(names(session)):02}")

    stores = [open_store(database_url), open_store(database_url)]
    if not database_url.startswith("sqlite"):
        stores = stores[:1] * 2  # a count of rows is no lock there
    await asyncio.gather(*(store.write(count_up) for _ in range(20) for store in stores))
    assert await stores[0].read(names) == [f"n{number:02}" for number in range(40)]
    for store in stores:
        await store.close()


async def test_closing_finishes_what_is_queued(database_url: str) -> None:
    store = open_store(database_url)
    tasks = [asyncio.create_task(store.write(adding(f"n{i}"))) for i in range(5)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*tasks) == [f"n{i}" for i in range(5)]
    with pytest.raises(StoreError, match="closed"):
        await store.write(names)


async def test_sqlite_has_every_commit_on_disk_and_checks_references(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/street.db")

    def pragmas(session: Session) -> list[object]:
        ask = session.connection().exec_driver_sql
        return [ask(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await store.read(pragmas) == ["wal", 2, 1]
    await store.close()


@pytest.mark.parametrize("url", ["", "mysql://x/y", "street.db", "postgresql://x/y"])
def test_other_urls_are_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///FILE"):
        open_store(url)


def test_memory_is_for_one_thread() -> None:
    with pytest.raises(StoreError, match="name a file"):
        open_store("sqlite://")
