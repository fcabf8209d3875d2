"""One controller for one street: who opens the database to lead holds a lock that dies with its process.

With two controllers each would count the other's orders as its own headroom. The lock is the operating
system's for SQLite and the server's session lock for PostgreSQL: a kill frees it at once, a process that is
merely stopped keeps it, so that nobody leads in its place until it is gone.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, text

from csms.state.errors import LeadershipError
from csms.state.store import is_memory, parse_url

# The name of the lock among all that a PostgreSQL server holds; it means nothing.
_LOCK_NUMBER = 0x77696A6B


@contextmanager
def leading(url: str) -> Iterator[None]:
    """Be the one controller on a database for the block.

    Parameters
    ----------
    url
        As for `csms.state.store.open_store`.

    Raises
    ------
    LeadershipError
        When another service leads there.
    StoreError
        When the URL names no database.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        with _server_lock(parsed):
            yield
    elif is_memory(parsed):
        yield  # nobody else sees it
    else:
        with _file_lock(Path(f"{parsed.database}.lock")):
            yield


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    try:
        file = path.open("a", encoding="ascii")
    except OSError:
        yield  # where no lock can be written there is no database either: opening it says so
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(f"{path.name} is held") from None
        yield


@contextmanager
def _server_lock(url: URL) -> Iterator[None]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0)
    try:
        with engine.connect() as connection:
            got = connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
            if not got:
                raise _refusal("its lock is held")
            yield
    finally:
        engine.dispose()


def _refusal(why: str) -> LeadershipError:
    return LeadershipError(
        f"another service leads on this database ({why}): stop it, or name another database with --db"
    )
