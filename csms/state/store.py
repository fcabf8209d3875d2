"""One writer: works are queued, committed in groups, and answered only after the commit.

A work is a function of a session that may be run a second time: when one work of a group fails, the group is
rolled back and each of its works is run in a transaction of its own, so that only the one that fails is lost.
The database is SQLite (WAL, every commit on disk) or PostgreSQL.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from csms.state.errors import StoreError
from csms.state.memory import Memory
from csms.state.migrations import upgrade

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Session], T]

MAX_GROUP = 256
_BUSY_TIMEOUT_MS = 10_000
_WAL_PAGES = 1000
_WRITING = "wijkstroom_writing"


class Store(Protocol):
    """Where rows are kept."""

    async def write(self, work: Work[T]) -> T:
        """Run a work in a transaction and return its result once that is committed.

        An exception of the work is raised here, and nothing that it did is kept. A work must not keep state
        outside its session: it may be run again.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run a work that changes nothing on what is committed."""
        ...

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
        ...


def open_store(url: str, *, inline: bool = False) -> Store:
    """Open a database, bring its tables up to date, and return the store over it.

    Parameters
    ----------
    url
        ``sqlite:///FILE``, ``sqlite://`` (in memory, inline only) or ``postgresql+psycopg://USER@HOST/NAME``.
    inline
        Run works on the caller's thread: deterministic, for tests and replays.

    Raises
    ------
    StoreError
        When the URL names no such database, or a driver is missing.
    """
    parsed = parse_url(url)
    if is_memory(parsed) and not inline:
        raise StoreError("an SQLite database in memory has one thread only: name a file, sqlite:///FILE")
    engine = _create_engine(parsed)
    try:
        upgrade(_for_writing(engine))
    except BaseException:
        engine.dispose()
        raise
    return InlineStore(engine) if inline else ThreadStore(engine)


def parse_url(url: str) -> URL:
    """Read the URL of a database.

    Raises
    ------
    StoreError
        When it is none, or one of a kind that is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is no database URL: write sqlite:///FILE") from error
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise StoreError(
            f"{parsed.drivername} is not supported: use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    return parsed


def is_memory(url: URL) -> bool:
    """Say whether a database lives in memory and ends with its process."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def _create_engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url, pool_size=2, max_overflow=2, pool_pre_ping=True)
        if is_memory(url):
            engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise StoreError(f"{error.name} is missing: pip install 'wijkstroom[postgres]'") from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not guessed by the driver
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # NORMAL would lose the last commits with the power
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        f"wal_autocheckpoint={_WAL_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that read first could not write after another process has.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _for_writing(engine: Engine) -> Engine:
    return engine.execution_options(**{_WRITING: True})


def _run_in_transaction(engine: Engine, memory: Memory, work: Work[T]) -> T:
    try:
        with Session(engine, expire_on_commit=False) as session:
            memory.attach(session)
            result = work(session)
            session.commit()
            return result
    except BaseException:
        memory.forget()
        raise


class InlineStore:
    """Runs every work at once on the caller's thread.

    Parameters
    ----------
    engine
        The database, its tables up to date.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = _for_writing(engine)
        self._memory = Memory()

    async def write(self, work: Work[T]) -> T:
        """Run a work in a transaction of its own."""
        return _run_in_transaction(self._writing, self._memory, work)

    async def read(self, work: Work[T]) -> T:
        """Run a work that changes nothing."""
        with Session(self._engine, expire_on_commit=False) as session:
            return work(session)

    async def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


@dataclass(frozen=True, slots=True)
class _Job:
    """A work and who waits for it."""

    work: Work[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Done:
    """How a job ended."""

    job: _Job
    result: Any = None
    error: BaseException | None = None


class ThreadStore:
    """One thread writes in groups, one reads.

    Parameters
    ----------
    engine
        The database, its tables up to date.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        memory, writing = Memory(), _for_writing(engine)
        self._writer = _Worker("store-writer", lambda jobs: _run_group(writing, memory, jobs))
        self._reader = _Worker("store-reader", lambda jobs: [_run_reading(engine, job) for job in jobs])

    async def write(self, work: Work[T]) -> T:
        """Queue a work for the writer and wait until its group is committed."""
        result: T = await self._writer.submit(work)
        return result

    async def read(self, work: Work[T]) -> T:
        """Queue a work for the reader."""
        result: T = await self._reader.submit(work)
        return result

    async def close(self) -> None:
        """Finish what is queued, end the threads, let go of the database."""
        for worker in (self._writer, self._reader):
            await worker.close()
        self._engine.dispose()


class _Worker:
    """A thread that takes what is queued, all that is there at a time."""

    def __init__(self, name: str, run: Callable[[list[_Job]], list[_Done]]) -> None:
        self._run = run
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def submit(self, work: Work[Any]) -> Any:
        if self._closed:
            raise StoreError("the store is closed: nothing can be recorded any more")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Job(work, future, loop))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        going_on = True
        while going_on:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == MAX_GROUP:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            going_on = job is not None
            if jobs:
                _tell(self._run(jobs))


def _run_group(engine: Engine, memory: Memory, jobs: list[_Job]) -> list[_Done]:
    if len(jobs) == 1:
        return [_run_alone(engine, memory, jobs[0])]
    try:
        with Session(engine, expire_on_commit=False) as session:
            memory.attach(session)
            results = [job.work(session) for job in jobs]
            session.commit()
    except Exception:
        logger.debug("a group of %d works is run one by one", len(jobs), exc_info=True)
        memory.forget()
        return [_run_alone(engine, memory, job) for job in jobs]
    return [_Done(job, result) for job, result in zip(jobs, results, strict=True)]


def _run_alone(engine: Engine, memory: Memory, job: _Job) -> _Done:
    try:
        return _Done(job, _run_in_transaction(engine, memory, job.work))
    except Exception as error:  # noqa: BLE001 - handed to whoever waits
        return _Done(job, error=error)


def _run_reading(engine: Engine, job: _Job) -> _Done:
    try:
        with Session(engine, expire_on_commit=False) as session:
            return _Done(job, job.work(session))
    except Exception as error:  # noqa: BLE001 - handed to whoever waits
        return _Done(job, error=error)


def _tell(done: list[_Done]) -> None:
    """Resolve the futures of a group, one wake-up of the loop for all, in the order of their commits."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Done]] = {}
    for each in done:
        by_loop.setdefault(each.job.loop, []).append(each)
    for loop, group in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(group: list[_Done]) -> None:
    for each in group:
        if each.job.future.done():
            continue  # nobody waits any more
        if each.error is not None:
            each.job.future.set_exception(each.error)
        else:
            each.job.future.set_result(each.result)
